//! The pushed authorization request endpoint (RFC 9126): the client hands its authorization request over by itself,
//! proves who it is, and gets a `request_uri` to send the browser with.
//!
//! Nothing is stored: the `request_uri` is the request, sealed. It is checked as the authorization endpoint would check
//! it, so that a client is told here, and checked again there, because the configuration may change in between.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use kubesso_directory::{Application, Server};
use serde::Serialize;

use crate::authorization_request::{AuthorizationRequest, ReturnAddress};
use crate::client_certificate::PresentedCertificate;
use crate::context::Context;
use crate::endpoint::{client, discovery, form};
use crate::oauth_error::{OAuthError, never_stored};
use crate::parameters::Parameters;
use crate::request_object::{NotPushed, PUSHED_LIFETIME, effective, push};

/// RFC 9126 §2.2.
#[derive(Serialize)]
struct PushedResponse {
    request_uri: String,
    /// In seconds.
    expires_in: i64,
}

/// Takes an authorization request.
pub(crate) async fn par(
    State(context): State<Context>,
    Path(server_id): Path<String>,
    PresentedCertificate(certificate): PresentedCertificate,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(&server_id) else { return discovery::no_server(&server_id) };
    let parameters = form(&headers, &body);
    let application =
        match client(&context, &configuration, server, &headers, certificate.as_ref(), &parameters).await {
            Ok(application) => application,
            Err(refused) => return *refused,
        };
    match pushed(&context, server, application, &parameters).await {
        Ok(request_uri) => {
            tracing::info!(client = %application.client_id, server = %server.server.id, "request pushed");
            let body = PushedResponse { request_uri, expires_in: PUSHED_LIFETIME.as_secs() };
            let mut response = (StatusCode::CREATED, Json(body)).into_response();
            never_stored(&mut response);
            response
        }
        Err((status, error)) => {
            tracing::warn!(
                client = %application.client_id,
                server = %server.server.id,
                error = error.code.as_str(),
                reason = error.description,
                "pushed request refused"
            );
            let mut response = error.into_response();
            if let Some(status) = status {
                *response.status_mut() = status;
            }
            response
        }
    }
}

/// The `request_uri`; or the error, and its status where that is not the code's own.
async fn pushed(
    context: &Context,
    server: &Server,
    application: &Application,
    parameters: &Parameters,
) -> Result<String, (Option<StatusCode>, OAuthError)> {
    let refused = |error| (None, error);
    // RFC 9126 §2.1.
    if parameters.lenient("request_uri").is_some() {
        let description = "A pushed request must not carry the parameter request_uri.";
        return Err(refused(OAuthError::invalid_request(description)));
    }
    let effective = effective(context, server, application, parameters).await.map_err(refused)?;
    let return_to = ReturnAddress::read(&effective.parameters, application)
        .map_err(|error| refused(OAuthError::invalid_request(format!("In the request, {error}."))))?;
    AuthorizationRequest::read(&effective.parameters, server, application, return_to).map_err(refused)?;
    push(context, server, application, &effective.parameters).map_err(|error| match error {
        NotPushed::TooLarge => {
            (Some(StatusCode::PAYLOAD_TOO_LARGE), OAuthError::invalid_request(error.to_string()))
        }
        NotPushed::Json(error) => {
            tracing::error!(%error, "a request_uri could not be made");
            refused(OAuthError::server_error())
        }
    })
}
