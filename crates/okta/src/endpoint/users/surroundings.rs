//! What clients ask about a person beyond the profile: the groups, and what nobody has here.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use kubesso_directory::{Access, Resource};
use serde_json::{Value, json};

use super::find_or_me;
use crate::authentication::Caller;
use crate::context::Context;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::view;

pub(super) fn routes() -> Router<Context> {
    let mut router = Router::new().route("/api/v1/users/{id}/groups", get(groups));
    for nothing in ["blocks", "devices", "idps", "linkedObjects", "subscriptions"] {
        router = router.route(&format!("/api/v1/users/{{id}}/{nothing}"), get(none));
    }
    router
        .route("/api/v1/users/{id}/factors", get(none).post(no_factors))
        .route("/api/v1/users/{id}/factors/catalog", get(none))
        .route("/api/v1/users/{id}/factors/questions", get(none))
        .route("/api/v1/users/{id}/authenticator-enrollments", get(none).post(no_factors))
}

/// `GET /api/v1/users/{id}/groups?limit&after`: `Everyone` among them.
async fn groups(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let paging = Paging::read(&parameters, 10_000, 10_000)?;
    let user = find_or_me(&context, &caller, &id).await?;
    let person = context.store.person(&user.id).await?.ok_or_else(|| ApiError::not_found("User", &id))?;
    let mut groups = person.groups;
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(paging.answer_all(
        &context,
        groups,
        |group| group.id.to_string(),
        |group| view::group(&context, group),
    ))
}

/// Of these nobody has any.
async fn none(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    find_or_me(&context, &caller, &id).await?;
    Ok(Json(json!([])))
}

async fn no_factors(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    Err(ApiError::unsupported("People sign in here with a password: there are no factors to enrol"))
}
