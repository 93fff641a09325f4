//! What is done and asserted, whoever the provider is.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_e2e::authority;

use crate::stage::{Credential, Stage};

/// A scope string as a set of words.
fn words(scope: &str) -> Vec<&str> {
    scope.split(' ').collect()
}

pub(crate) async fn clean(mut stage: Stage) -> Result<()> {
    stage.sign_in(&stage.get_token(&[])).await?;
    assert_eq!(stage.plugin.cache().entries()?.len(), 1);
    let done = stage.run_alone(&["clean".to_owned()]).await?;
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    assert_eq!(stage.plugin.cache().entries().unwrap_or_default().len(), 0);
    Ok(())
}

pub(crate) async fn auth_code(mut stage: Stage) -> Result<()> {
    let signed_in = stage.sign_in(&stage.get_token(&[])).await?;
    stage.credential(&signed_in.done).await?;
    assert_eq!(signed_in.done.stderr, "");
    assert!(signed_in.opened.starts_with("http://localhost:"), "{}", signed_in.opened);
    assert!(signed_in.page.1.contains("Authenticated"), "{}", signed_in.page.1);
    let request = stage.person.authorization_request()?;
    assert_eq!(request["scope"], "openid");
    assert!(request["redirect_uri"].starts_with("http://localhost:"), "{request:?}");
    assert_eq!(request["code_challenge_method"], "S256");
    assert_eq!(request["access_type"], "offline");
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

pub(crate) async fn password(stage: Stage) -> Result<()> {
    let flags = by_password(&stage);
    let done = stage.run_alone(&stage.get_token(&[&flags[0], &flags[1]])).await?;
    stage.credential(&done).await?;
    assert_eq!(done.stderr, "");
    let asked = stage.asked(&["password"]).await?;
    for request in asked {
        let scope = request.scope.unwrap_or_default();
        assert!(words(&scope).contains(&"openid"), "{scope}");
    }
    Ok(())
}

fn by_password(stage: &Stage) -> [String; 2] {
    let Stage { provider, .. } = stage;
    [format!("--username={}", provider.login), format!("--password={}", provider.password)]
}

/// With a refresh token, from every provider.
const WITH_REFRESH: &[&str] = &["--oidc-extra-scope=offline_access"];

/// Signs in with an empty cache.
async fn first_token(stage: &mut Stage) -> Result<Credential> {
    let signed_in = stage.sign_in(&stage.get_token(WITH_REFRESH)).await?;
    stage.credential(&signed_in.done).await
}

pub(crate) async fn no_cache(mut stage: Stage) -> Result<()> {
    let credential = first_token(&mut stage).await?;
    assert_eq!(stage.plugin.cache().claims()?, credential.claims);
    assert_ne!(stage.plugin.cache().refresh_token()?, "");
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

pub(crate) async fn valid(mut stage: Stage) -> Result<()> {
    let first = first_token(&mut stage).await?;
    let again = stage.run_alone(&stage.get_token(WITH_REFRESH)).await?;
    assert_eq!(stage.credential(&again).await?, first);
    assert_eq!(again.stderr, "");
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

pub(crate) async fn refresh(mut stage: Stage) -> Result<()> {
    let first = first_token(&mut stage).await?;
    refreshed(&stage, &first, 1).await?;
    Ok(())
}

pub(crate) async fn refresh_again(mut stage: Stage) -> Result<()> {
    let first = first_token(&mut stage).await?;
    let second = refreshed(&stage, &first, 1).await?;
    let rotated = stage.plugin.cache().refresh_token()?;
    refreshed(&stage, &second, 2).await?;
    // Whether the answer brought another one or none, there is one for the next time.
    let kept = stage.plugin.cache().refresh_token()?;
    if stage.provider.keeps_its_refresh_token() {
        assert_eq!(kept, rotated);
    } else {
        assert_ne!(kept, rotated);
    }
    Ok(())
}

/// The cached token has ended; the next call renews it with the cached refresh token, for the `number`th time.
async fn refreshed(stage: &Stage, before: &Credential, number: usize) -> Result<Credential> {
    let presented = stage.plugin.cache().refresh_token()?;
    stage.plugin.cache().let_the_token_expire()?;
    let known = stage.provider.routes()?;
    let done = stage.run_alone(&stage.get_token(WITH_REFRESH)).await?;
    if let (Some(known), Some(all)) = (known, stage.provider.routes()?) {
        assert_eq!(all[known.len()..], ["token"], "a refresh is one round trip");
    }
    let after = stage.credential(&done).await?;
    assert_eq!(done.stderr, "");
    // oidc-provider's tokens of one second are equal; there the log below is the proof.
    if let Some(id) = after.claims.get("jti") {
        assert_ne!(before.claims.get("jti"), Some(id));
    }
    assert!(after.claims["exp"].as_i64() >= before.claims["exp"].as_i64(), "{before:?} {after:?}");
    for same in ["iss", "sub", "aud", "groups"] {
        assert_eq!(before.claims.get(same), after.claims.get(same), "{same}");
    }
    let grants = [&["authorization_code"][..], &vec!["refresh_token"; number]].concat();
    if let Some(last) = stage.asked(&grants).await?.last() {
        assert_eq!(last.refresh_token, Some(stage.provider.name_of(&presented)?));
    }
    Ok(after)
}

pub(crate) async fn no_challenge(mut stage: Stage) -> Result<()> {
    let signed_in = stage.sign_in(&stage.get_token(&[])).await?;
    stage.credential(&signed_in.done).await?;
    let request = stage.person.authorization_request()?;
    assert!(!request.contains_key("code_challenge"), "{request:?}");
    assert!(!request.contains_key("code_challenge_method"), "{request:?}");
    Ok(())
}

pub(crate) async fn challenge_enforced(mut stage: Stage) -> Result<()> {
    let signed_in = stage.sign_in(&stage.get_token(&["--oidc-use-pkce"])).await?;
    stage.credential(&signed_in.done).await?;
    assert!(signed_in.done.stderr.contains("--oidc-use-pkce is deprecated"), "{}", signed_in.done.stderr);
    let request = stage.person.authorization_request()?;
    assert_eq!(request["code_challenge_method"], "S256");
    // The provider has compared it with the verifier.
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

pub(crate) async fn tls_data(mut stage: Stage) -> Result<()> {
    let flags = stage.provider.flags_without_trust();
    // Nobody else vouches for this certificate.
    let untrusted = stage.run_alone(&stage.get_token_with(flags.clone(), &[])).await?;
    assert_eq!((untrusted.code, untrusted.stdout.as_str()), (1, ""), "{}", untrusted.stderr);
    let ca = fs::read(stage.provider.ca.as_deref().context("TLS")?)?;
    let data = format!("--certificate-authority-data={}", BASE64_STANDARD.encode(ca));
    let signed_in = stage.sign_in(&stage.get_token_with(flags, &[&data])).await?;
    stage.credential(&signed_in.done).await?;
    Ok(())
}

pub(crate) async fn extra_scopes(mut stage: Stage) -> Result<()> {
    let flags = ["--oidc-extra-scope=email", "--oidc-extra-scope=profile"];
    let signed_in = stage.sign_in(&stage.get_token(&flags)).await?;
    let credential = stage.credential(&signed_in.done).await?;
    assert_eq!(stage.person.authorization_request()?["scope"], "email profile openid");
    assert!(credential.claims["email"].is_string(), "{credential:?}");
    Ok(())
}

pub(crate) async fn open_url_after_authentication(mut stage: Stage) -> Result<()> {
    let flags = ["--open-url-after-authentication=https://example.com/success"];
    let signed_in = stage.sign_in(&stage.get_token(&flags)).await?;
    stage.credential(&signed_in.done).await?;
    assert!(signed_in.page.1.contains("URL=https://example.com/success"), "{}", signed_in.page.1);
    Ok(())
}

pub(crate) async fn redirect_by_tls(mut stage: Stage) -> Result<()> {
    let authority = authority::shared()?;
    let flags = [
        format!("--local-server-cert={}", authority.server_certificate.display()),
        format!("--local-server-key={}", authority.server_key.display()),
    ];
    let signed_in = stage.sign_in(&stage.get_token(&[&flags[0], &flags[1]])).await?;
    stage.credential(&signed_in.done).await?;
    assert!(signed_in.opened.starts_with("https://localhost:"), "{}", signed_in.opened);
    let request = stage.person.authorization_request()?;
    assert!(request["redirect_uri"].starts_with("https://localhost:"), "{request:?}");
    assert!(signed_in.page.1.contains("Authenticated"), "{}", signed_in.page.1);
    Ok(())
}

pub(crate) async fn extra_params(mut stage: Stage) -> Result<()> {
    let flags =
        ["--oidc-auth-request-extra-params=ttl=86400", "--oidc-auth-request-extra-params=reauth=false"];
    let signed_in = stage.sign_in(&stage.get_token(&flags)).await?;
    stage.credential(&signed_in.done).await?;
    let request: BTreeMap<String, String> = stage.person.authorization_request()?;
    ensure!((request["ttl"].as_str(), request["reauth"].as_str()) == ("86400", "false"), "{request:?}");
    Ok(())
}
