//! How the management API, and a cluster, is asked: whoever sends requests implements this.

use std::future::Future;

use serde_json::Value;

/// The management API of one organization, or the API server of one cluster (to which `PATCH` is server-side apply).
pub trait RestApi {
    /// Sends a request to a path (with its query) and reads the answer.
    ///
    /// # Errors
    /// It was refused, or there was no answer.
    fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> impl Future<Output = Result<Answer, ApiError>> + Send;
}

/// What it answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The body; null if there is none.
    pub body: Value,
    /// The path of the next page, from a `Link` header.
    pub next: Option<String>,
    /// What it took, but not in silence.
    pub warnings: Vec<String>,
}

/// Why there is no answer to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// By the API itself.
    #[error("{method} {path} was answered {status}: {said}")]
    Refused {
        /// Of the request.
        method: &'static str,
        /// Of the request.
        path: String,
        /// The answer's.
        status: u16,
        /// What it said.
        said: String,
    },
    /// Whoever knows whether the request arrived.
    #[error("{method} {path}: {why}")]
    Unreachable {
        /// Of the request.
        method: &'static str,
        /// Of the request.
        path: String,
        /// What happened.
        why: String,
    },
}

impl ApiError {
    /// Of an API server that has no server-side apply.
    pub(crate) fn knows_no_apply(&self) -> bool {
        matches!(self, Self::Refused { status: 415 | 501, .. })
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// A page may be the last one for ever.
const MOST_PAGES: usize = 1000;

/// All pages of a list.
pub(crate) async fn list(api: &impl RestApi, path: &str) -> Result<Vec<Value>, ApiError> {
    let mut all = Vec::new();
    let mut next = Some(path.to_owned());
    for _ in 0..MOST_PAGES {
        let Some(path) = next else { return Ok(all) };
        let answer = api.call("GET", &path, None).await?;
        let Value::Array(page) = answer.body else {
            let why = "it did not answer with a list".to_owned();
            return Err(ApiError::Unreachable { method: "GET", path, why });
        };
        all.extend(page);
        next = answer.next;
    }
    Ok(all)
}
