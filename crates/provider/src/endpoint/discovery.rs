//! `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0) and
//! `/.well-known/oauth-authorization-server` (RFC 8414), the same document.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use kubesso_directory::{ClaimType, GrantType, KeyState, MetadataPublish, Server, SigningKeyRecord};
use kubesso_token::Algorithm;
use serde_json::{Value, json};

use crate::authentication_context;
use crate::client_certificate::MutualTls;
use crate::context::Context;
use crate::oauth_error::OAuthError;
use crate::response_mode::ResponseMode;

/// The OpenID provider's metadata.
pub(crate) async fn openid(context: State<Context>, server: Path<String>) -> Response {
    metadata(context, server).await
}

/// The authorization server's metadata; also at the path of RFC 8414 §3.1, in front of the issuer's own.
pub(crate) async fn metadata(State(context): State<Context>, Path(id): Path<String>) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(&id) else { return no_server(&id) };
    ([(header::CACHE_CONTROL, "public, max-age=60")], Json(document(&context, server))).into_response()
}

/// The answer of every machine's endpoint under an issuer that is none.
pub(crate) fn no_server(id: &str) -> Response {
    let error = OAuthError::invalid_request(format!("There is no active authorization server {id} here."));
    (StatusCode::NOT_FOUND, error).into_response()
}

fn document(context: &Context, server: &Server) -> Value {
    let issuer = context.issuer(&server.server.id);
    let endpoint = |name: &str| format!("{issuer}/v1/{name}");
    let mut client_authentication =
        vec!["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    if let Some(mutual_tls) = &context.mutual_tls {
        client_authentication.push("self_signed_tls_client_auth");
        client_authentication.extend(mutual_tls.has_authorities.then_some("tls_client_auth"));
    }
    let scopes: Vec<_> = server
        .scopes
        .values()
        .filter(|scope| scope.metadata_publish == MetadataPublish::AllClients)
        .map(|scope| scope.name.as_str())
        .collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": endpoint("authorize"),
        "device_authorization_endpoint": endpoint("device/authorize"),
        "token_endpoint": endpoint("token"),
        "userinfo_endpoint": endpoint("userinfo"),
        "jwks_uri": endpoint("keys"),
        "end_session_endpoint": endpoint("logout"),
        "introspection_endpoint": endpoint("introspect"),
        "pushed_authorization_request_endpoint": endpoint("par"),
        "require_pushed_authorization_requests": false,
        "revocation_endpoint": endpoint("revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL,
        "grant_types_supported": grant_types(server),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": signing_algorithms(context, server),
        "scopes_supported": scopes,
        "claims_supported": claims(server),
        "token_endpoint_auth_methods_supported": client_authentication,
        "token_endpoint_auth_signing_alg_values_supported": Algorithm::ALL,
        "introspection_endpoint_auth_methods_supported": client_authentication,
        "introspection_endpoint_auth_signing_alg_values_supported": Algorithm::ALL,
        "revocation_endpoint_auth_methods_supported": client_authentication,
        "revocation_endpoint_auth_signing_alg_values_supported": Algorithm::ALL,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": Algorithm::ALL,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": context.deliveries.is_some(),
        "backchannel_logout_session_supported": context.deliveries.is_some(),
        "claims_parameter_supported": true,
        "claim_types_supported": ["normal"],
        "acr_values_supported": authentication_context::SUPPORTED,
        "request_parameter_supported": true,
        "request_object_signing_alg_values_supported": Algorithm::ALL,
        "request_uri_parameter_supported": context.documents.are_fetched(),
        "require_request_uri_registration": true,
        "require_signed_request_object": false,
        "tls_client_certificate_bound_access_tokens": context.mutual_tls.is_some(),
    });
    if context.registration.is_some() {
        document["registration_endpoint"] = endpoint("register").into();
    }
    if let Some(origin) = context.mutual_tls.as_ref().and_then(MutualTls::origin) {
        document["mtls_endpoint_aliases"] = aliases(origin, server);
    }
    document
}

/// Where clients with certificates call the endpoints (RFC 8705 §5).
fn aliases(origin: &str, server: &Server) -> Value {
    let alias = |(name, path): (&str, &str)| {
        (name.to_owned(), Value::from(format!("{origin}/oauth2/{}/v1/{path}", server.server.id)))
    };
    let aliases = [
        ("device_authorization_endpoint", "device/authorize"),
        ("introspection_endpoint", "introspect"),
        ("pushed_authorization_request_endpoint", "par"),
        ("revocation_endpoint", "revoke"),
        ("token_endpoint", "token"),
        ("userinfo_endpoint", "userinfo"),
    ];
    Value::Object(aliases.map(alias).into_iter().collect())
}

/// What the published keys sign by, and what those will that are to sign next.
fn signing_algorithms(context: &Context, server: &Server) -> BTreeSet<String> {
    let now = context.now();
    let is_published = |key: &&SigningKeyRecord| match key.state {
        KeyState::Pending { .. } | KeyState::Active { .. } => true,
        KeyState::Retiring { until } => now < until,
        KeyState::Revoked { .. } => false,
    };
    let published = server.keys.iter().filter(is_published).map(|key| key.algorithm.clone());
    published.chain([server.server.algorithm.clone()]).collect()
}

/// The grants beside those of people's sign-ins only where a rule allows them: the password grant is nothing to invite
/// clients to.
fn grant_types(server: &Server) -> Vec<&'static str> {
    let mut supported = vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    let allowed = |grant_type: &GrantType| {
        let policies = server.policies().filter(|(policy, _)| policy.status.is_active());
        let mut rules = policies.flat_map(|(_, rules)| rules);
        rules.any(|rule| rule.status.is_active() && rule.grant_types.contains(grant_type))
    };
    supported.extend(
        [GrantType::ClientCredentials, GrantType::Password, GrantType::TokenExchange]
            .into_iter()
            .filter(allowed),
    );
    supported.into_iter().map(GrantType::as_str).collect()
}

fn claims(server: &Server) -> Vec<&str> {
    let standard = [
        "iss",
        "sub",
        "aud",
        "iat",
        "exp",
        "auth_time",
        "acr",
        "amr",
        "jti",
        "at_hash",
        "nonce",
        "sid",
        "email",
        "email_verified",
        "name",
        "given_name",
        "family_name",
        "preferred_username",
    ];
    let configured = server
        .claims
        .iter()
        .filter(|claim| claim.status.is_active() && claim.claim_type == ClaimType::Identity)
        .map(|claim| claim.name.as_str());
    let mut claims: Vec<_> = standard.into_iter().collect();
    claims.extend(configured.filter(|name| !standard.contains(name)));
    claims
}
