//! Nobody grants what they do not have: the `escalate` and `bind` checks on roles and bindings, against what is
//! stored at the moment of the write.

use kubesso_authz::escalation::Requester;
use kubesso_authz::{Rbac, Union};
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::meta::Status;
use kubesso_k8s_types::rbac::{ClusterRole, ClusterRoleBinding, GROUP, Role, RoleBinding};
use serde::de::DeserializeOwned;
use serde_json::Value;

use std::sync::Arc;

use crate::access;
use crate::catalog::ResourceType;
use crate::object;
use crate::status::ApiError;

/// Who writes what where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// The kind that is written.
    pub(crate) resource: &'a ResourceType,
    /// Who writes.
    pub(crate) user: &'a UserInfo,
    /// The namespace of the request; empty for cluster-scoped kinds.
    pub(crate) namespace: &'a str,
    /// The name in the path; empty for a `POST`.
    pub(crate) name: &'a str,
}

impl Attempt<'_> {
    /// Refuses an RBAC object that would give more than the requester has. Other kinds pass.
    ///
    /// `rbac` is a snapshot of the stored objects, not of the authorizer's cache.
    pub(crate) fn check(
        &self,
        rbac: impl FnOnce() -> Arc<Rbac>,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        if self.resource.group != GROUP || access::is_privileged(self.user) {
            return Ok(());
        }
        let rbac = rbac();
        let rules = rbac.rules_for(self.user, self.namespace);
        let union = Union::new(vec![rbac.clone()]);
        let requester = Requester { user: self.user, authorizer: &union, rules: &rules };
        let refused = match self.resource.plural {
            "roles" => {
                let (new, old): (Role, Option<Role>) = (typed(object)?, old.map(typed).transpose()?);
                requester.check_role(self.namespace, self.name, old.as_ref(), &new)
            }
            "clusterroles" => {
                let (new, old): (ClusterRole, Option<ClusterRole>) =
                    (typed(object)?, old.map(typed).transpose()?);
                requester.check_cluster_role(self.name, old.as_ref(), &new)
            }
            "rolebindings" => {
                let (new, old): (RoleBinding, Option<RoleBinding>) =
                    (typed(object)?, old.map(typed).transpose()?);
                let rules = rbac.role_rules(&new.role_ref, self.namespace);
                let refused = requester.check_role_binding(self.namespace, old.as_ref(), &new, rules);
                refused.map_err(|status| self.missing_role(status, &new.role_ref.name))
            }
            "clusterrolebindings" => {
                let (new, old): (ClusterRoleBinding, Option<ClusterRoleBinding>) =
                    (typed(object)?, old.map(typed).transpose()?);
                let rules = rbac.role_rules(&new.role_ref, "");
                let refused = requester.check_cluster_role_binding(old.as_ref(), &new, rules);
                refused.map_err(|status| self.missing_role(status, &new.role_ref.name))
            }
            _ => Ok(()),
        };
        refused.map_err(ApiError)
    }

    /// kube-apiserver 1.36 names the *binding's* resource when the role is missing, with the role's name.
    fn missing_role(&self, status: Box<Status>, role: &str) -> Box<Status> {
        if status.code == 404 { ApiError::not_found(self.resource, role).0 } else { status }
    }
}

fn typed<T: DeserializeOwned>(object: &Value) -> Result<T, ApiError> {
    T::deserialize(object).map_err(|error| {
        ApiError::bad_request(format!("cannot read the {}: {error}", object::text(object, "kind")))
    })
}
