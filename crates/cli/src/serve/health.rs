//! `/livez` and `/readyz`, for load balancers and kubelets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use kubesso_provider::{Provider, Readiness};

/// Whether requests are welcome.
#[derive(Clone, Debug)]
pub(super) struct Health {
    provider: Provider,
    ending: Arc<AtomicBool>,
}

impl Health {
    pub(super) fn of(provider: Provider) -> Self {
        Self { provider, ending: Arc::default() }
    }

    /// From now on not ready: requests under way may finish, new ones should go elsewhere.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/livez", get(async || answer(StatusCode::OK, "ok".to_owned())))
            .route("/readyz", get(readyz))
            .with_state(self.clone())
    }
}

async fn readyz(State(health): State<Health>, request: Request) -> Response {
    let mut found = health.provider.readiness().await;
    let ending = health.ending.load(Ordering::Relaxed);
    found.push(("shutdown", if ending { Err("the process is ending".to_owned()) } else { Ok(()) }));
    let is_verbose = request.uri().query().is_some_and(|query| {
        query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| name == "verbose"))
    });
    let is_ready = found.iter().all(|(_, found)| found.is_ok());
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, text(&found, is_verbose, is_ready))
}

/// `ok`, or what is wrong; verbose: a line for each question, as kube-apiserver writes them.
fn text(found: &Readiness, is_verbose: bool, is_ready: bool) -> String {
    if is_ready && !is_verbose {
        return "ok".to_owned();
    }
    let lines =
        found.iter().filter(|(_, found)| is_verbose || found.is_err()).map(|(name, found)| match found {
            Ok(()) => format!("[+]{name} ok"),
            Err(problem) => format!("[-]{name} failed: {problem}"),
        });
    let verdict = if is_ready { "readyz check passed" } else { "readyz check failed" };
    lines.chain([verdict.to_owned()]).collect::<Vec<_>>().join("\n")
}

fn answer(status: StatusCode, text: String) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/plain")], text)
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_being_asked_and_what_is_right_only_then() {
        let right: Readiness = vec![("store", Ok(())), ("keys", Ok(()))];
        assert_eq!(text(&right, false, true), "ok");
        assert_eq!(text(&right, true, true), "[+]store ok\n[+]keys ok\nreadyz check passed");
        let wrong: Readiness = vec![("store", Ok(())), ("keys", Err("none".to_owned()))];
        assert_eq!(text(&wrong, false, false), "[-]keys failed: none\nreadyz check failed");
    }
}
