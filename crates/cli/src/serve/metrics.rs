//! `/metrics`: what Prometheus reads. Labels are of fixed sets, and name nobody.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use kubesso_directory::Store;
use kubesso_provider::Provider;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::endpoint::endpoint;

/// How often the store is asked something, for its latency.
const PROBE: Duration = Duration::from_secs(5);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type One = [(&'static str, &'static str); 1];
type EndpointAndStatus = [(&'static str, Cow<'static, str>); 2];

/// Everything that is measured.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    requests: Family<EndpointAndStatus, Counter>,
    durations: Family<One, Histogram, fn() -> Histogram>,
    sign_ins: Family<One, Counter>,
    tokens: Family<One, Counter>,
    refreshes: Counter,
    keys: Family<One, Gauge>,
    store_latency: Histogram,
    store_errors: Counter,
    registry: Arc<Registry>,
    provider: Provider,
}

impl Metrics {
    pub(super) fn of(provider: Provider) -> Self {
        let requests = Family::default();
        let durations: Family<One, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 13)));
        let (sign_ins, tokens, refreshes) = (Family::default(), Family::default(), Counter::default());
        let (keys, store_errors) = (Family::default(), Counter::default());
        let store_latency = Histogram::new(exponential_buckets(0.000_1, 2.0, 15));
        let mut registry = Registry::with_prefix("kubesso");
        registry.register("requests", "Requests answered", requests.clone());
        registry.register("request_duration_seconds", "How long answers took", durations.clone());
        registry.register("sign_ins", "Sign-ins by outcome", sign_ins.clone());
        registry.register("tokens_issued", "Responses with tokens by grant type", tokens.clone());
        registry.register("refreshes", "Refresh tokens that were taken", refreshes.clone());
        registry.register("signing_keys", "Signing keys of active servers by state", keys.clone());
        let help = "How long the store takes to answer a small question";
        registry.register("store_latency_seconds", help, store_latency.clone());
        registry.register("store_errors", "Such questions without an answer", store_errors.clone());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        let registry = Arc::new(registry);
        Self {
            requests,
            durations,
            sign_ins,
            tokens,
            refreshes,
            keys,
            store_latency,
            store_errors,
            registry,
            provider,
        }
    }

    /// Has what `router` answers counted and timed.
    pub(super) fn watch(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), measure))
    }

    pub(super) fn router(&self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(self.clone())
    }

    /// Asks the store something now and then, until `shutdown`.
    pub(super) async fn probe(self, store: Arc<dyn Store>, shutdown: CancellationToken) {
        loop {
            let begin = Instant::now();
            match store.revision().await {
                Ok(_) => self.store_latency.observe(begin.elapsed().as_secs_f64()),
                Err(_) => {
                    self.store_errors.inc();
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PROBE) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn text(&self) -> Result<String, std::fmt::Error> {
        let counts = self.provider.counts();
        for (outcome, count) in counts.sign_ins {
            set(&self.sign_ins.get_or_create(&[("outcome", outcome)]), count);
        }
        for (grant, count) in counts.tokens {
            if grant == "refresh_token" {
                set(&self.refreshes, count);
            }
            if count > 0 {
                set(&self.tokens.get_or_create(&[("grant_type", grant)]), count);
            }
        }
        for (state, count) in self.provider.keys_by_state().await {
            self.keys.get_or_create(&[("state", state)]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The provider counts by itself, and only up.
fn set(counter: &Counter, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

async fn measure(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let endpoint = endpoint(request.uri().path());
    let begin = Instant::now();
    let response = next.run(request).await;
    metrics.durations.get_or_create(&[("endpoint", endpoint)]).observe(begin.elapsed().as_secs_f64());
    let status = Cow::Owned(response.status().as_str().to_owned());
    metrics.requests.get_or_create(&[("endpoint", Cow::Borrowed(endpoint)), ("status", status)]).inc();
    response
}

async fn show(State(metrics): State<Metrics>) -> Response {
    match metrics.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
