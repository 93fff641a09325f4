//! The endpoints, one file a resource. Which address leads where stands here.

use axum::Router;
use axum::routing::{any, get, post};

use crate::context::Context;
use crate::error::ApiError;

mod api_tokens;
pub(crate) mod apps;
mod authorization_servers;
mod consents;
mod group_rules;
mod groups;
mod logs;
mod organization;
pub(crate) mod policies;
mod roles;
mod schemas;
mod token;
mod tokens;
mod users;

/// What everybody may ask.
pub(crate) fn open() -> Router<Context> {
    Router::new()
        .route("/.well-known/okta-organization", get(organization::metadata))
        .route("/oauth2/v1/token", post(token::token))
}

/// What only callers with authority may ask. Anything else below `/api` is Okta's "no such path".
pub(crate) fn guarded() -> Router<Context> {
    Router::new()
        .merge(api_tokens::routes())
        .merge(consents::routes())
        .merge(apps::routes())
        .merge(authorization_servers::routes())
        .merge(group_rules::routes())
        .merge(groups::routes())
        .merge(logs::routes())
        .merge(organization::routes())
        .merge(policies::routes())
        .merge(roles::routes())
        .merge(schemas::routes())
        .merge(tokens::routes())
        .merge(users::routes())
        .route("/api", any(nothing))
        .route("/api/{*rest}", any(nothing))
        .method_not_allowed_fallback(method_not_allowed)
}

async fn nothing() -> ApiError {
    ApiError::no_such_path()
}

async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}
