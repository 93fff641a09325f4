//! The organization: what clients ask before anything else.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use kubesso_directory::{Access, Resource};
use serde_json::{Value, json};

use crate::authentication::Caller;
use crate::context::Context;
use crate::error::ApiError;

/// The organization's id: there is one organization in a kubesso.
const ORGANIZATION_ID: &str = "00okubesso0000000000";

/// `GET /.well-known/okta-organization`. `pipeline` says that applications have access policies ("Identity Engine").
pub(crate) async fn metadata(State(context): State<Context>) -> Json<Value> {
    Json(json!({
        "id": ORGANIZATION_ID,
        "cell": "kubesso",
        "pipeline": "idx",
        "settings": { "analyticsCollectionEnabled": false, "bugReportingEnabled": false, "omEnabled": false },
        "_links": {
            "organization": { "href": context.origin() },
            "alternate": { "href": context.origin() },
        },
    }))
}

pub(crate) fn routes() -> Router<Context> {
    Router::new().route("/api/v1/org", get(settings).post(unchangeable).put(unchangeable))
}

/// `GET /api/v1/org`
async fn settings(State(context): State<Context>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Orgs, Access::Read)?;
    Ok(Json(json!({
        "id": ORGANIZATION_ID,
        "companyName": "kubesso",
        "subdomain": context.base_url.host_str(),
        "status": "ACTIVE",
        "website": context.origin(),
        "_links": { "self": { "href": context.url("/api/v1/org") } },
    })))
}

async fn unchangeable(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Orgs, Access::Manage)?;
    Err(ApiError::unsupported("The organization has no settings here"))
}
