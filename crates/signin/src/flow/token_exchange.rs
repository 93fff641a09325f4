//! Token exchange (RFC 8693): a token that somebody else gave is turned into one for the cluster. This is how jobs sign
//! in that have an identity already: a CI system's, a cloud's, another cluster's.

use std::collections::BTreeMap;

use kubesso_token_cache::options::{SubjectToken, TokenExchange};

use crate::error::Error;
use crate::http::Repeat;
use crate::relying_party::{RelyingParty, SignIn, read_line, run_command};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Sends the subject's token, read afresh, since whoever writes it replaces it before it ends.
pub(super) async fn sign_in(party: &RelyingParty<'_>, exchange: &TokenExchange) -> Result<SignIn, Error> {
    let options = party.options;
    let subject = match &exchange.subject {
        SubjectToken::File(file) => read_line("--oidc-subject-token-file", file).await?,
        SubjectToken::Command(command) => {
            run_command("--oidc-subject-token-command", command, party.environment).await?
        }
    };
    let scopes = options.scopes.to_string();
    let mut form: BTreeMap<&str, &str> =
        options.extra_parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.extend([
        ("grant_type", GRANT),
        ("subject_token", subject.expose()),
        ("subject_token_type", exchange.subject_type.as_str()),
        ("requested_token_type", if options.use_access_token { ACCESS_TOKEN } else { ID_TOKEN }),
        ("scope", &scopes),
    ]);
    if let Some(audience) = &exchange.audience {
        form.insert("audience", audience);
    }
    let answer = party.request_token("the token exchange", form, Repeat::IfUnavailable).await?;
    party.accept(answer, None).await
}

/// RFC 8693, section 3.
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// RFC 8693, section 3.
pub(crate) const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
