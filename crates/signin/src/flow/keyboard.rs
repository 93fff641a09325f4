//! The authorization code flow with a browser on another machine: its answer is typed or pasted.

use kubesso_token_cache::Secret;
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
