//! The ways to sign in: one file a grant.

mod authorization_code;
mod callback_page;
mod client_credentials;
mod device_code;
mod keyboard;
mod loopback;
mod password;
pub(crate) mod prompt;
mod proof_key;
mod token_exchange;
mod way;

use kubesso_token_cache::options::Grant;

pub(crate) use self::loopback::send_browser;

use crate::error::Error;
use crate::relying_party::{RelyingParty, SignIn};

/// Signs the person in by the chosen grant.
pub(crate) async fn sign_in(party: &RelyingParty<'_>) -> Result<SignIn, Error> {
    if party.options.grant.is_interactive() {
        // Nobody here sees that a page has moved, and the person waits longer than one round trip anyway.
        party.rediscover().await?;
        // What can fail without a person fails before one is asked.
        party.metadata().token_endpoint()?;
    }
    let signed_in = match &party.options.grant {
        Grant::AuthorizationCode(login) => loopback::sign_in(party, login).await,
        Grant::Automatic(login) => way::sign_in(party, login).await,
        Grant::AuthorizationCodeByKeyboard => keyboard::sign_in(party).await,
        Grant::ClientCredentials => client_credentials::sign_in(party).await,
        Grant::DeviceCode { start, timeout_seconds } => {
            device_code::sign_in(party, start, *timeout_seconds).await
        }
        Grant::TokenExchange(exchange) => token_exchange::sign_in(party, exchange).await,
        Grant::Password { username, password } => {
            password::sign_in(party, username.as_deref(), password.as_ref()).await
        }
    };
    let signed_in = signed_in?;
    if signed_in.entry.refresh_token.is_none() && party.options.grant.is_interactive() {
        party.environment.explain(1, || no_refresh_token(party));
    }
    Ok(signed_in)
}

/// Why there may be none.
fn no_refresh_token(party: &RelyingParty<'_>) -> String {
    let metadata = party.metadata();
    let listed = metadata.scopes_supported.iter().flatten().any(|scope| scope == "offline_access");
    let why = if party.options.no_refresh_token {
        "none was asked for"
    } else if listed && !party.options.scopes.contains("offline_access") {
        "the provider lists the scope offline_access; ask for it with --oidc-extra-scope=offline_access"
    } else {
        "the provider gave none; allow the application the grant type refresh_token"
    };
    format!("there is no refresh token, so the next token needs a sign-in: {why}")
}
