//! Traces for OpenTelemetry: a span a request, and in it one for each question to the store, each turn at hashing, each
//! signature and each fetch. Off unless a collector is named.
//!
//! Spans and their fields are of fixed sets, as the labels of the metrics are: a trace says how long what took, and never
//! who asked or with what. They go out in batches by a thread of the SDK, through the one HTTP client that kubesso has;
//! when the collector is away they are dropped, and nobody waits for it.
//!
//! What the specification names as variables is read by the SDK itself: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_TRACES_SAMPLER` and its argument, `OTEL_BSP_*`, and `OTEL_EXPORTER_OTLP_HEADERS` (which may hold a secret).

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::Method;
use kubesso_ambient::TRACES;
use kubesso_https::{Timeouts, Trust, client_with_redirects};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::redirect::Policy;
use tokio::runtime::Handle;
use tracing::{Instrument as _, field, info, info_span, warn};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{DynFilterFn, dynamic_filter_fn};
use tracing_subscriber::layer::{Context, Layer};
use url::Url;

use super::endpoint::endpoint;
use crate::environment;
use crate::error::{CommandError, chain};

/// The span of a request; those in it need it, so that maintenance makes no traces.
const REQUEST: &str = "request";

/// Where spans go behind the base URL of a collector (OTLP/HTTP, "OTLP/HTTP Request").
const PATH: &str = "v1/traces";

/// The collector.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Collector {
    /// The whole of it.
    url: Url,
    /// PEM file with the authorities to believe; `None`: the machine's.
    authority: Option<PathBuf>,
}

/// Scheme, host and port: in the rest there may be a tenant's key.
impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.origin().ascii_serialization())
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({self})")
    }
}

impl Collector {
    /// The one that the configuration names, or else the variables of the specification. `variable`: its value, if it is
    /// set and not empty.
    pub(super) fn find(
        endpoint: Option<&Url>,
        authority: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let is = |name: &str, value: &str| variable(name).is_some_and(|is| is.eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let authority = authority.or_else(|| {
            let of_traces = variable("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE");
            of_traces.or_else(|| variable("OTEL_EXPORTER_OTLP_CERTIFICATE")).map(PathBuf::from)
        });
        let read =
            |name: &str, text: &str| Url::parse(text).map_err(|error| format!("{name} is no URL: {error}"));
        let whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let base = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let (name, url) = if let Some(url) = endpoint {
            ("otlp_endpoint", behind(url))
        } else if let Some(text) = variable(whole) {
            (whole, read(whole, &text)?)
        } else if let Some(text) = variable(base) {
            (base, behind(&read(base, &text)?))
        } else {
            return Ok(None);
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!(
                "{name} must begin with http:// or https://: kubesso sends traces over HTTP"
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{name} must not hold a password: put it into OTEL_EXPORTER_OTLP_HEADERS"));
        }
        Ok(Some(Self { url, authority }))
    }
}

/// `base` with the path of traces behind its own.
fn behind(base: &Url) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{PATH}", base.path().trim_end_matches('/')));
    url
}

/// What sends spans.
#[derive(Clone, Debug)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Begins; nothing is sent before there are spans. To be called where there is a runtime.
    pub(super) fn start(collector: &Collector) -> Result<Self, CommandError> {
        let client = OurClient {
            client: Self::client(collector)?,
            runtime: Handle::current(),
            failing: AtomicBool::new(false),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(collector.url.as_str())
            .with_http_client(client)
            .build()
            .map_err(|e| CommandError::because("traces cannot be sent", &e))?;
        // A name in the environment comes before ours.
        let resource = if environment::set("OTEL_SERVICE_NAME").is_some() {
            Resource::builder()
        } else {
            Resource::builder().with_service_name("kubesso")
        };
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.with_attribute(version).build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider })
    }

    /// What talks to the collector.
    pub(super) fn client(collector: &Collector) -> Result<reqwest::Client, CommandError> {
        let trust = match &collector.authority {
            None => Trust::System,
            Some(path) => Trust::Only(std::fs::read_to_string(path).map_err(|error| {
                CommandError::new(format!(
                    "the collector's authorities cannot be read: {}: {error}",
                    path.display()
                ))
            })?),
        };
        // A redirect would carry the headers, and what is in them, to somebody else.
        client_with_redirects(&trust, Timeouts::default(), Policy::none())
            .map_err(|e| CommandError::because("traces cannot be sent", &e))
    }

    /// What makes spans of the program's.
    pub(super) fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        OpenTelemetryLayer::new(self.provider.tracer("kubesso"))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(of_requests())
    }

    /// Sends what is left. It may take some seconds.
    pub(super) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces are not sent");
        }
    }
}

/// Lets the spans of requests through, and those within them.
fn of_requests() -> DynFilterFn<Registry, impl Fn(&tracing::Metadata<'_>, &Context<'_, Registry>) -> bool> {
    dynamic_filter_fn(|metadata: &tracing::Metadata<'_>, context: &Context<'_, Registry>| {
        metadata.is_span()
            && metadata.target() == TRACES
            && (metadata.name() == REQUEST || context.lookup_current().is_some())
    })
}

/// Has each request that `router` answers shown as a span, under the caller's if it names one (W3C Trace Context).
pub(super) fn watch(router: Router) -> Router {
    router.layer(from_fn(span))
}

async fn span(request: Request, next: Next) -> Response {
    let (method, route) = (method(request.method()), endpoint(request.uri().path()));
    let span = info_span!(
        target: TRACES,
        REQUEST,
        otel.name = field::Empty,
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
    );
    if span.is_disabled() {
        return next.run(request).await;
    }
    span.record("otel.name", format!("{method} {route}"));
    // It fails only where no traces are taken.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(request.headers())));
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// A method by its name, or what stands for what strangers make up (semantic conventions for HTTP).
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

/// Our HTTP client, for a thread that has no runtime.
#[derive(Debug)]
struct OurClient {
    client: reqwest::Client,
    runtime: Handle,
    /// Whether the last try failed, so that the log says it once.
    failing: AtomicBool,
}

impl OurClient {
    fn note(&self, outcome: &Result<http::Response<Bytes>, HttpError>) {
        let failure = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector answered {}", response.status())),
            Err(error) => Some(chain(&**error)),
        };
        let failed_before = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(why) if !failed_before => warn!(why, "traces are lost: the collector does not take them"),
            None if failed_before => info!("the collector takes traces again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for OurClient {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let sent = async move {
            // Without the URL: who reads the log need not know it.
            let answer = client.execute(request).await.map_err(reqwest::Error::without_url)?;
            let mut response = http::Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await.map_err(reqwest::Error::without_url)?;
            Ok(response)
        };
        let outcome = match self.runtime.spawn(sent).await {
            Ok(outcome) => outcome,
            Err(error) => Err(error.into()),
        };
        self.note(&outcome);
        outcome
    }
}
