//! The JWK set (RFC 7517 §5).

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header;

use crate::context::Context;
use crate::endpoint::discovery::no_server;
use crate::keys::JWK_SET_MAX_AGE;

/// The public keys of one server: the next, the present and the past ones whose tokens may still be in use.
pub(crate) async fn jwk_set(State(context): State<Context>, Path(id): Path<String>) -> Response {
    let configuration = context.configuration().await;
    let Some(keys) = configuration.server(&id).and_then(|server| configuration.keys(server)) else {
        return no_server(&id);
    };
    let max_age = format!("public, max-age={}", JWK_SET_MAX_AGE.as_secs());
    ([(header::CACHE_CONTROL, max_age)], Json(keys.jwk_set(context.now()))).into_response()
}
