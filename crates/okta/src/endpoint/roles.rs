//! Administrators: which people, groups and programs hold which roles. Only a super administrator changes that.

use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::StatusCode;
use kubesso_directory::{
    Access, AdminRole, Change, ClientId, Expectation, Resource, RoleAssignment, RoleAssignmentId, RoleHolder,
};
use serde_json::{Map, Value, json};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::endpoint::{groups, users};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::parameters::Ids;
use crate::time;

pub(crate) fn routes() -> Router<Context> {
    roles_of(HolderKind::User, "/api/v1/users/{id}/roles")
        .merge(roles_of(HolderKind::Group, "/api/v1/groups/{id}/roles"))
        .merge(roles_of(HolderKind::Client, "/oauth2/v1/clients/{id}/roles"))
        .route("/api/v1/iam/assignees/users", get(users_with_roles))
}

fn roles_of(kind: HolderKind, collection: &str) -> Router<Context> {
    let listed = if kind == HolderKind::User { get(list_of_user) } else { get(list) };
    Router::new()
        .route(collection, listed.post(assign))
        .route(&format!("{collection}/{{role}}"), get(read).delete(unassign))
        .route_layer(Extension(kind))
}

/// Who the holders at an address are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HolderKind {
    User,
    Group,
    Client,
}

impl HolderKind {
    async fn find(self, context: &Context, caller: &Caller, id: &str) -> Result<Holder, ApiError> {
        match self {
            Self::User => user(context, caller, id).await,
            Self::Group => group(context, id).await,
            Self::Client => client(context, id).await,
        }
    }
}

/// Somebody who holds roles or could.
struct Holder {
    who: RoleHolder,
    assignment_type: &'static str,
    target: Target,
    /// The collection of its roles, without the origin.
    path: String,
}

async fn user(context: &Context, caller: &Caller, id: &str) -> Result<Holder, ApiError> {
    let user = users::find_or_me(context, caller, id).await?;
    Ok(Holder {
        assignment_type: "USER",
        target: Target::new("User", &user.id, user.profile.login.as_str()),
        path: format!("/api/v1/users/{}/roles", user.id),
        who: RoleHolder::User(user.id),
    })
}

async fn group(context: &Context, id: &str) -> Result<Holder, ApiError> {
    let group = groups::find(context, id).await?;
    Ok(Holder {
        assignment_type: "GROUP",
        target: Target::new("UserGroup", &group.id, group.name.as_str()),
        path: format!("/api/v1/groups/{}/roles", group.id),
        who: RoleHolder::Group(group.id),
    })
}

async fn client(context: &Context, id: &str) -> Result<Holder, ApiError> {
    let missing = || ApiError::not_found("PublicClientApp", id);
    let client = ClientId::parse(id).map_err(|_| missing())?;
    let snapshot = context.snapshot().await?;
    let application = snapshot.application(&client).ok_or_else(missing)?;
    Ok(Holder {
        assignment_type: "CLIENT",
        target: Target::new("PublicClientApp", &application.client_id, application.label.as_str()),
        path: format!("/oauth2/v1/clients/{}/roles", application.client_id),
        who: RoleHolder::Client(application.client_id.clone()),
    })
}

/// `GET /api/v1/users/{id}/roles`: those of the person's groups too.
async fn list_of_user(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Roles, Access::Read)?;
    let holder = user(&context, &caller, &id).await?;
    let RoleHolder::User(user) = &holder.who else { return Ok(Json(json!([]))) };
    let person = context.store.person(user).await?.ok_or_else(|| ApiError::not_found("User", &id))?;
    let mut shown: Vec<Value> = roles(&context, &holder.who)
        .await?
        .iter()
        .map(|assignment| view(&context, &holder, assignment))
        .collect();
    for group in &person.groups {
        let holder =
            Holder { assignment_type: "GROUP", who: RoleHolder::Group(group.id.clone()), ..holder.copy() };
        let of_group = roles(&context, &holder.who).await?;
        shown.extend(of_group.iter().map(|assignment| view(&context, &holder, assignment)));
    }
    Ok(Json(shown.into()))
}

impl Holder {
    fn copy(&self) -> Self {
        Self {
            who: self.who.clone(),
            assignment_type: self.assignment_type,
            target: self.target.clone(),
            path: self.path.clone(),
        }
    }
}

async fn list(
    State(context): State<Context>,
    Extension(kind): Extension<HolderKind>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Roles, Access::Read)?;
    let holder = kind.find(&context, &caller, &id).await?;
    let roles = roles(&context, &holder.who).await?;
    Ok(Json(roles.iter().map(|assignment| view(&context, &holder, assignment)).collect()))
}

async fn roles(context: &Context, holder: &RoleHolder) -> Result<Vec<RoleAssignment>, ApiError> {
    Ok(context.store.roles_of(holder).await?)
}

async fn read(
    State(context): State<Context>,
    Extension(kind): Extension<HolderKind>,
    caller: Caller,
    Ids((id, role)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Roles, Access::Read)?;
    let holder = kind.find(&context, &caller, &id).await?;
    let assignment = find(&context, &holder, &role).await?;
    Ok(Json(view(&context, &holder, &assignment)))
}

fn require_to_change(caller: &Caller) -> Result<(), ApiError> {
    caller.authority().require(Resource::Roles, Access::Manage)?;
    caller.authority().require_super_admin("give and take administrators' roles")
}

/// `POST …/roles`: `{type}`
async fn assign(
    State(context): State<Context>,
    Extension(kind): Extension<HolderKind>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    require_to_change(&caller)?;
    let holder = kind.find(&context, &caller, &id).await?;
    let mut body = Fields::of_body(body);
    let role = body
        .word("type", &known_roles(), AdminRole::parse)?
        .ok_or_else(|| ApiError::invalid("type", "The field cannot be left blank"))?;
    let present = roles(&context, &holder.who).await?;
    if let Some(present) = present.iter().find(|assignment| assignment.role == role) {
        return Err(ApiError::state(
            StatusCode::CONFLICT,
            "E0000090",
            "Duplicate role assignment exception.",
            format!("{} is assigned already, as {}", role.as_str(), present.id),
        ));
    }
    let assignment = RoleAssignment {
        id: RoleAssignmentId::generate(&*context.entropy),
        holder: holder.who.clone(),
        role,
        created: context.now(),
    };
    let event = match holder.who {
        RoleHolder::User(_) => "user.account.privilege.grant",
        RoleHolder::Group(_) => "group.privilege.grant",
        RoleHolder::Client(_) => "app.oauth2.client.privilege.grant",
    };
    let message = format!("Grant the administrator role {}", role.as_str());
    let entry = audit::entry(&context, &caller, event, &message, std::slice::from_ref(&holder.target));
    context.change_people(Expectation::Any, vec![Change::AssignRole(assignment.clone()), entry]).await?;
    Ok((StatusCode::CREATED, Json(view(&context, &holder, &assignment))))
}

/// The roles that there are, for a refusal.
fn known_roles() -> String {
    AdminRole::ALL.map(AdminRole::as_str).join(", ")
}

/// `DELETE …/roles/{role}`
async fn unassign(
    State(context): State<Context>,
    Extension(kind): Extension<HolderKind>,
    caller: Caller,
    Ids((id, role)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require_to_change(&caller)?;
    let holder = kind.find(&context, &caller, &id).await?;
    let assignment = find(&context, &holder, &role).await?;
    let event = match holder.who {
        RoleHolder::User(_) => "user.account.privilege.revoke",
        RoleHolder::Group(_) => "group.privilege.revoke",
        RoleHolder::Client(_) => "app.oauth2.client.privilege.revoke",
    };
    let message = format!("Revoke the administrator role {}", assignment.role.as_str());
    let entry = audit::entry(&context, &caller, event, &message, std::slice::from_ref(&holder.target));
    context.change_people(Expectation::Any, vec![Change::UnassignRole(assignment.id), entry]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/iam/assignees/users`: the people who hold a role themselves.
async fn users_with_roles(State(context): State<Context>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Roles, Access::Read)?;
    let mut holders: Vec<_> = context
        .store
        .roles()
        .await?
        .into_iter()
        .filter_map(|assignment| match assignment.holder {
            RoleHolder::User(user) => Some(user),
            RoleHolder::Group(_) | RoleHolder::Client(_) => None,
        })
        .collect();
    holders.sort();
    holders.dedup();
    let shown: Vec<Value> = holders
        .iter()
        .map(|user| {
            let link = |rest: &str| json!({ "href": context.url(&format!("/api/v1/users/{user}{rest}")) });
            json!({ "id": user.as_str(), "_links": { "self": link(""), "roles": link("/roles") } })
        })
        .collect();
    Ok(Json(json!({ "value": shown })))
}

async fn find(context: &Context, holder: &Holder, role: &str) -> Result<RoleAssignment, ApiError> {
    let missing = || ApiError::not_found("RoleAssignment", role);
    let id = RoleAssignmentId::parse(role).map_err(|_| missing())?;
    let roles = roles(context, &holder.who).await?;
    roles.into_iter().find(|assignment| assignment.id == id).ok_or_else(missing)
}

fn view(context: &Context, holder: &Holder, assignment: &RoleAssignment) -> Value {
    json!({
        "id": assignment.id.as_str(),
        "label": assignment.role.label(),
        "type": assignment.role.as_str(),
        "status": "ACTIVE",
        "assignmentType": holder.assignment_type,
        "created": time::text(assignment.created),
        "lastUpdated": time::text(assignment.created),
        "_links": { "self": { "href": context.url(&format!("{}/{}", holder.path, assignment.id)) } },
    })
}
