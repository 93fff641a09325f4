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

use kubesso_token_cache::options::Grant;

pub(crate) use self::loopback::send_browser;

use crate::error::Error;
use crate::relying_party::{RelyingParty, SignIn};

/// Signs the person in by the chosen grant.
pub(crate) async fn sign_in(party: &RelyingParty<'_>) -> Result<SignIn, Error> {
    if party.options.grant.is_interactive() {
        // Nobody here sees that a page has moved, and the person waits longer than one round trip anyway.
        party.rediscover().await?;
    }
    match &party.options.grant {
        Grant::AuthorizationCode(login) => loopback::sign_in(party, login).await,
        Grant::AuthorizationCodeByKeyboard => keyboard::sign_in(party).await,
        Grant::ClientCredentials => client_credentials::sign_in(party).await,
        Grant::DeviceCode { start, timeout_seconds } => {
            device_code::sign_in(party, start, *timeout_seconds).await
        }
        Grant::Password { username, password } => {
            password::sign_in(party, username.as_deref(), password.as_ref()).await
        }
    }
}
