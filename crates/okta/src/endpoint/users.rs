//! People.
//!
//! No mail goes out from here: what Okta would send as a mail is answered as a link, or refused where the answer has no
//! place for one. Whoever asked for a mail gets a warning that says so.

use std::collections::BTreeSet;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, AttributePath, Change, Comparison, Expectation, Filter, Group, Literal, Login, Person, Resource,
    StoreError, User, UserId, UserQuery, UserStatus,
};
use serde_json::{Map, Value, json};

use crate::answer::Warnings;
use crate::audit::{self, Target};
use crate::authentication::{Caller, Principal};
use crate::authority::require_over_user;
use crate::body::Body;
use crate::context::{ATTEMPTS, Context};
use crate::endpoint::{group_rules, groups};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::{time, view};

mod credentials;
mod lifecycle;
mod links;
mod profile;
mod sessions;
mod surroundings;

use credentials::NewPassword;
use profile::{Extent, WantedProfile};

/// The addresses under `/api/v1/users`, and `/api/v1/sessions`.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/users", get(list).post(create))
        .route("/api/v1/users/{id}", get(read).post(update).put(replace).delete(remove))
        .merge(credentials::routes())
        .merge(lifecycle::routes())
        .merge(sessions::routes())
        .merge(surroundings::routes())
}

/// `GET /api/v1/users?q&search&filter&sortBy&sortOrder&limit&after`: without a filter, all but the `DEPROVISIONED`.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Read)?;
    let prefix = parameters.get("q");
    let paging = Paging::read(&parameters, if prefix.is_some() { 10 } else { 200 }, 200)?;
    let filter = match parameters.searched()? {
        Some(filter) => filter,
        None => not_deprovisioned()?,
    };
    let sort = parameters.sort()?;
    let found = context
        .store
        .find_users(&UserQuery {
            filter: Some(&filter),
            prefix,
            sort: sort.as_ref(),
            after: paging.after::<UserId>()?.as_ref(),
            limit: paging.to_read(),
        })
        .await?;
    Ok(paging.answer(&context, found, |user| user.id.to_string(), |user| view::user(&context, user)))
}

fn not_deprovisioned() -> Result<Filter, ApiError> {
    let attribute = AttributePath::parse("status").map_err(|error| ApiError::internal(&error))?;
    let value = Literal::Text(UserStatus::Deprovisioned.as_str().to_owned());
    Ok(Filter::Not(Box::new(Filter::Compare { attribute, operator: Comparison::Equal, value })))
}

/// `GET /api/v1/users/{id}`: an id, a login, or `me`.
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    if id == "me" {
        return me(&context, &caller).await.map(Json);
    }
    caller.authority().require(Resource::Users, Access::Read)?;
    Ok(Json(view::user(&context, &find(&context, &id).await?)))
}

/// Whoever calls. A token that is nobody's stands for itself, so that clients that begin with this question go on.
async fn me(context: &Context, caller: &Caller) -> Result<Value, ApiError> {
    let (id, name) = match caller.principal() {
        Principal::Person { id, .. } | Principal::ApiToken { user: Some(id), .. } => {
            return Ok(view::user(context, &find(context, id.as_str()).await?));
        }
        Principal::ApiToken { id, name, user: None } => (id.as_str(), name),
        Principal::Client { id, label } => (id.as_str(), label),
    };
    let now = time::text(context.now());
    Ok(json!({
        "id": id,
        "status": UserStatus::Active.as_str(),
        "created": now,
        "activated": now,
        "statusChanged": null,
        "lastLogin": null,
        "lastUpdated": now,
        "passwordChanged": null,
        "type": { "id": view::USER_TYPE },
        "profile": { "login": name, "email": null, "firstName": null, "lastName": name },
        "credentials": { "provider": { "type": "OKTA", "name": "OKTA" } },
        "_links": { "self": { "href": context.url("/api/v1/users/me") } },
    }))
}

/// `POST /api/v1/users?activate&nextLogin`
async fn create(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    let activate = parameters.flag("activate", true)?;
    let expired = match parameters.get("nextLogin") {
        None => false,
        Some("changePassword") => true,
        Some(_) => return Err(ApiError::invalid("nextLogin", "use changePassword or leave it out")),
    };
    let mut body = Fields::of_body(body);
    refuse_other_types(&mut body)?;
    let wanted = WantedProfile::read(body.required_object("profile")?)?;
    let profile = wanted.apply(None, Extent::Whole)?;
    let password = NewPassword::read(&mut body)?;
    let into = groups_to_join(&context, &caller, &mut body).await?;
    if expired && !(activate && password.is_some()) {
        return Err(ApiError::invalid("nextLogin", "changePassword needs activate=true and a password"));
    }
    let hash = match &password {
        Some(password) => Some(password.hash(&context, &profile.login).await?),
        None => None,
    };
    let now = context.now();
    let user = User::new(UserId::generate(&*context.entropy), profile, now);
    let mut warnings = Warnings::default();
    let user = match (activate, hash.is_some()) {
        (false, _) => user,
        (true, false) => {
            warnings.add(format!(
                "No mail goes out from here: get the link by which {} chooses a password with POST \
                 /api/v1/users/{}/lifecycle/reactivate?sendEmail=false",
                user.profile.login, user.id
            ));
            user.provision(now).map_err(|error| ApiError::internal(&error))?
        }
        (true, true) => {
            let user = user.activate(now).map_err(|error| ApiError::internal(&error))?;
            if expired {
                user.expire_password(now).map_err(|error| ApiError::internal(&error))?
            } else {
                user
            }
        }
    };
    let id = user.id.clone();
    let person = Person { user: user.clone(), groups: into.clone(), applications: BTreeSet::default() };
    let mut changes = vec![Change::PutUser(user.clone())];
    changes.extend(hash.map(|hash| Change::SetPassword(id.clone(), hash)));
    changes.extend(into.iter().map(|group| Change::AddMember(group.id.clone(), id.clone())));
    changes.extend(group_rules::changes_for(&context, caller.authority(), &person).await?);
    changes.push(entry(&context, &caller, "user.lifecycle.create", "Create user", &user));
    context.change_people(Expectation::Any, changes).await.map_err(ApiError::on_conflict("login"))?;
    Ok(warnings.with(Json(view::user(&context, &find(&context, id.as_str()).await?))))
}

/// There is one type of users.
fn refuse_other_types(body: &mut Fields) -> Result<(), ApiError> {
    let mut user_type = body.object("type")?;
    match user_type.text("id")?.as_deref() {
        None | Some(view::USER_TYPE | "default") => Ok(()),
        Some(_) => Err(user_type.refuse("id", format!("there is one type of users, {}", view::USER_TYPE))),
    }
}

async fn groups_to_join(
    context: &Context,
    caller: &Caller,
    body: &mut Fields,
) -> Result<Vec<Group>, ApiError> {
    let mut into = Vec::new();
    for id in body.texts("groupIds")?.unwrap_or_default() {
        caller.authority().require(Resource::Groups, Access::Manage)?;
        let group = groups::find(context, &id).await?;
        groups::require_joinable(context, caller, &group).await?;
        into.push(group);
    }
    Ok(into)
}

/// `POST /api/v1/users/{id}`: changes what the body names. A member of the profile that is null goes.
async fn update(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    write(&context, &caller, &id, Fields::of_body(body), Extent::Part).await
}

/// `PUT /api/v1/users/{id}`: replaces the profile.
async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    write(&context, &caller, &id, Fields::of_body(body), Extent::Whole).await
}

async fn write(
    context: &Context,
    caller: &Caller,
    id: &str,
    mut body: Fields,
    extent: Extent,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    refuse_other_types(&mut body)?;
    let before = find_or_me(context, caller, id).await?;
    require_over_user(context, caller.authority(), &before).await?;
    let wanted = match extent {
        Extent::Whole => Some(WantedProfile::read(body.required_object("profile")?)?),
        Extent::Part if body.has("profile") => Some(WantedProfile::read(body.object("profile")?)?),
        Extent::Part => None,
    };
    let hash = match NewPassword::read(&mut body)? {
        Some(password) if !password.is_that_of(context, &before).await? => {
            Some(password.hash(context, &before.profile.login).await?)
        }
        _ => None,
    };
    let user = change(context, caller, &before.id, |before| {
        let profile = match &wanted {
            Some(wanted) => wanted.apply(Some(&before.profile), extent)?,
            None => before.profile.clone(),
        };
        let mut after = User { profile, ..before.clone() };
        let mut more = Vec::new();
        if after != *before {
            more.push(entry(context, caller, "user.account.update_profile", "Update user profile", &after));
        }
        if let Some(hash) = &hash {
            after = after.clone().password_chosen(context.now()).unwrap_or(after);
            more.extend(credentials::set(context, caller, &after, hash.clone()));
        }
        Ok((after, more))
    })
    .await?;
    Ok(Json(view::user(context, &user)))
}

/// `DELETE /api/v1/users/{id}`: the first time deactivates, the second time deletes for good.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    let user = find_or_me(&context, &caller, &id).await?;
    if user.status != UserStatus::Deprovisioned {
        lifecycle::deactivate_user(&context, &caller, &user.id).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    require_over_user(&context, caller.authority(), &user).await?;
    let entry = entry(&context, &caller, "user.lifecycle.delete.initiated", "Delete user", &user);
    context.change_people(Expectation::Any, vec![Change::RemoveUser(user.id), entry]).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Changes a user: `decide` says by the present one what it shall be and what else to write. Whatever the rules for groups
/// make of the change is written with it. If somebody else is faster, `decide` is asked again.
async fn change(
    context: &Context,
    caller: &Caller,
    id: &UserId,
    mut decide: impl FnMut(&User) -> Result<(User, Vec<Change>), ApiError>,
) -> Result<User, ApiError> {
    for _ in 0..ATTEMPTS {
        let missing = || ApiError::not_found("User", id.as_str());
        let person = context.store.person(id).await?.ok_or_else(missing)?;
        require_over_user(context, caller.authority(), &person.user).await?;
        let before = person.user.clone();
        let (after, more) = decide(&before)?;
        if after == before && more.is_empty() {
            return Ok(after);
        }
        let after = User { last_updated: context.now(), ..after };
        let mut changes = vec![Change::PutUser(after.clone())];
        changes.extend(
            group_rules::changes_for(context, caller.authority(), &Person { user: after, ..person }).await?,
        );
        changes.extend(more);
        let as_read = Expectation::User(id.clone(), before.last_updated);
        match context.change_people(as_read, changes).await {
            Ok(()) => return context.store.user(id).await?.ok_or_else(missing),
            Err(StoreError::Stale) => {}
            Err(error) => return Err(ApiError::on_conflict("login")(error)),
        }
    }
    Err(ApiError::busy())
}

/// The user of that id or login.
pub(crate) async fn find(context: &Context, id_or_login: &str) -> Result<User, ApiError> {
    if let Ok(id) = UserId::parse(id_or_login)
        && let Some(user) = context.store.user(&id).await?
    {
        return Ok(user);
    }
    let by_login = match Login::parse(id_or_login) {
        Ok(login) => context.store.user_by_login(&login).await?,
        Err(_) => None,
    };
    by_login.ok_or_else(|| ApiError::not_found("User", id_or_login))
}

/// The same, or with `me` the person who calls.
pub(crate) async fn find_or_me(context: &Context, caller: &Caller, id: &str) -> Result<User, ApiError> {
    match (id, caller.user()) {
        ("me", Some(user)) => find(context, user.as_str()).await,
        _ => find(context, id).await,
    }
}

/// The audit's entry about a user.
fn entry(context: &Context, caller: &Caller, event_type: &str, message: &str, user: &User) -> Change {
    let target = Target::new("User", &user.id, user.profile.login.as_str());
    audit::entry(context, caller, event_type, message, &[target])
}
