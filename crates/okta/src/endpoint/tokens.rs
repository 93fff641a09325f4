//! Refresh tokens, as those see them who may end them: of a person, of a client, of an authorization server. One object
//! stands for a whole family, whose tokens replace each other.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, AuthorizationServerId, Change, ClientId, Expectation, FamilyQuery, GrantId, RefreshFamily,
    Resource, UserId,
};
use serde_json::{Value, json};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::authority::require_over_user;
use crate::context::Context;
use crate::endpoint::{apps, users};
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/apps/{id}/tokens", get(list_of_application).delete(revoke_all_of_application))
        .route("/api/v1/apps/{id}/tokens/{token}", get(read_of_application).delete(revoke_of_application))
        .route("/api/v1/users/{id}/clients", get(clients_of_user))
        .route("/api/v1/users/{id}/clients/{client}/tokens", get(list_of_user).delete(revoke_all_of_user))
        .route("/api/v1/users/{id}/clients/{client}/tokens/{token}", get(read_of_user).delete(revoke_of_user))
}

/// Whose tokens are meant; what is `None` does not matter.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) server: Option<AuthorizationServerId>,
    pub(crate) client: Option<ClientId>,
    pub(crate) user: Option<UserId>,
}

impl Tokens {
    fn query<'a>(&'a self, context: &Context, after: Option<&'a GrantId>, limit: u32) -> FamilyQuery<'a> {
        FamilyQuery {
            user: self.user.as_ref(),
            client: self.client.as_ref(),
            server: self.server.as_ref(),
            after,
            limit,
            now: context.now(),
            ..FamilyQuery::default()
        }
    }

    fn include(&self, family: &RefreshFamily) -> bool {
        self.server.as_ref().is_none_or(|server| family.server == *server)
            && self.client.as_ref().is_none_or(|client| family.client == *client)
            && self.user.as_ref().is_none_or(|user| family.user == *user)
    }
}

/// A page of them.
pub(crate) async fn list(
    context: &Context,
    tokens: &Tokens,
    parameters: &Parameters,
) -> Result<Response, ApiError> {
    let paging = Paging::read(parameters, 20, 200)?;
    let after = paging.after::<GrantId>()?;
    let found = context.store.families(&tokens.query(context, after.as_ref(), paging.to_read())).await?;
    Ok(paging.answer(context, found, |family| family.grant.to_string(), |family| shown(context, family)))
}

/// One of them.
pub(crate) async fn read(context: &Context, tokens: &Tokens, id: &str) -> Result<Json<Value>, ApiError> {
    find(context, tokens, id).await.map(|family| Json(shown(context, &family)))
}

/// The end of all of them.
pub(crate) async fn revoke_all(
    context: &Context,
    caller: &Caller,
    tokens: &Tokens,
) -> Result<StatusCode, ApiError> {
    loop {
        let found = context.store.families(&tokens.query(context, None, 500)).await?;
        if found.is_empty() {
            return Ok(StatusCode::NO_CONTENT);
        }
        let mut changes = Vec::new();
        for family in &found {
            changes.push(Change::EndGrant(family.grant.clone()));
            changes.push(entry(context, caller, family));
        }
        context.change_people(Expectation::Any, changes).await?;
    }
}

/// The end of one of them.
pub(crate) async fn revoke(
    context: &Context,
    caller: &Caller,
    tokens: &Tokens,
    id: &str,
) -> Result<StatusCode, ApiError> {
    let family = find(context, tokens, id).await?;
    let changes = vec![Change::EndGrant(family.grant.clone()), entry(context, caller, &family)];
    context.change_people(Expectation::Any, changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looked for among those that are meant: the id of somebody else's token finds nothing.
async fn find(context: &Context, tokens: &Tokens, id: &str) -> Result<RefreshFamily, ApiError> {
    let missing = || ApiError::not_found("OAuth2RefreshToken", id);
    let wanted = GrantId::parse(id).map_err(|_| missing())?;
    let mut after: Option<GrantId> = None;
    loop {
        let page = context.store.families(&tokens.query(context, after.as_ref(), 500)).await?;
        let Some(last) = page.last().map(|family| family.grant.clone()) else { return Err(missing()) };
        if let Some(found) = page.into_iter().find(|family| family.grant == wanted && tokens.include(family))
        {
            return Ok(found);
        }
        after = Some(last);
    }
}

fn entry(context: &Context, caller: &Caller, family: &RefreshFamily) -> Change {
    let targets = [
        Target::new("refresh_token", &family.grant, family.grant.as_str()),
        Target::new("User", &family.user, family.user.as_str()),
        Target::new("PublicClientApp", &family.client, family.client.as_str()),
    ];
    audit::entry(context, caller, "app.oauth2.as.token.revoke", "OAuth2 token revocation request", &targets)
}

fn shown(context: &Context, family: &RefreshFamily) -> Value {
    json!({
        "id": family.grant.as_str(),
        "status": "ACTIVE",
        "created": time::text(family.created),
        "lastUpdated": time::text(family.rotated),
        "expiresAt": time::text(family.end()),
        "issuer": context.url(&format!("/oauth2/{}", family.server)),
        "clientId": family.client.as_str(),
        "userId": family.user.as_str(),
        "scopes": family.scopes,
        "_links": {
            "app": { "href": context.url(&format!("/api/v1/apps/{}", family.client)) },
            "authorizationServer": { "href": context.url(&format!("/api/v1/authorizationServers/{}", family.server)) },
            "user": { "href": context.url(&format!("/api/v1/users/{}", family.user)) },
            "client": { "href": context.url(&format!("/oauth2/v1/clients/{}", family.client)) },
        },
    })
}

async fn of_application(context: &Context, id: &str) -> Result<Tokens, ApiError> {
    let snapshot = context.snapshot().await?;
    Ok(Tokens { server: None, client: Some(apps::find(&snapshot, id)?.client_id.clone()), user: None })
}

async fn list_of_application(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    list(&context, &of_application(&context, &id).await?, &parameters).await
}

async fn read_of_application(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, token)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    read(&context, &of_application(&context, &id).await?, &token).await
}

async fn revoke_all_of_application(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    revoke_all(&context, &caller, &of_application(&context, &id).await?).await
}

async fn revoke_of_application(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, token)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    revoke(&context, &caller, &of_application(&context, &id).await?, &token).await
}

async fn of_user(context: &Context, id: &str, client: &str) -> Result<Tokens, ApiError> {
    let user = users::find(context, id).await?;
    let client = ClientId::parse(client).map_err(|_| ApiError::not_found("PublicClientApp", client))?;
    Ok(Tokens { server: None, client: Some(client), user: Some(user.id) })
}

async fn list_of_user(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client)): Ids<(String, String)>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    list(&context, &of_user(&context, &id, &client).await?, &parameters).await
}

async fn read_of_user(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client, token)): Ids<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    read(&context, &of_user(&context, &id, &client).await?, &token).await
}

async fn revoke_all_of_user(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require_over(&context, &caller, &id).await?;
    revoke_all(&context, &caller, &of_user(&context, &id, &client).await?).await
}

async fn revoke_of_user(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client, token)): Ids<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    require_over(&context, &caller, &id).await?;
    revoke(&context, &caller, &of_user(&context, &id, &client).await?, &token).await
}

async fn require_over(context: &Context, caller: &Caller, id: &str) -> Result<(), ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    require_over_user(context, caller.authority(), &users::find(context, id).await?).await
}

/// `GET /api/v1/users/{id}/clients`: those that hold a living refresh token of the person, or a consent.
async fn clients_of_user(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let user = users::find(&context, &id).await?;
    let snapshot = context.snapshot().await?;
    let consents = context.store.consents(&user.id, None).await?;
    let mut shown = Vec::new();
    for application in snapshot.applications() {
        let tokens =
            Tokens { server: None, client: Some(application.client_id.clone()), user: Some(user.id.clone()) };
        let has_consent = consents.iter().any(|grant| grant.application == application.id);
        if has_consent || !context.store.families(&tokens.query(&context, None, 1)).await?.is_empty() {
            let client = format!("/api/v1/users/{}/clients/{}", user.id, application.client_id);
            shown.push(json!({
                "client_id": application.client_id.as_str(),
                "client_name": application.label.as_str(),
                "client_uri": null,
                "logo_uri": null,
                "_links": {
                    "grants": { "href": context.url(&format!("{client}/grants")) },
                    "tokens": { "href": context.url(&format!("{client}/tokens")) },
                },
            }));
        }
    }
    Ok(Json(shown.into()))
}
