//! The authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1), read in two steps: first the
//! client and where it may be answered, which can go wrong only with a page; then the rest, whose errors go
//! back to the client.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kubesso_directory::{
    Application, AuthorizationServerId, ClientId, GrantType, ResponseType, ScopeName, Server, UserId,
    parse_scopes,
};
use serde::{Deserialize, Serialize};

use crate::authentication_context::AcrRequest;
use crate::claims_parameter::ClaimsParameter;
use crate::dpop::read_thumbprint;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::pkce::{CodeChallenge, PkceError};
use crate::request_object::PushedId;
use crate::requested::read_resources;
use crate::response_mode::ResponseMode;

/// Where the answer goes, how, and with which `state`: checked against the registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReturnAddress {
    pub(crate) redirect_uri: String,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
}

/// Everything that is asked for, checked as far as it can be before anybody has signed in. This is what
/// travels sealed in the sign-in form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) server: AuthorizationServerId,
    pub(crate) client: ClientId,
    pub(crate) return_to: ReturnAddress,
    pub(crate) scopes: Vec<ScopeName>,
    pub(crate) nonce: Option<String>,
    pub(crate) code_challenge: Option<CodeChallenge>,
    pub(crate) prompts: BTreeSet<Prompt>,
    /// In seconds: how long ago the person may have signed in at most.
    pub(crate) max_age: Option<u32>,
    pub(crate) login_hint: Option<String>,
    pub(crate) claims: ClaimsParameter,
    /// From `claims`, or from `acr_values`.
    pub(crate) acr: Option<AcrRequest>,
    /// Audiences of the server (RFC 8707 §2.1).
    pub(crate) resources: Vec<String>,
    /// The key that the code is bound to (RFC 9449 §10).
    pub(crate) dpop_jkt: Option<String>,
    /// Of whom the `id_token_hint` speaks: nobody else is to be signed in (§3.1.2.1). Set by whoever verified it.
    pub(crate) hinted: Option<UserId>,
    /// Which pushed request it was. Set by whoever opened it.
    pub(crate) pushed: Option<PushedId>,
}

/// What is kept of a request beyond its end, and how many bytes of it: the nonce is stored with the code, and the
/// state has to come back in the sign-in form.
const LONGEST: [(&str, usize); 3] = [("acr_values", 1024), ("nonce", 1024), ("state", 8 * 1024)];

/// What is told where the request insists on an `acr` that the sign-in does not have.
pub(crate) const UNMET: &str = "The sign-in does not meet the acr that the request insists on.";

/// A value of `prompt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prompt {
    /// Asks about scopes that want consent, also if it was given before.
    Consent,
    Login,
    None,
    SelectAccount,
}

/// An authorization request that cannot be answered with a redirect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswerable {
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    #[error("the parameter {0} is given more than once")]
    Repeated(&'static str),
    #[error("there is no application with the client id {0}")]
    UnknownClient(String),
    #[error("the application {0} is deactivated")]
    InactiveClient(String),
    #[error("the redirect URI {uri} is not registered for the application {application}")]
    UnregisteredRedirect { uri: String, application: String },
}

/// The client that asks.
pub(crate) fn client<'a>(
    parameters: &Parameters,
    find: impl FnOnce(&ClientId) -> Option<&'a Application>,
) -> Result<&'a Application, Unanswerable> {
    let given = required(parameters, "client_id")?;
    let application = ClientId::parse(given).ok().and_then(|id| find(&id));
    let application = application.ok_or_else(|| Unanswerable::UnknownClient(shortened(given)))?;
    if application.status.is_active() {
        Ok(application)
    } else {
        Err(Unanswerable::InactiveClient(application.label.to_string()))
    }
}

impl ReturnAddress {
    /// The redirect URI of the request, which must be there (OpenID Connect Core §3.1.2.1) and registered.
    pub(crate) fn read(parameters: &Parameters, application: &Application) -> Result<Self, Unanswerable> {
        let redirect_uri = required(parameters, "redirect_uri")?;
        if !application.may_redirect_to(redirect_uri) {
            return Err(Unanswerable::UnregisteredRedirect {
                uri: shortened(redirect_uri),
                application: application.label.to_string(),
            });
        }
        let state = parameters.lenient("state").map(str::to_owned);
        // One that is unknown is an error, which goes back by the default.
        let mode =
            parameters.lenient("response_mode").and_then(|mode| ResponseMode::parse(mode, redirect_uri));
        Ok(Self { redirect_uri: redirect_uri.to_owned(), mode: mode.unwrap_or_default(), state })
    }
}

impl AuthorizationRequest {
    /// The rest of the request, once it is known where an error goes.
    pub(crate) fn read(
        parameters: &Parameters,
        server: &Server,
        application: &Application,
        return_to: ReturnAddress,
    ) -> Result<Self, OAuthError> {
        if let Some(malformed) = parameters.first_malformed() {
            return Err(malformed.into());
        }
        let given = |name| parameters.lenient(name);
        if given("registration").is_some() {
            let description = "The parameter registration is not supported.";
            return Err(OAuthError::new(ErrorCode::RegistrationNotSupported, description));
        }
        for (name, longest) in LONGEST {
            if given(name).is_some_and(|value| value.len() > longest) {
                let description = format!("The parameter {name} is longer than {longest} bytes.");
                return Err(OAuthError::invalid_request(description));
            }
        }
        if given("response_mode").is_some_and(|mode| mode != return_to.mode.as_str()) {
            let description = "The response_mode must be query, fragment, or, for a redirect URI with http or https, \
                               form_post.";
            return Err(OAuthError::invalid_request(description));
        }
        check_response_type(given("response_type"), application)?;
        let code_challenge =
            CodeChallenge::from_request(given("code_challenge"), given("code_challenge_method"))
                .and_then(|challenge| match challenge {
                    None if application.must_use_pkce() => Err(PkceError::Missing),
                    challenge => Ok(challenge),
                })
                .map_err(|error| OAuthError::invalid_request(error.to_string()))?;
        let scopes = read_scopes(given("scope"), &server.server.id, &known_scopes(server))?;
        // Without the scope openid it is a request of plain OAuth, which knows neither.
        let is_openid = scopes.iter().any(|scope| scope.as_str() == "openid");
        let mut claims = match given("claims").filter(|_| is_openid) {
            Some(claims) => ClaimsParameter::read(claims)?,
            None => ClaimsParameter::default(),
        };
        let acr_values = given("acr_values").filter(|_| is_openid).map(read_acr_values);
        let acr = claims.acr.take().or(acr_values);
        if acr.as_ref().is_some_and(|acr| !acr.can_be_met()) {
            return Err(OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, UNMET));
        }
        Ok(Self {
            server: server.server.id.clone(),
            client: application.client_id.clone(),
            return_to,
            scopes,
            nonce: given("nonce").map(str::to_owned),
            code_challenge,
            prompts: read_prompts(given("prompt"))?,
            max_age: given("max_age").map(read_max_age).transpose()?,
            login_hint: given("login_hint").filter(|hint| hint.len() <= 254).map(str::to_owned),
            claims,
            acr,
            resources: read_resources(parameters, server)?,
            dpop_jkt: given("dpop_jkt").map(read_thumbprint).transpose()?,
            hinted: None,
            pushed: None,
        })
    }

    /// Whether a sign-in at `auth_time` is recent enough at `now`. `prompt=login` asks for a new one in any
    /// case.
    pub(crate) fn accepts_sign_in_at(&self, auth_time: Timestamp, now: Timestamp) -> bool {
        if self.prompts.contains(&Prompt::Login) {
            return false;
        }
        let age = now.duration_since(auth_time);
        self.max_age.is_none_or(|max_age| age <= SignedDuration::from_secs(i64::from(max_age)))
    }

    /// Whether `user` may be the answer, or the request is about somebody else.
    pub(crate) fn is_about(&self, user: &UserId) -> bool {
        self.hinted.as_ref().is_none_or(|hinted| hinted == user) && self.claims.admits(user)
    }

    /// Whether the person must not be asked anything.
    pub(crate) fn is_silent(&self) -> bool {
        self.prompts.contains(&Prompt::None)
    }
}

fn check_response_type(response_type: Option<&str>, application: &Application) -> Result<(), OAuthError> {
    match response_type {
        None => return Err(OAuthError::invalid_request("The parameter response_type is missing.")),
        Some("code") => {}
        Some(_) => {
            let description = "Only the response type code is supported.";
            return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, description));
        }
    }
    if !application.grant_types.contains(&GrantType::AuthorizationCode)
        || !application.response_types.contains(&ResponseType::Code)
    {
        let description = "The client is not allowed to use the authorization code flow.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    Ok(())
}

/// The scopes that `server` knows, with whether each is given unasked.
pub(crate) fn known_scopes(server: &Server) -> Vec<(ScopeName, bool)> {
    server.scopes.values().map(|scope| (scope.name.clone(), scope.default)).collect()
}

/// The scopes that `given` asks for, of those that the server knows.
pub(crate) fn read_scopes(
    given: Option<&str>,
    server: &AuthorizationServerId,
    known: &[(ScopeName, bool)],
) -> Result<Vec<ScopeName>, OAuthError> {
    let invalid = |description: String| OAuthError::new(ErrorCode::InvalidScope, description);
    let Some(given) = given else {
        let defaults: Vec<_> =
            known.iter().filter(|(_, is_default)| *is_default).map(|(name, _)| name.clone()).collect();
        return if defaults.is_empty() {
            Err(invalid("The parameter scope is missing.".to_owned()))
        } else {
            Ok(defaults)
        };
    };
    let scopes = parse_scopes(given).map_err(|_| invalid("The scope is malformed.".to_owned()))?;
    match scopes.iter().find(|scope| !known.iter().any(|(name, _)| name == *scope)) {
        Some(unknown) => Err(invalid(format!("The authorization server {server} has no scope {unknown}."))),
        None if scopes.is_empty() => Err(invalid("The scope is empty.".to_owned())),
        None => Ok(scopes),
    }
}

fn read_prompts(given: Option<&str>) -> Result<BTreeSet<Prompt>, OAuthError> {
    let mut prompts = BTreeSet::new();
    for word in given.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        prompts.insert(match word {
            "consent" => Prompt::Consent,
            "login" => Prompt::Login,
            "none" => Prompt::None,
            "select_account" => Prompt::SelectAccount,
            _ => return Err(OAuthError::invalid_request(format!("The prompt {word} is unknown."))),
        });
    }
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(OAuthError::invalid_request("The prompt none cannot be combined with another."));
    }
    Ok(prompts)
}

/// `acr_values` asks, and never insists (OpenID Connect Core §3.1.2.1).
fn read_acr_values(given: &str) -> AcrRequest {
    let values = given.split(' ').filter(|value| !value.is_empty()).map(str::to_owned);
    AcrRequest { essential: false, values: values.collect() }
}

fn read_max_age(given: &str) -> Result<u32, OAuthError> {
    let is_number = given.bytes().all(|byte| byte.is_ascii_digit());
    // More than u32 holds is a hundred years, and no limit.
    let seconds = given.parse::<u64>().ok().filter(|_| is_number);
    let seconds =
        seconds.ok_or_else(|| OAuthError::invalid_request("max_age must be a number of seconds."))?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn required<'a>(parameters: &'a Parameters, name: &'static str) -> Result<&'a str, Unanswerable> {
    parameters.optional(name).map_err(|_| Unanswerable::Repeated(name))?.ok_or(Unanswerable::Missing(name))
}

fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
