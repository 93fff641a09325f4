//! The client credentials grant (RFC 6749, section 4.4): the application signs in as itself.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::http::Repeat;
use crate::relying_party::{RelyingParty, SignIn};

/// Extra parameters go into the token request, as in kubelogin; they do not replace the grant itself.
pub(super) async fn sign_in(party: &RelyingParty<'_>) -> Result<SignIn, Error> {
    if !party.options.is_confidential() {
        return Err(Error::Flag {
            flag: "--grant-type",
            problem: "client-credentials needs --oidc-client-secret, or another proof of the application"
                .to_owned(),
        });
    }
    let scopes = party.options.scopes.to_string();
    let mut form: BTreeMap<&str, &str> =
        party.options.extra_parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.insert("grant_type", "client_credentials");
    form.insert("scope", &scopes);
    let answer = party.request_token("the client credentials", form, Repeat::Never).await?;
    party.accept(answer, None).await
}
