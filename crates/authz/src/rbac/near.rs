//! What nearly allows an action: every binding and role that differs from one that would in one thing only.

use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::rbac::{GROUP_KIND, PolicyRule, RoleRef, SERVICE_ACCOUNT_KIND, Subject, USER_KIND};

use super::{Binding, BindingName, Rbac, RoleError, rule_allows, rules};
use crate::{Attributes, Target};

/// A binding that would allow an action if one thing were otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss<'a> {
    /// The binding.
    pub binding: &'a BindingName,
    /// The role that it names.
    pub role: &'a RoleRef,
    /// The subject of the binding: the user or one of their groups, or what looks like it.
    pub subject: &'a Subject,
    /// What is otherwise.
    pub miss: Miss<'a>,
}

/// The one thing that is otherwise, the likeliest mistake first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss<'a> {
    /// The role is not there.
    RoleIsMissing(&'a RoleError),
    /// The subject is nobody that the user is, and is written nearly so.
    Subject {
        /// The user's own name, or that of one of their groups.
        own: &'a str,
        /// In what it differs.
        likeness: Likeness,
    },
    /// The role has the resource and not the verb: this rule.
    Verb(&'a PolicyRule),
    /// The rule is for named objects, and the request names none or another.
    Name(&'a PolicyRule),
    /// The rule has the resource in other API groups.
    ApiGroup(&'a PolicyRule),
    /// The rule has the resource without the subresource, or the other way round, or in the singular or in capitals.
    Resource(&'a PolicyRule),
    /// The RoleBinding counts in its own namespace, and the request is in another.
    Namespace,
    /// The RoleBinding counts in its own namespace, and the request is in none: all namespaces, a thing of the whole
    /// cluster, or a path.
    Scope,
}

impl Miss<'_> {
    fn rank(&self) -> u8 {
        match self {
            Self::RoleIsMissing(_) => 0,
            Self::Subject { .. } => 1,
            Self::Verb(_) => 2,
            Self::Name(_) => 3,
            Self::ApiGroup(_) => 4,
            Self::Resource(_) => 5,
            Self::Namespace => 6,
            Self::Scope => 7,
        }
    }
}

/// In what a subject's name differs from the user's, or from a group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Capitals, or a slash before it: RBAC compares bytes.
    Spelling,
    /// What stands before it: one of the two has a prefix that the other has not.
    Prefix,
    /// The kind: a group is written as a user, or a user as a group.
    Kind,
}

impl Rbac {
    /// Everything that differs in one thing only from what would allow it, the likeliest mistake first. Of each binding the
    /// first that is found; empty for what is allowed.
    pub fn near_misses<'a>(&'a self, attributes: &'a Attributes) -> Vec<NearMiss<'a>> {
        if self.explain(attributes).is_some() {
            return Vec::new();
        }
        let mut found: Vec<_> =
            self.bindings.iter().filter_map(|binding| self.near_miss(binding, attributes)).collect();
        found.sort_by_key(|near| near.miss.rank());
        found
    }

    fn near_miss<'a>(&'a self, binding: &'a Binding, attributes: &'a Attributes) -> Option<NearMiss<'a>> {
        let near =
            |subject, miss| NearMiss { binding: &binding.name, role: &binding.role_ref, subject, miss };
        let user = &attributes.user;
        let own = binding.subjects.iter().find(|subject| is_subject(subject, &binding.name, user));
        let counts = match &binding.name {
            BindingName::Cluster { .. } => true,
            BindingName::Namespaced { namespace, .. } => namespace == attributes.namespace(),
        };
        let role = match (&binding.role, own, counts) {
            (Ok(role), ..) => *role,
            (Err(error), Some(subject), true) => return Some(near(subject, Miss::RoleIsMissing(error))),
            (Err(_), ..) => return None,
        };
        let allows = self.first_rule(role, &attributes.verb, &attributes.target).is_some();
        match (own, counts, allows) {
            (Some(subject), true, false) => {
                let rules = self.roles.get(role)?;
                let misses = rules.iter().filter_map(|rule| rule_miss(rule, attributes));
                Some(near(subject, misses.min_by_key(Miss::rank)?))
            }
            // No binding in a namespace allows what has none, whatever its role says of it.
            (Some(subject), false, true) if attributes.namespace().is_empty() => {
                Some(near(subject, Miss::Scope))
            }
            (Some(subject), false, true) => Some(near(subject, Miss::Namespace)),
            (None, true, true) => binding.subjects.iter().find_map(|subject| {
                let (own, likeness) = like(subject, user)?;
                Some(near(subject, Miss::Subject { own, likeness }))
            }),
            _ => None,
        }
    }
}

fn is_subject(subject: &Subject, binding: &BindingName, user: &UserInfo) -> bool {
    match subject.kind.as_str() {
        USER_KIND => subject.name == user.username,
        GROUP_KIND => user.groups.contains(&subject.name),
        SERVICE_ACCOUNT_KIND => {
            let own = subject.namespace.as_str();
            let namespace = if own.is_empty() { binding.namespace() } else { own };
            !namespace.is_empty()
                && user.username == format!("system:serviceaccount:{namespace}:{}", subject.name)
        }
        _ => false,
    }
}

/// What a rule lacks, if it is one thing: with it, the rule allows the action.
fn rule_miss<'a>(rule: &'a PolicyRule, attributes: &Attributes) -> Option<Miss<'a>> {
    let (verb, target) = (attributes.verb.as_str(), &attributes.target);
    let with = |change: &dyn Fn(&mut PolicyRule)| {
        let mut changed = rule.clone();
        change(&mut changed);
        rule_allows(&changed, verb, target)
    };
    if with(&|rule| rule.verbs.push(verb.to_owned())) {
        return Some(Miss::Verb(rule));
    }
    let Target::Resource(asked) = target else { return None };
    if !rule.resource_names.is_empty() && with(&|rule| rule.resource_names.clear()) {
        return Some(Miss::Name(rule));
    }
    if with(&|rule| rule.api_groups.push(asked.api_group.clone())) {
        return Some(Miss::ApiGroup(rule));
    }
    let full = rules::resource_name(asked);
    let is_near = rule.resources.iter().any(|written| {
        let base = |name: &str| name.split('/').next().unwrap_or_default().to_lowercase();
        let (written, own) = (base(written), base(&full));
        written == own || format!("{written}s") == own || format!("{written}es") == own
    });
    (is_near && with(&|rule| rule.resources.push(full.clone()))).then_some(Miss::Resource(rule))
}

/// Whether the subject is written nearly as the user, or as one of their groups.
fn like<'a>(subject: &Subject, user: &'a UserInfo) -> Option<(&'a str, Likeness)> {
    let written = subject.name.as_str();
    if written.is_empty() || written.starts_with("system:") {
        return None;
    }
    let name = std::iter::once(user.username.as_str());
    let groups = || user.groups.iter().map(String::as_str).filter(|group| !group.starts_with("system:"));
    let same = |own: &&str| spelled(own) == spelled(written);
    let prefixed = |own: &&str| {
        let (short, long) = if own.len() < written.len() { (*own, written) } else { (written, *own) };
        let prefix = long.strip_suffix(short).filter(|_| !short.is_empty());
        prefix.is_some_and(|prefix| prefix.ends_with([':', '#', '/', '-', '.'])) || bare(own) == bare(written)
    };
    match subject.kind.as_str() {
        USER_KIND => {
            let own = name.clone().find(same).map(|own| (own, Likeness::Spelling));
            let own = own.or_else(|| groups().find(|own| *own == written).map(|own| (own, Likeness::Kind)));
            own.or_else(|| name.clone().find(prefixed).map(|own| (own, Likeness::Prefix)))
        }
        GROUP_KIND => {
            let own = groups().find(same).map(|own| (own, Likeness::Spelling));
            let own =
                own.or_else(|| name.clone().find(|own| *own == written).map(|own| (own, Likeness::Kind)));
            own.or_else(|| groups().find(prefixed).map(|own| (own, Likeness::Prefix)))
        }
        _ => None,
    }
}

/// Without what people take for the same: capitals, and the slash before a path.
fn spelled(name: &str) -> String {
    name.trim_start_matches('/').to_lowercase()
}

/// Without what stands before it, where that ends with `:` or `#`.
fn bare(name: &str) -> &str {
    name.rsplit([':', '#']).next().unwrap_or_default()
}
