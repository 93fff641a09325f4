//! Access policies of an authorization server: for which clients its rules are.

use std::collections::BTreeSet;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use kubesso_directory::{
    Access, Change, ClientId, Label, Policy, PolicyClients, PolicyId, Resource, Rule, Server, Snapshot,
    Status, rule_warnings,
};
use serde_json::{Map, Value, json};

use super::priority::moved_down;
use super::{find, link, require_manage, server_url, target};
use crate::answer::Warnings;
use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/authorizationServers/{id}/policies", get(list).post(create))
        .route("/api/v1/authorizationServers/{id}/policies/{policy}", get(read).put(replace).delete(remove))
        .route("/api/v1/authorizationServers/{id}/policies/{policy}/lifecycle/activate", post(activate))
        .route("/api/v1/authorizationServers/{id}/policies/{policy}/lifecycle/deactivate", post(deactivate))
}

/// Stands for every application.
const ALL_CLIENTS: &str = "ALL_CLIENTS";

/// A policy as somebody wants it.
#[derive(Clone, Debug)]
struct Wanted {
    name: Label,
    description: String,
    status: Option<Status>,
    priority: Option<u32>,
    clients: PolicyClients,
}

impl Wanted {
    fn read(body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        body.word("type", "OAUTH_AUTHORIZATION_POLICY", |word| {
            (word == "OAUTH_AUTHORIZATION_POLICY").then_some(())
        })?;
        let name = body.required("name", Label::parse)?;
        let description = body.text("description")?.unwrap_or_default();
        if description.chars().count() > 255 {
            return Err(body.refuse("description", "use at most 255 characters"));
        }
        let status = body.word("status", "ACTIVE or INACTIVE", Status::parse)?;
        let priority = priority(&mut body)?;
        let mut clients = body.object("conditions")?.object("clients")?;
        let include = clients.texts("include")?.unwrap_or_else(|| vec![ALL_CLIENTS.to_owned()]);
        let clients = if include.iter().any(|client| client == ALL_CLIENTS) {
            PolicyClients::All
        } else {
            let parsed: Result<BTreeSet<ClientId>, _> =
                include.iter().map(|client| ClientId::parse(client)).collect();
            PolicyClients::Only(parsed.map_err(|error| clients.refuse("include", error))?)
        };
        Ok(Self { name, description, status, priority, clients })
    }

    /// What the policy becomes. `before` is what it was, if it was.
    fn into_policy(
        self,
        snapshot: &Snapshot,
        server: &Server,
        unchanged: Policy,
    ) -> Result<Policy, ApiError> {
        if let PolicyClients::Only(wanted) = &self.clients {
            // One that was deleted since may stay; a new one must be there.
            let is_known = |client: &ClientId| match &unchanged.clients {
                PolicyClients::All => false,
                PolicyClients::Only(known) => known.contains(client),
            };
            let unknown =
                wanted.iter().find(|client| !is_known(client) && snapshot.application(client).is_none());
            if let Some(client) = unknown {
                return Err(ApiError::invalid(
                    "conditions.clients.include",
                    format!("There is no client {client}"),
                ));
            }
        }
        let is_taken = |(other, _): (&Policy, &[Rule])| other.name == self.name && other.id != unchanged.id;
        if server.policies().any(is_taken) {
            return Err(ApiError::invalid(
                "name",
                "A policy with this name already exists in this authorization server",
            ));
        }
        Ok(Policy {
            name: self.name,
            description: self.description,
            status: self.status.unwrap_or(unchanged.status),
            priority: self.priority.unwrap_or(unchanged.priority),
            clients: self.clients,
            ..unchanged
        })
    }
}

/// A place in the order, from 1.
pub(super) fn priority(body: &mut Fields) -> Result<Option<u32>, ApiError> {
    match body.number("priority")? {
        Some(0) => Err(body.refuse("priority", "use a whole number from 1")),
        Some(priority) if priority > 10_000 => Err(body.refuse("priority", "use a whole number up to 10000")),
        priority => Ok(priority),
    }
}

async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let snapshot = context.snapshot().await?;
    let found: Vec<&Policy> = find(&snapshot, &id)?.policies().map(|(policy, _)| policy).collect();
    Ok(paging.answer_all(&context, found, |policy| policy.id.to_string(), |policy| shown(&context, policy)))
}

/// `POST …/policies`: without a priority it comes last.
async fn create(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let policy_id = PolicyId::generate(&*context.entropy);
    let policy = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let now = context.now();
            let unchanged = Policy {
                id: policy_id.clone(),
                server: server.server.id.clone(),
                name: wanted.name.clone(),
                description: String::new(),
                status: Status::Active,
                priority: server.policies().map(|(policy, _)| policy.priority + 1).max().unwrap_or(1),
                clients: PolicyClients::All,
                system: false,
                created: now,
                last_updated: now,
            };
            let policy = wanted.clone().into_policy(snapshot, server, unchanged)?;
            let mut changes = vec![Change::PutPolicy(policy.clone())];
            changes.extend(giving_way(server, &policy));
            changes.push(entry(
                &context,
                &caller,
                "oauth2.as.policy.created",
                "Create policy",
                server,
                &policy,
            ));
            Ok((changes, policy))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&context, &policy))))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let (policy, _) = find_policy(find(&snapshot, &id)?, &policy)?;
    Ok(Json(shown(&context, policy)))
}

async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let after = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let (before, _) = find_policy(server, &policy)?;
            let after = wanted.clone().into_policy(snapshot, server, before.clone())?;
            if after == *before {
                return Ok((Vec::new(), after));
            }
            let after = Policy { last_updated: context.now(), ..after };
            let mut changes = vec![Change::PutPolicy(after.clone())];
            if after.priority != before.priority {
                changes.extend(giving_way(server, &after));
            }
            changes.push(entry(
                &context,
                &caller,
                "oauth2.as.policy.updated",
                "Update policy",
                server,
                &after,
            ));
            Ok((changes, after))
        })
        .await?;
    let snapshot = context.snapshot().await?;
    let mut warnings = Warnings::default();
    if let Ok((policy, rules)) =
        find(&snapshot, &id).and_then(|server| find_policy(server, after.id.as_str()))
    {
        for warning in rules.iter().flat_map(|rule| rule_warnings(policy, rule, &snapshot)) {
            warnings.add(warning.to_string());
        }
    }
    Ok(warnings.with(Json(shown(&context, &after)).into_response()))
}

/// `DELETE`: with its rules.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let (policy, _) = find_policy(server, &policy)?;
            let entry = entry(&context, &caller, "oauth2.as.policy.deleted", "Delete policy", server, policy);
            Ok((vec![Change::RemovePolicy(policy.id.clone()), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn activate(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    set_status(&context, &caller, &id, &policy, Status::Active).await
}

async fn deactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    set_status(&context, &caller, &id, &policy, Status::Inactive).await
}

async fn set_status(
    context: &Context,
    caller: &Caller,
    id: &str,
    policy: &str,
    status: Status,
) -> Result<StatusCode, ApiError> {
    require_manage(caller, id)?;
    context
        .change_configuration(|snapshot| {
            let server = find(snapshot, id)?;
            let (before, _) = find_policy(server, policy)?;
            if before.status == status {
                return Ok((Vec::new(), ()));
            }
            let after = Policy { status, last_updated: context.now(), ..before.clone() };
            let (event, message) = match status {
                Status::Active => ("oauth2.as.policy.activated", "Activate policy"),
                Status::Inactive => ("oauth2.as.policy.deactivated", "Deactivate policy"),
            };
            let entry = entry(context, caller, event, message, server, &after);
            Ok((vec![Change::PutPolicy(after), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The policy of that id, with its rules.
pub(super) fn find_policy<'a>(server: &'a Server, id: &str) -> Result<(&'a Policy, &'a [Rule]), ApiError> {
    server
        .policies()
        .find(|(policy, _)| policy.id.as_str() == id)
        .ok_or_else(|| ApiError::not_found("Policy", id))
}

/// The other policies that give way to `placed`.
fn giving_way(server: &Server, placed: &Policy) -> Vec<Change> {
    let others: Vec<&Policy> =
        server.policies().map(|(policy, _)| policy).filter(|policy| policy.id != placed.id).collect();
    let priorities: Vec<u32> = others.iter().map(|policy| policy.priority).collect();
    let moved = moved_down(&priorities, placed.priority).into_iter();
    moved.map(|(at, priority)| Change::PutPolicy(Policy { priority, ..others[at].clone() })).collect()
}

fn entry(
    context: &Context,
    caller: &Caller,
    event: &str,
    message: &str,
    server: &Server,
    policy: &Policy,
) -> Change {
    let targets = [Target::new("Policy", &policy.id, policy.name.as_str()), target(&server.server)];
    audit::entry(context, caller, event, message, &targets)
}

fn shown(context: &Context, policy: &Policy) -> Value {
    let url = |rest: &str| server_url(context, &policy.server, &format!("/policies/{}{rest}", policy.id));
    let include = match &policy.clients {
        PolicyClients::All => json!([ALL_CLIENTS]),
        PolicyClients::Only(clients) => json!(clients),
    };
    let verb = if policy.status.is_active() { "deactivate" } else { "activate" };
    json!({
        "id": policy.id.as_str(),
        "status": policy.status.as_str(),
        "name": policy.name.as_str(),
        "description": policy.description,
        "priority": policy.priority,
        "system": policy.system,
        "conditions": { "clients": { "include": include } },
        "created": time::text(policy.created),
        "lastUpdated": time::text(policy.last_updated),
        "type": "OAUTH_AUTHORIZATION_POLICY",
        "_links": {
            "self": link(url(""), &["GET", "PUT", "DELETE"]),
            verb: link(url(&format!("/lifecycle/{verb}")), &["POST"]),
            "rules": link(url("/rules"), &["GET"]),
        },
    })
}
