//! One caller of one address.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kubesso_https::{ClientError, Connections, Identity, Link, ServerClient, Timeouts};
use kubesso_k8s_types::Secret;
use serde_json::Value;

use super::Credentials;

/// Somebody waits for the doctor.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_millis(1_500),
    read: Duration::from_secs(2),
    total: Duration::from_secs(3),
};

/// Somebody who asks one address.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    http: ServerClient,
    server: String,
    token: Option<Secret>,
    is_nobody: bool,
}

/// Why there is no answer to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, or no answer.
    Unreachable(String),
    /// The connection is not trusted.
    Untrusted(String),
    /// Another status than 200.
    Status(u16),
}

impl Failure {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Unreachable(why) | Self::Untrusted(why) => why.clone(),
            Self::Status(401) => "401 Unauthorized".to_owned(),
            Self::Status(403) => "403 Forbidden".to_owned(),
            Self::Status(404) => "it is not there".to_owned(),
            Self::Status(status) => format!("HTTP {status}"),
        }
    }
}

impl Caller {
    pub(super) fn new(server: &str, link: &Link, as_whom: &Credentials) -> Result<Self, ClientError> {
        Self::with_timeouts(server, link, as_whom, TIMEOUTS)
    }

    pub(super) fn with_timeouts(
        server: &str,
        link: &Link,
        as_whom: &Credentials,
        timeouts: Timeouts,
    ) -> Result<Self, ClientError> {
        let url = reqwest::Url::parse(server);
        let url = url.map_err(|error| ClientError::Route(format!("the server {server:?}: {error}")))?;
        let identity = as_whom.identity.as_deref().map(Identity::pem);
        let identity = identity.as_ref().map(|pem| pem.as_bytes());
        Ok(Self {
            http: ServerClient::new(&url, link, timeouts, identity, Connections::OneEach)?,
            server: server.trim_end_matches('/').to_owned(),
            token: as_whom.token.clone(),
            is_nobody: as_whom.is_empty(),
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.is_nobody
    }

    pub(super) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, path);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// What was in the way of the last connection, if that is known better than the library says it.
    pub(super) fn obstacle(&self) -> Option<String> {
        self.http.obstacle()
    }

    /// The answer, whatever its status.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let obstacle = |error: reqwest::Error| match self.http.obstacle() {
            Some(why) if error.is_connect() => Failure::Unreachable(why),
            _ => failure(&error),
        };
        request.send().await.map_err(obstacle)
    }

    /// The text of an answer with 200.
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let response = self.send(self.request(reqwest::Method::GET, path)).await?;
        match response.status().as_u16() {
            200 => response.text().await.map_err(|error| failure(&error)),
            status => Err(Failure::Status(status)),
        }
    }

    /// The JSON of an answer with 200.
    pub(super) async fn json(&self, path: &str) -> Result<Value, Failure> {
        let text = self.text(path).await?;
        serde_json::from_str(&text).map_err(|_| Failure::Unreachable("the answer is no JSON".to_owned()))
    }

    /// Status and JSON of the answer to something that is sent.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
        let response = self.send(self.request(reqwest::Method::POST, path).json(body)).await?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| failure(&error))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

/// The whole chain of causes: the last says most.
fn failure(error: &reqwest::Error) -> Failure {
    let mut words = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        words.push(inner.to_string());
        cause = inner.source();
    }
    let last = words.last().cloned().unwrap_or_else(|| error.to_string());
    if words.iter().any(|word| word.contains("certificate")) {
        return Failure::Untrusted(last);
    }
    Failure::Unreachable(if error.is_timeout() { "no answer in time".to_owned() } else { last })
}

/// RFC 9110 section 5.6.7.
pub(super) fn date(response: &reqwest::Response) -> Option<Timestamp> {
    let header = response.headers().get("date")?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(header).ok()
}
