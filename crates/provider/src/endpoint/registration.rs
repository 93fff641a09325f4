//! Clients register themselves (RFC 7591, OpenID Connect Dynamic Registration 1.0) and change themselves (RFC 7592), where
//! that is allowed.
//!
//! Whoever registers a client needs a token for it, unless the settings dangerously open it to everybody. A client is an
//! application like any other: nobody may use it who is not assigned, and its people are asked for consent. It is assigned
//! to the groups that the settings name, to nobody by default.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use kubesso_directory::{
    Application, ApplicationId, Attempt, AuditEvent, AuditEventId, Batch, Change, ClientId, ClientSecret,
    ClientSecretId, ClientSecretValue, Expectation, GroupAssignment, GroupName, InitialAccessToken,
    InitialAccessTokenValue, Label, Outcome, Registration, RegistrationTokenValue, Secret, Server, Snapshot,
    Status, StoreError, ThrottleKey, ThrottleRule,
};
use serde_json::{Map, Value};

use crate::client_address::ClientAddress;
use crate::client_metadata::{ClientMetadata, metadata_of};
use crate::context::Context;
use crate::endpoint::discovery;
use crate::keys::ATTEMPTS;
use crate::oauth_error::{ErrorCode, OAuthError, never_stored};

/// So many clients at most come of a registration that is open to everybody.
const MOST_OPEN: usize = 100;

/// Who may register clients, and who may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationPolicy {
    /// Whether nobody needs a token for it: everybody who reaches the provider writes into its directory, a hundred clients
    /// at most.
    pub dangerously_open: bool,
    /// The names of the groups that clients are assigned to.
    pub groups: Vec<GroupName>,
}

/// `POST …/v1/register` (RFC 7591 §3.1).
pub(crate) async fn register(
    State(context): State<Context>,
    Path(server_id): Path<String>,
    address: ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(&server_id) else { return discovery::no_server(&server_id) };
    let Some(policy) = &context.registration else { return not_here() };
    match created(&context, policy, server, address, &headers, &body).await {
        Ok(response) => response,
        Err(refused) => refused.answer("registration refused"),
    }
}

/// `GET …/v1/register/{client}` (RFC 7592 §2.1).
pub(crate) async fn read(
    State(context): State<Context>,
    Path((server_id, client)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match own(&context, &server_id, &client, &headers).await {
        Ok(own) => answer(&context, StatusCode::OK, own.server, &own.application, &own.token, None),
        Err(refused) => refused.answer("a client could not read its registration"),
    }
}

/// `PUT …/v1/register/{client}` (RFC 7592 §2.2): what is left out is as if it was never registered.
pub(crate) async fn replace(
    State(context): State<Context>,
    Path((server_id, client)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match replaced(&context, &server_id, &client, &headers, &body).await {
        Ok(response) => response,
        Err(refused) => refused.answer("a client could not change its registration"),
    }
}

/// `DELETE …/v1/register/{client}` (RFC 7592 §2.3): with it end its refresh tokens.
pub(crate) async fn remove(
    State(context): State<Context>,
    Path((server_id, client)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let own = match own(&context, &server_id, &client, &headers).await {
        Ok(own) => own,
        Err(refused) => return refused.answer("a client could not remove its registration"),
    };
    let application = &own.application;
    let removed = commit(&context, |_| {
        Ok(vec![
            Change::EndClientGrants(application.client_id.clone()),
            Change::RemoveApplication(application.id.clone()),
            entry(
                &context,
                "app.oauth2.client.lifecycle.delete",
                application.client_id.as_str(),
                application,
            ),
        ])
    });
    match removed.await {
        Ok(()) => {
            tracing::info!(client = %application.client_id, "a client removed its registration");
            let mut response = StatusCode::NO_CONTENT.into_response();
            never_stored(&mut response);
            response
        }
        Err(refused) => refused.answer("a client could not remove its registration"),
    }
}

/// Why nothing was done.
enum Refused {
    /// No token, or none that is good: the answer says how to come back (RFC 6750 §3).
    Token(&'static str),
    /// The token is good, and the client is deactivated (RFC 7592 §2.1).
    Deactivated,
    NoServer(String),
    NotHere,
    Full,
    Slower(Timestamp, Timestamp),
    Wrong(OAuthError),
    Store(StoreError),
}

impl From<OAuthError> for Refused {
    fn from(error: OAuthError) -> Self {
        Self::Wrong(error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refused {
    fn answer(self, what: &str) -> Response {
        let with_status = |status: StatusCode, description: &str| {
            let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, description);
            let mut response = error.into_response();
            *response.status_mut() = status;
            response
        };
        let (response, reason) = match self {
            Self::Token(reason) => {
                let mut response = OAuthError::new(ErrorCode::InvalidToken, reason).into_response();
                let challenge = HeaderValue::from_static("Bearer realm=\"kubesso\", error=\"invalid_token\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                (response, reason.to_owned())
            }
            Self::Deactivated => {
                let reason = "The client is deactivated; an administrator can activate it.";
                let mut response = OAuthError::new(ErrorCode::AccessDenied, reason).into_response();
                *response.status_mut() = StatusCode::FORBIDDEN;
                (response, reason.to_owned())
            }
            Self::NoServer(id) => return discovery::no_server(&id),
            Self::NotHere => return not_here(),
            Self::Full => {
                let reason = "There are as many clients as an open registration allows; ask an administrator for an \
                              initial access token.";
                (with_status(StatusCode::FORBIDDEN, reason), reason.to_owned())
            }
            Self::Slower(until, now) => {
                let seconds = until.duration_since(now).as_secs().max(1);
                let reason =
                    format!("Too many clients were registered from your network; wait {seconds} seconds.");
                let mut response = with_status(StatusCode::TOO_MANY_REQUESTS, &reason);
                if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds);
                }
                (response, reason)
            }
            Self::Wrong(error) => {
                let reason = error.description.clone();
                (error.into_response(), reason)
            }
            Self::Store(error) => {
                tracing::error!(%error, cause = ?error, "a registration failed");
                return OAuthError::server_error().into_response();
            }
        };
        tracing::warn!(reason, "{what}");
        response
    }
}

fn not_here() -> Response {
    let description = "Clients cannot register themselves here; ask an administrator.";
    let mut response = OAuthError::new(ErrorCode::RegistrationNotSupported, description).into_response();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn created(
    context: &Context,
    policy: &RegistrationPolicy,
    server: &Server,
    address: ClientAddress,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refused> {
    let now = context.now();
    let presented = bearer(headers).map(|token| InitialAccessTokenValue::presented(token).hash());
    if let Some(hash) = &presented {
        let is_alive = |token: &InitialAccessToken| token.uses_left > 0 && now < token.expires;
        let tokens = context.store.initial_access_tokens().await?;
        if !tokens.iter().any(|token| token.hash == *hash && is_alive(token)) {
            return Err(Refused::Token("The initial access token is unknown, used up or expired."));
        }
    } else if !policy.dangerously_open {
        return Err(Refused::Token(
            "Registering a client needs an initial access token (Authorization: Bearer).",
        ));
    }
    let metadata = ClientMetadata::read(&read_body(headers, body)?, &server.server.algorithm)?;
    let by = if let Some(hash) = &presented {
        // Only now, so that a mistake in the metadata costs no use.
        let used = context.store.use_initial_access_token(hash, now).await?;
        Some(used.ok_or(Refused::Token("The initial access token is used up."))?)
    } else {
        let key = ThrottleKey::registrations(address.0);
        if let Attempt::Wait { until } =
            context.store.attempt(&key, &ThrottleRule::REGISTRATIONS, now).await?
        {
            return Err(Refused::Slower(until, now));
        }
        None
    };
    let token = RegistrationTokenValue::generate(&*context.entropy);
    let registration = Registration { token: token.hash(), by: by.as_ref().map(|token| token.id.clone()) };
    let (mut secret, mut application) = (None, blank(context, &registration)?);
    application = metadata.applied_to(&application, || new_secret(context, &mut secret));
    let mut assigned = Vec::new();
    for (priority, name) in (0..).zip(&policy.groups) {
        if let Some(group) = context.store.group_by_name(name).await? {
            assigned.push(GroupAssignment::new(application.id.clone(), group.id, priority, now));
        } else {
            tracing::warn!(group = %name, "there is no such group to assign registered clients to");
        }
    }
    let actor = by.as_ref().map_or_else(|| "anonymous".to_owned(), |token| token.id.to_string());
    commit(context, |snapshot| {
        if by.is_none() && open_clients(snapshot) >= MOST_OPEN {
            return Err(Refused::Full);
        }
        let mut changes = vec![Change::PutApplication(application.clone())];
        changes.extend(assigned.iter().cloned().map(Change::AssignGroup));
        changes.push(entry(context, "app.oauth2.client.lifecycle.create", &actor, &application));
        Ok(changes)
    })
    .await?;
    tracing::info!(client = %application.client_id, actor, %address, "a client registered itself");
    let token = Secret::new(token.expose());
    Ok(answer(context, StatusCode::CREATED, server.server.id.as_str(), &application, &token, secret.as_ref()))
}

fn open_clients(snapshot: &Snapshot) -> usize {
    let registered = snapshot.applications().filter_map(Application::registration);
    registered.filter(|registration| registration.by.is_none()).count()
}

/// An application of which nothing is known but that it registered itself.
fn blank(context: &Context, registration: &Registration) -> Result<Application, OAuthError> {
    let label = Label::parse("Registered client").map_err(|_| OAuthError::server_error())?;
    let id = ApplicationId::generate(&*context.entropy);
    let mut application = Application::native(id, label, Vec::new(), context.now());
    // Of those with credentials it is asked if they want it (`Application::must_use_pkce`).
    application.pkce_required = false;
    application.other.insert(Registration::KEPT.to_owned(), registration.to_value());
    Ok(application)
}

/// A secret, hashed and sealed; its text goes to `shown`.
fn new_secret(context: &Context, shown: &mut Option<ClientSecretValue>) -> ClientSecret {
    let value = ClientSecretValue::generate(&*context.entropy);
    let secret = ClientSecret {
        id: ClientSecretId::generate(&*context.entropy),
        hash: value.hash(),
        sealed: context.sealing_key.seal(ClientSecret::PURPOSE, value.expose().as_bytes(), &*context.entropy),
        status: Status::Active,
        created: context.now(),
    };
    *shown = Some(value);
    secret
}

/// A client that asks about itself.
struct Own<'a> {
    server: &'a str,
    algorithm: String,
    application: Application,
    token: Secret,
}

/// Who has the token of its registration. A client that there is not is answered like a wrong token (RFC 7592 §2.1).
async fn own<'a>(
    context: &Context,
    server_id: &'a str,
    client: &str,
    headers: &HeaderMap,
) -> Result<Own<'a>, Refused> {
    let configuration = context.configuration().await;
    let server = configuration.server(server_id).ok_or_else(|| Refused::NoServer(server_id.to_owned()))?;
    context.registration.as_ref().ok_or(Refused::NotHere)?;
    let wrong = || Refused::Token("The registration access token is not the one of this client.");
    let token = bearer(headers).ok_or_else(wrong)?;
    let application = ClientId::parse(client).ok().and_then(|id| configuration.snapshot.application(&id));
    let hash = RegistrationTokenValue::presented(token).hash();
    let application = application
        .filter(|application| application.registration().is_some_and(|kept| kept.token == hash))
        .ok_or_else(wrong)?;
    if !application.status.is_active() {
        return Err(Refused::Deactivated);
    }
    Ok(Own {
        server: server_id,
        algorithm: server.server.algorithm.clone(),
        application: application.clone(),
        token: Secret::new(token),
    })
}

async fn replaced(
    context: &Context,
    server_id: &str,
    client: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refused> {
    let Own { server, algorithm, application: before, token } =
        own(context, server_id, client, headers).await?;
    let invalid = |description: &str| OAuthError::new(ErrorCode::InvalidClientMetadata, description);
    let members = read_body(headers, body)?;
    if members.get("client_id").and_then(Value::as_str) != Some(before.client_id.as_str()) {
        return Err(invalid("client_id must be the client's own.").into());
    }
    if let Some(secret) = members.get("client_secret").filter(|secret| !secret.is_null()) {
        let presented = secret.as_str().map(ClientSecretValue::presented);
        if !presented.is_some_and(|secret| before.authentication.accepts_secret(&secret)) {
            return Err(invalid("client_secret must be the present one, or left out.").into());
        }
    }
    if let Some(name) = [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ]
    .into_iter()
    .find(|name| members.contains_key(*name))
    {
        return Err(invalid(&format!("{name} must be left out (RFC 7592 §2.2).")).into());
    }
    let metadata = ClientMetadata::read(&members, &algorithm)?;
    let mut secret = None;
    let after = metadata.applied_to(&before, || new_secret(context, &mut secret));
    let after = Application { last_updated: context.now(), ..after };
    commit(context, |snapshot| {
        // Somebody else may have changed or removed it meanwhile.
        if snapshot.application(&before.client_id) != Some(&before) {
            let description = "The client was changed by somebody else at the same time; try again.";
            return Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, description).into());
        }
        let actor = before.client_id.as_str();
        let entry = entry(context, "app.oauth2.client.lifecycle.update", actor, &after);
        Ok(vec![Change::PutApplication(after.clone()), entry])
    })
    .await?;
    tracing::info!(client = %after.client_id, "a client changed its registration");
    Ok(answer(context, StatusCode::OK, server, &after, &token, secret.as_ref()))
}

/// Writes what `decide` makes of the configuration, under the expectation that nothing changed since.
async fn commit(
    context: &Context,
    decide: impl Fn(&Snapshot) -> Result<Vec<Change>, Refused>,
) -> Result<(), Refused> {
    let mut lost = 0;
    loop {
        let snapshot = context.store.snapshot().await?;
        let batch = Batch::new(context.now(), decide(&snapshot)?)
            .expecting(Expectation::Revision(snapshot.revision()));
        match context.store.commit(batch).await {
            Ok(_) => break,
            Err(StoreError::Stale) if lost < ATTEMPTS => lost += 1,
            Err(error) => return Err(error.into()),
        }
    }
    if let Err(error) = context.reload().await {
        // It is stored, and noticed by itself in a moment.
        tracing::warn!(%error, "the changed configuration could not be read yet");
    }
    Ok(())
}

fn entry(context: &Context, event_type: &str, actor: &str, application: &Application) -> Change {
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&*context.entropy),
        published: context.now(),
        event_type: event_type.to_owned(),
        actor: actor.to_owned(),
        target: Some(application.id.to_string()),
        outcome: Outcome::Success,
        message: format!("the client {} by its own registration", application.label),
        details: Map::new(),
    })
}

/// RFC 7591 §3.2.1. The secret is shown where it was just made, and never again.
fn answer(
    context: &Context,
    status: StatusCode,
    server: &str,
    application: &Application,
    token: &Secret,
    secret: Option<&ClientSecretValue>,
) -> Response {
    let mut members = metadata_of(application);
    let uri = format!("{}/oauth2/{server}/v1/register/{}", context.origin(), application.client_id);
    members.insert("registration_client_uri".to_owned(), uri.into());
    members.insert("registration_access_token".to_owned(), token.expose().into());
    if let Some(secret) = secret {
        members.insert("client_secret".to_owned(), secret.expose().into());
        members.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    let mut response = (status, Json(members)).into_response();
    never_stored(&mut response);
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn read_body(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, OAuthError> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(OAuthError::invalid_request("The request must be JSON (application/json)."));
    }
    serde_json::from_slice(body).map_err(|error| {
        OAuthError::new(ErrorCode::InvalidClientMetadata, format!("The body is no JSON object: {error}."))
    })
}
