//! The device authorization endpoint (RFC 8628 §3.1, §3.2), for clients on machines without a browser.
//!
//! Nothing is stored: the request is the device code, sealed, and the user code is bound to it (module `user_code`).
//! Parameters that it does not know are ignored; PKCE is not asked for, and held to where it comes.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use kubesso_directory::{Application, GrantId, GrantType, Server};
use serde::Serialize;

use crate::authorization_request::{known_scopes, read_scopes};
use crate::authorization_response::{NO_RULE, granted_scopes};
use crate::client_certificate::PresentedCertificate;
use crate::context::{Configuration, Context};
use crate::device_request::{DeviceRequest, parties};
use crate::endpoint::{client, device, discovery, form};
use crate::oauth_error::{ErrorCode, OAuthError, never_stored};
use crate::parameters::Parameters;
use crate::pkce::CodeChallenge;
use crate::polls::INTERVAL;
use crate::requested::read_resources;
use crate::sealed::Purpose;
use crate::user_code::IssuedCode;

/// RFC 8628 §3.2.
#[derive(Serialize)]
struct DeviceAuthorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    /// In seconds.
    expires_in: i64,
    /// In seconds.
    interval: i64,
}

/// Gives a device its codes.
pub(crate) async fn authorize(
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
    match codes(&context, &configuration, server, application, &parameters) {
        Ok(codes) => {
            tracing::info!(client = %application.client_id, server = %server.server.id, "device codes issued");
            let mut response = Json(codes).into_response();
            never_stored(&mut response);
            response
        }
        Err(error) => {
            tracing::warn!(
                client = %application.client_id,
                server = %server.server.id,
                error = error.code.as_str(),
                reason = error.description,
                "device codes refused"
            );
            error.into_response()
        }
    }
}

fn codes(
    context: &Context,
    configuration: &Configuration,
    server: &Server,
    application: &Application,
    parameters: &Parameters,
) -> Result<DeviceAuthorization, OAuthError> {
    if !application.grant_types.contains(&GrantType::DeviceCode) {
        let description = "The client is not allowed to use the device authorization grant.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    let parties = parties(configuration);
    let party = (server.server.id.clone(), application.client_id.clone());
    if !parties.contains(&party) {
        // Said in the terminal, before anybody is sent to a browser for nothing.
        return Err(OAuthError::new(ErrorCode::AccessDenied, NO_RULE));
    }
    let asked = read_scopes(parameters.lenient("scope"), &server.server.id, &known_scopes(server))?;
    let resources = read_resources(parameters, server)?;
    let challenge = parameters.lenient("code_challenge");
    let code_challenge = CodeChallenge::from_request(challenge, parameters.lenient("code_challenge_method"))
        .map_err(|error| OAuthError::invalid_request(error.to_string()))?;
    let (key, entropy, now) = (&context.sealing_key, &*context.entropy, context.now());
    let user_code = IssuedCode::issue(key, entropy, &party, &parties, now).ok_or_else(|| {
        tracing::error!(parties = parties.len(), "too many clients may use the device grant");
        OAuthError::server_error()
    })?;
    let (shown, ends) = (user_code.code.to_string(), user_code.ends());
    let request = DeviceRequest {
        grant: GrantId::generate(entropy),
        user_code,
        scopes: granted_scopes(application, &asked),
        code_challenge,
        resources,
    };
    let device_code = context.seal(Purpose::DeviceCode, &request, ends).map_err(|error| {
        tracing::error!(%error, "a device code could not be made");
        OAuthError::server_error()
    })?;
    let verification_uri = format!("{}{}", context.origin(), device::PATH);
    Ok(DeviceAuthorization {
        device_code,
        verification_uri_complete: format!("{verification_uri}?user_code={shown}"),
        verification_uri,
        user_code: shown,
        expires_in: ends.duration_since(now).as_secs(),
        interval: INTERVAL.as_secs(),
    })
}
