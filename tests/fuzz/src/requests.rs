//! Whole requests: a line with method and path, lines of headers, an empty line, the body.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use kubesso_ambient::{ManualClock, SeededEntropy};
use kubesso_authz::RequestInfo;
use kubesso_k8s_types::UserInfo;
use kubesso_sandbox::{Authenticate, Sandbox, SandboxConfig, Unauthorized};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Watches do not end by themselves.
const LONGEST: Duration = Duration::from_millis(50);

/// The request, if its bytes can be one.
pub(crate) fn request(data: &[u8]) -> Option<Request<Body>> {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (data.get(..end)?, data.get(end + 2..)?),
        None => (data, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, path) = first.split_once(' ')?;
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = path.parse::<Uri>().ok().filter(|uri| uri.path().starts_with('/'))?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
        request
            .headers_mut()
            .append(name, HeaderValue::from_bytes(line.get(colon + 1..)?.trim_ascii()).ok()?);
    }
    Some(request)
}

/// Status, headers and body, as far as it came.
pub(crate) async fn answered(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let answer = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = answer.into_parts();
    let body = tokio::time::timeout(LONGEST, body.collect()).await;
    let body = body.ok().map(|body| body.expect("a body").to_bytes()).unwrap_or_default();
    (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
}

/// Whoever asks what: the sandbox answers. Upstream's own 500, as for a resource version that is no number, have no reason;
/// a failure of ours has one.
pub(crate) fn sandbox_request(data: &[u8]) -> bool {
    thread_local! {
        static CLUSTER: OnceCell<Cluster> = const { OnceCell::new() };
    }
    let Some(request) = request(data) else { return false };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let _ = RequestInfo::resolve(method.as_str(), uri.path(), uri.query().unwrap_or_default());
    let (status, _, body) = CLUSTER.with(|cluster| {
        let cluster = cluster.get_or_init(Cluster::new);
        cluster.runtime.block_on(answered(&cluster.router, request))
    });
    assert!(!body.contains("\"reason\":\"InternalError\""), "{method} {uri}: {status} {body}");
    status.is_success()
}

struct Cluster {
    runtime: Runtime,
    router: Router,
    _sandbox: Sandbox,
    _directory: TempDir,
}

impl Cluster {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().expect("a moment"));
        let entropy = SeededEntropy::new(1);
        let config =
            SandboxConfig::new(directory.path(), Arc::new(Administrator), Arc::new(clock), Arc::new(entropy));
        let sandbox = runtime.block_on(Sandbox::open(config)).expect("a cluster");
        Self { runtime, router: sandbox.router(), _sandbox: sandbox, _directory: directory }
    }
}

/// Everybody may everything, so that everything is reached.
struct Administrator;

#[async_trait::async_trait]
impl Authenticate for Administrator {
    async fn authenticate(
        &self,
        _: &HeaderMap,
        _: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        Ok(UserInfo {
            username: "admin".into(),
            groups: vec!["system:masters".into()],
            ..UserInfo::default()
        })
    }
}
