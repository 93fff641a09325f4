//! Nobody gives away what they do not have: the checks before an RBAC object is written
//! (`k8s.io/kubernetes/pkg/registry/rbac/{escalation_check.go,*/policybased/storage.go}`).
//!
//! Upstream checks against its storage, not against the authorizer's caches; give [`Requester`] rules
//! from a snapshot of the stored objects.

use kubesso_k8s_types::meta::{GroupResource, ObjectMeta, Status};
use kubesso_k8s_types::rbac::{
    ClusterRole, ClusterRoleBinding, GROUP, PolicyRule, Role, RoleBinding, RoleRef,
};
use kubesso_k8s_types::{UserInfo, go};

use crate::{
    Attributes, Authorizer, PRIVILEGED_GROUP, ResolvedRules, ResourceTarget, RoleError, Target, compact,
    compact_text, covers,
};

/// Who wants to write, and what they may do themselves.
pub struct Requester<'a> {
    /// The user of the request.
    pub user: &'a UserInfo,
    /// Asked for the verbs `escalate` and `bind`.
    pub authorizer: &'a dyn Authorizer,
    /// The user's rules in the namespace of the request: `Rbac::rules_for`, with the empty namespace
    /// for ClusterRoles and ClusterRoleBindings.
    pub rules: &'a ResolvedRules,
}

impl Requester<'_> {
    /// Whether a Role may be written; `old` is the stored one on update. `name` is the one in the
    /// request's path, which is empty for a POST: permission to escalate a named role does not create it.
    pub fn check_role(
        &self,
        namespace: &str,
        name: &str,
        old: Option<&Role>,
        new: &Role,
    ) -> Result<(), Box<Status>> {
        if self.is_privileged() || self.may("escalate", GROUP, "roles", name, namespace) {
            return Ok(());
        }
        if old.is_some_and(|old| {
            let new = Role { metadata: without_gc_fields(&new.metadata, &old.metadata), ..new.clone() };
            new.rules == old.rules && new.metadata == old.metadata
        }) {
            return Ok(());
        }
        self.check_rules(&new.rules).map_err(|message| forbidden("roles", &new.metadata.name, &message))
    }

    /// Whether a ClusterRole may be written; as [`Self::check_role`]. One that aggregates (or did)
    /// can collect anything, and needs everything.
    pub fn check_cluster_role(
        &self,
        name: &str,
        old: Option<&ClusterRole>,
        new: &ClusterRole,
    ) -> Result<(), Box<Status>> {
        if self.is_privileged() || self.may("escalate", GROUP, "clusterroles", name, "") {
            return Ok(());
        }
        if old.is_some_and(|old| {
            let metadata = without_gc_fields(&new.metadata, &old.metadata);
            metadata == old.metadata
                && new.rules == old.rules
                && selectors(new) == selectors(old)
                && new.aggregation_rule.is_some() == old.aggregation_rule.is_some()
        }) {
            return Ok(());
        }
        let refuse = |message: &str| forbidden("clusterroles", &new.metadata.name, message);
        self.check_rules(&new.rules).map_err(|message| refuse(&message))?;
        let aggregates = !selectors(new).is_empty() || old.is_some_and(|old| !selectors(old).is_empty());
        let everything =
            [PolicyRule::resources(&["*"], &["*"], &["*"]), PolicyRule::non_resource(&["*"], &["*"])];
        if aggregates && !covers(&self.rules.rules, &everything).is_empty() {
            return Err(refuse("must have cluster-admin privileges to use the aggregationRule"));
        }
        Ok(())
    }

    /// Whether a RoleBinding may be written into the namespace of the request. `referenced` are the
    /// rules of its role (`Rbac::role_rules`), asked for only when they matter.
    pub fn check_role_binding(
        &self,
        namespace: &str,
        old: Option<&RoleBinding>,
        new: &RoleBinding,
        referenced: Result<&[PolicyRule], RoleError>,
    ) -> Result<(), Box<Status>> {
        let unchanged = old.is_some_and(|old| {
            without_gc_fields(&new.metadata, &old.metadata) == old.metadata
                && new.subjects == old.subjects
                && new.role_ref == old.role_ref
        });
        self.check_binding(
            "rolebindings",
            &new.metadata.name,
            namespace,
            &new.role_ref,
            unchanged,
            referenced,
        )
    }

    /// Whether a ClusterRoleBinding may be written; as [`Self::check_role_binding`].
    pub fn check_cluster_role_binding(
        &self,
        old: Option<&ClusterRoleBinding>,
        new: &ClusterRoleBinding,
        referenced: Result<&[PolicyRule], RoleError>,
    ) -> Result<(), Box<Status>> {
        let unchanged = old.is_some_and(|old| {
            without_gc_fields(&new.metadata, &old.metadata) == old.metadata
                && new.subjects == old.subjects
                && new.role_ref == old.role_ref
        });
        let name = &new.metadata.name;
        self.check_binding("clusterrolebindings", name, "", &new.role_ref, unchanged, referenced)
    }

    fn check_binding(
        &self,
        resource: &str,
        name: &str,
        namespace: &str,
        role: &RoleRef,
        unchanged: bool,
        referenced: Result<&[PolicyRule], RoleError>,
    ) -> Result<(), Box<Status>> {
        if self.is_privileged() || unchanged {
            return Ok(());
        }
        let role_resource = match role.kind.as_str() {
            "ClusterRole" => Some("clusterroles"),
            "Role" => Some("roles"),
            _ => None,
        };
        if role_resource
            .is_some_and(|resource| self.may("bind", &role.api_group, resource, &role.name, namespace))
        {
            return Ok(());
        }
        let rules = referenced.map_err(|error| Box::new(unresolved(&error)))?;
        self.check_rules(rules).map_err(|message| forbidden(resource, name, &message))
    }

    /// The message of a refusal if the requester's rules do not cover these.
    pub fn check_rules(&self, rules: &[PolicyRule]) -> Result<(), String> {
        let missing = covers(&self.rules.rules, rules);
        if missing.is_empty() {
            return Ok(());
        }
        let mut lines: Vec<String> = compact(&missing).iter().map(compact_text).collect();
        lines.sort_unstable();
        lines.dedup();
        let user = go::quote(&self.user.username);
        let groups = go::quote_list(&self.user.groups);
        let mut message = format!(
            "user {user} (groups={groups}) is attempting to grant RBAC permissions not currently held:\n{}",
            lines.join("\n")
        );
        // Upstream's resolver here reads the registry, whose errors name the resource in the plural.
        if let Some(errors) = go::aggregate(self.rules.errors.iter().map(registry_text)) {
            message = format!("{message}; resolution errors: [{errors}]");
        }
        Err(message)
    }

    fn is_privileged(&self) -> bool {
        self.user.groups.iter().any(|group| group == PRIVILEGED_GROUP)
    }

    fn may(&self, verb: &str, api_group: &str, resource: &str, name: &str, namespace: &str) -> bool {
        let target = ResourceTarget {
            namespace: namespace.to_owned(),
            api_group: api_group.to_owned(),
            api_version: "*".to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            ..ResourceTarget::default()
        };
        let (user, verb) = (self.user.clone(), verb.to_owned());
        self.authorizer.authorize(&Attributes { user, verb, target: Target::Resource(target) }).is_allowed()
    }
}

/// The new metadata with the old one's owners and finalizers, which the garbage collector may change
/// for anybody, and with what says nothing about access.
fn without_gc_fields(new: &ObjectMeta, old: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        owner_references: old.owner_references.clone(),
        finalizers: old.finalizers.clone(),
        self_link: old.self_link.clone(),
        managed_fields: old.managed_fields.clone(),
        ..new.clone()
    }
}

fn selectors(role: &ClusterRole) -> &[kubesso_k8s_types::rbac::LabelSelector] {
    role.aggregation_rule.as_ref().map(|rule| rule.cluster_role_selectors.as_slice()).unwrap_or_default()
}

fn forbidden(resource: &str, name: &str, message: &str) -> Box<Status> {
    Box::new(Status::forbidden(&GroupResource::new(GROUP, resource), name, message))
}

fn unresolved(error: &RoleError) -> Status {
    match error {
        RoleError::RoleNotFound { name } => Status::not_found(&GroupResource::new(GROUP, "roles"), name),
        RoleError::ClusterRoleNotFound { name } => {
            Status::not_found(&GroupResource::new(GROUP, "clusterroles"), name)
        }
        // For members of system:masters validation refuses this, with a better answer; for others the check comes first.
        RoleError::UnsupportedKind { .. } => Status::plain_error(&error.to_string()),
    }
}

fn registry_text(error: &RoleError) -> String {
    match error {
        RoleError::UnsupportedKind { .. } => error.to_string(),
        _ => unresolved(error).message,
    }
}

#[cfg(test)]
mod tests;
