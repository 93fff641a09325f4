//! `rbac.authorization.k8s.io/v1`: roles, and who has them.

use serde::{Deserialize, Serialize};

pub use crate::meta::{LabelSelector, LabelSelectorRequirement};
use crate::meta::{ListMeta, Object, ObjectMeta};
use crate::wire::{null_if_empty, nullable};

/// The group of this module's objects, of user and group subjects and of role references.
pub const GROUP: &str = "rbac.authorization.k8s.io";
/// The group and version of this module's objects.
pub const API_VERSION: &str = "rbac.authorization.k8s.io/v1";
/// Bootstrap objects with this annotation set to `true` are reconciled at every start.
pub const AUTO_UPDATE_ANNOTATION: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What may be done: either on resources (groups, resources, names) or on paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRule {
    /// `*` is all.
    #[serde(default, deserialize_with = "nullable", serialize_with = "null_if_empty")]
    pub verbs: Vec<String>,
    /// `""` is the core group, `*` all.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale`, `*`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Empty is all; `*` is no wildcard here.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Paths; a trailing `*` matches every continuation.
    #[serde(
        default,
        rename = "nonResourceURLs",
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}

impl PolicyRule {
    /// A rule on resources.
    pub fn resources(verbs: &[&str], api_groups: &[&str], resources: &[&str]) -> Self {
        Self {
            verbs: owned(verbs),
            api_groups: owned(api_groups),
            resources: owned(resources),
            ..Self::default()
        }
    }

    /// A rule on paths.
    pub fn non_resource(verbs: &[&str], urls: &[&str]) -> Self {
        Self { verbs: owned(verbs), non_resource_urls: owned(urls), ..Self::default() }
    }

    /// The same rule for these names only.
    #[must_use]
    pub fn names(mut self, names: &[&str]) -> Self {
        self.resource_names = owned(names);
        self
    }
}

/// Whom a binding gives a role to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    #[serde(default, deserialize_with = "nullable")]
    pub kind: String,
    /// Empty for service accounts, [`GROUP`] for the others.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// Of the user, group or service account.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Of the service account.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// `Subject.kind` of a user.
pub const USER_KIND: &str = "User";
/// `Subject.kind` of a group.
pub const GROUP_KIND: &str = "Group";
/// `Subject.kind` of a service account.
pub const SERVICE_ACCOUNT_KIND: &str = "ServiceAccount";

impl Subject {
    /// A user by name.
    pub fn user(name: impl Into<String>) -> Self {
        Self { kind: USER_KIND.to_owned(), api_group: GROUP.to_owned(), name: name.into(), ..Self::default() }
    }

    /// A group by name.
    pub fn group(name: impl Into<String>) -> Self {
        Self { kind: GROUP_KIND.to_owned(), ..Self::user(name) }
    }

    /// A service account.
    pub fn service_account(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind: SERVICE_ACCOUNT_KIND.to_owned(),
            api_group: String::new(),
            name: name.into(),
            namespace: namespace.into(),
        }
    }
}

/// Which role a binding gives. Immutable once stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleRef {
    /// [`GROUP`]
    #[serde(default, deserialize_with = "nullable")]
    pub api_group: String,
    /// `Role` or `ClusterRole`.
    #[serde(default, deserialize_with = "nullable")]
    pub kind: String,
    /// Of the role.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
}

impl RoleRef {
    /// A Role in the binding's namespace.
    pub fn role(name: impl Into<String>) -> Self {
        Self { api_group: GROUP.to_owned(), kind: Role::KIND.to_owned(), name: name.into() }
    }

    /// A ClusterRole.
    pub fn cluster_role(name: impl Into<String>) -> Self {
        Self { kind: ClusterRole::KIND.to_owned(), ..Self::role(name) }
    }
}

/// Whose rules a ClusterRole collects; filled by a controller, not by the authorizer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AggregationRule {
    /// Any of them chooses a ClusterRole.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub cluster_role_selectors: Vec<LabelSelector>,
}

macro_rules! object {
    ($(#[$doc:meta])* $name:ident, $list:ident, $resource:literal {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            #[doc = concat!("`", stringify!($name), "`; empty inside a list.")]
            #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
            pub kind: String,
            /// [`API_VERSION`]; empty inside a list.
            #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
            pub api_version: String,
            /// Name, labels, …
            #[serde(default, deserialize_with = "nullable")]
            pub metadata: ObjectMeta,
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    kind: Self::KIND.to_owned(),
                    api_version: API_VERSION.to_owned(),
                    metadata: ObjectMeta::default(),
                    $($field: Default::default(),)*
                }
            }
        }

        impl Object for $name {
            const GROUP: &'static str = GROUP;
            const VERSION: &'static str = "v1";
            const KIND: &'static str = stringify!($name);
            const RESOURCE: &'static str = $resource;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
        }

        #[doc = concat!("A list of [`", stringify!($name), "`].")]
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $list {
            #[doc = concat!("`", stringify!($list), "`")]
            #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
            pub kind: String,
            /// [`API_VERSION`]
            #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
            pub api_version: String,
            /// Version and paging of the list.
            #[serde(default, deserialize_with = "nullable")]
            pub metadata: ListMeta,
            /// The objects; `[]` when there are none.
            #[serde(default, deserialize_with = "nullable")]
            pub items: Vec<$name>,
        }

        impl Default for $list {
            fn default() -> Self {
                Self {
                    kind: stringify!($list).to_owned(),
                    api_version: API_VERSION.to_owned(),
                    metadata: ListMeta::default(),
                    items: Vec::new(),
                }
            }
        }
    };
}

object!(
    /// Rules within one namespace.
    Role, RoleList, "roles" {
        /// `null` when there are none.
        #[serde(default, deserialize_with = "nullable", serialize_with = "null_if_empty")]
        rules: Vec<PolicyRule>,
    }
);

object!(
    /// Rules for the whole cluster, or for a namespace by a RoleBinding.
    ClusterRole, ClusterRoleList, "clusterroles" {
        /// `null` when there are none.
        #[serde(default, deserialize_with = "nullable", serialize_with = "null_if_empty")]
        rules: Vec<PolicyRule>,
        /// When set, a controller overwrites the rules with those of the chosen roles.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aggregation_rule: Option<AggregationRule>,
    }
);

object!(
    /// Gives a Role or a ClusterRole to subjects, within one namespace.
    RoleBinding, RoleBindingList, "rolebindings" {
        /// Who gets the role.
        #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
        subjects: Vec<Subject>,
        /// Which role.
        #[serde(default, deserialize_with = "nullable")]
        role_ref: RoleRef,
    }
);

object!(
    /// Gives a ClusterRole to subjects, everywhere.
    ClusterRoleBinding, ClusterRoleBindingList, "clusterrolebindings" {
        /// Who gets the role.
        #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
        subjects: Vec<Subject>,
        /// Which role.
        #[serde(default, deserialize_with = "nullable")]
        role_ref: RoleRef,
    }
);

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_as_upstream_writes_it() {
        let role = Role {
            metadata: ObjectMeta::namespaced("default", "restricted-user"),
            rules: vec![
                PolicyRule::resources(&["get", "list"], &[""], &["pods"]),
                PolicyRule::non_resource(&[], &["/healthz"]),
            ],
            ..Role::default()
        };
        insta::assert_snapshot!(serde_json::to_string(&role).unwrap(), @r#"{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"restricted-user","namespace":"default"},"rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]},{"verbs":null,"nonResourceURLs":["/healthz"]}]}"#);
    }

    #[test]
    fn empty_required_lists_are_null_but_items_are_not() {
        assert!(serde_json::to_string(&ClusterRole::default()).unwrap().contains(r#""rules":null"#));
        assert!(serde_json::to_string(&RoleList::default()).unwrap().contains(r#""items":[]"#));
    }

    #[test]
    fn null_reads_as_empty_and_unknown_fields_are_dropped() {
        let read: ClusterRoleBinding = serde_json::from_str(
            r#"{"metadata":null,"subjects":null,"roleRef":{"kind":"ClusterRole","name":null,"x":1},"y":{}}"#,
        )
        .unwrap();
        assert_eq!(read.role_ref, RoleRef { kind: "ClusterRole".to_owned(), ..RoleRef::default() });
        assert!(read.subjects.is_empty() && read.kind.is_empty());
    }
}
