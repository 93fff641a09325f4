//! The plugin without a command: its tokens go into the kubeconfig, for clients that read the auth provider `oidc` there.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_e2e::forge;
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::oidc_login::SignedIn;
use serde_json::{Map, Value, json};

use crate::stage::Stage;

const USER: &str = "oidc-user";

/// A kubeconfig whose only user has the auth provider.
struct Config {
    path: PathBuf,
}

impl Config {
    /// With what the provider needs, its authority as a file, and more settings.
    fn new(stage: &Stage, more: &[(&str, &str)]) -> Result<Self> {
        let ca = stage.provider.ca.as_deref().map(|file| file.display().to_string());
        let ca = ca.as_deref().map(|file| ("idp-certificate-authority", file));
        Self::with_trust(stage, &more.iter().copied().chain(ca).collect::<Vec<_>>())
    }

    fn with_trust(stage: &Stage, more: &[(&str, &str)]) -> Result<Self> {
        let known =
            [("idp-issuer-url", stage.provider.issuer.as_str()), ("client-id", &stage.provider.client_id)];
        let settings = known.into_iter().chain(more.iter().copied());
        let settings: Vec<String> =
            settings.map(|(name, value)| format!("          {name}: {}\n", json!(value))).collect();
        let settings = settings.concat();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             contexts:\n  - name: here\n    context: {{cluster: nowhere, user: {USER}}}\n\
             users:\n  # Kept by hand.\n  - name: {USER}\n    user:\n      auth-provider:\n        name: oidc\n        \
             config:\n{settings}"
        );
        let path = stage.plugin.home().join("kubeconfig");
        fs::write(&path, text)?;
        Ok(Self { path })
    }

    fn flag(&self) -> String {
        format!("--kubeconfig={}", self.path.display())
    }

    /// The settings of the user, as kubectl reads them.
    async fn settings(&self) -> Result<Map<String, Value>> {
        let kubectl = Kubectl::new()?;
        kubectl.take_kubeconfig(&self.path)?;
        let view = kubectl.run(&["config", "view", "--raw", "-o", "json"]).await?.succeeded()?;
        let view: Value = serde_json::from_str(&view)?;
        let user = view["users"].as_array().and_then(|users| users.iter().find(|user| user["name"] == USER));
        let settings = user.map(|user| &user["user"]["auth-provider"]["config"]);
        settings.and_then(Value::as_object).cloned().with_context(|| format!("no settings in {view}"))
    }

    async fn tokens(&self) -> Result<Tokens> {
        let settings = self.settings().await?;
        let text = |name: &str| settings.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Tokens {
            id_token: text("id-token").context("no id-token")?,
            refresh_token: text("refresh-token"),
        })
    }

    /// Makes the ID token one that has ended.
    async fn let_the_token_expire(&self) -> Result<()> {
        let token = self.tokens().await?.id_token;
        let ended = forge::with_claim(&token, "exp", json!(SystemClock.now().as_second() - 60))?;
        let text = fs::read_to_string(&self.path)?;
        ensure!(text.contains(&token), "the token is not in the file as it is:\n{text}");
        fs::write(&self.path, text.replace(&token, &ended))?;
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tokens {
    id_token: String,
    refresh_token: Option<String>,
}

fn root(stage: &Stage, more: &[&str]) -> Vec<String> {
    stage.plugin.flags().into_iter().chain(more.iter().map(|&flag| flag.to_owned())).collect()
}

async fn sign_in(stage: &mut Stage, config: &Config) -> Result<SignedIn> {
    let signed_in = stage.sign_in(&root(stage, &[&config.flag()])).await?;
    ensure!(signed_in.done.code == 0, "{}", signed_in.done.stderr);
    assert_eq!(signed_in.done.stdout, "");
    Ok(signed_in)
}

pub(crate) async fn auth_code(mut stage: Stage) -> Result<()> {
    let config = Config::new(&stage, &[])?;
    let signed_in = sign_in(&mut stage, &config).await?;
    assert!(signed_in.opened.starts_with("http://localhost:"), "{}", signed_in.opened);
    assert!(signed_in.page.1.contains("Authenticated"), "{}", signed_in.page.1);
    let request = stage.person.authorization_request()?;
    assert_eq!(request["scope"], "openid");
    assert_eq!(request["code_challenge_method"], "S256");
    let claims = stage.provider.verified_claims(&config.tokens().await?.id_token).await?;
    let expiry = jiff::Timestamp::from_second(claims["exp"].as_i64().context("exp")?)?;
    let said = format!("valid until {}", expiry.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"));
    assert!(signed_in.done.stderr.contains(&said), "{} {said}", signed_in.done.stderr);
    assert!(fs::read_to_string(&config.path)?.contains("# Kept by hand."));
    Ok(())
}

pub(crate) async fn password(stage: Stage) -> Result<()> {
    let config = Config::new(&stage, &[])?;
    let login = format!("--username={}", stage.provider.login);
    let password = format!("--password={}", stage.provider.password);
    let done = stage.run_alone(&root(&stage, &[&config.flag(), &login, &password])).await?;
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    stage.provider.verified_claims(&config.tokens().await?.id_token).await?;
    stage.asked(&["password"]).await?;
    Ok(())
}

/// Signs in for a refresh token too.
async fn first_tokens(stage: &mut Stage) -> Result<(Config, Tokens)> {
    let config = Config::new(stage, &[("extra-scopes", "offline_access")])?;
    sign_in(stage, &config).await?;
    let tokens = config.tokens().await?;
    stage.provider.verified_claims(&tokens.id_token).await?;
    Ok((config, tokens))
}

pub(crate) async fn no_token(mut stage: Stage) -> Result<()> {
    let (_, tokens) = first_tokens(&mut stage).await?;
    assert!(tokens.refresh_token.is_some_and(|token| !token.is_empty()));
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

pub(crate) async fn valid(mut stage: Stage) -> Result<()> {
    let (config, _) = first_tokens(&mut stage).await?;
    let before = fs::read(&config.path)?;
    let done = stage.run_alone(&root(&stage, &[&config.flag()])).await?;
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "", ""));
    assert_eq!(fs::read(&config.path)?, before);
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

pub(crate) async fn refresh(mut stage: Stage) -> Result<()> {
    let (config, first) = first_tokens(&mut stage).await?;
    let second = refreshed(&stage, &config, 1).await?;
    assert_ne!(second.refresh_token, first.refresh_token);
    Ok(())
}

pub(crate) async fn refresh_again(mut stage: Stage) -> Result<()> {
    let (config, _) = first_tokens(&mut stage).await?;
    let second = refreshed(&stage, &config, 1).await?;
    let third = refreshed(&stage, &config, 2).await?;
    let kept = third.refresh_token == second.refresh_token;
    assert_eq!(kept, stage.provider.keeps_its_refresh_token());
    assert!(third.refresh_token.is_some());
    Ok(())
}

async fn refreshed(stage: &Stage, config: &Config, number: usize) -> Result<Tokens> {
    config.let_the_token_expire().await?;
    let before = config.tokens().await?;
    let done = stage.run_alone(&root(stage, &[&config.flag()])).await?;
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    let after = config.tokens().await?;
    stage.provider.verified_claims(&after.id_token).await?;
    if let Some(asked) = stage.provider.token_requests().await? {
        // The kubeconfig does not say which scopes were granted: oidc-provider refuses to be asked for more, once.
        let granted: Vec<_> = asked.iter().filter(|request| request.granted).collect();
        let grants: Vec<_> = granted.iter().map(|request| request.grant.as_str()).collect();
        assert_eq!(
            grants,
            [&["authorization_code"][..], &vec!["refresh_token"; number]].concat(),
            "{asked:?}"
        );
        let presented = before.refresh_token.as_deref().context("a refresh token")?;
        let last = granted.last().context("a request")?;
        assert_eq!(last.refresh_token, Some(stage.provider.name_of(presented)?));
    }
    Ok(after)
}

pub(crate) async fn tls_data(mut stage: Stage) -> Result<()> {
    let ca = BASE64_STANDARD.encode(fs::read(stage.provider.ca.as_deref().context("TLS")?)?);
    let config = Config::with_trust(&stage, &[("idp-certificate-authority-data", &ca)])?;
    sign_in(&mut stage, &config).await?;
    stage.provider.verified_claims(&config.tokens().await?.id_token).await?;
    Ok(())
}

pub(crate) async fn variable(mut stage: Stage) -> Result<()> {
    let config = Config::new(&stage, &[])?;
    let other = stage.plugin.home().join("other");
    fs::write(&other, "apiVersion: v1\nkind: Config\ncurrent-context: here\nusers: []\n")?;
    let before = fs::read(&other)?;
    let list = format!("{}:{}", other.display(), config.path.display());
    let arguments = root(&stage, &[]);
    let signed_in =
        stage.plugin.run_and_sign_in_with(&arguments, &[("KUBECONFIG", &list)], &mut stage.person).await?;
    assert_eq!(signed_in.done.code, 0, "{}", signed_in.done.stderr);
    stage.provider.verified_claims(&config.tokens().await?.id_token).await?;
    assert_eq!(fs::read(&other)?, before);
    Ok(())
}

pub(crate) async fn extra_scopes(mut stage: Stage) -> Result<()> {
    let [one, other] = stage.provider.two_scopes();
    let config = Config::new(&stage, &[("extra-scopes", &format!("{one},{other}"))])?;
    sign_in(&mut stage, &config).await?;
    assert_eq!(stage.person.authorization_request()?["scope"], format!("{one} {other} openid"));
    stage.provider.verified_claims(&config.tokens().await?.id_token).await?;
    Ok(())
}
