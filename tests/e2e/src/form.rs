//! Signs in through the provider's real pages without a browser: forms, cookies and redirects, no JavaScript.

pub(crate) mod page;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kubesso_ambient::{OsEntropy, draw};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use self::page::{Form, element_text};

/// The redirect URI of the tutorial.
pub const REDIRECT_URI: &str = "http://localhost:8000";
/// What the tutorial asks for.
pub const SCOPE: &str = "openid email profile offline_access";

/// A person's browser, as far as a form needs one: a cookie jar, and trust in one certificate authority.
#[derive(Debug)]
pub struct FormClient {
    client: Client,
    cookies: BTreeMap<String, String>,
}

/// How the provider's pages let somebody go.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Back to the application, with a code or an OAuth error in the query.
    Redirected(Url),
    /// A page with an explanation in the element `error`; nothing is sent to the application.
    Refused(String),
}

/// The answer of the token endpoint.
#[derive(Clone, Deserialize)]
pub struct Tokens {
    /// For kubectl.
    pub id_token: String,
    /// For the provider's own userinfo endpoint.
    pub access_token: String,
    /// Present with `offline_access`.
    pub refresh_token: Option<String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens { [redacted] }")
    }
}

/// A client that trusts only `ca_pem` and follows no redirect.
///
/// # Errors
/// The PEM text holds no certificate.
pub fn client(ca_pem: &str) -> Result<Client> {
    kubesso_https::install_crypto_provider();
    let authorities = Certificate::from_pem_bundle(ca_pem.as_bytes())?;
    Ok(Client::builder().tls_certs_only(authorities).redirect(Policy::none()).build()?)
}

/// What a token says, unverified.
///
/// # Errors
/// It is no JWT.
pub fn claims(token: &str) -> Result<Value> {
    let payload = token.split('.').nth(1).context("not a JWT")?;
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload)?)?)
}

impl FormClient {
    /// With an empty cookie jar.
    ///
    /// # Errors
    /// `ca_pem` holds no certificate.
    pub fn new(ca_pem: &str) -> Result<Self> {
        Ok(Self { client: client(ca_pem)?, cookies: BTreeMap::new() })
    }

    /// What the browser would send back: the header `Cookie`.
    pub fn cookies(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Opens `start` and signs in wherever a form asks for it, until the provider lets go.
    ///
    /// # Errors
    /// The pages are not what they promise to be, or go round in circles.
    pub async fn sign_in(&mut self, start: &str, login: &str, password: &str) -> Result<Outcome> {
        let start = Url::parse(start).with_context(|| start.to_owned())?;
        let mut answer = self.request(Method::GET, &start, None, &start).await?;
        let mut here = start.clone();
        let mut tries = 0;
        for _ in 0..10 {
            if answer.status().is_redirection() {
                let location =
                    answer.headers().get(LOCATION).context("a redirect without a location")?.to_str()?;
                let next = here.join(location)?;
                // What goes back to the application carries its `state` (RFC 6749 §4.1.2); the plugin's own page,
                // where it starts, does not.
                let is_answer = |name: &str| next.query_pairs().any(|(key, _)| key == name);
                if is_answer("state") && (is_answer("code") || is_answer("error")) {
                    return Ok(Outcome::Redirected(next));
                }
                answer = self.request(Method::GET, &next, None, &here).await?;
                here = next;
                continue;
            }
            let status = answer.status();
            let page = answer.text().await?;
            if let Some(error) = element_text(&page, "error") {
                return Ok(Outcome::Refused(error));
            }
            let form = Form::find(&page)
                .with_context(|| format!("no form with a password at {here} ({status}):\n{page}"))?;
            tries += 1;
            ensure!(tries == 1, "asked for the password again without an explanation:\n{page}");
            let mut fields = form.fields;
            fields.insert("username".to_owned(), login.to_owned());
            fields.insert("password".to_owned(), password.to_owned());
            let action = here.join(&form.action)?;
            answer = self.request(Method::POST, &action, Some(&fields), &here).await?;
            here = action;
        }
        bail!("the pages go round in circles, last at {here}")
    }

    /// Opens the link of a device, signs in, and presses the button with that `action`; the text of the last page.
    ///
    /// # Errors
    /// The pages are not what they promise to be.
    pub async fn decide_device(
        &mut self,
        link: &str,
        login: &str,
        password: &str,
        action: &str,
    ) -> Result<String> {
        let link = Url::parse(link).with_context(|| link.to_owned())?;
        let page = self.request(Method::GET, &link, None, &link).await?.text().await?;
        let form = Form::find(&page).with_context(|| format!("no form with a password:\n{page}"))?;
        let mut fields = form.fields;
        fields.insert("username".to_owned(), login.to_owned());
        fields.insert("password".to_owned(), password.to_owned());
        let path = link.join(&form.action)?;
        let answer = self.request(Method::POST, &path, Some(&fields), &link).await?;
        let location = answer.headers().get(LOCATION).context("not signed in")?.to_str()?.to_owned();
        let question = self.request(Method::GET, &link.join(&location)?, None, &link).await?.text().await?;
        let form = Form::all(&question).next();
        let mut fields = form.with_context(|| format!("no form:\n{question}"))?.fields;
        fields.insert("action".to_owned(), action.to_owned());
        let answer = self.request(Method::POST, &path, Some(&fields), &link).await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let last = answer.text().await?;
        element_text(&last, "done").with_context(|| format!("not the last page:\n{last}"))
    }

    /// The status and the explanation of a page that is opened without signing in.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn explanation(&mut self, url: &Url) -> Result<(StatusCode, Option<String>)> {
        let answer = self.request(Method::GET, url, None, url).await?;
        Ok((answer.status(), element_text(&answer.text().await?, "error")))
    }

    /// The authorization code flow with PKCE, as the plugin does it, with an application of `issuer`.
    ///
    /// # Errors
    /// Signing in was refused (with the page's or the redirect's words), or the code was.
    pub async fn tokens(
        &mut self,
        issuer: &str,
        client_id: &str,
        login: &str,
        password: &str,
    ) -> Result<Tokens> {
        let verifier = BASE64_URL_SAFE_NO_PAD.encode(draw::<32>(&OsEntropy));
        let state = BASE64_URL_SAFE_NO_PAD.encode(draw::<16>(&OsEntropy));
        let metadata = self.metadata(issuer).await?;
        let mut authorize = endpoint(&metadata, "authorization_endpoint")?;
        authorize.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT_URI),
            ("scope", SCOPE),
            ("state", &state),
            ("nonce", &state),
            ("code_challenge", &sha256(&verifier)),
            ("code_challenge_method", "S256"),
        ]);
        let back = match self.sign_in(authorize.as_str(), login, password).await? {
            Outcome::Redirected(back) => back,
            Outcome::Refused(why) => bail!("refused: {why}"),
        };
        let answer: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        if let Some(error) = answer.get("error") {
            bail!("refused: {error}: {}", answer.get("error_description").map_or("", String::as_str));
        }
        ensure!(answer.get("state") == Some(&state), "the state did not come back: {back}");
        ensure!(
            answer.get("iss").map(String::as_str) == Some(issuer),
            "RFC 9207's iss is not the issuer: {back}"
        );
        let code = answer.get("code").context("a redirect without a code")?;
        self.redeem(
            &metadata,
            &[
                ("grant_type", "authorization_code"),
                ("client_id", client_id),
                ("redirect_uri", REDIRECT_URI),
                ("code", code),
                ("code_verifier", &verifier),
            ],
        )
        .await?
        .context("the code was refused")
    }

    /// Redeems a refresh token; `Err` inside holds the OAuth error code.
    ///
    /// # Errors
    /// The provider is not there, or answers something else.
    pub async fn refresh(
        &self,
        issuer: &str,
        client_id: &str,
        token: &str,
    ) -> Result<Result<Tokens, OAuthError>> {
        let metadata = self.metadata(issuer).await?;
        let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
        self.redeem(&metadata, &form).await
    }

    async fn redeem(&self, metadata: &Value, form: &[(&str, &str)]) -> Result<Result<Tokens, OAuthError>> {
        let answer = self.client.post(endpoint(metadata, "token_endpoint")?).form(form).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if status == StatusCode::OK {
            return Ok(Ok(serde_json::from_str(&body).context("not a token response")?));
        }
        Ok(
            Err(serde_json::from_str(&body)
                .with_context(|| format!("not an OAuth error ({status}): {body}"))?),
        )
    }

    /// The discovery document.
    ///
    /// # Errors
    /// The provider is not there, or answers something else.
    pub async fn metadata(&self, issuer: &str) -> Result<Value> {
        let url = format!("{issuer}/.well-known/openid-configuration");
        let answer = self.client.get(&url).send().await?.error_for_status()?;
        serde_json::from_str(&answer.text().await?).with_context(|| format!("{url} is no JSON"))
    }

    /// Fetches a page that is not the provider's (the plugin's own, after the redirect).
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn follow(&self, url: &Url) -> Result<(StatusCode, String)> {
        let answer = self.client.get(url.clone()).send().await?;
        Ok((answer.status(), answer.text().await?))
    }

    pub(crate) async fn request(
        &mut self,
        method: Method,
        url: &Url,
        form: Option<&BTreeMap<String, String>>,
        from: &Url,
    ) -> Result<Response> {
        let mut request = self.client.request(method, url.clone());
        if !self.cookies.is_empty() {
            request = request.header(COOKIE, self.cookies());
        }
        if let Some(form) = form {
            // Browsers say where a form was posted from.
            request = request.header(ORIGIN, from.origin().ascii_serialization()).form(form);
        }
        let answer = request.send().await.with_context(|| url.to_string())?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str()?;
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            if attributes.to_ascii_lowercase().contains("max-age=0") || value.is_empty() {
                self.cookies.remove(name.trim());
            } else {
                self.cookies.insert(name.trim().to_owned(), value.to_owned());
            }
        }
        if !answer.status().is_redirection() {
            let html = answer
                .headers()
                .get(CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
            ensure!(html, "{url} answers no page: {} {}", answer.status(), answer.text().await?);
        }
        Ok(answer)
    }
}

/// RFC 6749 §5.2.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct OAuthError {
    /// `invalid_grant` and the like.
    pub error: String,
    /// For people.
    #[serde(default)]
    pub error_description: String,
}

impl std::fmt::Display for OAuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error, self.error_description)
    }
}

impl std::error::Error for OAuthError {}

fn endpoint(metadata: &Value, name: &str) -> Result<Url> {
    let url = metadata[name].as_str().with_context(|| format!("the discovery document has no {name}"))?;
    Ok(Url::parse(url)?)
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
fn sha256(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_rfcs() {
        let challenge = sha256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
