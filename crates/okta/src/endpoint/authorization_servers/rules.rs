//! Rules of an access policy: who gets tokens by which grants, with which scopes, and for how long.

use std::collections::BTreeSet;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use kubesso_directory::{
    Access, Change, GrantType, GroupId, Label, LifetimeError, Lifetimes, Minutes, Policy, Resource, Rule,
    RuleGroups, RuleId, RulePeople, RuleScopes, ScopeName, Server, Snapshot, Status, UserId, rule_warnings,
};
use serde_json::{Map, Value, json};

use super::policies::{find_policy, priority};
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
    const RULES: &str = "/api/v1/authorizationServers/{id}/policies/{policy}/rules";
    Router::new()
        .route(RULES, get(list).post(create))
        .route(&format!("{RULES}/{{rule}}"), get(read).put(replace).delete(remove))
        .route(&format!("{RULES}/{{rule}}/lifecycle/activate"), post(activate))
        .route(&format!("{RULES}/{{rule}}/lifecycle/deactivate"), post(deactivate))
}

/// Stands for everybody whom the application is assigned to.
const EVERYONE: &str = "EVERYONE";

/// A rule as somebody wants it.
#[derive(Clone, Debug)]
struct Wanted {
    name: Label,
    status: Option<Status>,
    priority: Option<u32>,
    grant_types: BTreeSet<GrantType>,
    people: RulePeople,
    scopes: RuleScopes,
    access_token: u32,
    refresh_token: u32,
    refresh_window: u32,
    id_token: Option<u32>,
}

impl Wanted {
    fn read(body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        body.word("type", "RESOURCE_ACCESS", |word| (word == "RESOURCE_ACCESS").then_some(()))?;
        let name = body.required("name", Label::parse)?;
        let status = body.word("status", "ACTIVE or INACTIVE", Status::parse)?;
        let priority = priority(&mut body)?;
        let mut conditions = body.required_object("conditions")?;
        let known = |text: &str| GrantType::parse(text).ok_or_else(|| format!("`{text}` is no grant type"));
        let mut grants = conditions.required_object("grantTypes")?;
        let grant_types = grants
            .all_parsed("include", known)?
            .filter(|grants| !grants.is_empty())
            .ok_or_else(|| grants.refuse("include", "name at least one"))?;
        let people = people(&mut conditions.object("people")?)?;
        let scopes = scopes(&mut conditions.object("scopes")?)?;
        let mut token = body.object("actions")?.object("token")?;
        if token.object("inlineHook")?.text("id")?.is_some_and(|id| !id.is_empty()) {
            return Err(ApiError::unsupported("Inline hooks are not offered"));
        }
        Ok(Self {
            name,
            status,
            priority,
            grant_types: grant_types.into_iter().collect(),
            people,
            scopes,
            access_token: token.number("accessTokenLifetimeMinutes")?.unwrap_or(60),
            refresh_token: token.number("refreshTokenLifetimeMinutes")?.unwrap_or(0),
            refresh_window: token.number("refreshTokenWindowMinutes")?.unwrap_or(10_080),
            id_token: token.number("idTokenLifetimeMinutes")?,
        })
    }

    /// What the rule becomes. An ID token's lifetime, of which Okta's clients do not know, stays if none is sent.
    fn into_rule(self, server: &Server, rules: &[Rule], unchanged: Rule) -> Result<Rule, ApiError> {
        if let RuleScopes::Only(wanted) = &self.scopes {
            let known = match &unchanged.scopes {
                RuleScopes::Any => &BTreeSet::new(),
                RuleScopes::Only(known) => known,
            };
            // One that was deleted since may stay; a new one must be there.
            let is_unknown = |scope: &&ScopeName| !known.contains(*scope) && server.scope(scope).is_none();
            if let Some(scope) = wanted.iter().find(is_unknown) {
                return Err(ApiError::invalid(
                    "conditions.scopes.include",
                    format!("There is no scope {scope}"),
                ));
            }
        }
        if rules.iter().any(|other| other.name == self.name && other.id != unchanged.id) {
            return Err(ApiError::invalid("name", "A rule with this name already exists in this policy"));
        }
        let id_token = self.id_token.or_else(|| unchanged.lifetimes.own_id_token().map(Minutes::get));
        let lifetimes = Lifetimes::new(self.access_token, self.refresh_token, self.refresh_window, id_token);
        Ok(Rule {
            name: self.name,
            status: self.status.unwrap_or(unchanged.status),
            priority: self.priority.unwrap_or(unchanged.priority),
            grant_types: self.grant_types,
            people: self.people,
            scopes: self.scopes,
            lifetimes: lifetimes.map_err(|error| wrong_lifetime(&error))?,
            ..unchanged
        })
    }
}

fn wrong_lifetime(error: &LifetimeError) -> ApiError {
    let member = match error {
        LifetimeError::AccessToken(_) => "accessTokenLifetimeMinutes",
        LifetimeError::IdToken(_) => "idTokenLifetimeMinutes",
        LifetimeError::RefreshToken(..) => "refreshTokenLifetimeMinutes",
        LifetimeError::RefreshWindow(..) => "refreshTokenWindowMinutes",
    };
    ApiError::invalid(&format!("actions.token.{member}"), error)
}

fn people(people: &mut Fields) -> Result<RulePeople, ApiError> {
    let mut users = people.object("users")?;
    let mut groups = people.object("groups")?;
    let ids = |fields: &mut Fields, name: &str| -> Result<BTreeSet<UserId>, ApiError> {
        Ok(fields.all_parsed(name, UserId::parse)?.unwrap_or_default().into_iter().collect())
    };
    let include = groups.texts("include")?.unwrap_or_default();
    let include_groups = if include.iter().any(|group| group == EVERYONE) {
        RuleGroups::Everyone
    } else {
        let parsed: Result<BTreeSet<GroupId>, _> =
            include.iter().map(|group| GroupId::parse(group)).collect();
        RuleGroups::Only(parsed.map_err(|error| groups.refuse("include", error))?)
    };
    Ok(RulePeople {
        include_users: ids(&mut users, "include")?,
        exclude_users: ids(&mut users, "exclude")?,
        include_groups,
        exclude_groups: groups
            .all_parsed("exclude", GroupId::parse)?
            .unwrap_or_default()
            .into_iter()
            .collect(),
    })
}

fn scopes(scopes: &mut Fields) -> Result<RuleScopes, ApiError> {
    let include = scopes.texts("include")?.unwrap_or_else(|| vec!["*".to_owned()]);
    if include.iter().any(|scope| scope == "*") {
        return Ok(RuleScopes::Any);
    }
    let parsed: Result<BTreeSet<ScopeName>, _> =
        include.iter().map(|scope| ScopeName::parse(scope)).collect();
    parsed.map(RuleScopes::Only).map_err(|error| scopes.refuse("include", error))
}

async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let snapshot = context.snapshot().await?;
    let (policy, rules) = find_policy(find(&snapshot, &id)?, &policy)?;
    let found: Vec<&Rule> = rules.iter().collect();
    Ok(paging.answer_all(&context, found, |rule| rule.id.to_string(), |rule| shown(&context, policy, rule)))
}

/// `POST …/rules`: without a priority it comes last.
async fn create(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    require_people(&context, &wanted.people, None).await?;
    let rule_id = RuleId::generate(&*context.entropy);
    let (policy, rule) = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let (policy, rules) = find_policy(server, &policy)?;
            let now = context.now();
            let unchanged = Rule {
                id: rule_id.clone(),
                policy: policy.id.clone(),
                name: wanted.name.clone(),
                status: Status::Active,
                priority: rules.iter().map(|rule| rule.priority + 1).max().unwrap_or(1),
                grant_types: BTreeSet::new(),
                people: RulePeople::everyone(),
                scopes: RuleScopes::Any,
                lifetimes: Lifetimes::default(),
                system: false,
                created: now,
                last_updated: now,
            };
            let rule = wanted.clone().into_rule(server, rules, unchanged)?;
            let mut changes = vec![Change::PutRule(rule.clone())];
            changes.extend(giving_way(rules, &rule));
            changes.push(entry(
                &context,
                &caller,
                "oauth2.as.policy.rule.created",
                "Create rule",
                server,
                &rule,
            ));
            Ok((changes, (policy.clone(), rule)))
        })
        .await?;
    let snapshot = context.snapshot().await?;
    let answer = (StatusCode::CREATED, Json(shown(&context, &policy, &rule)));
    Ok(warned(&snapshot, &policy, &rule).with(answer))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy, rule)): Ids<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let (policy, rules) = find_policy(find(&snapshot, &id)?, &policy)?;
    Ok(Json(shown(&context, policy, find_rule(rules, &rule)?)))
}

async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy, rule)): Ids<(String, String, String)>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let known = {
        let snapshot = context.snapshot().await?;
        let (_, rules) = find_policy(find(&snapshot, &id)?, &policy)?;
        find_rule(rules, &rule)?.people.clone()
    };
    require_people(&context, &wanted.people, Some(&known)).await?;
    let (policy, after) = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let (policy, rules) = find_policy(server, &policy)?;
            let before = find_rule(rules, &rule)?;
            let after = wanted.clone().into_rule(server, rules, before.clone())?;
            if after == *before {
                return Ok((Vec::new(), (policy.clone(), after)));
            }
            let after = Rule { last_updated: context.now(), ..after };
            let mut changes = vec![Change::PutRule(after.clone())];
            if after.priority != before.priority {
                changes.extend(giving_way(rules, &after));
            }
            changes.push(entry(
                &context,
                &caller,
                "oauth2.as.policy.rule.updated",
                "Update rule",
                server,
                &after,
            ));
            Ok((changes, (policy.clone(), after)))
        })
        .await?;
    let snapshot = context.snapshot().await?;
    Ok(warned(&snapshot, &policy, &after).with(Json(shown(&context, &policy, &after)).into_response()))
}

async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy, rule)): Ids<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let (_, rules) = find_policy(server, &policy)?;
            let rule = find_rule(rules, &rule)?;
            let entry =
                entry(&context, &caller, "oauth2.as.policy.rule.deleted", "Delete rule", server, rule);
            Ok((vec![Change::RemoveRule(rule.id.clone()), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn activate(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy, rule)): Ids<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    set_status(&context, &caller, [&id, &policy, &rule], Status::Active).await
}

async fn deactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy, rule)): Ids<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    set_status(&context, &caller, [&id, &policy, &rule], Status::Inactive).await
}

async fn set_status(
    context: &Context,
    caller: &Caller,
    [id, policy, rule]: [&str; 3],
    status: Status,
) -> Result<StatusCode, ApiError> {
    require_manage(caller, id)?;
    context
        .change_configuration(|snapshot| {
            let server = find(snapshot, id)?;
            let (_, rules) = find_policy(server, policy)?;
            let before = find_rule(rules, rule)?;
            if before.status == status {
                return Ok((Vec::new(), ()));
            }
            let after = Rule { status, last_updated: context.now(), ..before.clone() };
            let (event, message) = match status {
                Status::Active => ("oauth2.as.policy.rule.activated", "Activate rule"),
                Status::Inactive => ("oauth2.as.policy.rule.deactivated", "Deactivate rule"),
            };
            let entry = entry(context, caller, event, message, server, &after);
            Ok((vec![Change::PutRule(after), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses people and groups that are not there. Those that the rule had already may have gone since.
async fn require_people(
    context: &Context,
    people: &RulePeople,
    known: Option<&RulePeople>,
) -> Result<(), ApiError> {
    let nobody = RulePeople { include_groups: RuleGroups::Only(BTreeSet::new()), ..RulePeople::everyone() };
    let known = known.unwrap_or(&nobody);
    let only = |groups: &RuleGroups| match groups {
        RuleGroups::Everyone => BTreeSet::new(),
        RuleGroups::Only(groups) => groups.clone(),
    };
    let groups = [
        ("include", only(&people.include_groups), only(&known.include_groups)),
        ("exclude", people.exclude_groups.clone(), known.exclude_groups.clone()),
    ];
    for (member, wanted, known) in groups {
        for group in wanted.difference(&known) {
            if context.store.group(group).await?.is_none() {
                let at = format!("conditions.people.groups.{member}");
                return Err(ApiError::invalid(&at, format!("There is no group {group}")));
            }
        }
    }
    let users = [
        ("include", &people.include_users, &known.include_users),
        ("exclude", &people.exclude_users, &known.exclude_users),
    ];
    for (member, wanted, known) in users {
        for user in wanted.difference(known) {
            if context.store.user(user).await?.is_none() {
                let at = format!("conditions.people.users.{member}");
                return Err(ApiError::invalid(&at, format!("There is no user {user}")));
            }
        }
    }
    Ok(())
}

fn warned(snapshot: &Snapshot, policy: &Policy, rule: &Rule) -> Warnings {
    let mut warnings = Warnings::default();
    for warning in rule_warnings(policy, rule, snapshot) {
        warnings.add(warning.to_string());
    }
    warnings
}

fn find_rule<'a>(rules: &'a [Rule], id: &str) -> Result<&'a Rule, ApiError> {
    rules.iter().find(|rule| rule.id.as_str() == id).ok_or_else(|| ApiError::not_found("PolicyRule", id))
}

/// The other rules that give way to `placed`.
fn giving_way(rules: &[Rule], placed: &Rule) -> Vec<Change> {
    let others: Vec<&Rule> = rules.iter().filter(|rule| rule.id != placed.id).collect();
    let priorities: Vec<u32> = others.iter().map(|rule| rule.priority).collect();
    let moved = moved_down(&priorities, placed.priority).into_iter();
    moved.map(|(at, priority)| Change::PutRule(Rule { priority, ..others[at].clone() })).collect()
}

fn entry(
    context: &Context,
    caller: &Caller,
    event: &str,
    message: &str,
    server: &Server,
    rule: &Rule,
) -> Change {
    let targets = [Target::new("PolicyRule", &rule.id, rule.name.as_str()), target(&server.server)];
    audit::entry(context, caller, event, message, &targets)
}

fn shown(context: &Context, policy: &Policy, rule: &Rule) -> Value {
    let url = |rest: &str| {
        server_url(context, &policy.server, &format!("/policies/{}/rules/{}{rest}", policy.id, rule.id))
    };
    let verb = if rule.status.is_active() { "deactivate" } else { "activate" };
    let include_groups = match &rule.people.include_groups {
        RuleGroups::Everyone => json!([EVERYONE]),
        RuleGroups::Only(groups) => json!(groups),
    };
    let scopes = match &rule.scopes {
        RuleScopes::Any => json!(["*"]),
        RuleScopes::Only(scopes) => json!(scopes),
    };
    let lifetimes = &rule.lifetimes;
    let mut token = json!({
        "accessTokenLifetimeMinutes": lifetimes.access_token().get(),
        "refreshTokenLifetimeMinutes": lifetimes.refresh_token().map_or(0, Minutes::get),
        "refreshTokenWindowMinutes": lifetimes.refresh_window().get(),
    });
    if let Some(minutes) = lifetimes.own_id_token() {
        token["idTokenLifetimeMinutes"] = minutes.get().into();
    }
    json!({
        "id": rule.id.as_str(),
        "status": rule.status.as_str(),
        "name": rule.name.as_str(),
        "priority": rule.priority,
        "created": time::text(rule.created),
        "lastUpdated": time::text(rule.last_updated),
        "system": rule.system,
        "conditions": {
            "people": {
                "users": { "include": rule.people.include_users, "exclude": rule.people.exclude_users },
                "groups": { "include": include_groups, "exclude": rule.people.exclude_groups },
            },
            "grantTypes": { "include": rule.grant_types },
            "scopes": { "include": scopes },
        },
        "actions": { "token": token },
        "type": "RESOURCE_ACCESS",
        "_links": {
            "self": link(url(""), &["GET", "PUT", "DELETE"]),
            verb: link(url(&format!("/lifecycle/{verb}")), &["POST"]),
        },
    })
}
