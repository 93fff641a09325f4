//! May this user do that? Kubernetes' authorization as pure functions: an HTTP request becomes
//! [`Attributes`], an [`Authorizer`] turns them into a [`Verdict`], and the reason says which binding
//! decided.
//!
//! The decisions, reasons and error texts are those of kube-apiserver 1.36 for every input; where
//! upstream picks at random (it walks Go maps), this room picks the first binding by name, with
//! ClusterRoleBindings before RoleBindings. It does no I/O: a caller builds an immutable [`Rbac`]
//! snapshot from its objects and replaces it when they change.
//!
//! ```
//! use kubesso_authz::{Authorizer, Decision, Rbac, RbacObjects, RequestInfo, forbidden_status};
//! use kubesso_k8s_types::UserInfo;
//! use kubesso_k8s_types::meta::ObjectMeta;
//! use kubesso_k8s_types::rbac::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
//!
//! let rbac = Rbac::new(RbacObjects {
//!     roles: vec![Role {
//!         metadata: ObjectMeta::namespaced("default", "restricted-user"),
//!         rules: vec![PolicyRule::resources(&["get", "list", "watch"], &[""], &["pods", "services"])],
//!         ..Role::default()
//!     }],
//!     role_bindings: vec![RoleBinding {
//!         metadata: ObjectMeta::namespaced("default", "oidc-cluster-user"),
//!         subjects: vec![Subject::group("k8s-restricted-users")],
//!         role_ref: RoleRef::role("restricted-user"),
//!         ..RoleBinding::default()
//!     }],
//!     ..RbacObjects::default()
//! });
//! let dev = UserInfo {
//!     username: "dev@example.com".to_owned(),
//!     groups: vec!["k8s-restricted-users".to_owned()],
//!     ..UserInfo::default()
//! };
//!
//! let pods = RequestInfo::resolve("GET", "/api/v1/namespaces/default/pods", "")?.attributes(dev.clone());
//! let verdict = rbac.authorize(&pods);
//! assert_eq!(verdict.decision, Decision::Allow);
//! assert_eq!(
//!     verdict.reason,
//!     r#"RBAC: allowed by RoleBinding "oidc-cluster-user/default" of Role "restricted-user" to Group "k8s-restricted-users""#
//! );
//!
//! let secrets = RequestInfo::resolve("GET", "/api/v1/namespaces/default/secrets", "")?.attributes(dev);
//! let verdict = rbac.authorize(&secrets);
//! assert_eq!(
//!     forbidden_status(&secrets, &verdict.reason).message,
//!     r#"secrets is forbidden: User "dev@example.com" cannot list resource "secrets" in API group "" in the namespace "default""#
//! );
//! # Ok::<(), kubesso_authz::RequestInfoError>(())
//! ```

mod attributes;
mod covers;
pub mod escalation;
mod forbidden;
mod rbac;
mod request_info;
pub mod review;
pub mod selector;
mod union;

pub use attributes::{Attributes, Authorizer, Decision, ResourceTarget, Target, Verdict};
pub use covers::{breakdown, compact, compact_text, covers};
pub use forbidden::{forbidden_message, forbidden_status};
pub use rbac::{
    BindingName, Grant, Likeness, Miss, NearMiss, Rbac, RbacObjects, ResolvedRules, RoleError, rule_allows,
};
pub use request_info::{RequestInfo, RequestInfoError};
pub use union::{PRIVILEGED_GROUP, PrivilegedGroup, Union};
