//! Namespace lifecycle (apiserver `pkg/admission/plugin/namespace/lifecycle`): nothing is created in a namespace
//! that is missing or ending, and three namespaces stay.

use kubesso_k8s_types::meta::StatusCause;

use crate::catalog::{Catalog, ResourceType};
use crate::object;
use crate::status::ApiError;
use crate::storage::{Key, State};

/// Namespaces that cannot be deleted.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// The address of a namespace object.
pub(crate) fn key(name: &str) -> Key {
    Key { resource: "namespaces".to_owned(), namespace: String::new(), name: name.to_owned() }
}

/// May something be created in the namespace?
pub(crate) fn check_create(
    state: &State,
    resource: &ResourceType,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    if !resource.namespaced {
        return Ok(());
    }
    let namespaces = Catalog::get().resource("", "v1", "namespaces");
    let Some(found) = state.get(&key(namespace)) else {
        return Err(
            namespaces.map_or_else(ApiError::no_such_resource, |kind| ApiError::not_found(kind, namespace))
        );
    };
    if !object::is_deleting(&found.object) {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut refused = ApiError::forbidden(resource, name, &why);
    if let Some(details) = &mut refused.0.details {
        details.causes.push(StatusCause {
            reason: "NamespaceTerminating".to_owned(),
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".to_owned(),
        });
    }
    Err(refused)
}

/// May the object be deleted?
pub(crate) fn check_delete(resource: &ResourceType, name: &str) -> Result<(), ApiError> {
    if resource.group.is_empty() && resource.plural == "namespaces" && IMMORTAL.contains(&name) {
        return Err(ApiError::forbidden(resource, name, "this namespace may not be deleted"));
    }
    Ok(())
}
