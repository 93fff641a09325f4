//! Which policy and which rule decide on a request.
//!
//! Policies in priority order, in each its rules in priority order; inactive ones are passed over. The first
//! rule that matches grant type, person and **all** scopes of the first policy that has such a rule decides.
//! None: refused, with the reason for each rule that was looked at, in words for an administrator.

use std::fmt;

use crate::application::GrantType;
use crate::id::ClientId;
use crate::name::ScopeName;
use crate::policy::{Lifetimes, Policy, PolicyClients, Rule, RuleGroups, RulePeople, RuleScopes};
use crate::snapshot::Server;
use crate::user::Person;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// By which client.
    pub client: &'a ClientId,
    /// By which grant; at a refresh the one that began it.
    pub grant_type: GrantType,
    /// For whom; `None` where the client acts for itself.
    pub person: Option<&'a Person>,
    /// With which scopes.
    pub scopes: &'a [ScopeName],
}

/// What decided.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The rule, whose lifetimes hold.
    pub rule: &'a Rule,
}

impl Grant<'_> {
    /// How long the tokens live.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.rule.lifetimes
    }
}

/// Why one policy or rule did not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// `policy "k8s_policy"` or `rule "AuthCode + PKCE" of policy "k8s_policy"`.
    pub what: String,
    /// Why, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.why)
    }
}

/// A request that no rule allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server is `INACTIVE`.
    #[error("the authorization server `{0}` is not active")]
    ServerInactive(String),
    /// The server has no such scope (`invalid_scope`).
    #[error("the authorization server `{server}` has no scope `{scope}`")]
    UnknownScope {
        /// The server's name.
        server: String,
        /// The scope.
        scope: ScopeName,
    },
    /// No rule matched (`access_denied`).
    #[error("no access policy of the authorization server `{server}` allows this: {}", reasons(.misses))]
    NoMatch {
        /// The server's name.
        server: String,
        /// What was looked at, in order.
        misses: Vec<Miss>,
    },
}

fn reasons(misses: &[Miss]) -> String {
    if misses.is_empty() {
        return "it has no policy (add one with a rule for this client)".to_owned();
    }
    misses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Decides on `request`. That the application is assigned to the person is a question of its own
/// ([`assignment`](crate::assignment)).
pub fn decide<'a>(server: &'a Server, request: &AccessRequest<'_>) -> Result<Grant<'a>, Refusal> {
    decide_with_reasons(server, request).map(|(grant, _)| grant)
}

/// As [`decide`], with what was looked at before the rule that decided and why it did not: for administrators who ask
/// why it was not another.
pub fn decide_with_reasons<'a>(
    server: &'a Server,
    request: &AccessRequest<'_>,
) -> Result<(Grant<'a>, Vec<Miss>), Refusal> {
    let name = || server.server.name.to_string();
    if !server.server.status.is_active() {
        return Err(Refusal::ServerInactive(name()));
    }
    if let Some(scope) = request.scopes.iter().find(|scope| server.scope(scope).is_none()) {
        return Err(Refusal::UnknownScope { server: name(), scope: scope.clone() });
    }
    let mut misses = Vec::new();
    for (policy, rules) in server.policies() {
        let miss = |what: String, why: &str| Miss { what, why: why.to_owned() };
        let what = format!("policy \"{}\"", policy.name);
        if !policy.status.is_active() {
            misses.push(miss(what, "is not active"));
            continue;
        }
        if matches!(&policy.clients, PolicyClients::Only(clients) if !clients.contains(request.client)) {
            misses.push(miss(what, "is not for this client"));
            continue;
        }
        if rules.is_empty() {
            misses.push(miss(what, "has no rule"));
        }
        for rule in rules {
            match mismatch(rule, request) {
                None => return Ok((Grant { policy, rule }, misses)),
                Some(why) => {
                    let what = format!("rule \"{}\" of policy \"{}\"", rule.name, policy.name);
                    misses.push(miss(what, &why));
                }
            }
        }
    }
    Err(Refusal::NoMatch { server: name(), misses })
}

/// Why `rule` does not match, or `None` if it does.
fn mismatch(rule: &Rule, request: &AccessRequest<'_>) -> Option<String> {
    if !rule.status.is_active() {
        return Some("is not active".to_owned());
    }
    if !rule.grant_types.contains(&request.grant_type) {
        return Some(format!("does not allow the grant type `{}`", request.grant_type.as_str()));
    }
    if let Some(person) = request.person
        && let Some(why) = person_mismatch(&rule.people, person)
    {
        return Some(why.to_owned());
    }
    if let RuleScopes::Only(allowed) = &rule.scopes
        && let Some(scope) = request.scopes.iter().find(|scope| !allowed.contains(scope))
    {
        return Some(format!("does not allow the scope `{scope}`"));
    }
    None
}

fn person_mismatch(people: &RulePeople, person: &Person) -> Option<&'static str> {
    if people.exclude_users.contains(&person.user.id) {
        return Some("excludes the person");
    }
    if person.groups.iter().any(|group| people.exclude_groups.contains(&group.id)) {
        return Some("excludes a group that the person is in");
    }
    if people.include_users.contains(&person.user.id) {
        return None;
    }
    match &people.include_groups {
        RuleGroups::Everyone => None,
        RuleGroups::Only(groups) if groups.iter().any(|group| person.is_in(group)) => None,
        RuleGroups::Only(_) => Some("includes neither the person nor a group that the person is in"),
    }
}
