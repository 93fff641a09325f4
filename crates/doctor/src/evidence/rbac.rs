//! Roles and bindings from files.

use std::sync::{Arc, OnceLock};

use kubesso_authz::{Rbac, RbacObjects};
use kubesso_k8s_types::meta::ObjectMeta;
use kubesso_k8s_types::rbac::{
    ClusterRole, ClusterRoleBinding, GROUP_KIND, PolicyRule, Role, RoleBinding, RoleRef, Subject, USER_KIND,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Roles and bindings, as somebody gave them.
#[derive(Clone, Debug, Default)]
pub struct RbacEvidence {
    /// The bindings' subjects, each with the binding's name.
    pub subjects: Vec<(String, Subject)>,
    /// The roles' rules, each with the role's name.
    pub rules: Vec<(String, PolicyRule)>,
    /// References to roles that are not among them, with the binding's name.
    pub dangling: Vec<(String, String)>,
    names: Vec<String>,
    references: Vec<(String, String)>,
    objects: RbacObjects,
    snapshot: OnceLock<Arc<Rbac>>,
}

/// Why a file gives no roles and bindings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RbacFileError {
    /// It is no YAML and no JSON.
    #[error("it is no YAML: {0}")]
    NoYaml(String),
    /// An object of a kind that we know, and not in its shape.
    #[error("{kind} {name:?} cannot be read: {problem}")]
    Object {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing of RBAC in it.
    #[error("there is no Role, ClusterRole, RoleBinding or ClusterRoleBinding in it")]
    Nothing,
}

impl RbacEvidence {
    /// Adds what a file has: documents one after the other, or a List.
    ///
    /// # Errors
    /// It cannot be read, or has nothing of RBAC.
    pub fn add(&mut self, text: &str) -> Result<(), RbacFileError> {
        let documents = serde_saphyr::from_multiple::<Value>(text).map_err(|error| {
            RbacFileError::NoYaml(error.to_string().lines().next().unwrap_or_default().to_owned())
        })?;
        let mut objects = RbacObjects::default();
        for document in documents {
            match document.get("items").and_then(Value::as_array) {
                Some(items) => items.iter().try_for_each(|item| add_object(&mut objects, item))?,
                None => add_object(&mut objects, &document)?,
            }
        }
        self.take(objects)
    }

    /// Adds objects that say their kind.
    ///
    /// # Errors
    /// One of them is not in its shape.
    pub(crate) fn add_objects(&mut self, items: impl Iterator<Item = Value>) -> Result<(), RbacFileError> {
        let mut objects = RbacObjects::default();
        for item in items {
            add_object(&mut objects, &item)?;
        }
        self.take(objects)
    }

    /// The role that a binding names.
    pub(crate) fn role_of(&self, binding: &str) -> Option<&str> {
        let found = self.references.iter().find(|(name, _)| name == binding);
        found.map(|(_, role)| role.as_str())
    }

    /// What decides by them. `cluster-admin` is there, whether or not the files have it.
    pub(crate) fn snapshot(&self) -> &Rbac {
        self.snapshot.get_or_init(|| {
            let mut objects = self.objects.clone();
            if !objects.cluster_roles.iter().any(|role| role.metadata.name == "cluster-admin") {
                objects.cluster_roles.push(ClusterRole {
                    metadata: ObjectMeta::named("cluster-admin"),
                    rules: vec![
                        PolicyRule::resources(&["*"], &["*"], &["*"]),
                        PolicyRule::non_resource(&["*"], &["*"]),
                    ],
                    ..ClusterRole::default()
                });
            }
            Arc::new(Rbac::new(objects))
        })
    }

    /// Whether it is a role of every cluster that these files do not have.
    pub(crate) fn lacks_built_in(&self, role: &RoleRef) -> bool {
        let name = format!("ClusterRole {}", role.name);
        role.kind == "ClusterRole" && is_built_in(&name) && !self.names.contains(&name)
    }

    fn take(&mut self, objects: RbacObjects) -> Result<(), RbacFileError> {
        self.snapshot = OnceLock::new();
        let kept = objects.clone();
        self.objects.roles.extend(kept.roles);
        self.objects.role_bindings.extend(kept.role_bindings);
        self.objects.cluster_roles.extend(kept.cluster_roles);
        self.objects.cluster_role_bindings.extend(kept.cluster_role_bindings);
        let before = self.names.len() + self.references.len();
        for role in objects.cluster_roles {
            let name = format!("ClusterRole {}", role.metadata.name);
            self.rules.extend(role.rules.into_iter().map(|rule| (name.clone(), rule)));
            self.names.push(name);
        }
        for role in objects.roles {
            let name = format!("Role {}/{}", role.metadata.namespace, role.metadata.name);
            self.rules.extend(role.rules.into_iter().map(|rule| (name.clone(), rule)));
            self.names.push(name);
        }
        for binding in objects.cluster_role_bindings {
            let name = format!("ClusterRoleBinding {}", binding.metadata.name);
            self.references.push((name.clone(), format!("ClusterRole {}", binding.role_ref.name)));
            self.subjects.extend(binding.subjects.into_iter().map(|subject| (name.clone(), subject)));
        }
        for binding in objects.role_bindings {
            let name = format!("RoleBinding {}/{}", binding.metadata.namespace, binding.metadata.name);
            let role = match binding.role_ref.kind.as_str() {
                "Role" => format!("Role {}/{}", binding.metadata.namespace, binding.role_ref.name),
                _ => format!("ClusterRole {}", binding.role_ref.name),
            };
            self.references.push((name.clone(), role));
            self.subjects.extend(binding.subjects.into_iter().map(|subject| (name.clone(), subject)));
        }
        let known = |role: &String| self.names.contains(role) || is_built_in(role);
        self.dangling = self.references.iter().filter(|(_, role)| !known(role)).cloned().collect();
        if self.names.len() + self.references.len() == before { Err(RbacFileError::Nothing) } else { Ok(()) }
    }

    /// Names of the users that bindings name.
    pub fn users(&self) -> impl Iterator<Item = (&str, &str)> {
        self.of_kind(USER_KIND)
    }

    /// Names of the groups that bindings name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &str)> {
        self.of_kind(GROUP_KIND)
    }

    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = (&str, &str)> {
        let subjects = self.subjects.iter().filter(move |(_, subject)| subject.kind == kind);
        subjects.map(|(binding, subject)| (binding.as_str(), subject.name.as_str()))
    }
}

/// The roles that every cluster has: a file need not bring them.
fn is_built_in(role: &str) -> bool {
    ["cluster-admin", "admin", "edit", "view"].iter().any(|name| role == format!("ClusterRole {name}"))
        || role.starts_with("ClusterRole system:")
        || role.contains("/system:")
}

fn add_object(objects: &mut RbacObjects, value: &Value) -> Result<(), RbacFileError> {
    match value.get("kind").and_then(Value::as_str) {
        Some("Role") => objects.roles.push(object::<Role>(value)?),
        Some("ClusterRole") => objects.cluster_roles.push(object::<ClusterRole>(value)?),
        Some("RoleBinding") => objects.role_bindings.push(object::<RoleBinding>(value)?),
        Some("ClusterRoleBinding") => {
            objects.cluster_role_bindings.push(object::<ClusterRoleBinding>(value)?);
        }
        _ => {}
    }
    Ok(())
}

fn object<T: DeserializeOwned>(value: &Value) -> Result<T, RbacFileError> {
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    serde_json::from_value(value.clone()).map_err(|error| RbacFileError::Object {
        kind: text("/kind"),
        name: text("/metadata/name"),
        problem: error.to_string(),
    })
}
