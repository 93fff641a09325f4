//! Which people may use an application by themselves.

use std::collections::BTreeMap;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, Application, Change, Expectation, Page, Resource, Status, User, UserAssignment, UserId,
    assignment,
};
use serde_json::{Map, Value, json};

use super::{find, target};
use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::endpoint::users;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/apps/{id}/users", get(list).post(assign))
        .route("/api/v1/apps/{id}/users/{user}", get(read).post(update).put(update).delete(unassign))
        .route("/api/v1/users/{id}/appLinks", get(app_links))
}

/// `GET /api/v1/apps/{id}/users?limit&after`: those who are assigned directly.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let paging = Paging::read(&parameters, 50, 500)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let after = paging.after::<UserId>()?;
    let page = Page { after: after.as_ref(), limit: paging.to_read() };
    let assigned = context.store.assigned_users(&application.id, page).await?;
    let mut users = BTreeMap::new();
    for one in &assigned {
        if let Some(user) = context.store.user(&one.user).await? {
            users.insert(one.user.clone(), user);
        }
    }
    Ok(paging.answer(
        &context,
        assigned,
        |assigned| assigned.user.to_string(),
        |assigned| shown(&context, application, assigned, users.get(&assigned.user)),
    ))
}

/// `GET /api/v1/apps/{id}/users/{user}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, user)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let user = users::find(&context, &user).await?;
    let assigned = find_assignment(&context, application, &user).await?;
    Ok(Json(shown(&context, application, &assigned, Some(&user))))
}

/// `POST /api/v1/apps/{id}/users`: `{id, scope?, credentials?: {userName?}, profile?}`
async fn assign(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    let mut body = Fields::of_body(body);
    let user = users::find(&context, &body.required_text("id")?).await?;
    write(&context, &caller, &id, user, body).await
}

/// `POST /api/v1/apps/{id}/users/{user}`: changes credentials and profile; assigns whoever is not assigned directly yet.
async fn update(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, user)): Ids<(String, String)>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    let user = users::find(&context, &user).await?;
    write(&context, &caller, &id, user, Fields::of_body(body)).await
}

async fn write(
    context: &Context,
    caller: &Caller,
    id: &str,
    user: User,
    mut body: Fields,
) -> Result<Json<Value>, ApiError> {
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, id)?;
    let mut credentials = body.object("credentials")?;
    let user_name = credentials.text("userName")?;
    let has_profile = body.has("profile");
    let profile = body.object("profile")?.rest();
    // GROUP would make it depend on a group again, which the group's own assignment does.
    body.word("scope", "USER or GROUP", |word| matches!(word, "USER" | "GROUP").then_some(()))?;
    let before = context.store.user_assignment(&application.id, &user.id).await?;
    let unchanged = before
        .clone()
        .unwrap_or_else(|| UserAssignment::new(application.id.clone(), user.id.clone(), context.now()));
    let after = UserAssignment {
        user_name: user_name.or_else(|| unchanged.user_name.clone()),
        profile: if has_profile { profile } else { unchanged.profile.clone() },
        ..unchanged
    };
    if before.as_ref() == Some(&after) {
        return Ok(Json(shown(context, application, &after, Some(&user))));
    }
    let after = UserAssignment { last_updated: context.now(), ..after };
    let (event, message) = match before {
        Some(_) => ("application.user_membership.update", "Update user's application profile"),
        None => ("application.user_membership.add", "Add user to application membership"),
    };
    let entry = audit::entry(context, caller, event, message, &targets(application, &user));
    context.change_people(Expectation::Any, vec![Change::AssignUser(after.clone()), entry]).await?;
    Ok(Json(shown(context, application, &after, Some(&user))))
}

/// `DELETE /api/v1/apps/{id}/users/{user}`: ends what the person had from it, unless a group still assigns it.
async fn unassign(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, user)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let user = users::find(&context, &user).await?;
    find_assignment(&context, application, &user).await?;
    let message = "Remove user's application membership";
    let entry = audit::entry(
        &context,
        &caller,
        "application.user_membership.remove",
        message,
        &targets(application, &user),
    );
    let unassign = Change::UnassignUser(application.id.clone(), user.id);
    context.change_people(Expectation::Any, vec![unassign, entry]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/users/{id}/appLinks`: which applications a person may use.
async fn app_links(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let user = users::find(&context, &id).await?;
    let snapshot = context.snapshot().await?;
    let person = context.store.person(&user.id).await?.ok_or_else(|| ApiError::not_found("User", &id))?;
    let usable = snapshot.applications().filter(|application| {
        application.status.is_active() && assignment(&snapshot, &application.id, &person).is_some()
    });
    let links = usable.map(|application| {
        json!({
            "id": application.id.as_str(),
            "appName": "oidc_client",
            "appInstanceId": application.id.as_str(),
            "label": application.label.as_str(),
            "hidden": true,
            "sortOrder": 0,
        })
    });
    Ok(Json(links.collect()))
}

async fn find_assignment(
    context: &Context,
    application: &Application,
    user: &User,
) -> Result<UserAssignment, ApiError> {
    let found = context.store.user_assignment(&application.id, &user.id).await?;
    found.ok_or_else(|| ApiError::not_found("AppUser", user.id.as_str()))
}

fn targets(application: &Application, user: &User) -> [Target; 2] {
    [target(application), Target::new("User", &user.id, user.profile.login.as_str())]
}

fn shown(
    context: &Context,
    application: &Application,
    assigned: &UserAssignment,
    user: Option<&User>,
) -> Value {
    let login = user.map(|user| user.profile.login.as_str());
    let status = user.map_or(Status::Inactive, |_| application.status);
    json!({
        "id": assigned.user.as_str(),
        "externalId": null,
        "created": time::text(assigned.last_updated),
        "lastUpdated": time::text(assigned.last_updated),
        "scope": "USER",
        "status": status.as_str(),
        "statusChanged": time::text(assigned.last_updated),
        "passwordChanged": null,
        "syncState": "DISABLED",
        "credentials": { "userName": assigned.user_name.as_deref().or(login) },
        "profile": assigned.profile,
        "_links": {
            "app": { "href": context.url(&format!("/api/v1/apps/{}", application.id)) },
            "user": { "href": context.url(&format!("/api/v1/users/{}", assigned.user)) },
        },
    })
}
