//! The endpoints, one file each, and the routes to them.

pub(crate) mod account;
pub(crate) mod authorize;
pub(crate) mod choose_password;
pub(crate) mod consent;
pub(crate) mod device;
pub(crate) mod device_authorization;
pub(crate) mod discovery;
pub(crate) mod expired;
pub(crate) mod healthz;
pub(crate) mod introspect;
pub(crate) mod keys;
pub(crate) mod landing;
pub(crate) mod logout;
pub(crate) mod par;
pub(crate) mod registration;
pub(crate) mod revoke;
pub(crate) mod sign_in;
pub(crate) mod token;
pub(crate) mod userinfo;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use kubesso_directory::{Application, OneTimePurpose, Server};

use crate::client_authentication::{ClientRefused, OurNames, authenticate};
use crate::client_certificate::ClientCertificate;
use crate::context::{Configuration, Context};
use crate::oauth_error::OAuthError;
use crate::parameters::Parameters;
use crate::{pages, response_headers};

/// Forms, with the sealed request inside, are a few kilobytes long.
const LONGEST_BODY: usize = 64 * 1024;

/// More than the longest wait for a turn at hashing, and than the store's for its lock.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// Where clients prove who they are, under an issuer.
const CLIENTS_ENDPOINTS: [&str; 5] = ["token", "introspect", "revoke", "device/authorize", "par"];

/// Everything that the provider serves.
pub(crate) fn routes(context: Context) -> Router {
    // What scripts of any origin may call: public documents, and endpoints at which no cookie counts.
    let open = Router::new()
        .route("/.well-known/oauth-authorization-server/oauth2/{server}", get(discovery::metadata))
        .route("/oauth2/{server}/.well-known/oauth-authorization-server", get(discovery::metadata))
        .route("/oauth2/{server}/.well-known/openid-configuration", get(discovery::openid))
        .route("/oauth2/{server}/v1/keys", get(keys::jwk_set))
        .merge(clients())
        .layer(middleware::from_fn(cross_origin));
    let router = Router::new()
        .route("/", get(landing::landing))
        .route("/healthz", get(healthz::healthz))
        .route("/oauth2/{server}/v1/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth2/{server}/v1/register", post(registration::register))
        .route(
            "/oauth2/{server}/v1/register/{client}",
            get(registration::read).put(registration::replace).delete(registration::remove),
        )
        .route("/oauth2/{server}/v1/logout", get(logout::get).post(logout::post))
        .route(device::PATH, get(device::get).post(device::post))
        .route(sign_in::PATH, get(sign_in::without_request).post(sign_in::sign_in))
        .route(consent::PATH, get(sign_in::without_request).post(consent::post))
        .route(expired::PATH, get(sign_in::without_request).post(expired::chosen))
        .route(account::PATH, get(account::get).post(account::post))
        .route(account::sign_in::PATH, get(account::get).post(account::sign_in::post))
        .route(account::password::PATH, get(account::password::get).post(account::password::post))
        .route(
            choose_password::WELCOME,
            get(choose_password::get)
                .post(choose_password::post)
                .layer(Extension(OneTimePurpose::Activation)),
        )
        .route(
            choose_password::RESET,
            get(choose_password::get)
                .post(choose_password::post)
                .layer(Extension(OneTimePurpose::PasswordReset)),
        )
        .route(logout::CONFIRM_PATH, post(logout::confirm))
        .merge(pages::asset_routes())
        .merge(open)
        .fallback(landing::not_found);
    bounded(router, context)
}

/// What clients call by themselves.
pub(crate) fn clients_routes(context: Context) -> Router {
    bounded(clients().layer(middleware::from_fn(cross_origin)), context)
}

fn clients() -> Router<Context> {
    Router::new()
        .route("/oauth2/{server}/v1/device/authorize", post(device_authorization::authorize))
        .route("/oauth2/{server}/v1/introspect", post(introspect::introspect))
        .route("/oauth2/{server}/v1/par", post(par::par))
        .route("/oauth2/{server}/v1/revoke", post(revoke::revoke))
        .route("/oauth2/{server}/v1/token", post(token::token))
        .route("/oauth2/{server}/v1/userinfo", get(userinfo::get).post(userinfo::post))
}

/// `router` with what holds for every request.
fn bounded(router: Router<Context>, context: Context) -> Router {
    router
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn_with_state(LONGEST_REQUEST, in_time))
        .layer(middleware::from_fn_with_state(context.clone(), response_headers::add))
        .with_state(context)
}

/// Ends a request that takes too long: a body that trickles in would hold one of the server's connections for as
/// long as its sender likes.
async fn in_time(State(longest): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(longest, next.run(request)).await.unwrap_or_else(|_| {
        tracing::info!("cut off: the request took too long");
        StatusCode::REQUEST_TIMEOUT.into_response()
    })
}

/// Cross-origin resource sharing without credentials, preflight included.
async fn cross_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        let allowed = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, dpop"),
            (header::ACCESS_CONTROL_MAX_AGE, "3600"),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("dpop-nonce, www-authenticate, x-request-id"),
    );
    response
}

/// The parameters of a form; none if the body is no form.
fn form(headers: &HeaderMap, body: &[u8]) -> Parameters {
    if is_form(headers) { Parameters::parse(body) } else { Parameters::default() }
}

/// Which client makes a request with a form (RFC 6749 §2.3), or the answer if it may not.
async fn client<'a>(
    context: &Context,
    configuration: &'a Configuration,
    server: &Server,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    parameters: &Parameters,
) -> Result<&'a Application, Box<Response>> {
    if !is_form(headers) {
        let description = "The request must be a form (application/x-www-form-urlencoded).";
        return Err(Box::new(OAuthError::invalid_request(description).into_response()));
    }
    if let Some(malformed) = parameters.first_malformed() {
        return Err(Box::new(OAuthError::from(malformed).into_response()));
    }
    authenticated(context, configuration, server, headers, certificate, parameters).await.map_err(|refused| {
        tracing::warn!(server = %server.server.id, reason = %refused, "client refused");
        Box::new(refused.into_response())
    })
}

/// Which client asks about which token, at the endpoints where a client names one (RFC 7009 §2.1, RFC 7662 §2.1), or the
/// answer if it may not.
async fn client_and_token<'a>(
    context: &Context,
    configuration: &'a Configuration,
    server: &Server,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    parameters: &'a Parameters,
) -> Result<(&'a Application, &'a str), Box<Response>> {
    if let Some(malformed) = parameters.first_malformed() {
        return Err(Box::new(OAuthError::from(malformed).into_response()));
    }
    let application = authenticated(context, configuration, server, headers, certificate, parameters)
        .await
        .map_err(|refused| Box::new(refused.into_response()))?;
    let token = parameters.lenient("token").ok_or_else(|| {
        Box::new(OAuthError::invalid_request("The parameter token is missing.").into_response())
    })?;
    Ok((application, token))
}

/// The application that proves who it is to `server`.
async fn authenticated<'a>(
    context: &Context,
    configuration: &'a Configuration,
    server: &Server,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    parameters: &Parameters,
) -> Result<&'a Application, ClientRefused> {
    // RFC 7523 §3 rule 3: the issuer or the token endpoint; libraries also write the endpoint that they call.
    let endpoints = |origin: &str| {
        let prefix = format!("{origin}/oauth2/{}/v1", server.server.id);
        CLIENTS_ENDPOINTS.map(|endpoint| format!("{prefix}/{endpoint}"))
    };
    let issuer = context.issuer(&server.server.id);
    let all = context.origins().flat_map(endpoints).chain([issuer.clone()]).collect();
    let names = OurNames { issuer, all };
    authenticate(context, headers, certificate, parameters, &names, |id| {
        configuration.snapshot.application(id)
    })
    .await
}

/// Whether the body is a form.
fn is_form(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_cut_off() {
        let in_time = middleware::from_fn_with_state(Duration::ZERO, in_time);
        let router: Router = Router::new().route("/", post(async |_: Bytes| "read")).layer(in_time);
        let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        for (body, expected) in
            [(Body::from("x"), StatusCode::OK), (Body::from_stream(endless), StatusCode::REQUEST_TIMEOUT)]
        {
            let request = Request::post("/").body(body).unwrap();
            assert_eq!(router.clone().oneshot(request).await.unwrap().status(), expected);
        }
    }
}
