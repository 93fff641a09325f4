//! Validation of `metadata`, for all kinds (apimachinery `pkg/api/validation/objectmeta.go`).

use serde_json::{Map, Value, json};

use super::names::{self, NameRule};
use crate::catalog::ResourceType;
use crate::status::field::{self, FieldError};

/// All annotations of an object together, in bytes.
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// Finalizers that need no prefix (kubernetes `pkg/apis/core/helper`, `IsStandardFinalizerName`).
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// The rule for the names of a kind.
pub(crate) fn name_rule(resource: &ResourceType) -> NameRule {
    match (resource.group, resource.plural) {
        ("", "namespaces" | "services") => names::dns_label,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::dns_subdomain,
    }
}

/// What is wrong with the metadata of a new object.
pub(crate) fn validate(resource: &ResourceType, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let empty = Map::new();
    let metadata = object.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();

    let rule = name_rule(resource);
    let prefix = text("generateName");
    if !prefix.is_empty() {
        for wrong in rule(&names::masked_prefix(prefix)) {
            errors.push(field::invalid("metadata.generateName", &json!(prefix), &wrong));
        }
    }
    let name = text("name");
    if name.is_empty() {
        errors.push(field::required("metadata.name", "name or generateName is required"));
    } else {
        for wrong in rule(name) {
            errors.push(field::invalid("metadata.name", &json!(name), &wrong));
        }
    }
    let namespace = text("namespace");
    if resource.namespaced {
        for wrong in names::dns_label(namespace) {
            errors.push(field::invalid("metadata.namespace", &json!(namespace), &wrong));
        }
    } else if !namespace.is_empty() {
        errors.push(field::forbidden("metadata.namespace", "not allowed on this type"));
    }
    errors.extend(labels(metadata.get("labels"), "metadata.labels"));
    errors.extend(annotations(metadata.get("annotations"), "metadata.annotations"));
    errors.extend(owner_references(metadata.get("ownerReferences")));
    errors.extend(finalizers(resource, metadata.get("finalizers")));
    errors
}

/// What is wrong with the metadata of `object`, which is to replace `old`.
pub(crate) fn validate_update(object: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = |object: &Value, name: &str| object["metadata"].get(name).cloned().unwrap_or(Value::Null);
    if !at(old, "deletionTimestamp").is_null() {
        let had = strings(&at(old, "finalizers"));
        let added: Vec<String> =
            strings(&at(object, "finalizers")).into_iter().filter(|name| !had.contains(name)).collect();
        if !added.is_empty() {
            let added: Vec<String> = added.iter().map(|name| crate::status::quoted(name)).collect();
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(field::forbidden("metadata.finalizers", &why));
        }
    }
    for name in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        let value = at(object, name);
        if value != at(old, name) {
            errors.push(field::invalid(format!("metadata.{name}"), &value, "field is immutable"));
        }
    }
    errors
}

/// A label map, wherever it is.
pub(crate) fn labels(labels: Option<&Value>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        for wrong in names::label_key(key) {
            errors.push(field::invalid(path, &json!(key), &wrong));
        }
        for wrong in names::label_value(value.as_str().unwrap_or_default()) {
            errors.push(field::invalid(path, value, &wrong));
        }
    }
    errors
}

fn annotations(annotations: Option<&Value>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        size += key.len() + value.as_str().unwrap_or_default().len();
        for wrong in names::label_key(&key.to_lowercase()) {
            errors.push(field::invalid(path, &json!(key), &wrong));
        }
    }
    if size > MAX_ANNOTATIONS {
        errors.push(field::too_long(path, MAX_ANNOTATIONS));
    }
    errors
}

fn owner_references(references: Option<&Value>) -> Vec<FieldError> {
    const PATH: &str = "metadata.ownerReferences";
    let mut errors = Vec::new();
    let references = references.and_then(Value::as_array);
    let mut controller: Option<String> = None;
    for reference in references.into_iter().flatten() {
        let text = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
        let version = text("apiVersion");
        if version.is_empty() || version.ends_with('/') {
            errors.push(field::invalid(
                format!("{PATH}.apiVersion"),
                &json!(version),
                "version must not be empty",
            ));
        }
        for name in ["kind", "name", "uid"] {
            if text(name).is_empty() {
                errors.push(field::invalid(format!("{PATH}.{name}"), &json!(""), "must not be empty"));
            }
        }
        if version == "v1" && text("kind") == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(field::invalid(PATH, reference, why));
        }
        if reference.get("controller") == Some(&Value::Bool(true)) {
            let this = format!("{}/{}", text("kind"), text("name"));
            if let Some(first) = &controller {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                errors.push(field::invalid(PATH, &json!(references), &why));
            } else {
                controller = Some(this);
            }
        }
    }
    errors
}

fn finalizers(resource: &ResourceType, finalizers: Option<&Value>) -> Vec<FieldError> {
    const PATH: &str = "metadata.finalizers";
    let finalizers = strings(finalizers.unwrap_or(&Value::Null));
    let mut errors = Vec::new();
    for name in &finalizers {
        for wrong in names::label_key(name) {
            errors.push(field::invalid(PATH, &json!(name), &wrong));
        }
    }
    if ["orphan", "foregroundDeletion"].iter().all(|name| finalizers.iter().any(|have| have == name)) {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(field::invalid(PATH, &json!(finalizers), why));
    }
    // Only the kinds of kubernetes/kubernetes ask for a prefix, and only the core group's validation does.
    if resource.group.is_empty() {
        for (index, name) in finalizers.iter().enumerate() {
            if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name.as_str()) {
                let why = "name is neither a standard finalizer name nor is it fully qualified";
                errors.push(field::invalid(format!("{PATH}[{index}]"), &json!(name), why));
            }
        }
    }
    errors
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
