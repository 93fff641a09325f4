//! Group rules: who is put into groups by what an expression says of them. A rule speaks from its activation on, for
//! everybody, and again whenever a person changes.

use std::collections::BTreeSet;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use kubesso_directory::{
    Access, Change, Expectation, Expression, GroupId, GroupRule, GroupRuleId, Label, Page, Person, Resource,
    Status, UserId, UserStatus,
};
use serde_json::{Map, Value, json};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::authority::{Authority, require_over_group};
use crate::body::Body;
use crate::context::Context;
use crate::endpoint::{groups, users};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};
use crate::time;

/// So many people are looked at and written at once when a rule is activated.
const STEP: u32 = 500;
/// So many groups of one rule at most: fewer than [`STEP`], which one person's memberships must fit into.
const MOST_GROUPS: usize = 100;
/// The longest name, in characters; Okta's.
const LONGEST_NAME: usize = 50;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/groups/rules", get(list).post(create))
        .route("/api/v1/groups/rules/{id}", get(read).put(replace).delete(remove))
        .route("/api/v1/groups/rules/{id}/lifecycle/activate", post(activate))
        .route("/api/v1/groups/rules/{id}/lifecycle/deactivate", post(deactivate))
}

/// What a request wants a rule to be.
struct Wanted {
    name: Label,
    expression: Expression,
    excluded_users: BTreeSet<UserId>,
    groups: BTreeSet<GroupId>,
}

impl Wanted {
    async fn read(context: &Context, caller: &Caller, body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        body.word("type", "group_rule", |word| (word == "group_rule").then_some(()))?;
        let name = body.required("name", Label::parse)?;
        if name.as_str().chars().count() > LONGEST_NAME {
            return Err(body.refuse("name", format!("use at most {LONGEST_NAME} characters")));
        }
        let mut conditions = body.required_object("conditions")?;
        let mut expression = conditions.required_object("expression")?;
        expression.word("type", "urn:okta:expression:1.0", |word| {
            (word == "urn:okta:expression:1.0").then_some(())
        })?;
        let text = Expression::new(expression.required_text("value")?);
        text.check_condition().map_err(|error| expression.refuse("value", error))?;
        let mut people = conditions.object("people")?;
        let mut excluded_users = BTreeSet::new();
        let mut excluded = people.object("users")?;
        for id in excluded.texts("exclude")?.unwrap_or_default() {
            excluded_users.insert(users::find(context, &id).await?.id);
        }
        if !people.object("groups")?.texts("exclude")?.unwrap_or_default().is_empty() {
            return Err(ApiError::unsupported(
                "Groups are not excluded from a rule: say it in the expression, with !isMemberOfAnyGroup(…)",
            ));
        }
        let mut actions = body.required_object("actions")?;
        let mut assign = actions.required_object("assignUserToGroups")?;
        let mut into = BTreeSet::new();
        for id in assign.texts("groupIds")?.unwrap_or_default() {
            let group = groups::find(context, &id).await?;
            groups::require_joinable(context, caller, &group).await?;
            into.insert(group.id);
        }
        if into.len() > MOST_GROUPS {
            return Err(assign.refuse("groupIds", format!("name at most {MOST_GROUPS} groups")));
        }
        if into.is_empty() {
            return Err(assign.refuse("groupIds", "name at least one group"));
        }
        Ok(Self { name, expression: text, excluded_users, groups: into })
    }
}

/// `GET /api/v1/groups/rules?search&limit&after`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Groups, Access::Read)?;
    let paging = Paging::read(&parameters, 50, 200)?;
    let mut rules = context.store.group_rules().await?;
    if let Some(words) = parameters.get("search").map(str::to_lowercase) {
        rules.retain(|rule| rule.name.as_str().to_lowercase().contains(&words));
    }
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(paging.answer_all(&context, rules, |rule| rule.id.to_string(), |rule| view(&context, rule)))
}

/// `POST /api/v1/groups/rules`: answers 200, and the rule is not active yet.
async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let wanted = Wanted::read(&context, &caller, body).await?;
    let now = context.now();
    let rule = GroupRule {
        id: GroupRuleId::generate(&*context.entropy),
        name: wanted.name,
        status: Status::Inactive,
        expression: wanted.expression,
        excluded_users: wanted.excluded_users,
        groups: wanted.groups,
        created: now,
        last_updated: now,
    };
    let entry = entry(&context, &caller, "group.rule.create", "Create group rule", &rule);
    context
        .change_people(Expectation::Any, vec![Change::PutGroupRule(rule.clone()), entry])
        .await
        .map_err(ApiError::on_conflict("name"))?;
    Ok(Json(view(&context, &rule)))
}

/// `GET /api/v1/groups/rules/{id}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Groups, Access::Read)?;
    Ok(Json(view(&context, &find(&context, &id).await?)))
}

/// `PUT /api/v1/groups/rules/{id}`: only of an inactive one. Where it puts people, it cannot be changed: Okta's rule.
async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let before = find(&context, &id).await?;
    require_over(&context, &caller, &before).await?;
    let wanted = Wanted::read(&context, &caller, body).await?;
    if before.status.is_active() {
        return Err(ApiError::invalid(
            "status",
            "The rule is active: deactivate it, change it, activate it again",
        ));
    }
    if wanted.groups != before.groups {
        return Err(ApiError::invalid(
            "actions.assignUserToGroups.groupIds",
            "The groups of a rule cannot be changed: make another rule",
        ));
    }
    let after = GroupRule {
        name: wanted.name,
        expression: wanted.expression,
        excluded_users: wanted.excluded_users,
        ..before.clone()
    };
    if after == before {
        return Ok(Json(view(&context, &after)));
    }
    let after = GroupRule { last_updated: context.now(), ..after };
    let entry = entry(&context, &caller, "group.rule.update", "Update group rule", &after);
    context
        .change_people(Expectation::Any, vec![Change::PutGroupRule(after.clone()), entry])
        .await
        .map_err(ApiError::on_conflict("name"))?;
    Ok(Json(view(&context, &after)))
}

/// `DELETE /api/v1/groups/rules/{id}?removeUsers`: answers 202. With `removeUsers=true` the memberships that the rule made
/// go too.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let rule = find(&context, &id).await?;
    require_over(&context, &caller, &rule).await?;
    if rule.status.is_active() {
        return Err(ApiError::invalid("status", "The rule is active: deactivate it first"));
    }
    let mut changes = Vec::new();
    if parameters.flag("removeUsers", false)? {
        let memberships = members(&context, &rule.id).await?;
        changes.extend(
            memberships
                .into_iter()
                .map(|(user, group)| Change::RemoveRuleMember(rule.id.clone(), group, user)),
        );
    }
    let entry = entry(&context, &caller, "group.rule.delete", "Delete group rule", &rule);
    changes.extend([Change::RemoveGroupRule(rule.id), entry]);
    context.change_people(Expectation::Any, changes).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Every membership that a rule made.
async fn members(context: &Context, rule: &GroupRuleId) -> Result<Vec<(UserId, GroupId)>, ApiError> {
    let mut all: Vec<(UserId, GroupId)> = Vec::new();
    loop {
        let after = all.last().map(|(user, _)| user.clone());
        let mut page = context.store.rule_members(rule, Page { after: after.as_ref(), limit: STEP }).await?;
        let is_last = u32::try_from(page.len()).is_ok_and(|number| number < STEP);
        if !is_last && let Some((cut, _)) = page.last().cloned() {
            // The page may end amid one person's groups: that person comes whole with the next one.
            page.retain(|(user, _)| *user != cut);
        }
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// `POST …/lifecycle/activate`: puts everybody into the groups who fits.
async fn activate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let before = find(&context, &id).await?;
    require_over(&context, &caller, &before).await?;
    for group in &before.groups {
        groups::require_joinable(&context, &caller, &groups::find(&context, group.as_str()).await?).await?;
    }
    if !before.status.is_active() {
        let after = GroupRule { status: Status::Active, last_updated: context.now(), ..before };
        let entry = entry(&context, &caller, "group.rule.activate", "Activate group rule", &after);
        // Active first: whoever changes from here on is judged by that change, and everybody else below.
        context.change_people(Expectation::Any, vec![Change::PutGroupRule(after), entry]).await?;
    }
    apply_to_everybody(&context, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn apply_to_everybody(context: &Context, caller: &Caller) -> Result<(), ApiError> {
    let mut after: Option<UserId> = None;
    loop {
        let users = context.store.users(Page { after: after.as_ref(), limit: STEP }).await?;
        let Some(last) = users.last() else { return Ok(()) };
        after = Some(last.id.clone());
        let mut changes = Vec::new();
        for user in &users {
            let Some(person) = context.store.person(&user.id).await? else { continue };
            changes.extend(changes_for(context, caller.authority(), &person).await?);
        }
        context.change_people(Expectation::Any, changes).await?;
    }
}

/// `POST …/lifecycle/deactivate`: the memberships that it made stay, as with Okta.
async fn deactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Groups, Access::Manage)?;
    let before = find(&context, &id).await?;
    require_over(&context, &caller, &before).await?;
    if before.status.is_active() {
        let after = GroupRule { status: Status::Inactive, last_updated: context.now(), ..before };
        let entry = entry(&context, &caller, "group.rule.deactivate", "Deactivate group rule", &after);
        context.change_people(Expectation::Any, vec![Change::PutGroupRule(after), entry]).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What the active rules change for a person, as it is about to be.
///
/// A membership that a rule made goes when the person does not fit any more; one that an administrator made stays. Whoever
/// could make an administrator of somebody by the attributes that a rule looks at is refused as if by the membership itself.
pub(crate) async fn changes_for(
    context: &Context,
    authority: &Authority,
    person: &Person,
) -> Result<Vec<Change>, ApiError> {
    let rules = context.store.group_rules().await?;
    let user = &person.user;
    if user.status == UserStatus::Deprovisioned || !rules.iter().any(|rule| rule.status.is_active()) {
        return Ok(Vec::new());
    }
    let made = context.store.rule_memberships(&user.id).await?;
    let mut changes = Vec::new();
    for rule in rules.iter().filter(|rule| rule.status.is_active()) {
        let fits = !rule.excluded_users.contains(&user.id)
            && rule.expression.condition(person).unwrap_or_else(|error| {
                tracing::warn!(rule = %rule.name, user = %user.id, %error, "a group rule has no answer: it puts nobody in");
                false
            });
        for group in &rule.groups {
            let is_made = made.iter().any(|(by, of)| *by == rule.id && of == group);
            if fits == is_made {
                continue;
            }
            require_over_group(context, authority, group).await?;
            let (rule, group, user) = (rule.id.clone(), group.clone(), user.id.clone());
            changes.push(if fits {
                Change::AddRuleMember(rule, group, user)
            } else {
                Change::RemoveRuleMember(rule, group, user)
            });
        }
    }
    Ok(changes)
}

/// Refuses to touch a rule that makes administrators.
async fn require_over(context: &Context, caller: &Caller, rule: &GroupRule) -> Result<(), ApiError> {
    for group in &rule.groups {
        require_over_group(context, caller.authority(), group).await?;
    }
    Ok(())
}

async fn find(context: &Context, id: &str) -> Result<GroupRule, ApiError> {
    let missing = || ApiError::not_found("GroupRule", id);
    let parsed = GroupRuleId::parse(id).map_err(|_| missing())?;
    context.store.group_rules().await?.into_iter().find(|rule| rule.id == parsed).ok_or_else(missing)
}

fn entry(context: &Context, caller: &Caller, event_type: &str, message: &str, rule: &GroupRule) -> Change {
    let target = Target::new("GroupRule", &rule.id, rule.name.as_str());
    audit::entry(context, caller, event_type, message, &[target])
}

fn view(context: &Context, rule: &GroupRule) -> Value {
    let url = |rest: &str| context.url(&format!("/api/v1/groups/rules/{}{rest}", rule.id));
    let (name, verb) =
        if rule.status.is_active() { ("deactivate", "deactivate") } else { ("activate", "activate") };
    let mut links = json!({ "self": { "href": url("") } });
    links[name] = json!({ "href": url(&format!("/lifecycle/{verb}")), "hints": { "allow": ["POST"] } });
    json!({
        "type": "group_rule",
        "id": rule.id.as_str(),
        "status": rule.status.as_str(),
        "name": rule.name.as_str(),
        "created": time::text(rule.created),
        "lastUpdated": time::text(rule.last_updated),
        "conditions": {
            "people": {
                "users": { "exclude": rule.excluded_users },
                "groups": { "exclude": [] },
            },
            "expression": { "value": rule.expression.as_str(), "type": "urn:okta:expression:1.0" },
        },
        "actions": { "assignUserToGroups": { "groupIds": rule.groups } },
        "allGroupsValid": true,
        "_links": links,
    })
}
