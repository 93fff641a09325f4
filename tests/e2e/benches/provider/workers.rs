//! What clients ask again and again.

use anyhow::{Context, Result, bail};
use kubesso_e2e::form::{FormClient, Outcome, REDIRECT_URI, SCOPE};
use serde_json::Value;

use crate::target::Target;

/// Workers that ask at once.
const WORKERS: usize = 16;

/// A worker that refreshes the same sign-in again and again.
pub(crate) struct Refreshing {
    http: reqwest::Client,
    endpoint: String,
    client: String,
    token: String,
}

impl Refreshing {
    pub(crate) async fn begin(target: &Target) -> Result<Vec<Self>> {
        let mut browser = FormClient::new(&target.ca_pem)?;
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            // The first asks for the password, the others find the session.
            let tokens = target.tokens(&mut browser).await?;
            workers.push(Self {
                http: target.http()?,
                endpoint: target.endpoint("token_endpoint")?,
                client: target.client.clone(),
                token: tokens.refresh_token.context("a refresh token")?,
            });
        }
        Ok(workers)
    }

    pub(crate) async fn once(&mut self) -> Result<()> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client.as_str()),
            ("refresh_token", self.token.as_str()),
        ];
        let answer = self.http.post(&self.endpoint).form(&form).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        answer["refresh_token"].as_str().context("a refresh token")?.clone_into(&mut self.token);
        Ok(())
    }
}

/// A worker whose browser has a session, so that the provider answers a request at once.
pub(crate) struct ComingBack {
    http: reqwest::Client,
    browser: FormClient,
    authorize: String,
    token: String,
    client: String,
}

impl ComingBack {
    pub(crate) async fn begin(target: &Target) -> Result<Vec<Self>> {
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            let mut browser = FormClient::new(&target.ca_pem)?;
            target.tokens(&mut browser).await?;
            workers.push(Self {
                http: target.http()?,
                browser,
                authorize: target.endpoint("authorization_endpoint")?,
                token: target.endpoint("token_endpoint")?,
                client: target.client.clone(),
            });
        }
        Ok(workers)
    }

    pub(crate) async fn once(&mut self) -> Result<()> {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let query = [
            ("response_type", "code"),
            ("client_id", self.client.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("scope", SCOPE),
            ("state", "state"),
            ("nonce", "nonce"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ];
        let authorize = url::Url::parse_with_params(&self.authorize, query)?;
        // Whoever has no session any more is asked for a password, and has none here.
        let Outcome::Redirected(back) = self.browser.sign_in(authorize.as_str(), "", "").await? else {
            bail!("not let in without a password")
        };
        let code = back.query_pairs().find(|(name, _)| name == "code").context("no code")?.1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("code", code.as_str()),
            ("code_verifier", verifier),
        ];
        self.http.post(&self.token).form(&form).send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}

/// A worker that asks the same of an endpoint that changes nothing.
pub(crate) struct Asking {
    http: reqwest::Client,
    url: String,
    form: Option<[(&'static str, String); 2]>,
}

impl Asking {
    /// Whether a token is good.
    pub(crate) async fn introspection(target: &Target) -> Result<Vec<Self>> {
        let tokens = target.tokens(&mut FormClient::new(&target.ca_pem)?).await?;
        let form = [("client_id", target.client.clone()), ("token", tokens.access_token)];
        Self::workers(target, "introspection_endpoint", Some(&form))
    }

    /// The JWK set.
    pub(crate) fn keys(target: &Target) -> Result<Vec<Self>> {
        Self::workers(target, "jwks_uri", None)
    }

    fn workers(
        target: &Target,
        endpoint: &str,
        form: Option<&[(&'static str, String); 2]>,
    ) -> Result<Vec<Self>> {
        let worker =
            |_| Ok(Self { http: target.http()?, url: target.endpoint(endpoint)?, form: form.cloned() });
        (0..WORKERS).map(worker).collect()
    }

    pub(crate) async fn once(&mut self) -> Result<()> {
        let request = match &self.form {
            Some(form) => self.http.post(&self.url).form(form),
            None => self.http.get(&self.url),
        };
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}

/// A worker that signs in from the beginning, each time with a new browser.
pub(crate) struct SigningIn(pub(crate) Target);

impl SigningIn {
    pub(crate) async fn once(&mut self) -> Result<()> {
        self.0.tokens(&mut FormClient::new(&self.0.ca_pem)?).await.map(drop)
    }
}
