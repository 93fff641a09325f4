//! Who calls the token, device authorization, revocation and introspection endpoints (RFC 6749 §2.3): `none`,
//! `client_secret_basic`, `client_secret_post`, `private_key_jwt` (RFC 7523 §2.2, OpenID Connect Core §9),
//! `tls_client_auth`, `self_signed_tls_client_auth` (RFC 8705 §2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use kubesso_directory::{Application, ClientAuthentication, ClientId, ClientSecretValue, Secret, SingleUse};
use kubesso_token::{AssertionExpectations, Audiences, ClientAssertion};
use percent_encoding::percent_decode_str;

use axum::response::{IntoResponse, Response};

use crate::client_certificate::ClientCertificate;
use crate::client_keys::{self, NotVerified};
use crate::context::Context;
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

/// By which names an assertion may mean the server that it is for.
#[derive(Clone, Debug)]
pub(crate) struct OurNames {
    pub(crate) issuer: String,
    /// The issuer, and the addresses of what clients call.
    pub(crate) all: Vec<String>,
}

impl OurNames {
    /// A client that must push its requests keeps to the FAPI 2.0 Security Profile: its assertions name the issuer alone,
    /// so that nobody who made it believe in another endpoint can use them here.
    fn audiences(&self, application: &Application) -> Audiences<'_> {
        if application.requires_pushed_requests() {
            return Audiences::Only(&self.issuer);
        }
        Audiences::Among(&self.all)
    }
}

/// The application that makes the request, once it has proved who it is in the way that it is registered for.
pub(crate) async fn authenticate<'a>(
    context: &Context,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    parameters: &Parameters,
    names: &OurNames,
    find: impl FnOnce(&ClientId) -> Option<&'a Application>,
) -> Result<&'a Application, ClientRefused> {
    let (application, outstanding) = claimed(headers, parameters, find)?;
    let checked = match outstanding {
        Outstanding::Nothing => Ok(()),
        Outstanding::Assertion(assertion) => {
            check_assertion(context, application, &assertion, names.audiences(application)).await
        }
        Outstanding::Certificate => {
            let checked = check_certificate(context, application, certificate).await;
            checked.map_err(|why| OAuthError::new(ErrorCode::InvalidClient, why))
        }
    };
    checked.map(|()| application).map_err(|error| ClientRefused { error, tried_basic: false })
}

/// What is yet to be checked of what a client presents.
#[derive(Debug)]
enum Outstanding {
    Nothing,
    /// Its own keys are needed for it.
    Assertion(Secret),
    /// That of the connection.
    Certificate,
}

/// The application that a request is said to come from, in the way that it is registered for; secrets are checked.
fn claimed<'a>(
    headers: &HeaderMap,
    parameters: &Parameters,
    find: impl FnOnce(&ClientId) -> Option<&'a Application>,
) -> Result<(&'a Application, Outstanding), ClientRefused> {
    let tried_basic = basic_credentials(headers).is_some();
    let refused = |error| ClientRefused { error, tried_basic };
    let invalid = |description: &str| refused(OAuthError::new(ErrorCode::InvalidClient, description));

    let presented = Presented::read(headers, parameters).map_err(refused)?;
    let application = ClientId::parse(&presented.client_id)
        .ok()
        .and_then(|id| find(&id))
        .filter(|application| application.status.is_active())
        .ok_or_else(|| invalid("There is no such client, or it is deactivated."))?;
    match (&application.authentication, presented.proof) {
        (ClientAuthentication::None, Proof::None) => Ok((application, Outstanding::Nothing)),
        (ClientAuthentication::None, _) => {
            Err(invalid("The client is registered without a secret; send client_id alone."))
        }
        (ClientAuthentication::ClientSecretBasic(_), Proof::Basic(secret))
        | (ClientAuthentication::ClientSecretPost(_), Proof::Post(secret)) => {
            if application.authentication.accepts_secret(&secret) {
                Ok((application, Outstanding::Nothing))
            } else {
                Err(invalid("The client secret is wrong."))
            }
        }
        (ClientAuthentication::PrivateKeyJwt(_), Proof::Assertion(assertion)) => {
            Ok((application, Outstanding::Assertion(assertion)))
        }
        (ClientAuthentication::SelfSignedTls(_) | ClientAuthentication::Tls(_), Proof::None) => {
            Ok((application, Outstanding::Certificate))
        }
        (registered, _) => {
            let method = registered.method();
            Err(invalid(&format!("The client is registered for the authentication method {method}.")))
        }
    }
}

/// Whether `application` made the assertion, for us, and uses it for the first time, at whichever replica; otherwise why
/// not.
async fn check_assertion(
    context: &Context,
    application: &Application,
    assertion: &Secret,
    audiences: Audiences<'_>,
) -> Result<(), OAuthError> {
    let invalid = |why: String| OAuthError::new(ErrorCode::InvalidClient, why);
    let (client, now) = (&application.client_id, context.now());
    let expected = AssertionExpectations { client_id: client.as_str(), audiences, now, require_jti: true };
    let verify = |keys: &_| ClientAssertion::verify(assertion.expose(), keys, &expected);
    let verified =
        client_keys::verified(context, application, verify).await.map_err(|error| match error {
            NotVerified::Unusable(why) => invalid(why),
            error => invalid(format!("Authentication failed: {error}.")),
        })?;
    let jti = verified.jti.unwrap_or_default();
    let used = SingleUse::of_client_assertion(client, &jti, verified.expires);
    match context.use_once(&used).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let why = "The client assertion was used before; make one with another jti for each request.";
            Err(invalid(why.to_owned()))
        }
        Err(error) => {
            tracing::error!(%error, cause = ?error, "the use of a client assertion could not be noted");
            Err(OAuthError::server_error())
        }
    }
}

/// Whether the request comes with the certificate by which `application` is known; otherwise why not.
async fn check_certificate(
    context: &Context,
    application: &Application,
    certificate: Option<&ClientCertificate>,
) -> Result<(), String> {
    let Some(certificate) = certificate else {
        let place = match context.mutual_tls.as_ref().map(|tls| tls.origin()) {
            Some(Some(origin)) => format!(" Call the endpoints at {origin} with it."),
            Some(None) => String::new(),
            None => " None can come here: mutual TLS is not set up.".to_owned(),
        };
        return Err(format!("The request came without a client certificate.{place}"));
    };
    let ClientAuthentication::Tls(subject) = &application.authentication else {
        let checked = client_keys::has_certificate(context, application, certificate).await;
        return checked.map_err(|error| match error {
            NotVerified::Unusable(why) => why,
            error => format!("Authentication failed: {error}."),
        });
    };
    match certificate.names() {
        None => Err("The client certificate is not by an authority that is trusted here.".to_owned()),
        Some(names) if subject.is_among(names) => Ok(()),
        Some(_) => {
            let (member, _) = subject.member();
            Err(format!("The client certificate does not have the name that is registered as {member}."))
        }
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
