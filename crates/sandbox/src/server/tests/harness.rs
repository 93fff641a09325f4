//! A sandbox in a temporary directory, and people with plain tokens.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request};
use kubesso_ambient::{ManualClock, SeededEntropy};
use kubesso_k8s_types::UserInfo;
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{Authenticate, Sandbox, SandboxConfig, Unauthorized};

/// `Bearer <name>` is the user of that name; no header is `system:anonymous`.
struct Names(HashMap<&'static str, Vec<&'static str>>);

#[async_trait]
impl Authenticate for Names {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        _: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Ok(UserInfo {
                username: "system:anonymous".to_owned(),
                groups: vec!["system:unauthenticated".to_owned()],
                ..UserInfo::default()
            });
        };
        let name = header.to_str().unwrap().trim_start_matches("Bearer ");
        let (name, groups) = self
            .0
            .get_key_value(name)
            .ok_or_else(|| Unauthorized { cause: "invalid bearer token".to_owned() })?;
        let mut groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        groups.push("system:authenticated".to_owned());
        Ok(UserInfo { username: (*name).to_owned(), groups, ..UserInfo::default() })
    }
}

/// A reply, read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) body: Value,
}

impl Reply {
    /// Code, reason and message of a refusal.
    pub(super) fn refusal(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str).unwrap_or_default();
        (self.code, text("reason"), text("message"))
    }
}

pub(super) struct Cluster {
    pub(super) sandbox: Sandbox,
    pub(super) clock: Arc<ManualClock>,
    pub(super) shutdown: CancellationToken,
    directory: TempDir,
}

impl Cluster {
    pub(super) async fn new() -> Self {
        Self::reopened(tempfile::tempdir().unwrap()).await
    }

    async fn reopened(directory: TempDir) -> Self {
        let people = [("admin", vec!["system:masters"]), ("dev", vec!["devs"]), ("other", vec![])];
        let clock = Arc::new(ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap()));
        let config = SandboxConfig::new(
            directory.path(),
            Arc::new(Names(people.into_iter().collect())),
            clock.clone(),
            Arc::new(SeededEntropy::new(1)),
        );
        let shutdown = config.shutdown.clone();
        Self { sandbox: Sandbox::open(config).await.unwrap(), clock, shutdown, directory }
    }

    /// Stops and starts.
    pub(super) async fn restart(self) -> Self {
        let Self { sandbox, directory, .. } = self;
        drop(sandbox);
        Self::reopened(directory).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.sandbox.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Reply { code: parts.status.as_u16(), headers: parts.headers, text, body }
    }

    /// `body` empty is none; its type is JSON, or the patch that the method suggests.
    pub(super) async fn call(&self, user: &str, method: &str, path: &str, body: &str) -> Reply {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.send(request(user, method, path, body, kind, &[])).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let reply = self.call("admin", "GET", path, "").await;
        assert_eq!(reply.code, 200, "{path}: {}", reply.text);
        reply.body
    }

    pub(super) async fn create(&self, path: &str, object: Value) -> Value {
        let reply = self.call("admin", "POST", path, &object.to_string()).await;
        assert_eq!(reply.code, 201, "{path}: {}", reply.text);
        reply.body
    }

    pub(super) async fn table(&self, path: &str) -> Value {
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        self.send(request("admin", "GET", path, "", "", &[(ACCEPT.as_str(), accept)])).await.body
    }
}

pub(super) fn request(
    user: &str,
    method: &str,
    path: &str,
    body: &str,
    content_type: &str,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !user.is_empty() {
        request = request.header(AUTHORIZATION, format!("Bearer {user}"));
    }
    if !content_type.is_empty() {
        request = request.header(CONTENT_TYPE, content_type);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}
