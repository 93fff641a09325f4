//! Scopes of an authorization server.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, Change, Consent, MetadataPublish, Resource, Scope, ScopeId, ScopeName, Server,
};
use serde_json::{Map, Value, json};

use super::{find, link, require_manage, server_url, target};
use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/authorizationServers/{id}/scopes", get(list).post(create))
        .route("/api/v1/authorizationServers/{id}/scopes/{scope}", get(read).put(replace).delete(remove))
}

/// A scope as somebody wants it.
#[derive(Clone, Debug)]
struct Wanted {
    name: ScopeName,
    display_name: Option<String>,
    description: String,
    consent: Consent,
    metadata_publish: MetadataPublish,
    default: bool,
    optional: bool,
}

impl Wanted {
    fn read(body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        let name = body.required("name", ScopeName::parse)?;
        if name.as_str().starts_with("okta.") {
            return Err(body.refuse("name", "scopes that begin with okta. are the management API's own"));
        }
        let consent = body.word("consent", "IMPLICIT, FLEXIBLE or REQUIRED", Consent::parse)?;
        let metadata_publish =
            body.word("metadataPublish", "ALL_CLIENTS or NO_CLIENTS", |word| match word {
                "ALL_CLIENTS" => Some(MetadataPublish::AllClients),
                "NO_CLIENTS" => Some(MetadataPublish::NoClients),
                _ => None,
            })?;
        // Where there is none, the name is shown as one, and comes back in what clients echo.
        let display_name = body.text("displayName")?.filter(|text| !text.is_empty() && text != name.as_str());
        Ok(Self {
            name,
            display_name,
            description: body.text("description")?.unwrap_or_default(),
            consent: consent.unwrap_or_default(),
            metadata_publish: metadata_publish.unwrap_or(MetadataPublish::NoClients),
            default: body.boolean("default")?.unwrap_or(false),
            optional: body.boolean("optional")?.unwrap_or(false),
        })
    }

    fn into_scope(self, server: &Server, id: ScopeId) -> Scope {
        Scope {
            id,
            server: server.server.id.clone(),
            name: self.name,
            display_name: self.display_name,
            description: self.description,
            consent: self.consent,
            metadata_publish: self.metadata_publish,
            default: self.default,
            optional: self.optional,
            system: false,
        }
    }
}

/// `GET …/scopes?q&limit&after`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?;
    let prefix = parameters.get("q").unwrap_or_default();
    let found: Vec<&Scope> =
        server.scopes.values().filter(|scope| scope.name.as_str().starts_with(prefix)).collect();
    Ok(paging.answer_all(&context, found, |scope| scope.id.to_string(), |scope| shown(&context, scope)))
}

async fn create(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let scope_id = ScopeId::generate(&*context.entropy);
    let scope = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            refuse_taken_name(server, &wanted.name, None)?;
            let scope = wanted.clone().into_scope(server, scope_id.clone());
            let entry = entry(&context, &caller, "oauth2.scope.created", "Create scope", server, &scope);
            Ok((vec![Change::PutScope(scope.clone()), entry], scope))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&context, &scope))))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, scope)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    Ok(Json(shown(&context, find_scope(find(&snapshot, &id)?, &scope)?)))
}

async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, scope)): Ids<(String, String)>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let after = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let before = find_scope(server, &scope)?;
            let after = wanted.clone().into_scope(server, before.id.clone());
            let after = Scope { system: before.system, ..after };
            if after == *before {
                return Ok((Vec::new(), after));
            }
            if after.name != before.name {
                refuse_system(before)?;
            }
            refuse_taken_name(server, &after.name, Some(&before.id))?;
            let entry = entry(&context, &caller, "oauth2.scope.updated", "Update scope", server, &after);
            Ok((vec![Change::PutScope(after.clone()), entry], after))
        })
        .await?;
    Ok(Json(shown(&context, &after)))
}

/// `DELETE`: rules and claims that name it do not fit anything any more as far as they need it.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, scope)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let scope = find_scope(server, &scope)?;
            refuse_system(scope)?;
            let entry = entry(&context, &caller, "oauth2.scope.deleted", "Delete scope", server, scope);
            Ok((vec![Change::RemoveScope(scope.id.clone()), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find_scope<'a>(server: &'a Server, id: &str) -> Result<&'a Scope, ApiError> {
    server
        .scopes
        .values()
        .find(|scope| scope.id.as_str() == id)
        .ok_or_else(|| ApiError::not_found("OAuth2Scope", id))
}

fn refuse_system(scope: &Scope) -> Result<(), ApiError> {
    if scope.system {
        return Err(ApiError::forbidden(format!(
            "The scope {} came with the server: it keeps its name and is not deleted",
            scope.name
        )));
    }
    Ok(())
}

fn refuse_taken_name(server: &Server, name: &ScopeName, own: Option<&ScopeId>) -> Result<(), ApiError> {
    if server.scope(name).is_some_and(|other| Some(&other.id) != own) {
        return Err(ApiError::invalid(
            "name",
            "A scope with this name already exists in this authorization server",
        ));
    }
    Ok(())
}

fn entry(
    context: &Context,
    caller: &Caller,
    event: &str,
    message: &str,
    server: &Server,
    scope: &Scope,
) -> Change {
    let targets = [Target::new("Scope", &scope.id, scope.name.as_str()), target(&server.server)];
    audit::entry(context, caller, event, message, &targets)
}

fn shown(context: &Context, scope: &Scope) -> Value {
    let url = server_url(context, &scope.server, &format!("/scopes/{}", scope.id));
    json!({
        "id": scope.id.as_str(),
        "name": scope.name.as_str(),
        "displayName": scope.display_name.as_deref().unwrap_or(scope.name.as_str()),
        "description": scope.description,
        "consent": scope.consent.as_str(),
        "metadataPublish": match scope.metadata_publish {
            MetadataPublish::AllClients => "ALL_CLIENTS",
            MetadataPublish::NoClients => "NO_CLIENTS",
        },
        "default": scope.default,
        "optional": scope.optional,
        "system": scope.system,
        "_links": { "self": link(url, &["GET", "PUT", "DELETE"]) },
    })
}
