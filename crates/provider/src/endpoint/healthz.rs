//! `/healthz`: whether this process can do its work, which is whether its store answers.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::context::Context;

/// 200 `ok`, or 503 with what is wrong in a word. The cause is in the log.
pub(crate) async fn healthz(State(context): State<Context>) -> Response {
    let (status, body) = match context.store.revision().await {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(error) => {
            tracing::error!(%error, cause = ?error, "not healthy: the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer")
        }
    };
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}
