//! API tokens: what programs call by with `Authorization: SSWS …`.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use jiff::Timestamp;
use kubesso_directory::{
    Access, AdminRole, ApiToken, ApiTokenId, ApiTokenValue, Change, Expectation, Label, Resource, UserId,
};
use serde_json::{Map, Value, json};

use crate::audit::{self, Target};
use crate::authentication::{Caller, Principal};
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/api-tokens", get(list).post(create))
        .route("/api/v1/api-tokens/current", get(read_current).delete(revoke_current))
        .route("/api/v1/api-tokens/{id}", get(read).delete(revoke).put(unchangeable))
        .route("/api/v1/api-tokens/{id}/", post(unchangeable))
}

/// `GET /api/v1/api-tokens`: the living ones.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::ApiTokens, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let mut tokens = context.store.api_tokens().await?;
    tokens.retain(|token| token.is_alive(context.now()));
    Ok(paging.answer_all(&context, tokens, |token| token.id.to_string(), |token| view(&context, token)))
}

/// `POST /api/v1/api-tokens`: `{name, roles, expiresAt?}`. Okta makes them in its console only; here
/// `kubesso api-token create` asks by this. The value is in this answer and nowhere else.
async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Principal::Person { id: user, .. } = caller.principal() else {
        return Err(ApiError::forbidden(
            "A person makes API tokens, signed in by `kubesso api-token create`: a token cannot make others, \
             which would outlive it",
        ));
    };
    let mut body = Fields::of_body(body);
    let name = body.required("name", Label::parse)?;
    let expires = body.parsed("expiresAt", str::parse::<Timestamp>)?;
    if expires.is_some_and(|expires| expires <= context.now()) {
        return Err(body.refuse("expiresAt", "this moment is over"));
    }
    let roles = body
        .all_parsed("roles", |text| {
            AdminRole::parse(text).ok_or_else(|| format!("there is no role `{text}`"))
        })?
        .filter(|roles| !roles.is_empty())
        .ok_or_else(|| body.refuse("roles", "name at least one"))?;
    for role in &roles {
        if !caller.authority().has_all_of(*role) {
            return Err(ApiError::forbidden(format!(
                "You cannot give a token the role {}, which allows more than you may yourself",
                role.as_str()
            )));
        }
    }
    let of_that_name = context.store.api_tokens().await?.into_iter().find(|token| token.name == name);
    if of_that_name.as_ref().is_some_and(|token| token.is_alive(context.now())) {
        return Err(ApiError::taken("name"));
    }
    let value = ApiTokenValue::generate(&*context.entropy);
    let token = ApiToken {
        id: ApiTokenId::generate(&*context.entropy),
        name,
        hash: value.hash(),
        roles: roles.into_iter().collect(),
        user: Some(user.clone()),
        created: context.now(),
        expires,
    };
    let entry = entry(&context, &caller, "system.api_token.create", "Create API token", &token);
    // An expired one keeps its name from nobody.
    let mut changes: Vec<Change> =
        of_that_name.map(|token| Change::RemoveApiToken(token.id)).into_iter().collect();
    changes.extend([Change::PutApiToken(token.clone()), entry]);
    context.change_people(Expectation::Any, changes).await?;
    let mut shown = view(&context, &token);
    shown["token"] = value.expose().into();
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `GET /api/v1/api-tokens/{id}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::ApiTokens, Access::Read)?;
    Ok(Json(view(&context, &find(&context, &id).await?)))
}

/// `DELETE /api/v1/api-tokens/{id}`
async fn revoke(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    let token = find(&context, &id).await?;
    if caller.user().is_none_or(|user| token.user.as_ref() != Some(user)) {
        caller.authority().require(Resource::ApiTokens, Access::Manage)?;
    }
    end(&context, &caller, token).await
}

/// `GET /api/v1/api-tokens/current`: that of the request.
async fn read_current(State(context): State<Context>, caller: Caller) -> Result<Json<Value>, ApiError> {
    Ok(Json(view(&context, &current(&context, &caller).await?)))
}

/// `DELETE /api/v1/api-tokens/current`
async fn revoke_current(State(context): State<Context>, caller: Caller) -> Result<StatusCode, ApiError> {
    let token = current(&context, &caller).await?;
    end(&context, &caller, token).await
}

/// `PUT /api/v1/api-tokens/{id}`: networks, which are not told apart here.
async fn unchangeable(caller: Caller) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::ApiTokens, Access::Manage)?;
    Err(ApiError::unsupported("An API token does not change: make another, and revoke this one"))
}

async fn current(context: &Context, caller: &Caller) -> Result<ApiToken, ApiError> {
    match caller.principal() {
        Principal::ApiToken { id, .. } => find(context, id.as_str()).await,
        Principal::Client { .. } | Principal::Person { .. } => {
            Err(ApiError::not_found("ApiToken", "current"))
        }
    }
}

async fn end(context: &Context, caller: &Caller, token: ApiToken) -> Result<StatusCode, ApiError> {
    let entry = entry(context, caller, "system.api_token.revoke", "Revoke API token", &token);
    context.change_people(Expectation::Any, vec![Change::RemoveApiToken(token.id), entry]).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(context: &Context, id: &str) -> Result<ApiToken, ApiError> {
    let missing = || ApiError::not_found("ApiToken", id);
    let parsed = ApiTokenId::parse(id).map_err(|_| missing())?;
    context.store.api_tokens().await?.into_iter().find(|token| token.id == parsed).ok_or_else(missing)
}

fn entry(context: &Context, caller: &Caller, event_type: &str, message: &str, token: &ApiToken) -> Change {
    let target = Target::new("Token", &token.id, token.name.as_str());
    audit::entry(context, caller, event_type, message, &[target])
}

fn view(context: &Context, token: &ApiToken) -> Value {
    let roles: Vec<&str> = token.roles.iter().map(|role| role.as_str()).collect();
    json!({
        "id": token.id.as_str(),
        "name": token.name.as_str(),
        "userId": token.user.as_ref().map(UserId::as_str),
        "clientName": "kubesso",
        "roles": roles,
        "tokenWindow": null,
        "network": { "connection": "ANYWHERE" },
        "created": time::text(token.created),
        "lastUpdated": time::text(token.created),
        "expiresAt": time::or_null(token.expires),
        "_links": { "self": { "href": context.url(&format!("/api/v1/api-tokens/{}", token.id)) } },
    })
}
