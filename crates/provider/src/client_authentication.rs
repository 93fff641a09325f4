//! Who calls the token, device authorization, revocation and introspection endpoints (RFC 6749 §2.3): `none`,
//! `client_secret_basic`, `client_secret_post`, `private_key_jwt` (RFC 7523 §2.2, OpenID Connect Core §9).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use kubesso_directory::{Application, ClientAuthentication, ClientId, ClientKeys, ClientSecretValue, Secret};
use kubesso_token::{AssertionExpectations, ClientAssertion, JtiMemory, JwkSet};
use percent_encoding::percent_decode_str;

use axum::response::{IntoResponse, Response};

use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;

/// What a request says of its client.
#[derive(Debug)]
struct Presented {
    client_id: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    Assertion(Secret),
    Basic(ClientSecretValue),
    None,
    Post(ClientSecretValue),
}

/// The only `client_assertion_type` (RFC 7523 §2.2).
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an assertion is judged by.
pub(crate) struct AssertionTerms<'a> {
    /// By which names the server may be meant.
    pub(crate) audiences: &'a [String],
    /// The present.
    pub(crate) now: Timestamp,
    /// Which assertions were used.
    pub(crate) used: &'a JtiMemory,
}

/// A client that is not who it says, or not one of ours.
#[derive(Clone, Debug)]
pub(crate) struct ClientRefused {
    error: OAuthError,
    /// The request tried `Authorization: Basic`, so the answer has to name the scheme (RFC 6749 §5.2).
    tried_basic: bool,
}

impl std::fmt::Display for ClientRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl IntoResponse for ClientRefused {
    fn into_response(self) -> Response {
        let is_unauthorized = self.error.code == ErrorCode::InvalidClient;
        let mut response = self.error.into_response();
        if self.tried_basic && is_unauthorized {
            let challenge = HeaderValue::from_static("Basic realm=\"kubesso\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The application that makes the request, once it has proved who it is in the way that it is registered for.
pub(crate) fn authenticate<'a>(
    headers: &HeaderMap,
    parameters: &Parameters,
    terms: &AssertionTerms<'_>,
    find: impl FnOnce(&ClientId) -> Option<&'a Application>,
) -> Result<&'a Application, ClientRefused> {
    let tried_basic = basic_credentials(headers).is_some();
    let refused = |error| ClientRefused { error, tried_basic };
    let invalid = |description: &str| refused(OAuthError::new(ErrorCode::InvalidClient, description));

    let presented = Presented::read(headers, parameters).map_err(refused)?;
    let application = ClientId::parse(&presented.client_id)
        .ok()
        .and_then(|id| find(&id))
        .filter(|application| application.status.is_active())
        .ok_or_else(|| invalid("There is no such client, or it is deactivated."))?;
    match (&application.authentication, &presented.proof) {
        (ClientAuthentication::None, Proof::None) => Ok(application),
        (ClientAuthentication::None, _) => {
            Err(invalid("The client is registered without a secret; send client_id alone."))
        }
        (ClientAuthentication::ClientSecretBasic(_), Proof::Basic(secret))
        | (ClientAuthentication::ClientSecretPost(_), Proof::Post(secret))
            if application.authentication.accepts_secret(secret) =>
        {
            Ok(application)
        }
        (ClientAuthentication::ClientSecretBasic(_), Proof::Basic(_))
        | (ClientAuthentication::ClientSecretPost(_), Proof::Post(_)) => {
            Err(invalid("The client secret is wrong."))
        }
        (ClientAuthentication::PrivateKeyJwt(keys), Proof::Assertion(assertion)) => {
            check_assertion(&application.client_id, keys, assertion, terms)
                .map(|()| application)
                .map_err(|why| invalid(&why))
        }
        (registered, _) => {
            let method = registered.method();
            Err(invalid(&format!("The client is registered for the authentication method {method}.")))
        }
    }
}

/// Whether `client` made the assertion, for us, and uses it for the first time; otherwise why not.
fn check_assertion(
    client: &ClientId,
    keys: &ClientKeys,
    assertion: &Secret,
    terms: &AssertionTerms<'_>,
) -> Result<(), String> {
    let ClientKeys::Inline(keys) = keys else {
        return Err(
            "The client's keys are registered by their address (jwks_uri), which is not fetched; register \
                    the keys themselves (jwks)."
                .to_owned(),
        );
    };
    let keys = JwkSet::of_client(keys).map_err(|error| format!("The client's registered keys: {error}."))?;
    let expected = AssertionExpectations {
        client_id: client.as_str(),
        audiences: terms.audiences,
        now: terms.now,
        require_jti: true,
    };
    let verified = ClientAssertion::verify(assertion.expose(), &keys, &expected)
        .map_err(|error| format!("Authentication failed: {error}."))?;
    let jti = verified.jti.unwrap_or_default();
    if terms.used.first_use(client.as_str(), &jti, verified.expires, terms.now) {
        Ok(())
    } else {
        Err("The client assertion was used before; make one with another jti for each request.".to_owned())
    }
}

impl Presented {
    fn read(headers: &HeaderMap, parameters: &Parameters) -> Result<Self, OAuthError> {
        let invalid = |description| OAuthError::new(ErrorCode::InvalidClient, description);
        let client_id = parameters.optional("client_id")?;
        let secret = parameters.optional("client_secret")?;
        let assertion_type = parameters.optional("client_assertion_type")?;
        if let Some(assertion) = parameters.optional("client_assertion")? {
            if secret.is_some() || basic_credentials(headers).is_some() {
                let description = "The client uses more than one authentication method.";
                return Err(OAuthError::invalid_request(description));
            }
            return Self::read_assertion(client_id, assertion_type, assertion);
        }
        if assertion_type.is_some() {
            return Err(OAuthError::invalid_request("The parameter client_assertion is missing."));
        }
        match (basic_credentials(headers), secret) {
            (Some(_), Some(_)) => {
                Err(OAuthError::invalid_request("The client uses more than one authentication method."))
            }
            (Some(encoded), None) => {
                let (id, secret) =
                    decode_basic(encoded).ok_or_else(|| invalid("The Authorization header is malformed."))?;
                if client_id.is_some_and(|client_id| client_id != id) {
                    let description =
                        "The parameter client_id is another than the one in the Authorization header.";
                    return Err(OAuthError::invalid_request(description));
                }
                // Go's oauth2 package sends a public client's id so, with nothing behind the colon.
                let proof = if secret.is_empty() {
                    Proof::None
                } else {
                    Proof::Basic(ClientSecretValue::presented(&secret))
                };
                Ok(Self { client_id: id, proof })
            }
            (None, secret) => Ok(Self {
                client_id: client_id
                    .ok_or_else(|| invalid("The parameter client_id is missing."))?
                    .to_owned(),
                proof: secret.map_or(Proof::None, |secret| Proof::Post(ClientSecretValue::presented(secret))),
            }),
        }
    }
}

impl Presented {
    /// RFC 7521 §4.2. The assertion is not checked yet, only read for whom it claims to speak.
    fn read_assertion(
        client_id: Option<&str>,
        assertion_type: Option<&str>,
        assertion: &str,
    ) -> Result<Self, OAuthError> {
        if assertion_type != Some(JWT_BEARER) {
            let description = format!("The parameter client_assertion_type must be {JWT_BEARER}.");
            return Err(OAuthError::invalid_request(description));
        }
        let subject = ClientAssertion::unverified_client_id(assertion).map_err(|error| {
            OAuthError::new(ErrorCode::InvalidClient, format!("Authentication failed: {error}."))
        })?;
        if client_id.is_some_and(|client_id| client_id != subject) {
            let description = "The parameter client_id is another than the client of the assertion.";
            return Err(OAuthError::invalid_request(description));
        }
        Ok(Self { client_id: subject, proof: Proof::Assertion(Secret::new(assertion)) })
    }
}

fn basic_credentials(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(credentials.trim())
}

/// Both halves are form-encoded inside the base64 (RFC 6749 §2.3.1).
fn decode_basic(encoded: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let form_decoded =
        |text: &str| Some(percent_decode_str(&text.replace('+', " ")).decode_utf8().ok()?.into_owned());
    Some((form_decoded(id)?, form_decoded(secret)?))
}

#[cfg(test)]
mod tests;
