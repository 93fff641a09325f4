//! Which clients have refresh tokens of an authorization server, and the end of these.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{Access, Application, ClientId, FamilyQuery, Resource};
use serde_json::{Value, json};

use super::{find, require_manage};
use crate::authentication::Caller;
use crate::context::Context;
use crate::endpoint::tokens::{self, Tokens};
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};

pub(super) fn routes() -> Router<Context> {
    const TOKENS: &str = "/api/v1/authorizationServers/{id}/clients/{client}/tokens";
    Router::new()
        .route("/api/v1/authorizationServers/{id}/clients", get(list))
        .route(TOKENS, get(list_tokens).delete(revoke_all))
        .route(&format!("{TOKENS}/{{token}}"), get(read_token).delete(revoke))
}

/// `GET …/clients`: those that a living refresh token was given to.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?;
    let mut found: Vec<&Application> = Vec::new();
    for application in snapshot.applications() {
        let query = FamilyQuery {
            server: Some(&server.server.id),
            client: Some(&application.client_id),
            limit: 1,
            now: context.now(),
            ..FamilyQuery::default()
        };
        if !context.store.families(&query).await?.is_empty() {
            found.push(application);
        }
    }
    Ok(paging.answer_all(
        &context,
        found,
        |client| client.client_id.to_string(),
        |client| shown(&context, client),
    ))
}

async fn list_tokens(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client)): Ids<(String, String)>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?.server.id.clone();
    let client = find_client(&client)?;
    tokens::list(&context, &Tokens { server: Some(server), client: Some(client), user: None }, &parameters)
        .await
}

async fn read_token(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client, token)): Ids<(String, String, String)>,
) -> Result<axum::Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?.server.id.clone();
    let client = find_client(&client)?;
    tokens::read(&context, &Tokens { server: Some(server), client: Some(client), user: None }, &token).await
}

async fn revoke_all(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?.server.id.clone();
    let client = find_client(&client)?;
    tokens::revoke_all(&context, &caller, &Tokens { server: Some(server), client: Some(client), user: None })
        .await
}

async fn revoke(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client, token)): Ids<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    let snapshot = context.snapshot().await?;
    let server = find(&snapshot, &id)?.server.id.clone();
    let client = find_client(&client)?;
    tokens::revoke(
        &context,
        &caller,
        &Tokens { server: Some(server), client: Some(client), user: None },
        &token,
    )
    .await
}

fn find_client(id: &str) -> Result<ClientId, ApiError> {
    ClientId::parse(id).map_err(|_| ApiError::not_found("PublicClientApp", id))
}

fn shown(context: &Context, application: &Application) -> Value {
    json!({
        "client_id": application.client_id.as_str(),
        "client_name": application.label.as_str(),
        "client_uri": null,
        "logo_uri": null,
        "_links": { "client": { "href": context.url(&format!("/api/v1/apps/{}", application.id)) } },
    })
}
