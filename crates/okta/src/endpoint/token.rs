//! `POST /oauth2/v1/token`: access tokens for this API, for service applications that prove themselves by a key
//! (`private_key_jwt`, RFC 7523), bound to a key of the moment if the application is set to that (DPoP, RFC 9449).
//!
//! Terraform's provider sends the parameters in the query (3.15 to 4.x) or in the body (since), sends the same assertion
//! several times if it has no `jti`, and asks with the same assertion again after a challenge for a DPoP nonce.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::{SignedDuration, Timestamp};
use kubesso_directory::{
    Application, AuditEvent, AuditEventId, Change, ClientAuthentication, ClientId, ClientKeys, Expectation,
    GrantType, Outcome, ScopeName, SingleUse,
};
use kubesso_token::{
    AssertionExpectations, Audiences, ClientAssertion, JwkSet, VerifiedAssertion, VerifiedDpop,
};
use serde_json::{Map, json};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::access_token::AccessToken;
use crate::context::Context;
use crate::dpop::{self, Bound};
use crate::error::ApiError;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// A refusal in OAuth's form (RFC 6749 §5.2).
#[derive(Debug)]
pub(crate) struct OauthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    nonce: Option<String>,
}

impl OauthError {
    fn new(error: &'static str, description: impl Into<String>) -> Self {
        let status =
            if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Self { status, error, description: description.into(), nonce: None }
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        tracing::info!(error = self.error, description = %self.description, "a service application got no token");
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        if let Some(nonce) = self.nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
            response.headers_mut().insert(dpop::NONCE_HEADER, nonce);
        }
        response
    }
}

impl From<ApiError> for OauthError {
    fn from(error: ApiError) -> Self {
        tracing::error!(%error, "the token endpoint failed");
        let description = "the server could not decide: its log says why".to_owned();
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, error: "server_error", description, nonce: None }
    }
}

/// The parameters, wherever they came.
struct Parameters(Vec<(String, Zeroizing<String>)>);

impl Parameters {
    fn read(uri: &Uri, body: &Bytes) -> Self {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let pairs = query.chain(form_urlencoded::parse(body));
        let given = pairs.filter(|(_, value)| !value.is_empty());
        Self(given.map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned()))).collect())
    }

    /// The value of a parameter that must be there, once.
    fn required(&self, name: &str) -> Result<&str, OauthError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value),
            (None, _) => Err(OauthError::new("invalid_request", format!("the parameter {name} is missing"))),
            (Some(_), Some(_)) => Err(OauthError::new(
                "invalid_request",
                format!("the parameter {name} is given more than once"),
            )),
        }
    }
}

/// The endpoint.
pub(crate) async fn token(
    State(context): State<Context>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, OauthError> {
    let body =
        body.map_err(|_| OauthError::new("invalid_request", "the body is too large or was cut off"))?;
    let parameters = Parameters::read(&uri, &body);
    let grant_type = parameters.required("grant_type")?;
    if grant_type != "client_credentials" {
        return Err(OauthError::new(
            "unsupported_grant_type",
            "the organization's own token endpoint is for service applications: use client_credentials; people sign in \
             at an authorization server of their own, /oauth2/<id>/v1/…",
        ));
    }
    let snapshot = context.snapshot().await?;
    let (application, assertion) = authenticate(&context, &snapshot, &parameters).await?;
    let scopes = granted(application, parameters.required("scope")?)?;
    let proof = prove(&context, application, &method, &uri, &headers)?;
    // Only now: an assertion that led to a challenge may come again.
    note_uses(&context, &application.client_id, &assertion, proof.as_ref()).await?;

    let now = context.now();
    let token = AccessToken {
        client: application.client_id.clone(),
        scopes: scopes.clone(),
        expires: end(now).as_second(),
        jkt: proof.map(|proof| proof.jkt),
    };
    let sealed = token.seal(&context).map_err(|error| ApiError::internal(&error))?;
    let scope = scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
    context
        .change_people(Expectation::Any, vec![audited(&context, application, &scope)])
        .await
        .map_err(ApiError::from)?;
    let mut response = Json(json!({
        "token_type": if token.jkt.is_some() { "DPoP" } else { "Bearer" },
        "expires_in": LIFETIME.as_secs(),
        "access_token": sealed,
        "scope": scope,
    }))
    .into_response();
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if token.jkt.is_some()
        && let Ok(nonce) = HeaderValue::try_from(dpop::nonce(&context))
    {
        response.headers_mut().insert(dpop::NONCE_HEADER, nonce);
    }
    Ok(response)
}

fn end(now: Timestamp) -> Timestamp {
    now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX)
}

/// The service application that the assertion proves.
async fn authenticate<'a>(
    context: &Context,
    snapshot: &'a kubesso_directory::Snapshot,
    parameters: &Parameters,
) -> Result<(&'a Application, VerifiedAssertion), OauthError> {
    let wrong = |description: String| OauthError::new("invalid_client", description);
    if parameters.required("client_assertion_type")? != ASSERTION_TYPE {
        return Err(wrong(format!("client_assertion_type must be {ASSERTION_TYPE}")));
    }
    let assertion = parameters.required("client_assertion")?;
    let claimed =
        ClientAssertion::unverified_client_id(assertion).map_err(|error| wrong(error.to_string()))?;
    let client = ClientId::parse(&claimed)
        .ok()
        .and_then(|id| snapshot.application(&id))
        .filter(|application| application.status.is_active())
        .ok_or_else(|| {
            wrong("there is no active application of the client id in the assertion".to_owned())
        })?;
    let keys = match &client.authentication {
        ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(keys)) => {
            JwkSet::of_client(keys).map_err(|error| wrong(error.to_string()))?
        }
        ClientAuthentication::PrivateKeyJwt(ClientKeys::At(_)) => {
            let fetched = context.provider.client_keys(&client.client_id, assertion).await;
            fetched.map_err(|error| wrong(error.to_string()))?
        }
        other => {
            return Err(wrong(format!(
                "the application authenticates by {}: set token_endpoint_auth_method to private_key_jwt, with its \
                 public key in jwks",
                other.method()
            )));
        }
    };
    let audiences: Vec<String> =
        context.origins.iter().map(|origin| format!("{origin}/oauth2/v1/token")).collect();
    let verified = ClientAssertion::verify(
        assertion,
        &keys,
        &AssertionExpectations {
            client_id: client.client_id.as_str(),
            audiences: Audiences::Among(&audiences),
            now: context.now(),
            require_jti: false,
        },
    )
    .map_err(|error| wrong(error.to_string()))?;
    if !client.grant_types.contains(&GrantType::ClientCredentials) {
        return Err(OauthError::new(
            "unauthorized_client",
            "the application's grant_types do not have client_credentials",
        ));
    }
    Ok((client, verified))
}

/// The scopes that are asked for, all of which must have been granted.
fn granted(application: &Application, asked: &str) -> Result<Vec<ScopeName>, OauthError> {
    let mut scopes = Vec::new();
    for name in asked.split_ascii_whitespace() {
        let scope = ScopeName::parse(name).ok().filter(|scope| application.api_scopes.contains(scope));
        let Some(scope) = scope else {
            return Err(OauthError::new(
                "invalid_scope",
                format!(
                    "the application was not granted {name}: grant it with POST /api/v1/apps/{}/grants, as a super \
                     administrator",
                    application.id
                ),
            ));
        };
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(OauthError::new("invalid_scope", "name at least one scope"));
    }
    Ok(scopes)
}

/// The proof by which the token is bound, if the application wants that or a proof came.
fn prove(
    context: &Context,
    application: &Application,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<VerifiedDpop>, OauthError> {
    if !application.has_dpop_bound_access_tokens() && !headers.contains_key(dpop::HEADER) {
        return Ok(None);
    }
    let bound = Bound { with_nonce: true, ..Bound::default() };
    dpop::check(context, headers, method, uri, bound).map(Some).map_err(|error| {
        let nonce = (error.code() == "use_dpop_nonce").then(|| dpop::nonce(context));
        OauthError { nonce, ..OauthError::new(error.code(), error.to_string()) }
    })
}

async fn note_uses(
    context: &Context,
    client: &ClientId,
    assertion: &VerifiedAssertion,
    proof: Option<&VerifiedDpop>,
) -> Result<(), OauthError> {
    if let Some(proof) = proof {
        let noted = dpop::note_use(context, proof).await.map_err(ApiError::from)?;
        noted.map_err(|error| OauthError::new(error.code(), error.to_string()))?;
    }
    let used = assertion.jti.as_ref();
    let used = used.map(|jti| SingleUse::of_client_assertion(client, jti, assertion.expires));
    if let Some(used) = used
        && !context.use_once(&used).await.map_err(ApiError::from)?
    {
        return Err(OauthError::new(
            "invalid_client",
            "the assertion's jti was used before: make a new assertion",
        ));
    }
    Ok(())
}

fn audited(context: &Context, application: &Application, scope: &str) -> Change {
    let mut details = Map::new();
    details.insert("scope".to_owned(), scope.into());
    details.insert("grant_type".to_owned(), "client_credentials".into());
    details.insert(
        "actor".to_owned(),
        json!({
            "id": application.client_id,
            "type": "PublicClientApp",
            "displayName": application.label,
        }),
    );
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&*context.entropy),
        published: context.now(),
        event_type: "app.oauth2.token.grant.access_token".to_owned(),
        actor: application.client_id.to_string(),
        target: Some(application.id.to_string()),
        outcome: Outcome::Success,
        message: "OAuth access token for the management API granted".to_owned(),
        details,
    })
}
