//! Token introspection (RFC 7662): whether a token still counts. A client may ask about its own tokens; any
//! other is answered like one that does not exist, so that nothing can be found out by trying.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use kubesso_directory::{
    Application, FamilyState, RefreshToken, ScopeName, Server, StoreError, UserId, assignment,
};
use serde_json::{Map, Value, json};

use crate::client_certificate::{PresentedCertificate, confirmed_certificate};
use crate::context::{Configuration, Context};
use crate::endpoint::userinfo::AccessToken;
use crate::endpoint::{client_and_token, discovery, form};
use crate::oauth_error::{OAuthError, never_stored};
use crate::tokens::{self, CONFIRMATION, confirmation};

/// Says what is known of a token.
pub(crate) async fn introspect(
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
    match known_of(&context, &configuration, server, application, token).await {
        Ok(known) => {
            let known = known.unwrap_or_else(|| [("active".to_owned(), false.into())].into_iter().collect());
            let mut response = Json(known).into_response();
            never_stored(&mut response);
            response
        }
        Err(error) => {
            tracing::error!(%error, cause = ?error, "an introspection failed");
            OAuthError::server_error().into_response()
        }
    }
}

/// What is said of a token that counts.
async fn known_of(
    context: &Context,
    configuration: &Configuration,
    server: &Server,
    application: &Application,
    token: &str,
) -> Result<Option<Map<String, Value>>, StoreError> {
    let now = context.now();
    let (user, mut known) = if let Some(token) = RefreshToken::parse(token) {
        let family = context.store.refresh_family(&token).await?.filter(|family| {
            family.client == application.client_id
                && family.server == server.server.id
                && family.state == FamilyState::Live
                && now < family.end()
        });
        let Some(family) = family else { return Ok(None) };
        let scopes: Vec<_> = family.scopes.iter().map(ScopeName::as_str).collect();
        let known = json!({
            "client_id": family.client,
            "exp": family.end().as_second(),
            "iss": context.issuer(&server.server.id),
            "scope": scopes.join(" "),
            "sub": family.user,
        });
        let mut known = object(known);
        let certificate = confirmed_certificate(&family.other);
        if let Some(confirmation) = confirmation(family.dpop_jkt.as_deref(), certificate) {
            known.insert(CONFIRMATION.to_owned(), confirmation);
        }
        (Some(family.user), known)
    } else {
        let token = AccessToken::read(context, configuration, server, token, now)
            .filter(|token| token.client == application.client_id);
        let Some(token) = token else { return Ok(None) };
        if !token.counts(context).await? {
            return Ok(None);
        }
        let mut known = token.claims;
        known.insert("token_type".to_owned(), tokens::token_type(token.dpop_jkt.as_deref()).into());
        (token.user, known)
    };
    if let Some(user) = user {
        let login = login_of(context, configuration, application, &user).await?;
        let Some(login) = login else { return Ok(None) };
        known.insert("username".to_owned(), login.into());
    }
    known.insert("active".to_owned(), true.into());
    Ok(Some(known))
}

/// The login of a person who may still use the application.
async fn login_of(
    context: &Context,
    configuration: &Configuration,
    application: &Application,
    user: &UserId,
) -> Result<Option<String>, StoreError> {
    let person = context.store.person(user).await?;
    Ok(person
        .filter(|person| person.user.status.may_sign_in())
        .filter(|person| assignment(&configuration.snapshot, &application.id, person).is_some())
        .map(|person| person.user.profile.login.to_string()))
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}
