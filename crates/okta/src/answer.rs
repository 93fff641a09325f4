//! What every answer has: the request's id, Okta's rate-limit headers, and the body of a refusal.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use kubesso_ambient::draw;

use crate::context::Context;
use crate::error::Refused;
use crate::rate_limit::Standing;

/// What the client should know though its request was granted; becomes `Warning` headers (RFC 7234 §5.5).
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings(Vec<String>);

impl Warnings {
    /// Adds one. It goes to the log too.
    pub(crate) fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::warn!("{text}");
        self.0.push(text);
    }

    /// Puts them into an answer.
    pub(crate) fn with(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        for text in self.0 {
            let quoted = text.replace(['"', '\\'], "'").replace(['\r', '\n'], " ");
            if let Ok(value) = HeaderValue::try_from(format!("299 kubesso \"{quoted}\"")) {
                response.headers_mut().append(header::WARNING, value);
            }
        }
        response
    }
}

/// The layer around all.
pub(crate) async fn answer(State(context): State<Context>, request: Request, next: Next) -> Response {
    let id = request_id(&context);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let standing = response.extensions_mut().remove::<Standing>();
    if let Some(Refused(error)) = response.extensions_mut().remove() {
        tracing::info!(%method, path, id, %error, "refused");
        response = error.respond(&id);
    }
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.insert(name, value);
    };
    if let Ok(value) = HeaderValue::try_from(&id) {
        set("x-okta-request-id", value);
    }
    if let Some(standing) = standing {
        set("x-rate-limit-limit", standing.limit.into());
        set("x-rate-limit-remaining", standing.remaining.into());
        set("x-rate-limit-reset", standing.reset.into());
    }
    set("cache-control", HeaderValue::from_static("no-cache, no-store"));
    set("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn request_id(context: &Context) -> String {
    use std::fmt::Write as _;
    let mut id = String::from("req");
    for byte in draw::<12>(&*context.entropy) {
        // Writing to a string does not fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}
