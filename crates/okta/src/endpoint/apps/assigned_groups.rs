//! Which groups may use an application.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, Application, ApplicationId, Change, GroupAssignment, GroupId, Resource, Snapshot,
};
use serde_json::{Map, Value, json};

use super::{find, find_group, secrets_for, target, view};
use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::OptionalBody;
use crate::context::Context;
use crate::endpoint::groups;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

/// The last place that can be asked for. Those that give way may come behind it.
const LAST_PLACE: u32 = 100_000;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/apps/{id}/groups", get(list))
        .route("/api/v1/apps/{id}/groups/{group}", get(read).put(assign).delete(unassign))
        .route("/api/v1/groups/{id}/apps", get(applications_of_group))
}

/// `GET /api/v1/apps/{id}/groups?limit&after`, in the order of their priorities.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let paging = Paging::read(&parameters, 20, 200)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let assigned: Vec<_> = snapshot.group_assignments(&application.id).iter().collect();
    Ok(paging.answer_all(
        &context,
        assigned,
        |assigned| assigned.group.to_string(),
        |assigned| shown(&context, assigned),
    ))
}

/// `GET /api/v1/apps/{id}/groups/{group}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, group)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let assigned = find_assignment(&snapshot, &application.id, &group)?;
    Ok(Json(shown(&context, assigned)))
}

/// `PUT /api/v1/apps/{id}/groups/{group}`: with `{priority?, profile?}` or without a body; also for who has it already.
/// A new one without a priority comes last.
async fn assign(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, group)): Ids<(String, String)>,
    OptionalBody(body): OptionalBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    let mut body = Fields::of_body(body.unwrap_or_default());
    let priority = body.number("priority")?;
    if priority.is_some_and(|priority| priority > LAST_PLACE) {
        return Err(body.refuse("priority", format!("use a whole number up to {LAST_PLACE}")));
    }
    let has_profile = body.has("profile");
    let profile = body.object("profile")?.rest();
    let group = find_group(&context, &group).await?;
    let after = context
        .change_configuration(|snapshot| {
            let application = find(snapshot, &id)?;
            let all = snapshot.group_assignments(&application.id);
            let before = all.iter().find(|assigned| assigned.group == group);
            let last = all.iter().map(|assigned| assigned.priority + 1).max().unwrap_or(0);
            let unchanged = before.cloned().unwrap_or_else(|| {
                GroupAssignment::new(application.id.clone(), group.clone(), last, context.now())
            });
            let after = GroupAssignment {
                priority: priority.unwrap_or(unchanged.priority),
                profile: if has_profile { profile.clone() } else { unchanged.profile.clone() },
                ..unchanged
            };
            if before == Some(&after) {
                return Ok((Vec::new(), after));
            }
            let after = GroupAssignment { last_updated: context.now(), ..after };
            let mut changes = vec![Change::AssignGroup(after.clone())];
            if priority.is_some() {
                changes.extend(moved_down(all, &after));
            }
            changes.push(entry(&context, &caller, application, &group, before.is_some()));
            Ok((changes, after))
        })
        .await?;
    Ok(Json(shown(&context, &after)))
}

/// Those that give way to an assignment: the one that had its priority, and whoever stands behind without a gap.
fn moved_down(all: &[GroupAssignment], placed: &GroupAssignment) -> Vec<Change> {
    let mut taken = placed.priority;
    let mut changes = Vec::new();
    for assigned in all.iter().filter(|assigned| assigned.group != placed.group) {
        if assigned.priority == taken {
            taken += 1;
            changes.push(Change::AssignGroup(GroupAssignment { priority: taken, ..assigned.clone() }));
        }
    }
    changes
}

fn entry(
    context: &Context,
    caller: &Caller,
    application: &Application,
    group: &GroupId,
    was_there: bool,
) -> Change {
    let (event, message) = if was_there {
        ("application.group_membership.update", "Update group assignment of application")
    } else {
        ("group.application_assignment.add", "Add assigned application to group")
    };
    audit::entry(
        context,
        caller,
        event,
        message,
        &[target(application), Target::new("UserGroup", group, group.as_str())],
    )
}

/// `DELETE /api/v1/apps/{id}/groups/{group}`: judged anew at everybody's next token.
async fn unassign(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, group)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    context
        .change_configuration(|snapshot| {
            let application = find(snapshot, &id)?;
            let assigned = find_assignment(snapshot, &application.id, &group)?;
            let targets =
                [target(application), Target::new("UserGroup", &assigned.group, assigned.group.as_str())];
            let message = "Remove assigned application from group";
            let entry =
                audit::entry(&context, &caller, "group.application_assignment.remove", message, &targets);
            let unassign = Change::UnassignGroup(application.id.clone(), assigned.group.clone());
            Ok((vec![unassign, entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/groups/{id}/apps?limit&after`
async fn applications_of_group(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Groups, Access::Read)?;
    let paging = Paging::read(&parameters, 20, 200)?;
    let group = groups::find(&context, &id).await?;
    let snapshot = context.snapshot().await?;
    let mut found: Vec<&Application> = snapshot
        .applications()
        .filter(|application| {
            snapshot.group_assignments(&application.id).iter().any(|assigned| assigned.group == group.id)
        })
        .collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let secrets = secrets_for(&caller);
    Ok(paging.answer_all(
        &context,
        found,
        |application| application.id.to_string(),
        |application| view::application(&context, application, secrets),
    ))
}

fn find_assignment<'a>(
    snapshot: &'a Snapshot,
    application: &ApplicationId,
    group: &str,
) -> Result<&'a GroupAssignment, ApiError> {
    let mut all = snapshot.group_assignments(application).iter();
    all.find(|assigned| assigned.group.as_str() == group)
        .ok_or_else(|| ApiError::not_found("ApplicationGroupAssignment", group))
}

fn shown(context: &Context, assigned: &GroupAssignment) -> Value {
    let application = format!("/api/v1/apps/{}", assigned.application);
    json!({
        "id": assigned.group.as_str(),
        "lastUpdated": time::text(assigned.last_updated),
        "priority": assigned.priority,
        "profile": assigned.profile,
        "_links": {
            "app": { "href": context.url(&application) },
            "self": { "href": context.url(&format!("{application}/groups/{}", assigned.group)) },
            "group": { "href": context.url(&format!("/api/v1/groups/{}", assigned.group)) },
        },
    })
}
