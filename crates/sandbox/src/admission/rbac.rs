//! Validation of roles and bindings, with the texts of kubernetes `pkg/apis/rbac/validation`, and the defaults
//! that upstream fills in.

use kubesso_k8s_types::rbac::{
    ClusterRole, GROUP, GROUP_KIND, LabelSelector, PolicyRule, RoleRef, SERVICE_ACCOUNT_KIND, Subject,
    USER_KIND,
};
use serde_json::{Value, json};

use super::{metadata, names};
use crate::catalog::ResourceType;
use crate::status::field::{self, FieldError};

/// What is wrong with a role or binding, beside its metadata.
pub(crate) fn validate(resource: &ResourceType, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match resource.plural {
        "roles" => rules(object, true),
        "clusterroles" => {
            let mut errors = rules(object, false);
            errors.extend(aggregation(object));
            errors
        }
        "rolebindings" => binding(object, old, &["Role", "ClusterRole"]),
        "clusterrolebindings" => binding(object, old, &["ClusterRole"]),
        _ => Vec::new(),
    }
}

/// Fills in the API groups of role reference and subjects (kubernetes `pkg/apis/rbac/v1/defaults.go`). A role
/// without rules has the rules `null`, as Go writes it.
pub(crate) fn default(resource: &ResourceType, object: &mut Value) {
    if matches!(resource.plural, "roles" | "clusterroles") {
        let rules = crate::object::members(object).entry("rules").or_insert(Value::Null);
        if rules.as_array().is_some_and(Vec::is_empty) {
            *rules = Value::Null;
        }
    }
    if let Some(reference) = object.get_mut("roleRef").and_then(Value::as_object_mut) {
        let group = reference.entry("apiGroup").or_insert(Value::Null);
        if group.as_str().unwrap_or_default().is_empty() {
            *group = GROUP.into();
        }
    }
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(subject) = subject.as_object_mut() else { continue };
        let named = matches!(subject.get("kind").and_then(Value::as_str), Some(USER_KIND | GROUP_KIND));
        let group = subject.get("apiGroup").and_then(Value::as_str).unwrap_or_default();
        if named && group.is_empty() {
            subject.insert("apiGroup".to_owned(), GROUP.into());
        }
    }
}

fn rules(object: &Value, namespaced: bool) -> Vec<FieldError> {
    let rules: Vec<PolicyRule> =
        object.get("rules").cloned().and_then(|rules| serde_json::from_value(rules).ok()).unwrap_or_default();
    let mut errors = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let at = |name: &str| format!("rules[{index}].{name}");
        if rule.verbs.is_empty() {
            errors.push(field::required(at("verbs"), "verbs must contain at least one value"));
        }
        if !rule.non_resource_urls.is_empty() {
            let urls = json!(rule.non_resource_urls);
            if namespaced {
                let why = "namespaced rules cannot apply to non-resource URLs";
                errors.push(field::invalid(at("nonResourceURLs"), &urls, why));
            }
            if !rule.api_groups.is_empty() || !rule.resources.is_empty() || !rule.resource_names.is_empty() {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                errors.push(field::invalid(at("nonResourceURLs"), &urls, why));
            }
            continue;
        }
        if rule.api_groups.is_empty() {
            errors
                .push(field::required(at("apiGroups"), "resource rules must supply at least one api group"));
        }
        if rule.resources.is_empty() {
            errors.push(field::required(at("resources"), "resource rules must supply at least one resource"));
        }
    }
    errors
}

fn aggregation(object: &Value) -> Vec<FieldError> {
    const PATH: &str = "aggregationRule.clusterRoleSelectors";
    let Ok(role) = serde_json::from_value::<ClusterRole>(object.clone()) else { return Vec::new() };
    let Some(aggregation) = role.aggregation_rule else { return Vec::new() };
    let mut errors = Vec::new();
    if aggregation.cluster_role_selectors.is_empty() {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        errors.push(field::required(PATH, why));
    }
    for (index, selector) in aggregation.cluster_role_selectors.iter().enumerate() {
        let path = format!("{PATH}[{index}]");
        let wrong = label_selector(selector, &path);
        let unusable = !wrong.is_empty();
        errors.extend(wrong);
        if unusable {
            errors.push(field::invalid(path, &Value::Null, "invalid label selector."));
        }
    }
    errors
}

/// apimachinery `pkg/apis/meta/v1/validation`, `ValidateLabelSelector`.
pub(crate) fn label_selector(selector: &LabelSelector, path: &str) -> Vec<FieldError> {
    let mut errors = metadata::labels(Some(&json!(selector.match_labels)), &format!("{path}.matchLabels"));
    for (index, requirement) in selector.match_expressions.iter().enumerate() {
        let at = |name: &str| format!("{path}.matchExpressions[{index}].{name}");
        match requirement.operator.as_str() {
            "In" | "NotIn" if requirement.values.is_empty() => {
                errors.push(field::required(
                    at("values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                ));
            }
            "Exists" | "DoesNotExist" if !requirement.values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(field::forbidden(at("values"), why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.push(field::invalid(at("operator"), &json!(other), "not a valid selector operator"));
            }
        }
        for wrong in names::label_key(&requirement.key) {
            errors.push(field::invalid(at("key"), &json!(requirement.key), &wrong));
        }
        for (place, value) in requirement.values.iter().enumerate() {
            for wrong in names::label_value(value) {
                errors.push(field::invalid(format!("{}[{place}]", at("values")), &json!(value), &wrong));
            }
        }
    }
    errors
}

fn binding(object: &Value, old: Option<&Value>, kinds: &[&str]) -> Vec<FieldError> {
    let reference = role_ref(object);
    let mut errors = Vec::new();
    if reference.api_group != GROUP {
        errors.push(field::not_supported("roleRef.apiGroup", &reference.api_group, &[GROUP]));
    }
    if !kinds.contains(&reference.kind.as_str()) {
        errors.push(field::not_supported("roleRef.kind", &reference.kind, kinds));
    }
    if reference.name.is_empty() {
        errors.push(field::required("roleRef.name", ""));
    }
    for wrong in names::path_segment(&reference.name) {
        errors.push(field::invalid("roleRef.name", &json!(reference.name), &wrong));
    }
    let namespaced = kinds.contains(&"Role");
    let subjects: Vec<Subject> = object
        .get("subjects")
        .cloned()
        .and_then(|list| serde_json::from_value(list).ok())
        .unwrap_or_default();
    for (index, subject) in subjects.iter().enumerate() {
        errors.extend(validate_subject(subject, namespaced, &format!("subjects[{index}]")));
    }
    if let Some(old) = old
        && role_ref(old) != reference
    {
        // Upstream prints its internal struct, whose fields have no JSON names.
        let value = json!({"APIGroup": reference.api_group, "Kind": reference.kind, "Name": reference.name});
        errors.push(field::invalid("roleRef", &value, "cannot change roleRef"));
    }
    errors
}

fn validate_subject(subject: &Subject, namespaced: bool, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = |name: &str| format!("{path}.{name}");
    if subject.name.is_empty() {
        errors.push(field::required(at("name"), ""));
    }
    match subject.kind.as_str() {
        SERVICE_ACCOUNT_KIND => {
            if !subject.name.is_empty() {
                for wrong in names::dns_subdomain(&subject.name) {
                    errors.push(field::invalid(at("name"), &json!(subject.name), &wrong));
                }
            }
            if !subject.api_group.is_empty() {
                errors.push(field::not_supported(at("apiGroup"), &subject.api_group, &[""]));
            }
            if !namespaced && subject.namespace.is_empty() {
                errors.push(field::required(at("namespace"), ""));
            }
        }
        USER_KIND | GROUP_KIND => {
            if subject.api_group != GROUP {
                errors.push(field::not_supported(at("apiGroup"), &subject.api_group, &[GROUP]));
            }
        }
        other => {
            let supported = &[SERVICE_ACCOUNT_KIND, USER_KIND, GROUP_KIND];
            errors.push(field::not_supported(at("kind"), other, supported));
        }
    }
    errors
}

/// The role reference of a binding.
pub(crate) fn role_ref(object: &Value) -> RoleRef {
    object.get("roleRef").cloned().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}
