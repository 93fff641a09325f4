//! The authorization code flow with a browser on another machine: its answer is typed or pasted.

use kubesso_token_cache::Secret;
use kubesso_token_cache::options::BrowserLogin;
use tokio::time::timeout;
use url::Url;

use super::authorization_code::{AuthorizationRequest, AuthorizationResponse};
use super::prompt;
use crate::error::Error;
use crate::relying_party::{RelyingParty, SignIn};

/// Shows the provider's URL and waits for the code, or for the whole URL that the browser ended at.
pub(super) async fn sign_in(party: &RelyingParty<'_>) -> Result<SignIn, Error> {
    let redirect_uri = party.options.redirect_url.as_ref().map(|redirect| redirect.as_str().to_owned());
    let request = AuthorizationRequest::new(party, redirect_uri)?;
    party.environment.say(&format!("Please visit the following URL in your browser: {}", request.url));
    let answer = prompt::line(party.environment, "Enter code: ", "the code").await?;
    exchange(party, &request, &answer).await
}

/// The same for a person who did not choose it. The browser is sent to the address that `login` would wait on, which is
/// the one that is registered at the provider; nothing is there, and the address bar shows what is needed.
pub(super) async fn sign_in_elsewhere(
    party: &RelyingParty<'_>,
    login: &BrowserLogin,
) -> Result<SignIn, Error> {
    let redirect_uri = match &party.options.redirect_url {
        Some(redirect) => redirect.as_str().to_owned(),
        None => default_redirect(login),
    };
    let request = AuthorizationRequest::new(party, Some(redirect_uri.clone()))?;
    let environment = party.environment;
    environment.say(&format!(
        "No browser can be opened here. Visit this URL in a browser on any machine:\n\n{}\n\n\
         After the sign-in it ends at a page that does not load. Copy its whole address, which begins with {redirect_uri}",
        request.url
    ));
    let question = prompt::line(environment, "Paste the address here: ", "the address");
    let answer = timeout(login.timeout(), question).await;
    let answer = answer.map_err(|_| Error::LoginTimeout(login.timeout_seconds))??;
    exchange(party, &request, &answer).await
}

fn default_redirect(login: &BrowserLogin) -> String {
    let port = login.listen_addresses.first().and_then(|address| address.rsplit(':').next());
    format!("http://localhost:{}", port.filter(|port| *port != "0").unwrap_or("8000"))
}

async fn exchange(
    party: &RelyingParty<'_>,
    request: &AuthorizationRequest,
    answer: &Secret,
) -> Result<SignIn, Error> {
    let code = match Url::parse(answer.expose().trim()) {
        Ok(pasted) => match request.read_response(party, pasted.query().unwrap_or_default()) {
            AuthorizationResponse::Code(code) => code,
            AuthorizationResponse::Failed(error) => return Err(error),
            AuthorizationResponse::Foreign => {
                return Err(Error::Untrusted(
                    "the pasted URL answers another sign-in (its state is not ours); paste the one of this sign-in"
                        .to_owned(),
                ));
            }
        },
        Err(_) => Secret::from(answer.expose().trim().to_owned()),
    };
    request.exchange(party, &code).await
}
