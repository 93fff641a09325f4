//! What is asked, and what is answered (`k8s.io/apiserver/pkg/authorization/authorizer`).

use std::sync::Arc;

use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::meta::GroupResource;

/// Who wants to do what to which thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The authenticated (or impersonated) user, all groups included.
    pub user: UserInfo,
    /// The Kubernetes verb, or the lower-case HTTP method for a path.
    pub verb: String,
    /// The thing.
    pub target: Target,
}

impl Attributes {
    /// The namespace whose RoleBindings count; empty for cluster-scoped requests and for paths.
    pub fn namespace(&self) -> &str {
        match &self.target {
            Target::Resource(resource) => &resource.namespace,
            Target::NonResource { .. } => "",
        }
    }
}

/// The thing that is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An API resource.
    Resource(ResourceTarget),
    /// A path that is no API resource, e.g. `/healthz`.
    NonResource {
        /// The decoded URL path.
        path: String,
    },
}

/// An API resource: every field may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceTarget {
    /// Empty for cluster-scoped objects and for all namespaces; for a Namespace object, its own name.
    pub namespace: String,
    /// Empty for the core group.
    pub api_group: String,
    /// Ignored by RBAC; `*` in reviews that leave it open.
    pub api_version: String,
    /// Plural, lower-case.
    pub resource: String,
    /// E.g. `log`.
    pub subresource: String,
    /// Empty when the request names no object (list, create, …) and pins none by field selector.
    pub name: String,
    /// Unparsed, only for list, watch and deletecollection.
    pub field_selector: String,
    /// Unparsed, only for list, watch and deletecollection.
    pub label_selector: String,
}

impl ResourceTarget {
    /// Group and resource for messages and `Status.details`.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(&self.api_group, &self.resource)
    }
}

/// What an authorizer thinks. RBAC never denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes; no later authorizer is asked.
    Allow,
    /// No; no later authorizer is asked.
    Deny,
    /// Ask the next one; after the last one this is a no.
    NoOpinion,
}

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Yes, no or don't know.
    pub decision: Decision,
    /// Shown to the user in a 403 and in access reviews; may be empty.
    pub reason: String,
    /// Something that went wrong. With [`Decision::Allow`] it does not matter, otherwise upstream
    /// answers 500 instead of 403.
    pub error: Option<String>,
}

impl Verdict {
    /// A decision without error.
    pub fn new(decision: Decision, reason: impl Into<String>) -> Self {
        Self { decision, reason: reason.into(), error: None }
    }

    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allow
    }
}

/// Decides about attributes.
pub trait Authorizer: Send + Sync {
    /// Decides about one request.
    fn authorize(&self, attributes: &Attributes) -> Verdict;
}

impl<T: Authorizer + ?Sized> Authorizer for Arc<T> {
    fn authorize(&self, attributes: &Attributes) -> Verdict {
        (**self).authorize(attributes)
    }
}

impl<T: Authorizer + ?Sized> Authorizer for &T {
    fn authorize(&self, attributes: &Attributes) -> Verdict {
        (**self).authorize(attributes)
    }
}
