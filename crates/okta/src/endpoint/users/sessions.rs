//! Browser sessions, as those see them who may end them.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post};
use http::StatusCode;
use kubesso_directory::{Access, Change, Expectation, Resource, Session, SessionId, User};
use serde_json::{Value, json};

use super::{entry, find_or_me};
use crate::authentication::Caller;
use crate::authority::require_over_user;
use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::{Ids, Parameters};
use crate::time;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/users/{id}/sessions", delete(end_all))
        .route("/api/v1/sessions", post(not_by_api))
        .route("/api/v1/sessions/{session}", get(read).delete(end))
        .route("/api/v1/sessions/{session}/lifecycle/refresh", post(refresh))
}

/// `DELETE /api/v1/users/{id}/sessions?oauthTokens`: and with `oauthTokens=true` the refresh tokens.
async fn end_all(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    let user = find_or_me(&context, &caller, &id).await?;
    require_over_user(&context, caller.authority(), &user).await?;
    let mut changes = vec![Change::EndSessions(user.id.clone())];
    if parameters.flag("oauthTokens", false)? {
        changes.push(Change::EndGrants(user.id.clone()));
    }
    changes.push(entry(&context, &caller, "user.session.clear", "Clear user's sessions", &user));
    context.change_people(Expectation::Any, changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/sessions/{session}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Sessions, Access::Read)?;
    let (session, user) = find(&context, &id).await?;
    Ok(Json(shown(&context, &session, &user)))
}

/// `DELETE /api/v1/sessions/{session}`
async fn end(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Sessions, Access::Manage)?;
    let (session, user) = find(&context, &id).await?;
    require_over_user(&context, caller.authority(), &user).await?;
    let entry = entry(&context, &caller, "user.session.end", "End user's session", &user);
    context.change_people(Expectation::Any, vec![Change::EndSession(session.id), entry]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/sessions/{session}/lifecycle/refresh`: a session is prolonged by using it, and by nobody else.
async fn refresh(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Sessions, Access::Manage)?;
    find(&context, &id).await?;
    Err(ApiError::unsupported("A session is prolonged by the person who uses it, and by nobody else"))
}

/// `POST /api/v1/sessions`: would make a session of a password that a program holds.
async fn not_by_api(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Sessions, Access::Manage)?;
    Err(ApiError::unsupported("Sessions begin with a person who signs in at the sign-in page"))
}

/// A living session, and whose it is.
async fn find(context: &Context, id: &str) -> Result<(Session, User), ApiError> {
    let missing = || ApiError::not_found("Session", id);
    let parsed = SessionId::parse(id).map_err(|_| missing())?;
    let session = context.store.session(&parsed).await?.ok_or_else(missing)?;
    if !session.is_alive(context.now()) {
        return Err(missing());
    }
    let user = context.store.user(&session.user).await?.ok_or_else(missing)?;
    Ok((session, user))
}

fn shown(context: &Context, session: &Session, user: &User) -> Value {
    json!({
        "id": session.id.as_str(),
        "userId": user.id.as_str(),
        "login": user.profile.login.as_str(),
        "createdAt": time::text(session.created),
        "expiresAt": time::text(session.end()),
        "status": "ACTIVE",
        "lastPasswordVerification": time::text(session.auth_time),
        "lastFactorVerification": null,
        "amr": session.amr,
        "idp": { "type": "OKTA", "id": null },
        "mfaActive": false,
        "_links": {
            "self": { "href": context.url(&format!("/api/v1/sessions/{}", session.id)) },
            "user": { "href": context.url(&format!("/api/v1/users/{}", user.id)) },
        },
    })
}
