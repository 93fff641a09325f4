//! Bindings that are there as `grants` and `clusters` of a file.

use std::fmt::Write as _;

use kubesso_k8s_types::rbac::{GROUP_KIND, PolicyRule, RoleRef, Subject};
use serde_json::Value;

use crate::import::quoted;
use crate::rest_api::{ApiError, RestApi};

const GROUP: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A binding: `name`, or `namespace/name`.
fn path(named: &str) -> (String, Option<&str>) {
    match named.split_once('/') {
        Some((namespace, name)) => {
            (format!("{GROUP}/namespaces/{namespace}/rolebindings/{name}"), Some(namespace))
        }
        None => (format!("{GROUP}/clusterrolebindings/{named}"), None),
    }
}

/// The sections for these bindings (`cluster` is the entry of `clusters`), and what of them the file cannot say.
///
/// # Errors
/// The API server refuses, or a binding is not there.
pub async fn import_grants(
    api: &impl RestApi,
    cluster: &str,
    bindings: &[String],
) -> Result<(String, Vec<String>), ApiError> {
    let (mut text, mut notes) = (String::new(), Vec::new());
    for named in bindings {
        let (path, namespace) = path(named);
        let binding = api.call("GET", &path, None).await?.body;
        let subjects: Vec<Subject> = serde_json::from_value(binding["subjects"].clone()).unwrap_or_default();
        let role: RoleRef = serde_json::from_value(binding["roleRef"].clone()).unwrap_or_default();
        let [Subject { kind, name: group, .. }] = subjects.as_slice() else {
            notes.push(format!("the binding {named} has not exactly one subject, and was left out"));
            continue;
        };
        if kind != GROUP_KIND {
            notes.push(format!("the binding {named} is not of a group, and was left out"));
            continue;
        }
        let value = |text: &str| quoted(&Value::from(text));
        let name = binding["metadata"]["name"].as_str().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "- group: {}\n  role: {}\n  name: {}",
            value(group),
            value(&role.name),
            value(name)
        );
        if let Some(namespace) = namespace {
            let _ = writeln!(text, "  namespace: {}", value(namespace));
        }
        if let (Some(namespace), "Role") = (namespace, role.kind.as_str()) {
            let path = format!("{GROUP}/namespaces/{namespace}/roles/{}", role.name);
            let role = api.call("GET", &path, None).await?.body;
            let rules: Vec<PolicyRule> = serde_json::from_value(role["rules"].clone()).unwrap_or_default();
            add_rules(&mut text, &rules);
        }
    }
    if !text.is_empty() {
        let _ = writeln!(text, "clusters:\n- {cluster}");
        text.insert_str(0, "grants:\n");
    }
    Ok((text, notes))
}

fn add_rules(text: &mut String, rules: &[PolicyRule]) {
    text.push_str("  rules:\n");
    for rule in rules {
        let list = |words: &[String]| quoted(&Value::from(words.to_vec()));
        let _ = write!(text, "  - {{verbs: {}, resources: {}", list(&rule.verbs), list(&rule.resources));
        if rule.api_groups.iter().any(|group| !group.is_empty()) {
            let _ = write!(text, ", apiGroups: {}", list(&rule.api_groups));
        }
        if !rule.resource_names.is_empty() {
            let _ = write!(text, ", resourceNames: {}", list(&rule.resource_names));
        }
        text.push_str("}\n");
    }
}
