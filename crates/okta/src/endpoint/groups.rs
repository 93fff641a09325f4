//! Groups and who is in them.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, Change, Expectation, Group, GroupId, GroupName, GroupQuery, GroupType, Page, Person, Resource,
    StoreError, User, UserId,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::authority::require_over_group;
use crate::body::Body;
use crate::context::{ATTEMPTS, Context};
use crate::endpoint::group_rules;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::view;

/// The addresses under `/api/v1/groups`.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/groups", get(list).post(create))
        .route("/api/v1/groups/{id}", get(read).put(replace).delete(remove))
        .route("/api/v1/groups/{id}/users", get(members))
        .route("/api/v1/groups/{id}/users/{user}", axum::routing::put(add_member).delete(remove_member))
}

#[derive(Debug, Deserialize)]
struct GroupBody {
    profile: GroupProfile,
}

#[derive(Debug, Deserialize)]
struct GroupProfile {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// A profile whose parts are names.
struct CheckedProfile {
    name: GroupName,
    description: String,
    other: Map<String, Value>,
}

impl GroupProfile {
    fn check(self) -> Result<CheckedProfile, ApiError> {
        let name = GroupName::parse(&self.name).map_err(|error| ApiError::invalid("name", error))?;
        let description = self.description.unwrap_or_default();
        if description.chars().count() > MOST_DESCRIPTION {
            return Err(ApiError::invalid(
                "description",
                format!("use at most {MOST_DESCRIPTION} characters"),
            ));
        }
        let other = self.other.into_iter().filter(|(_, value)| !value.is_null()).collect();
        Ok(CheckedProfile { name, description, other })
    }
}

/// Okta's limit for a description, in characters.
const MOST_DESCRIPTION: usize = 1024;

/// `GET /api/v1/groups?q&search&filter&sortBy&sortOrder&limit&after`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Groups, Access::Read)?;
    let paging = Paging::read(&parameters, 10_000, 10_000)?;
    let filter = parameters.searched()?;
    let sort = parameters.sort()?;
    let found = context
        .store
        .find_groups(&GroupQuery {
            filter: filter.as_ref(),
            prefix: parameters.get("q"),
            application: None,
            sort: sort.as_ref(),
            after: paging.after::<GroupId>()?.as_ref(),
            limit: paging.to_read(),
        })
        .await?;
    Ok(paging.answer(&context, found, |group| group.id.to_string(), |group| view::group(&context, group)))
}

/// `POST /api/v1/groups`: answers 200, not 201.
async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(body): Body<GroupBody>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let profile = body.profile.check()?;
    let group = Group {
        other: profile.other,
        ..Group::new(GroupId::generate(&*context.entropy), profile.name, profile.description, context.now())
    };
    let entry = audit::entry(&context, &caller, "group.lifecycle.create", "Create group", &[target(&group)]);
    context
        .change_people(Expectation::Any, vec![Change::PutGroup(group.clone()), entry])
        .await
        .map_err(ApiError::on_conflict("name"))?;
    Ok(Json(view::group(&context, &group)))
}

/// `GET /api/v1/groups/{id}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Groups, Access::Read)?;
    Ok(Json(view::group(&context, &find(&context, &id).await?)))
}

/// `PUT /api/v1/groups/{id}`: replaces the profile.
async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<GroupBody>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let profile = body.profile.check()?;
    for _ in 0..ATTEMPTS {
        let before = find(&context, &id).await?;
        refuse_built_in(&before)?;
        require_over_group(&context, caller.authority(), &before.id).await?;
        let group = Group {
            name: profile.name.clone(),
            description: profile.description.clone(),
            other: profile.other.clone(),
            ..before.clone()
        };
        if group == before {
            return Ok(Json(view::group(&context, &group)));
        }
        let group = Group { last_updated: context.now(), ..group };
        let entry = audit::entry(
            &context,
            &caller,
            "group.profile.update",
            "Update group profile",
            &[target(&group)],
        );
        let as_read = Expectation::Group(before.id.clone(), before.last_updated);
        match context.change_people(as_read, vec![Change::PutGroup(group.clone()), entry]).await {
            Ok(()) => return Ok(Json(view::group(&context, &group))),
            Err(StoreError::Stale) => {}
            Err(error) => return Err(ApiError::on_conflict("name")(error)),
        }
    }
    Err(ApiError::busy())
}

/// `DELETE /api/v1/groups/{id}`: memberships and assignments to applications go with it.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let group = find(&context, &id).await?;
    refuse_built_in(&group)?;
    require_over_group(&context, caller.authority(), &group.id).await?;
    if let Some(rule) = context.store.group_rules().await?.iter().find(|rule| rule.groups.contains(&group.id))
    {
        return Err(ApiError::invalid(
            "id",
            format!(
                "The group rule `{}` puts people into this group: change or delete the rule first",
                rule.name
            ),
        ));
    }
    let entry = audit::entry(&context, &caller, "group.lifecycle.delete", "Delete group", &[target(&group)]);
    context.change_people(Expectation::Any, vec![Change::RemoveGroup(group.id), entry]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/groups/{id}/users?limit&after`
async fn members(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Groups, Access::Read)?;
    let paging = Paging::read(&parameters, 1000, 1000)?;
    let group = find(&context, &id).await?;
    let after = paging.after::<UserId>()?;
    let page = Page { after: after.as_ref(), limit: paging.to_read() };
    let found = context.store.members(&group.id, page).await?;
    Ok(paging.answer(&context, found, |user| user.id.to_string(), |user| view::user(&context, user)))
}

/// `PUT /api/v1/groups/{id}/users/{user}`: also for who is in it already.
async fn add_member(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, user)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let group = find(&context, &id).await?;
    let person = find_person(&context, &user).await?;
    require_joinable(&context, &caller, &group).await?;
    let mut changes = vec![Change::AddMember(group.id.clone(), person.user.id.clone())];
    if !person.is_in(&group.id) {
        let mut groups = person.groups.clone();
        groups.push(group.clone());
        let after = Person { groups, ..person.clone() };
        changes.extend(group_rules::changes_for(&context, caller.authority(), &after).await?);
        let targets = [user_target(&person.user), target(&group)];
        changes.push(audit::entry(
            &context,
            &caller,
            "group.user_membership.add",
            "Add user to group membership",
            &targets,
        ));
    }
    context.change_people(Expectation::Any, changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/groups/{id}/users/{user}`: also for who is not in it.
async fn remove_member(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, user)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let group = find(&context, &id).await?;
    let person = find_person(&context, &user).await?;
    refuse_built_in(&group)?;
    require_over_group(&context, caller.authority(), &group.id).await?;
    if !person.is_in(&group.id) {
        return Ok(StatusCode::NO_CONTENT);
    }
    if is_by_rule(&context, &group, &person.user.id).await? {
        return Err(ApiError::forbidden(
            "A group rule puts this person into the group: exclude the person in the rule, or change the rule",
        ));
    }
    let targets = [user_target(&person.user), target(&group)];
    let entry = audit::entry(
        &context,
        &caller,
        "group.user_membership.remove",
        "Remove user from group membership",
        &targets,
    );
    let mut after = person.clone();
    after.groups.retain(|one| one.id != group.id);
    let mut changes = vec![Change::RemoveMember(group.id, person.user.id)];
    changes.extend(group_rules::changes_for(&context, caller.authority(), &after).await?);
    changes.push(entry);
    context.change_people(Expectation::Any, changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether an active rule would put the person back.
async fn is_by_rule(context: &Context, group: &Group, user: &UserId) -> Result<bool, ApiError> {
    let made: Vec<_> = context
        .store
        .rule_memberships(user)
        .await?
        .into_iter()
        .filter(|(_, made)| *made == group.id)
        .collect();
    if made.is_empty() {
        return Ok(false);
    }
    let rules = context.store.group_rules().await?;
    Ok(rules.iter().any(|rule| rule.status.is_active() && made.iter().any(|(id, _)| *id == rule.id)))
}

/// The group of that id.
pub(crate) async fn find(context: &Context, id: &str) -> Result<Group, ApiError> {
    let missing = || ApiError::not_found("UserGroup", id);
    let parsed = GroupId::parse(id).map_err(|_| missing())?;
    context.store.group(&parsed).await?.ok_or_else(missing)
}

async fn find_person(context: &Context, id: &str) -> Result<Person, ApiError> {
    let missing = || ApiError::not_found("User", id);
    let parsed = UserId::parse(id).map_err(|_| missing())?;
    context.store.person(&parsed).await?.ok_or_else(missing)
}

/// Refuses to put people into a group that the caller may not put them into.
pub(crate) async fn require_joinable(
    context: &Context,
    caller: &Caller,
    group: &Group,
) -> Result<(), ApiError> {
    refuse_built_in(group)?;
    require_over_group(context, caller.authority(), &group.id).await
}

fn refuse_built_in(group: &Group) -> Result<(), ApiError> {
    if group.group_type == GroupType::BuiltIn {
        return Err(ApiError::forbidden(format!(
            "`{}` is built in: everybody is in it, and it does not change",
            group.name
        )));
    }
    Ok(())
}

fn target(group: &Group) -> Target {
    Target::new("UserGroup", &group.id, group.name.as_str())
}

fn user_target(user: &User) -> Target {
    Target::new("User", &user.id, user.profile.login.as_str())
}
