//! RBAC (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac`, `pkg/registry/rbac/validation/rule.go`).
//!
//! [`Rbac`] is an immutable snapshot indexed by subject, so that a decision costs one look-up for the
//! user and each group and then only the roles that were found, not every binding of the cluster.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use kubesso_k8s_types::authorization::{NonResourceRule, ResourceRule, SubjectRulesReviewStatus};
use kubesso_k8s_types::rbac::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, SERVICE_ACCOUNT_KIND, Subject,
};
use kubesso_k8s_types::{UserInfo, go};

use crate::{Attributes, Authorizer, Decision, Target, Verdict};

mod index;
mod near;
mod rules;

use index::{Best, Index};
pub use near::{Likeness, Miss, NearMiss};
pub use rules::rule_allows;

/// The objects that a snapshot is built from.
#[derive(Clone, Debug, Default)]
pub struct RbacObjects {
    /// Roles of all namespaces.
    pub roles: Vec<Role>,
    /// RoleBindings of all namespaces.
    pub role_bindings: Vec<RoleBinding>,
    /// All ClusterRoles.
    pub cluster_roles: Vec<ClusterRole>,
    /// All ClusterRoleBindings.
    pub cluster_role_bindings: Vec<ClusterRoleBinding>,
}

/// Why a binding gives nothing although it applies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// The binding names a Role that is not in its namespace.
    #[error("role.rbac.authorization.k8s.io {} not found", go::quote(name))]
    RoleNotFound {
        /// The missing Role.
        name: String,
    },
    /// The binding names a ClusterRole that does not exist.
    #[error("clusterrole.rbac.authorization.k8s.io {} not found", go::quote(name))]
    ClusterRoleNotFound {
        /// The missing ClusterRole.
        name: String,
    },
    /// The binding names neither a Role nor a ClusterRole.
    #[error("unsupported role reference kind: {}", go::quote(kind))]
    UnsupportedKind {
        /// The kind that it names.
        kind: String,
    },
}

/// A binding by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingName {
    /// A ClusterRoleBinding.
    Cluster {
        /// Its name.
        name: String,
    },
    /// A RoleBinding.
    Namespaced {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl BindingName {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "ClusterRoleBinding",
            Self::Namespaced { .. } => "RoleBinding",
        }
    }

    /// `name`, or `name/namespace` as upstream's reasons print it.
    pub fn path(&self) -> Cow<'_, str> {
        match self {
            Self::Cluster { name } => Cow::Borrowed(name),
            Self::Namespaced { namespace, name } => Cow::Owned([name, "/", namespace].concat()),
        }
    }

    fn namespace(&self) -> &str {
        match self {
            Self::Cluster { .. } => "",
            Self::Namespaced { namespace, .. } => namespace,
        }
    }
}

/// One way by which a subject may do something: this binding gives this role, which has this rule.
///
/// `Display` is for people: `RoleBinding b/ns of Role r to Group g`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The binding.
    pub binding: &'a BindingName,
    /// The role that it gives.
    pub role: &'a RoleRef,
    /// The first of the binding's subjects that is the user.
    pub subject: &'a Subject,
    /// The first of the role's rules that allows the action.
    pub rule: &'a PolicyRule,
}

impl Grant<'_> {
    /// Upstream's reason: `RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "u"`.
    pub fn reason(&self) -> String {
        // Put together by hand: this is most of the time that an allowed request costs.
        let mut reason = String::with_capacity(160);
        let quoted = [
            ("RBAC: allowed by ", self.binding.kind(), &self.binding.path()),
            (" of ", &*self.role.kind, &Cow::Borrowed(&*self.role.name)),
            (" to ", &*self.subject.kind, &self.subject_path()),
        ];
        for (before, kind, name) in quoted {
            reason.push_str(before);
            reason.push_str(kind);
            reason.push(' ');
            go::push_quoted(&mut reason, name);
        }
        reason
    }

    /// The subject's name; for a service account `name/namespace`, the binding's if it has none.
    fn subject_path(&self) -> Cow<'_, str> {
        if self.subject.kind != SERVICE_ACCOUNT_KIND {
            return Cow::Borrowed(&self.subject.name);
        }
        let own = self.subject.namespace.as_str();
        let namespace = if own.is_empty() { self.binding.namespace() } else { own };
        Cow::Owned([&self.subject.name, "/", namespace].concat())
    }
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} of {} {} to {} {}",
            self.binding.kind(),
            self.binding.path(),
            self.role.kind,
            self.role.name,
            self.subject.kind,
            self.subject_path()
        )
    }
}

/// The rules of a user, with what could not be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRules {
    /// In resolution order: ClusterRoleBindings by name, then the namespace's RoleBindings by name;
    /// duplicates kept.
    pub rules: Vec<PolicyRule>,
    /// In the same order, duplicates kept; the rules are right nevertheless.
    pub errors: Vec<RoleError>,
}

impl ResolvedRules {
    /// The answer to a SelfSubjectRulesReview, in which RBAC is never incomplete.
    pub fn review_status(&self) -> SubjectRulesReviewStatus {
        let with = |has: fn(&PolicyRule) -> bool| self.rules.iter().filter(move |rule| has(rule)).cloned();
        SubjectRulesReviewStatus {
            resource_rules: with(|rule| !rule.resources.is_empty())
                .map(|rule| ResourceRule {
                    verbs: rule.verbs,
                    api_groups: rule.api_groups,
                    resources: rule.resources,
                    resource_names: rule.resource_names,
                })
                .collect(),
            non_resource_rules: with(|rule| !rule.non_resource_urls.is_empty())
                .map(|rule| NonResourceRule { verbs: rule.verbs, non_resource_urls: rule.non_resource_urls })
                .collect(),
            incomplete: false,
            evaluation_error: go::aggregate(self.errors.iter().map(ToString::to_string)).unwrap_or_default(),
        }
    }
}

#[derive(Debug)]
struct Binding {
    name: BindingName,
    subjects: Vec<Subject>,
    role_ref: RoleRef,
    /// Position in `Rbac::roles`.
    role: Result<usize, RoleError>,
}

/// An immutable snapshot of all roles and bindings.
#[derive(Debug)]
pub struct Rbac {
    /// Rules of every role; a binding says which.
    roles: Vec<Vec<PolicyRule>>,
    role_positions: BTreeMap<(String, String), usize>,
    cluster_role_positions: BTreeMap<String, usize>,
    /// In resolution order: cluster ones by name, then the others by namespace and name.
    bindings: Vec<Binding>,
    index: Index,
}

impl Rbac {
    /// Builds the snapshot. Of two objects with the same kind, namespace and name the last one counts.
    pub fn new(objects: RbacObjects) -> Self {
        let mut roles = Vec::new();
        let mut role_positions = BTreeMap::new();
        let mut cluster_role_positions = BTreeMap::new();
        for role in objects.roles {
            role_positions.insert((role.metadata.namespace, role.metadata.name), roles.len());
            roles.push(role.rules);
        }
        for role in objects.cluster_roles {
            cluster_role_positions.insert(role.metadata.name, roles.len());
            roles.push(role.rules);
        }
        let cluster = objects.cluster_role_bindings.into_iter().map(|binding| {
            (BindingName::Cluster { name: binding.metadata.name }, (binding.subjects, binding.role_ref))
        });
        let namespaced = objects.role_bindings.into_iter().map(|binding| {
            let name = BindingName::Namespaced {
                namespace: binding.metadata.namespace,
                name: binding.metadata.name,
            };
            (name, (binding.subjects, binding.role_ref))
        });
        let sorted: BTreeMap<_, _> = cluster.chain(namespaced).collect();

        let mut rbac = Self {
            roles,
            role_positions,
            cluster_role_positions,
            bindings: Vec::new(),
            index: Index::default(),
        };
        for (name, (subjects, role_ref)) in sorted {
            let role = rbac.position(&role_ref, name.namespace());
            rbac.bindings.push(Binding { name, subjects, role_ref, role });
        }
        rbac.index = Index::new(&rbac.bindings);
        rbac
    }

    /// The grant that decides, or `None` if nothing allows it: the first binding in resolution order.
    pub fn explain(&self, attributes: &Attributes) -> Option<Grant<'_>> {
        let best = self.best(attributes)?;
        let binding = self.bindings.get(best.binding)?;
        self.grant(binding, binding.subjects.get(best.subject)?, &attributes.verb, &attributes.target)
    }

    /// Everybody who may do it, one entry a subject and binding, in resolution order. Members of
    /// `system:masters` may always, without any binding.
    pub fn who_can(&self, verb: &str, target: &Target) -> Vec<Grant<'_>> {
        let namespace = match target {
            Target::Resource(resource) => resource.namespace.as_str(),
            Target::NonResource { .. } => "",
        };
        self.bindings
            .iter()
            .filter(|binding| match &binding.name {
                BindingName::Cluster { .. } => true,
                BindingName::Namespaced { namespace: own, .. } => !own.is_empty() && own == namespace,
            })
            .flat_map(|binding| {
                let grants =
                    binding.subjects.iter().filter(|subject| index::can_apply(subject, &binding.name));
                grants.filter_map(|subject| self.grant(binding, subject, verb, target))
            })
            .collect()
    }

    /// All rules that a user has in a namespace; for the empty namespace, those of the whole cluster.
    pub fn rules_for(&self, user: &UserInfo, namespace: &str) -> ResolvedRules {
        let mut resolved = ResolvedRules::default();
        for binding in self.index.bindings_of(user, namespace) {
            let Some(binding) = self.bindings.get(binding) else { continue };
            match &binding.role {
                Ok(role) => resolved.rules.extend(self.roles.get(*role).into_iter().flatten().cloned()),
                Err(error) => resolved.errors.push(error.clone()),
            }
        }
        resolved
    }

    /// The rules of a role as a binding in that namespace (empty for a ClusterRoleBinding) names it.
    pub fn role_rules(&self, role: &RoleRef, namespace: &str) -> Result<&[PolicyRule], RoleError> {
        let position = self.position(role, namespace)?;
        Ok(self.roles.get(position).map(Vec::as_slice).unwrap_or_default())
    }

    fn position(&self, role: &RoleRef, namespace: &str) -> Result<usize, RoleError> {
        let name = role.name.clone();
        match role.kind.as_str() {
            "Role" => {
                let key = (namespace.to_owned(), name);
                match self.role_positions.get(&key) {
                    Some(position) if !namespace.is_empty() => Ok(*position),
                    _ => Err(RoleError::RoleNotFound { name: key.1 }),
                }
            }
            "ClusterRole" => match self.cluster_role_positions.get(&name) {
                Some(position) => Ok(*position),
                None => Err(RoleError::ClusterRoleNotFound { name }),
            },
            kind => Err(RoleError::UnsupportedKind { kind: kind.to_owned() }),
        }
    }

    fn best(&self, attributes: &Attributes) -> Option<Best> {
        self.index.best(&attributes.user, attributes.namespace(), |role| {
            self.first_rule(role, &attributes.verb, &attributes.target).is_some()
        })
    }

    fn first_rule(&self, role: usize, verb: &str, target: &Target) -> Option<&PolicyRule> {
        self.roles.get(role)?.iter().find(|rule| rule_allows(rule, verb, target))
    }

    fn grant<'a>(
        &'a self,
        binding: &'a Binding,
        subject: &'a Subject,
        verb: &str,
        target: &Target,
    ) -> Option<Grant<'a>> {
        let role = *binding.role.as_ref().ok()?;
        let rule = self.first_rule(role, verb, target)?;
        Some(Grant { binding: &binding.name, role: &binding.role_ref, subject, rule })
    }

    /// What a refusal mentions: bindings that apply but whose role is missing.
    fn missing_roles(&self, attributes: &Attributes) -> Option<String> {
        let bindings = self.index.unresolved_bindings_of(&attributes.user, attributes.namespace());
        let errors =
            bindings.into_iter().filter_map(|binding| self.bindings.get(binding)?.role.as_ref().err());
        go::aggregate(errors.map(ToString::to_string))
    }
}

impl Authorizer for Rbac {
    /// Allows or has no opinion; never denies and never fails.
    fn authorize(&self, attributes: &Attributes) -> Verdict {
        if let Some(grant) = self.explain(attributes) {
            return Verdict::new(Decision::Allow, grant.reason());
        }
        let reason = self.missing_roles(attributes).map(|errors| format!("RBAC: {errors}"));
        Verdict::new(Decision::NoOpinion, reason.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
