//! What a write must pass before it is stored: validation of the object, and the checks that need to know who
//! writes (escalation) or where (namespace lifecycle).

pub(crate) mod core;
pub(crate) mod escalation;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod namespaces;
pub(crate) mod rbac;

use serde_json::Value;

use crate::catalog::ResourceType;
use crate::object;
use crate::schema;
use crate::status::{ApiError, group_kind};

/// Fills in what the kind's defaults say.
pub(crate) fn default(resource: &ResourceType, object: &mut Value) {
    schema::apply_defaults(resource, object);
    if resource.group == kubesso_k8s_types::rbac::GROUP {
        rbac::default(resource, object);
    }
}

/// Refuses a new object that is not valid.
pub(crate) fn validate_new(resource: &ResourceType, object: &Value) -> Result<(), ApiError> {
    let mut errors = metadata::validate(resource, object);
    errors.extend(rbac_or_core(resource, object, None));
    refuse(resource, object, &errors)
}

/// Refuses a change that is not valid.
pub(crate) fn validate_change(resource: &ResourceType, object: &Value, old: &Value) -> Result<(), ApiError> {
    // Upstream checks updates of metadata for all kinds and then again for each kind, and so lists what is wrong
    // twice among the causes.
    let mut errors = metadata::validate_update(object, old);
    errors.extend(metadata::validate(resource, object));
    errors.extend(metadata::validate_update(object, old));
    errors.extend(rbac_or_core(resource, object, Some(old)));
    refuse(resource, object, &errors)
}

fn rbac_or_core(
    resource: &ResourceType,
    object: &Value,
    old: Option<&Value>,
) -> Vec<crate::status::field::FieldError> {
    if resource.group == kubesso_k8s_types::rbac::GROUP {
        rbac::validate(resource, object, old)
    } else {
        core::validate(resource, object, old)
    }
}

fn refuse(
    resource: &ResourceType,
    object: &Value,
    errors: &[crate::status::field::FieldError],
) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&group_kind(resource), object::name(object), errors))
}
