//! What a group may do: the RBAC objects that say it, from presets.

use kubesso_k8s_types::meta::ObjectMeta;
use kubesso_k8s_types::rbac::{ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};

use crate::yaml;

/// Everybody who signed in has this name in front of it at none of their issuers: Kubernetes' own.
const SYSTEM: &str = "system:";

/// What a group gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The group as the API server sees it, with its prefix.
    pub group: String,
    /// What it may do.
    pub role: GrantedRole,
    /// Where; nothing: in the whole cluster.
    pub namespace: Option<String>,
}

/// A role that is there already, or one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantedRole {
    /// A ClusterRole that every cluster has (`cluster-admin`, `admin`, `edit`, `view`), or one of your own.
    ClusterRole(String),
    /// Reading pods and services, as the tutorial's second role: made in the namespace.
    PodReader,
}

impl GrantedRole {
    /// The name of the preset that is made.
    pub const POD_READER: &str = "pod-reader";

    /// The preset of that name, or the ClusterRole.
    pub fn of_name(name: &str) -> Self {
        if name == Self::POD_READER { Self::PodReader } else { Self::ClusterRole(name.to_owned()) }
    }
}

/// Why a grant makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Kubernetes' own groups are not given roles by hand.
    #[error("`{0}` is one of Kubernetes' own groups: give a group of your provider")]
    SystemGroup(String),
    /// A Role lives in a namespace.
    #[error("{} is a role of one namespace: say which with --namespace", GrantedRole::POD_READER)]
    NoNamespace,
    /// A name that no object can have.
    #[error("`{0}` cannot be a name: use small letters, digits, `-` and `.`, at most 63")]
    BadName(String),
}

impl Grant {
    /// The objects, as documents of one YAML stream.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn manifest(&self) -> Result<String, GrantError> {
        if self.group.starts_with(SYSTEM) {
            return Err(GrantError::SystemGroup(self.group.clone()));
        }
        if let Some(namespace) = &self.namespace
            && !is_name(namespace)
        {
            return Err(GrantError::BadName(namespace.clone()));
        }
        let subjects = vec![Subject::group(&self.group)];
        match (&self.role, &self.namespace) {
            (GrantedRole::ClusterRole(role), None) => {
                let binding = ClusterRoleBinding {
                    metadata: named(&self.binding_name(role), None),
                    role_ref: RoleRef::cluster_role(role),
                    subjects,
                    ..ClusterRoleBinding::default()
                };
                Ok(yaml::to_string(&binding))
            }
            (GrantedRole::ClusterRole(role), Some(namespace)) => {
                let binding = RoleBinding {
                    metadata: named(&self.binding_name(role), Some(namespace)),
                    role_ref: RoleRef::cluster_role(role),
                    subjects,
                    ..RoleBinding::default()
                };
                Ok(yaml::to_string(&binding))
            }
            (GrantedRole::PodReader, Some(namespace)) => {
                let role = Role {
                    metadata: named(GrantedRole::POD_READER, Some(namespace)),
                    rules: vec![PolicyRule::resources(
                        &["get", "list", "watch"],
                        &[""],
                        &["pods", "services"],
                    )],
                    ..Role::default()
                };
                let binding = RoleBinding {
                    metadata: named(&self.binding_name(GrantedRole::POD_READER), Some(namespace)),
                    role_ref: RoleRef::role(GrantedRole::POD_READER),
                    subjects,
                    ..RoleBinding::default()
                };
                Ok(stream(&[yaml::to_string(&role), yaml::to_string(&binding)]))
            }
            (GrantedRole::PodReader, None) => Err(GrantError::NoNamespace),
        }
    }

    /// `k8s-admins-cluster-admin`: one binding for each pair, so that two grants do not undo each other.
    fn binding_name(&self, role: &str) -> String {
        let plain = |text: &str| {
            let text: String = text
                .to_lowercase()
                .chars()
                .map(|one| if one.is_ascii_alphanumeric() || one == '.' { one } else { '-' })
                .collect();
            text.trim_matches(['-', '.']).to_owned()
        };
        format!("{}-{}", plain(&self.group), plain(role))
    }
}

fn named(name: &str, namespace: Option<&String>) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        namespace: namespace.cloned().unwrap_or_default(),
        ..ObjectMeta::default()
    }
}

fn stream(documents: &[String]) -> String {
    documents.join("---\n")
}

/// A DNS label (RFC 1123), which namespaces are.
fn is_name(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(group: &str, role: &str, namespace: Option<&str>) -> Result<String, GrantError> {
        let namespace = namespace.map(str::to_owned);
        Grant { group: group.to_owned(), role: GrantedRole::of_name(role), namespace }.manifest()
    }

    #[test]
    fn the_tutorials_administrators() {
        insta::assert_snapshot!(grant("k8s-admins", "cluster-admin", None).unwrap(), @r#"
        kind: ClusterRoleBinding
        apiVersion: rbac.authorization.k8s.io/v1
        metadata:
          name: k8s-admins-cluster-admin
        subjects:
        - kind: Group
          apiGroup: rbac.authorization.k8s.io
          name: k8s-admins
        roleRef:
          apiGroup: rbac.authorization.k8s.io
          kind: ClusterRole
          name: cluster-admin
        "#);
    }

    #[test]
    fn the_tutorials_second_role() {
        insta::assert_snapshot!(grant("oidc:k8s-restricted-users", "pod-reader", Some("default")).unwrap(), @r#"
        kind: Role
        apiVersion: rbac.authorization.k8s.io/v1
        metadata:
          name: pod-reader
          namespace: default
        rules:
        - verbs:
          - get
          - list
          - watch
          apiGroups:
          - ""
          resources:
          - pods
          - services
        ---
        kind: RoleBinding
        apiVersion: rbac.authorization.k8s.io/v1
        metadata:
          name: oidc-k8s-restricted-users-pod-reader
          namespace: default
        subjects:
        - kind: Group
          apiGroup: rbac.authorization.k8s.io
          name: oidc:k8s-restricted-users
        roleRef:
          apiGroup: rbac.authorization.k8s.io
          kind: Role
          name: pod-reader
        "#);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(grant("system:masters", "view", None).unwrap_err().to_string().contains("Kubernetes' own"));
        assert_eq!(grant("team", "pod-reader", None), Err(GrantError::NoNamespace));
        assert!(matches!(grant("team", "view", Some("Not A Name")), Err(GrantError::BadName(_))));
    }
}
