//! What people have allowed applications (Okta's `OAuth2ScopeConsentGrant`): the consents of a person, to all
//! applications or to one. Withdrawing one ends refreshing: the provider looks for it each time.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, Application, ApplicationId, Change, ClientId, ConsentGrant, Expectation, Resource, Snapshot, User,
};
use serde_json::{Value, json};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::authority::require_over_user;
use crate::context::Context;
use crate::endpoint::users;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/users/{id}/grants", get(list).delete(withdraw_all))
        .route("/api/v1/users/{id}/grants/{grant}", get(read).delete(withdraw))
        .route(
            "/api/v1/users/{id}/clients/{client}/grants",
            get(list_of_client).delete(withdraw_all_of_client),
        )
}

/// `GET …/grants?scopeId&limit&after`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let user = users::find(&context, &id).await?;
    page(&context, &user, None, &parameters).await
}

async fn list_of_client(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client)): Ids<(String, String)>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let user = users::find(&context, &id).await?;
    let application = client_application(&*context.snapshot().await?, &client)?;
    page(&context, &user, Some(&application), &parameters).await
}

async fn page(
    context: &Context,
    user: &User,
    application: Option<&ApplicationId>,
    parameters: &Parameters,
) -> Result<Response, ApiError> {
    let paging = Paging::read(parameters, 20, 200)?;
    let snapshot = context.snapshot().await?;
    let mut found = context.store.consents(&user.id, application).await?;
    if let Some(scope) = parameters.get("scopeId") {
        found.retain(|grant| grant.scope.as_str() == scope);
    }
    let found: Vec<&ConsentGrant> = found.iter().collect();
    Ok(paging.answer_all(
        context,
        found,
        |grant| grant.id.to_string(),
        |grant| shown(context, &snapshot, grant),
    ))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, grant)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let user = users::find(&context, &id).await?;
    let snapshot = context.snapshot().await?;
    Ok(Json(shown(&context, &snapshot, &find(&context, &user, &grant).await?)))
}

async fn withdraw(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, grant)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let grant = find(&context, &user, &grant).await?;
    end(&context, &caller, &user, &[grant]).await
}

async fn withdraw_all(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let grants = context.store.consents(&user.id, None).await?;
    end(&context, &caller, &user, &grants).await
}

async fn withdraw_all_of_client(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, client)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let application = client_application(&*context.snapshot().await?, &client)?;
    let grants = context.store.consents(&user.id, Some(&application)).await?;
    end(&context, &caller, &user, &grants).await
}

/// The person, if the caller may manage that person.
async fn managed(context: &Context, caller: &Caller, id: &str) -> Result<User, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    let user = users::find(context, id).await?;
    require_over_user(context, caller.authority(), &user).await?;
    Ok(user)
}

async fn end(
    context: &Context,
    caller: &Caller,
    user: &User,
    grants: &[ConsentGrant],
) -> Result<StatusCode, ApiError> {
    let mut changes = Vec::new();
    for grant in grants {
        let targets = [
            Target::new("Scope", &grant.scope, grant.scope_name.as_str()),
            Target::new("User", &user.id, user.profile.login.as_str()),
            Target::new("PublicClientApp", &grant.application, grant.application.as_str()),
        ];
        changes.push(Change::WithdrawConsent(grant.id.clone()));
        let event = "app.oauth2.as.consent.revoke";
        changes.push(audit::entry(context, caller, event, "Revoke consent of user", &targets));
    }
    if !changes.is_empty() {
        context.change_people(Expectation::Any, changes).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Looked for among the person's own: the id of somebody else's finds nothing.
async fn find(context: &Context, user: &User, id: &str) -> Result<ConsentGrant, ApiError> {
    let grants = context.store.consents(&user.id, None).await?;
    let found = grants.into_iter().find(|grant| grant.id.as_str() == id);
    found.ok_or_else(|| ApiError::not_found("OAuth2ScopeConsentGrant", id))
}

fn client_application(snapshot: &Snapshot, client: &str) -> Result<ApplicationId, ApiError> {
    let found = ClientId::parse(client).ok().and_then(|client| snapshot.application(&client));
    found
        .map(|application| application.id.clone())
        .ok_or_else(|| ApiError::not_found("PublicClientApp", client))
}

fn shown(context: &Context, snapshot: &Snapshot, grant: &ConsentGrant) -> Value {
    let application = snapshot.application_by_id(&grant.application);
    let client = application.map(|application: &Application| application.client_id.as_str());
    let server = format!("/api/v1/authorizationServers/{}", grant.server);
    let user = format!("/api/v1/users/{}", grant.user);
    json!({
        "id": grant.id.as_str(),
        "status": "ACTIVE",
        "created": time::text(grant.created),
        "createdBy": { "id": grant.user.as_str(), "type": "User" },
        "lastUpdated": time::text(grant.created),
        "issuer": context.url(&format!("/oauth2/{}", grant.server)),
        "clientId": client,
        "userId": grant.user.as_str(),
        "scopeId": grant.scope.as_str(),
        "source": "END_USER",
        "_links": {
            "app": { "href": context.url(&format!("/api/v1/apps/{}", grant.application)) },
            "authorizationServer": { "href": context.url(&server) },
            "scope": { "href": context.url(&format!("{server}/scopes/{}", grant.scope)) },
            "self": { "href": context.url(&format!("{user}/grants/{}", grant.id)) },
            "user": { "href": context.url(&user) },
        },
    })
}
