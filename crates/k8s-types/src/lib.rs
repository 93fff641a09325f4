//! The Kubernetes objects that kubesso reads and writes, as plain values that serde turns into the
//! very JSON (or YAML) that Kubernetes 1.36 itself sends.
//!
//! This room computes nothing about access; it only knows shapes: which field is left out when it is
//! empty, which one becomes `null`, in which order they come, and how the texts in a `Status` are put
//! together. Deserialising is as forgiving as upstream: `null` is the empty value, unknown fields are
//! dropped where the API server drops them and kept where a person would lose data
//! ([`kubeconfig`]).
//!
//! ```
//! use kubesso_k8s_types::rbac::{RoleBinding, Subject};
//!
//! let binding: RoleBinding = serde_json::from_str(r#"{
//!     "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
//!     "metadata": {"name": "oidc-cluster-user", "namespace": "default"},
//!     "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "k8s-restricted-users"}],
//!     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "restricted-user"}
//! }"#)?;
//! assert_eq!(binding.subjects, [Subject::group("k8s-restricted-users")]);
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod authentication;
pub mod authentication_configuration;
pub mod authorization;
pub mod exec_credential;
pub mod go;
pub mod kubeconfig;
pub mod meta;
pub mod rbac;
pub mod secret;
mod wire;

pub use authentication::UserInfo;
pub use secret::Secret;
