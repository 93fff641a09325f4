//! Errors in Okta's form: `{errorCode, errorSummary, errorLink, errorId, errorCauses}`.
//!
//! Clients show the summary and the causes to people and decide on the status alone, so the status is Okta's and the
//! words say what happened, with what, and what to do.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use kubesso_directory::StoreError;
use serde_json::json;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    code: &'static str,
    summary: String,
    causes: Vec<String>,
    /// Seconds after which to try again.
    retry_after: Option<u32>,
    /// For `WWW-Authenticate`: scheme, error, description (RFC 6750 §3).
    challenge: Option<Box<(&'static str, &'static str, String)>>,
}

/// Stands for a response's error until its id is known; read by the layer that writes the id in.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) ApiError);

impl ApiError {
    fn new(status: StatusCode, code: &'static str, summary: impl Into<String>) -> Self {
        let summary = summary.into();
        Self { status, code, summary, causes: Vec::new(), retry_after: None, challenge: None }
    }

    /// Adds a cause.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// A value that cannot be taken: E0000001. `field` is its path in the body or its parameter.
    pub(crate) fn invalid(field: &str, cause: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "E0000001", format!("Api validation failed: {field}"))
            .because(format!("{field}: {cause}"))
    }

    /// Another object has the same `field`: E0000001.
    pub(crate) fn taken(field: &str) -> Self {
        Self::invalid(field, "An object with this field already exists in the current organization")
    }

    /// What the store's refusal of a change means in which `field` must be unique.
    pub(crate) fn on_conflict(field: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |error| match error {
            StoreError::Conflict { .. } => Self::taken(field),
            error => error.into(),
        }
    }

    /// A body that is no JSON, or another JSON than asked for: E0000003.
    pub(crate) fn malformed(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "E0000003", "The request body was not well-formed.").because(cause)
    }

    /// Nobody who may call: E0000011.
    pub(crate) fn unauthenticated(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "E0000011", "Invalid token provided").because(cause)
    }

    /// As [`unauthenticated`](Self::unauthenticated), for a token of OAuth; the reason is in the header too, where
    /// Okta's clients look for it.
    pub(crate) fn invalid_token(scheme: &'static str, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self {
            challenge: Some(Box::new((scheme, "invalid_token", cause.clone()))),
            ..Self::unauthenticated(cause)
        }
    }

    /// Known, but not allowed: E0000006.
    pub(crate) fn forbidden(cause: impl Into<String>) -> Self {
        let summary = "You do not have permission to perform the requested action";
        Self::new(StatusCode::FORBIDDEN, "E0000006", summary).because(cause)
    }

    /// A scope is missing: E0000006 with the header that RFC 6750 §3.1 asks for.
    pub(crate) fn insufficient_scope(scheme: &'static str, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self {
            challenge: Some(Box::new((scheme, "insufficient_scope", cause.clone()))),
            ..Self::forbidden(cause)
        }
    }

    /// No object of that id: E0000007. `kind` is Okta's name of the type: `UserGroup`, `AppInstance` …
    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        let summary = format!("Not found: Resource not found: {shown} ({kind})");
        Self::new(StatusCode::NOT_FOUND, "E0000007", summary)
    }

    /// No such address: E0000008.
    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "E0000008", "The requested path was not found")
    }

    /// There is such an address, but not with that method: E0000022.
    pub(crate) fn method_not_allowed() -> Self {
        let summary = "The endpoint does not support the provided HTTP method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "E0000022", summary)
    }

    /// Okta has it and we do not, or not like that: E0000060. Never a false success.
    pub(crate) fn unsupported(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "E0000060", "Unsupported operation.").because(reason)
    }

    /// The state of the object forbids it: E0000016 for users, E0000056 for an active application, and so on.
    pub(crate) fn state(
        status: StatusCode,
        code: &'static str,
        summary: impl Into<String>,
        cause: impl Into<String>,
    ) -> Self {
        Self::new(status, code, summary).because(cause)
    }

    /// Too many requests: E0000047.
    pub(crate) fn too_many_requests(retry_after: u32) -> Self {
        let error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "E0000047",
            "API call exceeded rate limit due to too many requests.",
        );
        Self { retry_after: Some(retry_after), ..error }
    }

    /// Others wrote all the while; clients try again by themselves.
    pub(crate) fn busy() -> Self {
        let summary = "The directory was changed by others all the while: try again";
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "E0000010", summary) }
    }

    /// The fault is ours; the log says which: E0000009.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, cause = ?error, "a management request failed");
        let summary = "Internal Server Error: the log says under this error's id what happened";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "E0000009", summary)
    }

    /// The body, once the id is known.
    pub(crate) fn respond(self, id: &str) -> Response {
        let causes: Vec<_> = self.causes.iter().map(|cause| json!({ "errorSummary": cause })).collect();
        let body = json!({
            "errorCode": self.code,
            "errorSummary": self.summary,
            "errorLink": self.code,
            "errorId": id,
            "errorCauses": causes,
        });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((scheme, error, description)) = self.challenge.as_deref() {
            let description = description.replace(['"', '\\'], "'");
            let challenge = format!("{scheme} error=\"{error}\", error_description=\"{description}\"");
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.summary)?;
        for cause in &self.causes {
            write!(f, "; {cause}")?;
        }
        Ok(())
    }
}

impl IntoResponse for ApiError {
    /// Without its body yet: the layer that gives each request its id writes it ([`Refused`]).
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Refused(self));
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { what, ref name } => {
                let cause =
                    format!("An object with this field already exists: another {what} is called `{name}`");
                Self::invalid("name", cause)
            }
            StoreError::Dangling { ref what } => {
                let summary = format!("Not found: {what} refers to something that does not exist");
                Self::new(StatusCode::NOT_FOUND, "E0000007", summary)
            }
            StoreError::Stale => Self::busy(),
            StoreError::UnstorableText => Self::malformed(error.to_string()),
            StoreError::Corrupt { .. } | StoreError::Database { .. } => Self::internal(&error),
        }
    }
}
