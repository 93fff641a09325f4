//! A provider, the plugin, and a person at a browser: what every trial begins with.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use kubesso_e2e::kubectl::Done;
use kubesso_e2e::oidc_login::{OidcLogin, SignedIn};
use kubesso_e2e::provider::oidc_provider::Setup;
use kubesso_e2e::provider::{Provider, TokenRequest, Transport};
use kubesso_e2e::visitor::Visitor;
use serde_json::{Map, Value};

/// Each line becomes a module, each provider a test in it.
macro_rules! tried_on {
    ($($module:ident: $trial:path, [$($provider:ident),+];)+) => {
        $(
            mod $module {
                use super::*;

                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $provider() -> Result<()> {
                        $trial(Stage::$provider().await?).await
                    }
                )+
            }
        )+
    };
}
pub(crate) use tried_on;

/// One trial's own.
pub(crate) struct Stage {
    pub(crate) provider: Provider,
    pub(crate) plugin: OidcLogin,
    /// Keeps its session from one sign-in to the next, as a browser does.
    pub(crate) person: Visitor,
}

/// The columns.
impl Stage {
    pub(crate) async fn ours() -> Result<Self> {
        Self::with(Provider::ours().await?)
    }

    pub(crate) async fn keycloak() -> Result<Self> {
        Self::with(Provider::keycloak(Transport::Tls).await?)
    }

    pub(crate) async fn keycloak_plain() -> Result<Self> {
        Self::with(Provider::keycloak(Transport::Plain).await?)
    }

    pub(crate) async fn certified() -> Result<Self> {
        Self::with(Provider::oidc_provider(Setup::usual(Transport::Tls)).await?)
    }

    pub(crate) async fn certified_plain() -> Result<Self> {
        Self::with(Provider::oidc_provider(Setup::usual(Transport::Plain)).await?)
    }

    pub(crate) async fn certified_without_challenges() -> Result<Self> {
        let setup = Setup { lists_challenges: false, ..Setup::usual(Transport::Plain) };
        Self::with(Provider::oidc_provider(setup).await?)
    }

    /// As `keycloak` and `certified`, with an application that has a secret.
    pub(crate) async fn keycloak_with_secret() -> Result<Self> {
        Self::with(Provider::keycloak(Transport::Tls).await?.with_secret())
    }

    pub(crate) async fn certified_with_secret() -> Result<Self> {
        Self::with(Provider::oidc_provider(Setup::usual(Transport::Tls)).await?.with_secret())
    }

    /// As `keycloak` and `certified`, with an application that has a key.
    pub(crate) async fn keycloak_with_key() -> Result<Self> {
        Self::with(Provider::keycloak(Transport::Tls).await?.with_key().await?)
    }

    pub(crate) async fn certified_with_key() -> Result<Self> {
        Self::with(Provider::oidc_provider(Setup::usual(Transport::Tls)).await?.with_key().await?)
    }

    /// Keycloak with an application that takes no flow without PKCE, the device flow included.
    pub(crate) async fn keycloak_strict() -> Result<Self> {
        Self::with(Provider::keycloak(Transport::Tls).await?.with_strict_client().await?)
    }

    fn with(provider: Provider) -> Result<Self> {
        Ok(Self { person: provider.visitor()?, plugin: OidcLogin::new()?, provider })
    }
}

/// Runs of the plugin.
impl Stage {
    /// `get-token` with what the provider needs, and more.
    pub(crate) fn get_token(&self, more: &[&str]) -> Vec<String> {
        self.get_token_with(self.provider.flags(), more)
    }

    pub(crate) fn get_token_with(&self, provider: Vec<String>, more: &[&str]) -> Vec<String> {
        let more = more.iter().map(|&flag| flag.to_owned());
        ["get-token".to_owned()].into_iter().chain(provider).chain(self.plugin.flags()).chain(more).collect()
    }

    /// `get-token` with neither a browser nor a port to come back to, as on a machine that one is logged in to.
    pub(crate) fn get_token_over_ssh(&self, more: &[&str]) -> Vec<String> {
        let more = more.iter().map(|&flag| flag.to_owned());
        ["get-token".to_owned()].into_iter().chain(self.provider.flags()).chain(more).collect()
    }

    /// `logout` of what `get_token` with the same flags keeps.
    pub(crate) fn logout(&self, more: &[&str]) -> Vec<String> {
        let rest = self.get_token(more).into_iter().skip(1);
        ["logout".to_owned()].into_iter().chain(rest).collect()
    }

    /// Signs in by the browser, and expects that it worked.
    pub(crate) async fn sign_in(&mut self, arguments: &[String]) -> Result<SignedIn> {
        let signed_in = self.plugin.run_and_sign_in(arguments, &mut self.person).await?;
        let (status, page) = &signed_in.page;
        ensure!(status.is_success(), "the browser ends at {status}: {page}\n{}", signed_in.done.stderr);
        Ok(signed_in)
    }

    /// Runs it where nobody needs to be asked.
    pub(crate) async fn run_alone(&self, arguments: &[String]) -> Result<Done> {
        let done = self.plugin.run(arguments).await?;
        ensure!(self.plugin.opened.take()?.is_none(), "a browser was opened:\n{}", done.stderr);
        Ok(done)
    }

    /// The token of a run, whose output must be one ExecCredential, to the byte, with a token that the provider signed.
    pub(crate) async fn credential(&self, done: &Done) -> Result<Credential> {
        let token = self.printed_token(done)?;
        let claims = self.provider.verified_claims(&token).await?;
        let expiry = Timestamp::from_second(claims["exp"].as_i64().context("no exp")?)?;
        assert_eq!(
            done.stdout,
            format!(
                "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\
                 \"spec\":{{\"interactive\":false}},\
                 \"status\":{{\"expirationTimestamp\":\"{expiry}\",\"token\":\"{token}\"}}}}\n"
            )
        );
        Ok(Credential { token, claims })
    }

    /// The token of a run, whatever it is.
    pub(crate) fn printed_token(&self, done: &Done) -> Result<String> {
        ensure!(done.code == 0, "{} exits with {}:\n{}", self.provider.issuer, done.code, done.stderr);
        let printed: Value = serde_json::from_str(&done.stdout).with_context(|| done.stdout.clone())?;
        Ok(printed["status"]["token"].as_str().context("no token")?.to_owned())
    }

    /// What was asked at the token endpoint, where the provider tells; its grants must be these.
    pub(crate) async fn asked(&self, grants: &[&str]) -> Result<Vec<TokenRequest>> {
        let Some(asked) = self.provider.token_requests().await? else { return Ok(Vec::new()) };
        let seen: Vec<&str> = asked.iter().map(|request| request.grant.as_str()).collect();
        assert_eq!(seen, grants, "{asked:?}");
        ensure!(asked.iter().all(|request| request.granted), "{asked:?}");
        Ok(asked)
    }
}

/// What kubectl is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) token: String,
    pub(crate) claims: Map<String, Value>,
}
