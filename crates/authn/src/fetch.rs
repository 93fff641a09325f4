//! GET requests to a provider, behind a trait so that a test can be the provider.

use std::fmt;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};

/// Answers of more bytes are refused. Upstream reads without a limit; a key set has a few kilobytes.
pub const MAX_BODY_LENGTH: usize = 8 << 20;

/// Fetches documents from providers.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync {
    /// GETs `url`, with `Authorization: Bearer` if a token is given; redirects are followed.
    ///
    /// # Errors
    /// Text for the log when no complete answer came; an answer with any status is none.
    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Fetched, String>;
}

/// An answer. Its `Debug` leaves out the body, which may be somebody's token.
#[derive(Clone)]
pub struct Fetched {
    /// The final status, after redirects.
    pub status: StatusCode,
    /// The headers that came with it.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({}, {} bytes)", self.status, self.body.len())
    }
}

impl Fetched {
    /// `404 Not Found`.
    pub(crate) fn status_line(&self) -> String {
        format!("{} {}", self.status.as_str(), self.status.canonical_reason().unwrap_or_default())
    }

    /// The first header of this name as text; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What is said of a body that should have been JSON (go-oidc v2 `unmarshalResp`).
    pub(crate) fn not_json(&self, error: &str) -> String {
        let content_type = self.header("content-type");
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return format!("got Content-Type = application/json, but could not unmarshal as JSON: {error}");
        }
        let quoted = kubesso_k8s_types::go::quote(content_type);
        format!("expected Content-Type = application/json, got {quoted}: {error}")
    }
}

/// [`Fetch`] over HTTPS, for at most [`MAX_BODY_LENGTH`].
#[derive(Clone, Debug)]
pub struct HttpsFetch(reqwest::Client);

impl HttpsFetch {
    /// Fetches with a client of room `https`.
    pub fn new(client: reqwest::Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Fetch for HttpsFetch {
    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Fetched, String> {
        let failed = |error: &reqwest::Error| {
            let quoted = kubesso_k8s_types::go::quote(url);
            format!("Get {quoted}: {}", causes(error))
        };
        let mut request = self.0.get(url);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > MAX_BODY_LENGTH {
                return Err(format!(
                    "unable to read response body: it is longer than {MAX_BODY_LENGTH} bytes"
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { status: response.status(), headers: response.headers().clone(), body })
    }
}

/// An error with its causes; the library's outermost text repeats the URL and says little.
fn causes(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.dedup();
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}
