//! The resource owner password credentials grant (RFC 6749, section 4.3). It cannot do a second factor.

use kubesso_token_cache::Secret;
use std::collections::BTreeMap;

use super::prompt;
use crate::error::Error;
use crate::http::Repeat;
use crate::relying_party::{RelyingParty, SignIn};

/// Asks for what was not given by flag.
pub(super) async fn sign_in(
    party: &RelyingParty<'_>,
    username: Option<&str>,
    password: Option<&Secret>,
) -> Result<SignIn, Error> {
    let environment = party.environment;
    let username = match username {
        Some(username) => Secret::from(username.to_owned()),
        None => prompt::line(environment, "Username: ", "the user name").await?,
    };
    let password = match password {
        Some(password) => password.clone(),
        None => prompt::hidden(environment, "Password: ", "the password").await?,
    };
    let scopes = party.options.scopes.to_string();
    let form = BTreeMap::from([
        ("grant_type", "password"),
        ("username", username.expose()),
        ("password", password.expose()),
        ("scope", &scopes),
    ]);
    let answer = party.request_token("the user name and password", form, Repeat::Never).await?;
    party.accept(answer, None).await
}
