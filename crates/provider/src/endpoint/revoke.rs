//! Token revocation (RFC 7009): whoever holds a refresh token, or an access token, ends what it came from.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use kubesso_directory::{Application, GrantId, RefreshToken, Server, StoreError};

use crate::client_certificate::PresentedCertificate;
use crate::context::{Configuration, Context};
use crate::endpoint::userinfo::AccessToken;
use crate::endpoint::{client_and_token, discovery, form};
use crate::oauth_error::{ErrorCode, OAuthError, never_stored};
use crate::tokens::ORIGIN_CLAIM;

/// Ends the grant of a token. A token that is unknown or another client's is answered like one that was
/// revoked (§2.2): there is nothing that the client could do about it.
pub(crate) async fn revoke(
    State(context): State<Context>,
    Path(server_id): Path<String>,
    PresentedCertificate(certificate): PresentedCertificate,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(&server_id) else { return discovery::no_server(&server_id) };
    let parameters = form(&headers, &body);
    let (application, token) =
        match client_and_token(&context, &configuration, server, &headers, certificate.as_ref(), &parameters)
            .await
        {
            Ok(both) => both,
            Err(refused) => return *refused,
        };
    let ended = match grant_of(&context, &configuration, server, application, token).await {
        Ok(Some(Revocable::Never)) => {
            let description = "An access token of the client itself, or one that was exchanged, cannot be revoked; it ends by itself.";
            return OAuthError::new(ErrorCode::UnsupportedTokenType, description).into_response();
        }
        Ok(Some(Revocable::Grant(grant))) => {
            context.store.end_family(&grant, context.now()).await.map(|lived| (grant, lived))
        }
        Ok(None) => return done(),
        Err(error) => Err(error),
    };
    match ended {
        Ok((grant, lived)) => {
            tracing::info!(client = %application.client_id, %grant, lived, "grant revoked by its client");
            done()
        }
        Err(error) => {
            tracing::error!(%error, cause = ?error, "a revocation failed");
            OAuthError::server_error().into_response()
        }
    }
}

/// What a token came from.
enum Revocable {
    /// A sign-in.
    Grant(GrantId),
    /// Nothing that is stored (RFC 7009 §2.2.1): the client itself (RFC 6749 §4.4), or another client's token (RFC 8693).
    Never,
}

/// What `token` came from, if it is a token of `application`. `token_type_hint` is not needed to
/// tell which kind it is.
async fn grant_of(
    context: &Context,
    configuration: &Configuration,
    server: &Server,
    application: &Application,
    token: &str,
) -> Result<Option<Revocable>, StoreError> {
    if let Some(token) = RefreshToken::parse(token) {
        let family = context.store.refresh_family(&token).await?;
        let family = family.filter(|family| family.client == application.client_id);
        return Ok(family.map(|family| Revocable::Grant(family.grant)));
    }
    let token = AccessToken::read(context, configuration, server, token, context.now());
    Ok(token.filter(|token| token.client == application.client_id).map(|token| match token.user {
        Some(_) if !token.claims.contains_key(ORIGIN_CLAIM) => Revocable::Grant(token.grant),
        Some(_) | None => Revocable::Never,
    }))
}

fn done() -> Response {
    let mut response = StatusCode::OK.into_response();
    never_stored(&mut response);
    response
}
