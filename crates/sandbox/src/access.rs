//! Who may do what, right now: the RBAC objects as an immutable snapshot that is replaced on every change, and
//! the two things that keep these objects as they should be (the bootstrap policy at start, aggregated roles).

pub(crate) mod aggregation;
pub(crate) mod policy;

use std::sync::Arc;

use arc_swap::ArcSwap;
use kubesso_authz::{Attributes, Authorizer, Rbac, RbacObjects, Union, Verdict};
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::rbac::GROUP;
use serde::de::DeserializeOwned;

use crate::storage::State;

/// The four resources that decide.
pub(crate) const RESOURCES: [&str; 4] = [
    "roles.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
];

/// The authorizer of this server: members of `system:masters` may everything, the others what RBAC says.
#[derive(Debug)]
pub(crate) struct Access {
    rbac: ArcSwap<Rbac>,
}

impl Access {
    /// From the objects that are stored.
    pub(crate) fn new(state: &State) -> Self {
        Self { rbac: ArcSwap::from_pointee(snapshot(state)) }
    }

    /// Takes over what is stored now.
    pub(crate) fn refresh(&self, state: &State) {
        self.rbac.store(Arc::new(snapshot(state)));
    }

    /// The present RBAC snapshot.
    pub(crate) fn rbac(&self) -> Arc<Rbac> {
        self.rbac.load_full()
    }

    /// May `user` do it?
    pub(crate) fn authorize(&self, attributes: &Attributes) -> Verdict {
        Union::new(vec![self.rbac()]).authorize(attributes)
    }
}

/// Whether a write to `resource` changes who may do what.
pub(crate) fn decides(resource: &str) -> bool {
    RESOURCES.contains(&resource)
}

/// Whether the user may do everything, whatever the roles say.
pub(crate) fn is_privileged(user: &UserInfo) -> bool {
    user.groups.iter().any(|group| group == kubesso_authz::PRIVILEGED_GROUP)
}

/// The RBAC snapshot of a state.
pub(crate) fn snapshot(state: &State) -> Rbac {
    Rbac::new(RbacObjects {
        roles: typed(state, "roles"),
        role_bindings: typed(state, "rolebindings"),
        cluster_roles: typed(state, "clusterroles"),
        cluster_role_bindings: typed(state, "clusterrolebindings"),
    })
}

fn typed<T: DeserializeOwned>(state: &State, plural: &str) -> Vec<T> {
    state
        .list(&format!("{plural}.{GROUP}"), None)
        .filter_map(|stored| match T::deserialize(&stored.object) {
            Ok(object) => Some(object),
            Err(error) => {
                // Every write is checked against the schema, so this is a file that somebody else wrote.
                tracing::warn!(%error, plural, "an RBAC object in the store cannot be read and grants nothing");
                None
            }
        })
        .collect()
}
