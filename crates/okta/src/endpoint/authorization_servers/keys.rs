//! Signing keys of an authorization server.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use kubesso_directory::{Access, Change, Expectation, KeyState, Resource, Server, SigningKeyRecord};
use serde_json::{Map, Value, json};

use super::{find, require_manage, server_url, target};
use crate::audit;
use crate::authentication::Caller;
use crate::body::OptionalBody;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::parameters::Ids;
use crate::time;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/authorizationServers/{id}/credentials/keys", get(list))
        .route("/api/v1/authorizationServers/{id}/credentials/keys/{key}", get(read))
        .route("/api/v1/authorizationServers/{id}/credentials/lifecycle/keyRotate", post(rotate))
}

/// `GET …/credentials/keys`: the key that signs, the next one, and those whose tokens may still be about.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    Ok(Json(all(&context, find(&snapshot, &id)?)))
}

/// `GET …/credentials/keys/{kid}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, key)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?;
    let found = server.keys.iter().find(|one| one.kid.as_str() == key);
    found.map(|key| Json(shown(&context, key))).ok_or_else(|| ApiError::not_found("JsonWebKey", &key))
}

/// `POST …/credentials/lifecycle/keyRotate`: `{use: "sig"}`
async fn rotate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    OptionalBody(body): OptionalBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    require_manage(&caller, &id)?;
    let mut body = Fields::of_body(body.unwrap_or_default());
    body.word("use", "sig", |word| (word == "sig").then_some(()))?;
    let server = find(&*context.snapshot().await?, &id)?.server.clone();
    context.provider.rotate_key(&server.id).await.map_err(|error| ApiError::internal(&error))?;
    let entry: Change =
        audit::entry(&context, &caller, "oauth2.as.key.rollover", "Rotate signing keys", &[target(&server)]);
    context.change_people(Expectation::Any, vec![entry]).await?;
    let snapshot = context.snapshot().await?;
    Ok(Json(all(&context, find(&snapshot, &id)?)))
}

fn all(context: &Context, server: &Server) -> Value {
    let order = |key: &&SigningKeyRecord| match key.state {
        KeyState::Active { .. } => 0,
        KeyState::Pending { .. } => 1,
        KeyState::Retiring { .. } | KeyState::Revoked { .. } => 2,
    };
    // Okta knows no revoked keys: those are not there.
    let is_there = |key: &&SigningKeyRecord| !matches!(key.state, KeyState::Revoked { .. });
    let mut keys: Vec<&SigningKeyRecord> = server.keys.iter().filter(is_there).collect();
    keys.sort_by_key(order);
    keys.into_iter().map(|key| shown(context, key)).collect()
}

/// A JWK with Okta's members besides. The private part is nowhere near.
fn shown(context: &Context, key: &SigningKeyRecord) -> Value {
    let status = match key.state {
        KeyState::Active { .. } => "ACTIVE",
        KeyState::Pending { .. } => "NEXT",
        KeyState::Retiring { .. } | KeyState::Revoked { .. } => "EXPIRED",
    };
    let mut shown = match &key.public_jwk {
        Value::Object(jwk) => jwk.clone(),
        _ => Map::new(),
    };
    let url = server_url(context, &key.server, &format!("/credentials/keys/{}", key.kid));
    shown.insert("status".to_owned(), status.into());
    shown.insert("kid".to_owned(), key.kid.as_str().into());
    shown.insert("alg".to_owned(), key.algorithm.as_str().into());
    shown.insert("use".to_owned(), "sig".into());
    shown.insert("created".to_owned(), time::text(key.created).into());
    shown.insert("lastUpdated".to_owned(), time::text(key.created).into());
    shown.insert("_links".to_owned(), json!({ "self": { "href": url } }));
    shown.into()
}
