//! The ID token's settings for Okta's organization authorization server: an address that Okta does not document and that
//! Terraform's provider insists on. What is set is kept and shown again; as ID tokens come from authorization servers with
//! an id of their own here, a groups claim set in this place has no effect, and the answer says so.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use kubesso_directory::{Access, Application, Change, Resource};
use serde_json::{Map, Value, json};

use super::{entry, find, require_over_application};
use crate::answer::Warnings;
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::Ids;

/// Where it is in an application's `other`.
pub(super) const KEPT: &str = "idToken";

/// What it can have.
const MEMBERS: [&str; 5] = ["issuerMode", "name", "value", "valueType", "groupFilterType"];

pub(super) fn routes() -> Router<Context> {
    Router::new().route("/api/v1/internal/apps/{id}/settings/oauth/idToken", get(read).post(write))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    Ok(Json(shown(find(&snapshot, &id)?)))
}

async fn write(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    require_over_application(&context, &caller, &id).await?;
    let mut wanted = Map::new();
    for (name, value) in body {
        match value {
            Value::String(text) if MEMBERS.contains(&name.as_str()) => {
                wanted.insert(name, text.into());
            }
            Value::Null => {}
            _ if MEMBERS.contains(&name.as_str()) => return Err(ApiError::invalid(&name, "use a text")),
            _ => {}
        }
    }
    let has_claim = wanted.contains_key("value");
    let after = context
        .change_configuration(|snapshot| {
            let before = find(snapshot, &id)?;
            let mut after = before.clone();
            after.other.insert(KEPT.to_owned(), wanted.clone().into());
            if after == *before {
                return Ok((Vec::new(), after));
            }
            after.last_updated = context.now();
            let entry =
                entry(&context, &caller, "application.lifecycle.update", "Update application", &after);
            Ok((vec![Change::PutApplication(after.clone()), entry], after))
        })
        .await?;
    let mut warnings = Warnings::default();
    if has_claim {
        warnings.add(format!(
            "the groups claim of the application `{}` is kept but has no effect: ID tokens come from authorization servers; \
             add the claim there (okta_auth_server_claim)",
            after.label
        ));
    }
    Ok(warnings.with(Json(shown(&after))))
}

fn shown(application: &Application) -> Value {
    let mut shown = json!({ "issuerMode": "ORG_URL" });
    if let (Some(shown), Some(Value::Object(kept))) = (shown.as_object_mut(), application.other.get(KEPT)) {
        shown.extend(kept.clone());
    }
    shown
}
