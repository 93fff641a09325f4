//! Traces, as a collector gets them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::served::{Site, free_port};

/// What has arrived.
#[derive(Clone, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    /// Everything in readable letters, whatever field it is in.
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// Answers at `port` over TLS.
    async fn start(authority: &CertificateAuthority, port: u16) -> Self {
        let collector = Self::default();
        let taking = collector.clone();
        let take = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            taking.bytes.lock().unwrap().extend_from_slice(&body);
            taking.requests.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
            StatusCode::OK
        };
        let identity = authority.issue_server(&ServerNames::loopback(), SystemClock.now()).unwrap();
        let tls = ServerTls::new(&identity, ClientAuthentication::None).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let router = Router::new().route("/otlp/v1/traces", post(take));
        tokio::spawn(serve(listener, tls, router, CancellationToken::new(), Limits::default()));
        collector
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let of_scopes =
            requests.iter().flat_map(|request| &request.resource_spans).flat_map(|of| &of.scope_spans);
        of_scopes.flat_map(|of| &of.spans).cloned().collect()
    }

    fn services(&self) -> BTreeSet<String> {
        let requests = self.requests.lock().unwrap();
        let resources =
            requests.iter().flat_map(|request| &request.resource_spans).flat_map(|of| &of.resource);
        let attributes = resources.flat_map(|resource| &resource.attributes);
        attributes
            .filter(|attribute| attribute.key == "service.name")
            .filter_map(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
                Value::StringValue(name) => Some(name.clone()),
                _ => None,
            })
            .collect()
    }
}

/// What stands right under `parent`, each name once.
fn children(spans: &[Span], parent: &Span) -> BTreeSet<String> {
    spans.iter().filter(|span| span.parent_span_id == parent.span_id).map(|span| span.name.clone()).collect()
}

fn status_code(span: &Span) -> Option<i64> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == "http.response.status_code")?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::IntValue(status) => Some(*status),
        _ => None,
    }
}

/// One request after the other of somebody who signs in and comes back; what must not be in the traces.
async fn sign_in_and_refresh(site: &Site, traceparent: &str) -> Vec<String> {
    let made = site.run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let seen = site.run(&["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"]);
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    let client = seen["client"].as_str().unwrap();
    let server = site.server_id(&site.data().display().to_string());
    let password = made["password"].as_str().unwrap();
    let refresh_token = site.refresh_token(client, &server, "jo@example.com", password).await;
    let refreshed = site
        .http
        .post(site.url(&format!("/oauth2/{server}/v1/token")))
        .header("traceparent", traceparent)
        .form(&[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", &refresh_token)])
        .send()
        .await
        .unwrap();
    assert_eq!(refreshed.status(), 200);
    let mut secrets = vec![password.to_owned(), refresh_token, client.to_owned(), server];
    secrets.extend(["jo@example.com", "k8s-admins", "eyJ"].map(str::to_owned));
    secrets
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_under_its_callers_with_the_store_hashing_and_signing_in_it() {
    let authority = CertificateAuthority::generate("collector", SystemClock.now()).unwrap();
    let port = free_port();
    let collector = Collector::start(&authority, port).await;
    let site = Site::new(&format!(
        "otlp_endpoint: https://localhost:{port}/otlp\notlp_ca: otlp-ca.pem\ndrain_seconds: 0\n"
    ));
    let ca = site.home.path().join("otlp-ca.pem");
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    let config = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), config.replace("otlp-ca.pem", &ca.display().to_string())).unwrap();
    let mut serving = site.serve().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let secrets = sign_in_and_refresh(&site, &format!("00-{trace}-b7ad6b7169203331-01")).await;
    // What is under way goes out before the end.
    assert!(std::process::Command::new("kill").arg(serving.0.id().to_string()).status().unwrap().success());
    assert!(serving.0.wait().unwrap().success());

    let spans = collector.spans();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let refresh =
        spans.iter().find(|span| hex(&span.trace_id) == trace && span.name == "POST token").unwrap();
    assert_eq!(hex(&refresh.parent_span_id), "b7ad6b7169203331", "the caller's span");
    assert_eq!(status_code(refresh), Some(200));
    let within = children(&spans, refresh);
    for expected in ["sign a token", "store rotate_refresh_token"] {
        assert!(within.contains(expected), "{expected} is not in {within:?}");
    }
    let sign_in = spans.iter().find(|span| span.name == "POST /sign-in").unwrap();
    let within = children(&spans, sign_in);
    assert!(within.contains("hash a password") && within.contains("store user_by_login"), "{within:?}");
    let roots: BTreeSet<_> =
        spans.iter().filter(|span| span.parent_span_id.is_empty()).map(|span| &*span.name).collect();
    assert!(!roots.iter().any(|name| name.starts_with("store ")), "maintenance makes no traces: {roots:?}");
    assert_eq!(collector.services(), BTreeSet::from(["kubesso".to_owned()]));

    let sent = String::from_utf8_lossy(&collector.bytes.lock().unwrap()).into_owned();
    for secret in secrets {
        assert!(!sent.contains(&secret), "{secret} is in a trace");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_nobody_an_answer_and_the_log_says_it_once() {
    let port = free_port();
    let site = Site::new(&format!("otlp_endpoint: http://127.0.0.1:{port}\ndrain_seconds: 0\n"));
    let serving = site.serve().await;
    let said = "the collector does not take them";
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while !serving.said().contains(said) {
        assert_eq!(site.http.get(site.url("/livez")).send().await.unwrap().status(), 200);
        assert!(std::time::Instant::now() < deadline, "{}", serving.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(serving.said().matches(said).count(), 1);
    assert!(serving.said().contains(&format!("traces go to http://127.0.0.1:{port}")));
}

#[test]
fn an_address_that_no_traces_can_go_to_is_refused_at_the_start() {
    for (endpoint, why) in [
        ("grpc://collector:4317", "otlp_endpoint must begin with http:// or https://"),
        ("https://jo:secret@collector", "otlp_endpoint must not hold a password"),
    ] {
        let site = Site::new(&format!("otlp_endpoint: {endpoint}\n"));
        let output = crate::kubesso(
            site.home.path(),
            &["serve", "--check", "--config", &site.config().display().to_string()],
        );
        let said = crate::text(&output.stdout) + &crate::text(&output.stderr);
        assert!(!output.status.success() && said.contains(why) && !said.contains("secret"), "{said}");
    }
}
