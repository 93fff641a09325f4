//! Which scopes of the management API a service application was granted. Whoever grants them makes an administrator of it,
//! so only a super administrator can.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{Access, Application, Change, Resource, ScopeName};
use serde_json::{Map, Value, json};

use super::{entry, find};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::parameters::Ids;
use crate::time;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/apps/{id}/grants", get(list).post(grant))
        .route("/api/v1/apps/{id}/grants/{grant}", get(read).delete(revoke))
}

async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AppGrants, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    Ok(Json(application.api_scopes.iter().map(|scope| shown(&context, application, scope)).collect()))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, grant)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AppGrants, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    Ok(Json(shown(&context, application, find_grant(application, &grant)?)))
}

/// `POST`: `{scopeId: "okta.groups.manage", issuer?}`
async fn grant(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    require(&caller)?;
    let mut body = Fields::of_body(body);
    let scope = body.required("scopeId", |text| {
        let scope = ScopeName::parse(text).map_err(|error| error.to_string())?;
        match Resource::of_scope(&scope) {
            Some(_) => Ok(scope),
            None => Err(format!(
                "`{text}` is no scope of this API: use okta.<resource>.read or okta.<resource>.manage"
            )),
        }
    })?;
    if let Some(issuer) = body.text("issuer")?
        && !context.origins.iter().any(|origin| origin == issuer.trim_end_matches('/'))
    {
        return Err(ApiError::invalid("issuer", format!("use {}, the organization's own", context.origin())));
    }
    let application = change(&context, &caller, &id, "app.oauth2.as.consent.grant", |application| {
        application.api_scopes.insert(scope.clone());
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, Json(shown(&context, &application, &scope))))
}

async fn revoke(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, grant)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require(&caller)?;
    change(&context, &caller, &id, "app.oauth2.as.consent.revoke", |application| {
        let scope = find_grant(application, &grant)?.clone();
        application.api_scopes.remove(&scope);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn require(caller: &Caller) -> Result<(), ApiError> {
    caller.authority().require(Resource::AppGrants, Access::Manage)?;
    caller.authority().require_super_admin("grant scopes of the management API")
}

async fn change(
    context: &Context,
    caller: &Caller,
    id: &str,
    event_type: &str,
    mut change: impl FnMut(&mut Application) -> Result<(), ApiError>,
) -> Result<Application, ApiError> {
    context
        .change_configuration(|snapshot| {
            let before = find(snapshot, id)?;
            let mut after = before.clone();
            change(&mut after)?;
            if after == *before {
                return Ok((Vec::new(), after));
            }
            after.last_updated = context.now();
            let entry = entry(context, caller, event_type, "Change granted scopes of application", &after);
            Ok((vec![Change::PutApplication(after.clone()), entry], after))
        })
        .await
}

/// A grant is known by its scope.
fn find_grant<'a>(application: &'a Application, id: &str) -> Result<&'a ScopeName, ApiError> {
    application
        .api_scopes
        .iter()
        .find(|scope| scope.as_str() == id)
        .ok_or_else(|| ApiError::not_found("OAuth2ScopeConsentGrant", id))
}

fn shown(context: &Context, application: &Application, scope: &ScopeName) -> Value {
    json!({
        "id": scope.as_str(),
        "status": "ACTIVE",
        "created": time::text(application.last_updated),
        "lastUpdated": time::text(application.last_updated),
        "issuer": context.origin(),
        "clientId": application.client_id.as_str(),
        "scopeId": scope.as_str(),
        "source": "ADMIN",
        "_links": {
            "app": { "href": context.url(&format!("/api/v1/apps/{}", application.id)) },
            "self": { "href": context.url(&format!("/api/v1/apps/{}/grants/{scope}", application.id)) },
        },
    })
}
