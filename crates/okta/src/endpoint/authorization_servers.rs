//! Authorization servers: issuers, with what their tokens say and who gets them.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use kubesso_directory::{
    Access, Audience, AuthorizationServer, AuthorizationServerId, Change, IssuerMode, KeyState, Label,
    MANAGEMENT_SERVER, Resource, RotationMode, RotationSchedule, Scope, Server, Snapshot, Status,
};
use serde_json::{Map, Value, json};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

mod claims;
mod clients;
mod keys;
mod policies;
mod priority;
mod rules;
mod scopes;

/// The addresses under `/api/v1/authorizationServers`.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/authorizationServers", get(list).post(create))
        .route("/api/v1/authorizationServers/{id}", get(read).put(replace).delete(remove))
        .route("/api/v1/authorizationServers/{id}/lifecycle/activate", post(activate))
        .route("/api/v1/authorizationServers/{id}/lifecycle/deactivate", post(deactivate))
        .merge(claims::routes())
        .merge(clients::routes())
        .merge(keys::routes())
        .merge(policies::routes())
        .merge(rules::routes())
        .merge(scopes::routes())
}

/// A server as somebody wants it.
#[derive(Clone, Debug)]
struct Wanted {
    name: Label,
    description: String,
    audience: Audience,
    issuer_mode: IssuerMode,
    rotation_mode: RotationMode,
}

impl Wanted {
    fn read(body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        let name = body.required("name", Label::parse)?;
        let description = body.text("description")?.unwrap_or_default();
        if description.chars().count() > 1000 {
            return Err(body.refuse("description", "use at most 1000 characters"));
        }
        let audiences = body.all_parsed("audiences", Audience::parse)?.unwrap_or_default();
        let [audience] = audiences.as_slice() else {
            return Err(body.refuse("audiences", "name exactly one"));
        };
        let issuer_mode = body.word("issuerMode", "ORG_URL, CUSTOM_URL or DYNAMIC", |word| match word {
            "ORG_URL" => Some(IssuerMode::OrgUrl),
            "CUSTOM_URL" => Some(IssuerMode::CustomUrl),
            "DYNAMIC" => Some(IssuerMode::Dynamic),
            _ => None,
        })?;
        let mut signing = body.object("credentials")?.object("signing")?;
        let rotation_mode = signing.word("rotationMode", "AUTO or MANUAL", |word| match word {
            "AUTO" => Some(RotationMode::Auto),
            "MANUAL" => Some(RotationMode::Manual),
            _ => None,
        })?;
        Ok(Self {
            name,
            description,
            audience: audience.clone(),
            issuer_mode: issuer_mode.unwrap_or_default(),
            rotation_mode: rotation_mode.unwrap_or_default(),
        })
    }
}

/// `GET /api/v1/authorizationServers?q&limit&after`: `q` is a part of the name or an audience.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let snapshot = context.snapshot().await?;
    let wanted = parameters.get("q").map(str::to_lowercase);
    let fits = |server: &AuthorizationServer| {
        let contains = |text: &str| wanted.as_ref().is_none_or(|wanted| text.to_lowercase().contains(wanted));
        contains(server.name.as_str()) || server.audiences.iter().any(|audience| contains(audience.as_str()))
    };
    let found: Vec<&Server> = snapshot.servers().filter(|server| fits(&server.server)).collect();
    Ok(paging.answer_all(
        &context,
        found,
        |server| server.server.id.to_string(),
        |server| shown(&context, server),
    ))
}

/// `POST /api/v1/authorizationServers`: with OpenID Connect's scopes and a key that signs at once.
async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Manage)?;
    let wanted = Wanted::read(body)?;
    let id = AuthorizationServerId::generate(&*context.entropy);
    let mut server = AuthorizationServer::new(id.clone(), wanted.name, vec![wanted.audience], context.now());
    server.description = wanted.description;
    server.issuer_mode = wanted.issuer_mode;
    server.rotation_mode = wanted.rotation_mode;
    let key = context
        .provider
        .first_key(&id, &server.algorithm)
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let scopes = Scope::system(&id, &*context.entropy);
    context
        .change_configuration(|snapshot| {
            refuse_taken_name(snapshot, &server)?;
            let mut changes =
                vec![Change::PutAuthorizationServer(server.clone()), Change::PutSigningKey(key.clone())];
            changes.extend(scopes.iter().cloned().map(Change::PutScope));
            changes.push(entry(
                &context,
                &caller,
                "oauth2.as.created",
                "Create authorization server",
                &server,
            ));
            Ok((changes, ()))
        })
        .await?;
    let snapshot = context.snapshot().await?;
    let made = Json(shown(&context, find(&snapshot, id.as_str())?));
    Ok((StatusCode::CREATED, made).into_response())
}

/// `GET /api/v1/authorizationServers/{id}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    Ok(Json(shown(&context, find(&snapshot, &id)?)))
}

/// `PUT /api/v1/authorizationServers/{id}`: replaces everything but the id and the status.
async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    context
        .change_configuration(|snapshot| {
            let before = &find(snapshot, &id)?.server;
            let after = AuthorizationServer {
                name: wanted.name.clone(),
                description: wanted.description.clone(),
                audiences: vec![wanted.audience.clone()],
                issuer_mode: wanted.issuer_mode,
                rotation_mode: wanted.rotation_mode,
                ..before.clone()
            };
            if after == *before {
                return Ok((Vec::new(), ()));
            }
            refuse_taken_name(snapshot, &after)?;
            let after = AuthorizationServer { last_updated: context.now(), ..after };
            let entry = entry(&context, &caller, "oauth2.as.updated", "Update authorization server", &after);
            Ok((vec![Change::PutAuthorizationServer(after), entry], ()))
        })
        .await?;
    let snapshot = context.snapshot().await?;
    Ok(Json(shown(&context, find(&snapshot, &id)?)))
}

/// `DELETE /api/v1/authorizationServers/{id}`: with all that belongs to it; ends what people had from it.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    context
        .change_configuration(|snapshot| {
            let server = &find(snapshot, &id)?.server;
            let entry = entry(&context, &caller, "oauth2.as.deleted", "Delete authorization server", server);
            let id = server.id.clone();
            Ok((vec![Change::EndServerGrants(id.clone()), Change::RemoveAuthorizationServer(id), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/lifecycle/activate`
async fn activate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    set_status(&context, &caller, &id, Status::Active).await
}

/// `POST …/lifecycle/deactivate`: ends what people had from it.
async fn deactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    set_status(&context, &caller, &id, Status::Inactive).await
}

async fn set_status(
    context: &Context,
    caller: &Caller,
    id: &str,
    status: Status,
) -> Result<StatusCode, ApiError> {
    require_manage(caller, id)?;
    context
        .change_configuration(|snapshot| {
            let before = &find(snapshot, id)?.server;
            if before.status == status {
                return Ok((Vec::new(), ()));
            }
            let after = AuthorizationServer { status, last_updated: context.now(), ..before.clone() };
            let (event, message) = match status {
                Status::Active => ("oauth2.as.activated", "Activate authorization server"),
                Status::Inactive => ("oauth2.as.deactivated", "Deactivate authorization server"),
            };
            let mut changes = vec![entry(context, caller, event, message, &after)];
            if status == Status::Inactive {
                changes.push(Change::EndServerGrants(after.id.clone()));
            }
            changes.push(Change::PutAuthorizationServer(after));
            Ok((changes, ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The server of that id.
pub(crate) fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a Server, ApiError> {
    let missing = || ApiError::not_found("AuthorizationServer", id);
    let parsed = AuthorizationServerId::parse(id).map_err(|_| missing())?;
    snapshot.server(&parsed).ok_or_else(missing)
}

/// Refuses whoever may not change the server of that id. By the management server administrators come in.
fn require_manage(caller: &Caller, id: &str) -> Result<(), ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Manage)?;
    if id == MANAGEMENT_SERVER {
        caller
            .authority()
            .require_super_admin("change the authorization server by which administrators sign in")?;
    }
    Ok(())
}

fn refuse_taken_name(snapshot: &Snapshot, server: &AuthorizationServer) -> Result<(), ApiError> {
    let is_taken =
        snapshot.servers().any(|other| other.server.name == server.name && other.server.id != server.id);
    if is_taken {
        return Err(ApiError::taken("name"));
    }
    Ok(())
}

fn entry(
    context: &Context,
    caller: &Caller,
    event_type: &str,
    message: &str,
    server: &AuthorizationServer,
) -> Change {
    audit::entry(context, caller, event_type, message, &[target(server)])
}

/// The server as an audit entry's target.
fn target(server: &AuthorizationServer) -> Target {
    Target::new("AuthorizationServer", &server.id, server.name.as_str())
}

/// A path under a server's.
fn server_url(context: &Context, server: &AuthorizationServerId, rest: &str) -> String {
    context.url(&format!("/api/v1/authorizationServers/{server}{rest}"))
}

/// A link with the methods that it takes.
fn link(href: impl Into<String>, allow: &[&str]) -> Value {
    json!({ "href": href.into(), "hints": { "allow": allow } })
}

fn shown(context: &Context, server: &Server) -> Value {
    let signing = server.keys.iter().find_map(|key| match key.state {
        KeyState::Active { since } => Some((key.kid.as_str(), since)),
        KeyState::Pending { .. } | KeyState::Retiring { .. } | KeyState::Revoked { .. } => None,
    });
    let server = &server.server;
    let mut credentials = json!({
        "rotationMode": match server.rotation_mode {
            RotationMode::Auto => "AUTO",
            RotationMode::Manual => "MANUAL",
        },
        "use": "sig",
    });
    if let Some((kid, since)) = signing {
        credentials["kid"] = kid.into();
        credentials["lastRotated"] = time::text(since).into();
        let next = since.saturating_add(RotationSchedule::default().signs_for);
        if let (RotationMode::Auto, Ok(next)) = (server.rotation_mode, next) {
            credentials["nextRotation"] = time::text(next).into();
        }
    }
    let url = |rest: &str| server_url(context, &server.id, rest);
    let issuer = context.url(&format!("/oauth2/{}", server.id));
    let (verb, verb_link) = if server.status.is_active() {
        ("deactivate", "/lifecycle/deactivate")
    } else {
        ("activate", "/lifecycle/activate")
    };
    let metadata = ["oauth-authorization-server", "openid-configuration"].map(|name| {
        json!({ "name": name, "href": format!("{issuer}/.well-known/{name}"), "hints": { "allow": ["GET"] } })
    });
    json!({
        "id": server.id.as_str(),
        "name": server.name.as_str(),
        "description": if server.description.is_empty() { Value::Null } else { server.description.as_str().into() },
        "audiences": server.audiences.iter().map(Audience::as_str).collect::<Vec<_>>(),
        "issuer": issuer,
        "issuerMode": match server.issuer_mode {
            IssuerMode::CustomUrl => "CUSTOM_URL",
            IssuerMode::Dynamic => "DYNAMIC",
            IssuerMode::OrgUrl => "ORG_URL",
        },
        "status": server.status.as_str(),
        "created": time::text(server.created),
        "lastUpdated": time::text(server.last_updated),
        "credentials": { "signing": credentials },
        "default": server.id.as_str() == "default",
        "_links": {
            "self": link(url(""), &["GET", "DELETE", "PUT"]),
            "scopes": link(url("/scopes"), &["GET"]),
            "claims": link(url("/claims"), &["GET"]),
            "policies": link(url("/policies"), &["GET"]),
            "metadata": metadata,
            "rotateKey": link(url("/credentials/lifecycle/keyRotate"), &["POST"]),
            verb: link(url(verb_link), &["POST"]),
        },
    })
}
