//! The HTTP side: every request is authenticated, perhaps impersonated, authorized, and then answered.
//!
//! The order is that of kube-apiserver's handler chain (apiserver `pkg/server/config.go`,
//! `DefaultBuildHandlerChain`): nobody learns what exists before they may ask for it.

pub(crate) mod authenticate;
pub(crate) mod body;
mod dispatch;
mod impersonation;
pub(crate) mod negotiate;
mod route;
pub(crate) mod shape;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use futures_util::StreamExt as _;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kubesso_authz::{RequestInfo, RequestInfoError};
use kubesso_https::ClientCertificates;
use kubesso_k8s_types::UserInfo;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::rest::Api;
use crate::status::ApiError;
use crate::{discovery, openapi, version};
use authenticate::Authenticate;
use dispatch::Asked;
use impersonation::Impersonation;
use negotiate::Format;
use route::Route;

/// How much of a refused request's body is read.
const MAX_DRAINED: usize = 64 * 1024;

/// What the handlers share.
pub(crate) struct Server {
    /// The objects and who may do what with them.
    pub(crate) api: Api,
    /// Who sends a request.
    pub(crate) authenticator: Arc<dyn Authenticate>,
    /// Ends the watches.
    pub(crate) shutdown: CancellationToken,
    impersonation: Impersonation,
}

impl Server {
    /// A server over `api`.
    pub(crate) fn new(
        api: Api,
        authenticator: Arc<dyn Authenticate>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { api, authenticator, shutdown, impersonation: Impersonation::default() })
    }

    /// One handler for every path: which path is which is Kubernetes' own matter.
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(handle).with_state(self).layer(middleware::map_response(with_audit_headers))
    }
}

/// Every reply of an API server says that it is not to be kept.
async fn with_audit_headers(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(http::header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let format = Format::negotiate(&parts.headers, &query);
    let mut body = Some(body);
    let errors_as = match &format {
        Ok(Format { encoding, .. }) => Format { encoding: *encoding, ..Format::JSON },
        Err(_) => Format::JSON,
    };
    let response = match server.answer(&parts, &mut body, &query, format).await {
        Ok(response) => response,
        Err(error) => errors_as.refuse(&error),
    };
    if let Some(body) = body {
        drain(body).await;
    }
    response
}

/// Reads what is left of a refused request and forgets it. An HTTP/2 client whose body is cut off may take the
/// whole reply for broken, and not show the refusal.
async fn drain(body: Body) {
    let mut stream = body.into_data_stream();
    let mut read = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        read += chunk.len();
        if read > MAX_DRAINED {
            return;
        }
    }
}

impl Server {
    async fn answer(
        self: &Arc<Self>,
        request: &Parts,
        body: &mut Option<Body>,
        query: &str,
        format: Result<Format, ApiError>,
    ) -> Result<Response, ApiError> {
        let info = match RequestInfo::resolve(request.method.as_str(), request.uri.path(), query) {
            Ok(info) => info,
            Err(error @ RequestInfoError::NoKind { .. }) => {
                let uri = request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
                let message =
                    format!("Internal Server Error: \"{uri}\": failed to create RequestInfo: {error}\n");
                return Ok(text(StatusCode::INTERNAL_SERVER_ERROR, message));
            }
            Err(error) => return Err(ApiError::bad_request(error.to_string())),
        };
        let certificates = request.extensions.get::<ClientCertificates>();
        let certificates = certificates.map(|certificates| &*certificates.0).unwrap_or_default();
        let user = self.authenticate(&request.headers, certificates).await?;
        let user = self.impersonation.resolve(&request.headers, info.attributes(user), &self.api.access)?;
        let attributes = info.attributes(user.clone());
        let verdict = self.api.access.authorize(&attributes);
        if !verdict.is_allowed() {
            tracing::debug!(user = user.username, verb = info.verb, path = info.path, "forbidden");
            return Err(kubesso_authz::forbidden_status(&attributes, &verdict.reason).into());
        }
        if let Some(response) = non_resource(request, &info.path, query, &format) {
            return Ok(response);
        }
        match route::route(&request.method, &info.path) {
            Ok(Route::Resource(route)) => {
                self.resource(request, body, Asked { info: &info, route, user, format }).await
            }
            Ok(Route::NonResource) | Err(None) => Ok(page_not_found()),
            Err(Some(error)) => Err(error),
        }
    }

    async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<UserInfo, ApiError> {
        self.authenticator.authenticate(headers, certificates).await.map_err(|error| {
            tracing::warn!(cause = error.cause, "unable to authenticate the request");
            kubesso_k8s_types::meta::Status::unauthorized().into()
        })
    }
}

/// Health, version, discovery and OpenAPI.
fn non_resource(
    request: &Parts,
    path: &str,
    query: &str,
    format: &Result<Format, ApiError>,
) -> Option<Response> {
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    let trimmed = path.trim_end_matches('/');
    let health = ["/healthz", "/livez", "/readyz"]
        .iter()
        .any(|root| trimmed.strip_prefix(root).is_some_and(|rest| matches!(rest, "" | "/ping")));
    if health {
        return Some(text(StatusCode::OK, "ok"));
    }
    let format = format.as_ref().copied().unwrap_or(Format::JSON);
    if trimmed == "/version" && reads {
        return Some(format.respond(200, &version::handle(), &[]));
    }
    if trimmed.is_empty() && reads {
        return Some(format.respond(200, &root(), &[]));
    }
    let found =
        discovery::handle(path, &request.headers).or_else(|| openapi::handle(path, query, &request.headers));
    if reads {
        return found;
    }
    let known = trimmed == "/version" || found.is_some_and(|found| found.status() != StatusCode::NOT_FOUND);
    known.then(|| format.refuse(&ApiError::method_not_allowed()))
}

/// The paths that are served, below those of the groups.
fn root() -> Value {
    let mut paths = vec!["/api".to_owned(), "/apis".to_owned()];
    for (group, version) in Catalog::get().group_versions() {
        if group.is_empty() {
            paths.push(format!("/api/{version}"));
        } else {
            paths.extend([format!("/apis/{group}"), format!("/apis/{group}/{version}")]);
        }
    }
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    paths.sort();
    json!({"paths": paths})
}

/// What Go's multiplexer says of a path that nothing serves.
fn page_not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests;
