//! `/`, for whoever types the address into a browser; and every path that is none.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::context::{Context, PageError};
use crate::pages::{self, IssuerEntry, Landing};
use crate::response_headers::RequestId;

/// Says what this is, and lists its issuers.
pub(crate) async fn landing(State(context): State<Context>) -> Response {
    let configuration = context.configuration().await;
    let active = configuration.snapshot.servers().filter(|server| server.server.status.is_active());
    let issuers = active
        .map(|server| {
            let url = context.issuer(&server.server.id);
            let discovery = format!("{url}/.well-known/openid-configuration");
            IssuerEntry { name: server.server.name.to_string(), url, discovery }
        })
        .collect();
    let page = Landing { assets: pages::assets(), host: &context.host(), issuers };
    pages::render(StatusCode::OK, &page)
}

/// There is nothing at this path.
pub(crate) async fn not_found(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
) -> Response {
    let error = PageError {
        status: StatusCode::NOT_FOUND,
        heading: "Nothing here",
        what: "There is no page at this address.".to_owned(),
        advice: "To sign in, run kubectl (or open your application) again; it opens the right page.",
        details: Vec::new(),
    };
    context.error_page(&request_id, &error)
}
