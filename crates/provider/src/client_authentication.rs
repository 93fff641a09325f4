//! Who calls the token, revocation and introspection endpoints (RFC 6749 §2.3): `none`,
//! `client_secret_basic`, `client_secret_post`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use kubesso_directory::{Application, ClientAuthentication, ClientId, ClientSecretValue};
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
    Basic(ClientSecretValue),
    None,
    Post(ClientSecretValue),
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
        (registered, _) => {
            let method = registered.method();
            Err(invalid(&format!("The client is registered for the authentication method {method}.")))
        }
    }
}

impl Presented {
    fn read(headers: &HeaderMap, parameters: &Parameters) -> Result<Self, OAuthError> {
        let invalid = |description| OAuthError::new(ErrorCode::InvalidClient, description);
        if parameters.optional("client_assertion")?.is_some() {
            return Err(invalid("The authentication method private_key_jwt is not supported."));
        }
        let client_id = parameters.optional("client_id")?;
        let secret = parameters.optional("client_secret")?;
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
mod tests {
    use jiff::Timestamp;
    use kubesso_ambient::SeededEntropy;
    use kubesso_directory::{ApplicationId, ClientSecret, ClientSecretId, Label, SealingKey, Status};

    use super::*;

    const SECRET: &str = "s%c:ret +";

    fn application(kind: &str) -> Application {
        let entropy = SeededEntropy::new(1);
        let id = ApplicationId::parse("web").unwrap();
        let mut application =
            Application::native(id, Label::parse("Web").unwrap(), Vec::new(), Timestamp::UNIX_EPOCH);
        let secret = ClientSecret {
            id: ClientSecretId::generate(&entropy),
            hash: ClientSecretValue::presented(SECRET).hash(),
            sealed: SealingKey::generate(&entropy).seal(ClientSecret::PURPOSE, SECRET.as_bytes(), &entropy),
            status: Status::Active,
            created: Timestamp::UNIX_EPOCH,
        };
        application.authentication = match kind {
            "basic" => ClientAuthentication::ClientSecretBasic(vec![secret]),
            "post" => ClientAuthentication::ClientSecretPost(vec![secret]),
            _ => ClientAuthentication::None,
        };
        application
    }

    fn basic(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    #[test]
    fn a_client_proves_who_it_is_in_the_way_that_it_is_registered_for() {
        let good = "s%25c%3Aret+%2B";
        let ok = "";
        let cases = [
            ("none", None, "client_id=web", ok),
            ("none", Some(basic("web", "")), "", ok),
            (
                "none",
                None,
                "client_id=web&client_secret=x",
                "invalid_client: The client is registered without",
            ),
            ("none", None, "", "invalid_client: The parameter client_id is missing."),
            ("none", None, "client_id=other", "invalid_client: There is no such client"),
            (
                "none",
                None,
                "client_id=web&client_id=web",
                "invalid_request: The parameter client_id is given",
            ),
            (
                "none",
                None,
                "client_id=web&client_assertion=x",
                "invalid_client: The authentication method private",
            ),
            ("basic", Some(basic("web", good)), "", ok),
            ("basic", Some(basic("web", good)), "client_id=web", ok),
            (
                "basic",
                Some(basic("web", good)),
                "client_id=other",
                "invalid_request: The parameter client_id is another",
            ),
            (
                "basic",
                Some(basic("web", good)),
                "client_secret=x",
                "invalid_request: The client uses more than one",
            ),
            ("basic", Some(basic("web", "wrong")), "", "invalid_client: The client secret is wrong."),
            ("basic", Some("Basic !".into()), "", "invalid_client: The Authorization header is malformed."),
            (
                "basic",
                None,
                "client_id=web",
                "invalid_client: The client is registered for the authentication method",
            ),
            ("post", None, "client_id=web&client_secret=s%25c%3Aret+%2B", ok),
            (
                "post",
                None,
                "client_id=web&client_secret=wrong",
                "invalid_client: The client secret is wrong.",
            ),
            (
                "post",
                Some(basic("web", good)),
                "",
                "invalid_client: The client is registered for the authentication method",
            ),
        ];
        for (kind, authorization, form, expected) in cases {
            let application = application(kind);
            let mut headers = HeaderMap::new();
            if let Some(value) = &authorization {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            let result = authenticate(&headers, &Parameters::parse(form.as_bytes()), |id| {
                (*id == application.client_id).then_some(&application)
            });
            match result {
                Ok(_) => assert_eq!(expected, ok, "{kind} {authorization:?} {form}"),
                Err(refused) => {
                    let says = refused.to_string();
                    assert!(!expected.is_empty() && says.starts_with(expected), "{kind} {form}: {says}");
                    let asks = refused.into_response().headers().contains_key(header::WWW_AUTHENTICATE);
                    assert_eq!(
                        asks,
                        authorization.is_some() && says.starts_with("invalid_client"),
                        "{kind} {form}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_deactivated_client_is_no_client() {
        let mut application = application("none");
        application.status = Status::Inactive;
        let parameters = Parameters::parse(b"client_id=web");
        assert!(authenticate(&HeaderMap::new(), &parameters, |_| Some(&application)).is_err());
    }
}
