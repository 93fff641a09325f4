//! The organization: what clients ask before anything else.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::context::Context;

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
