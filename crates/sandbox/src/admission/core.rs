//! Validation of the core and apps kinds: the part of kubernetes `pkg/apis/{core,apps}/validation` that people
//! run into, with its texts. What is not here is stored as it is.

use kubesso_k8s_types::rbac::LabelSelector;
use serde_json::{Map, Value, json};

use super::{metadata, names, rbac};
use crate::catalog::ResourceType;
use crate::status::field::{self, FieldError};

/// What is wrong with an object, beside its metadata.
pub(crate) fn validate(resource: &ResourceType, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match (resource.group, resource.plural) {
        ("", "pods") => match old {
            Some(old) => pod_update(object, old),
            None => pod_spec(&object["spec"], "spec", &PodKind::Pod),
        },
        ("", "services") => service(object, old),
        ("", "configmaps") => config_map(object, old),
        ("", "secrets") => secret(object, old),
        ("", "events") => event(object),
        ("apps", "deployments" | "replicasets" | "daemonsets" | "statefulsets") => {
            workload(resource, object, old)
        }
        ("batch", "jobs") => {
            pod_spec(&object["spec"]["template"]["spec"], "spec.template.spec", &PodKind::Job)
        }
        _ => Vec::new(),
    }
}

/// Whose pod template it is: the restart policies differ.
enum PodKind {
    Job,
    Pod,
    Workload,
}

fn pod_spec(spec: &Value, path: &str, kind: &PodKind) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    let containers = list(spec, "containers");
    if containers.is_empty() {
        errors.push(field::required(format!("{path}.containers"), ""));
    }
    // Upstream looks at blanks around images after everything else.
    let mut later = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let at = |name: &str| format!("{path}.containers[{index}].{name}");
        errors.extend(container_errors(container, &at, &mut seen));
        let image = text(container, "image");
        if !image.is_empty() && image.trim() != image {
            later.push(field::invalid(
                at("image"),
                &json!(image),
                "must not have leading or trailing whitespace",
            ));
        }
    }
    for (index, container) in list(spec, "initContainers").iter().enumerate() {
        let at = |name: &str| format!("{path}.initContainers[{index}].{name}");
        errors.extend(container_errors(container, &at, &mut seen));
    }
    let policy = text(spec, "restartPolicy");
    let supported: &[&str] = match kind {
        PodKind::Pod => &["Always", "OnFailure", "Never"],
        PodKind::Workload => &["Always"],
        PodKind::Job => &["OnFailure", "Never"],
    };
    let unsuited = matches!(kind, PodKind::Job) && matches!(policy, "" | "Always");
    if unsuited {
        let why = "valid values: \"OnFailure\", \"Never\"";
        errors.push(field::required(format!("{path}.restartPolicy"), why));
    } else if !policy.is_empty() && !supported.contains(&policy) {
        errors.push(field::not_supported(format!("{path}.restartPolicy"), policy, supported));
    }
    let policy = text(spec, "dnsPolicy");
    let supported = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    if !policy.is_empty() && !supported.contains(&policy) {
        errors.push(field::not_supported(format!("{path}.dnsPolicy"), policy, supported));
    }
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        for wrong in names::dns_subdomain(account) {
            errors.push(field::invalid(format!("{path}.serviceAccountName"), &json!(account), &wrong));
        }
    }
    errors.extend(later);
    errors
}

fn container_errors(
    container: &Value,
    at: &dyn Fn(&str) -> String,
    seen: &mut Vec<String>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = text(container, "name");
    let mut duplicate = None;
    if name.is_empty() {
        errors.push(field::required(at("name"), ""));
    } else {
        for wrong in names::dns_label(name) {
            errors.push(field::invalid(at("name"), &json!(name), &wrong));
        }
        if seen.iter().any(|known| known == name) {
            duplicate = Some(field::duplicate(at("name"), name));
        } else {
            seen.push(name.to_owned());
        }
    }
    if text(container, "image").is_empty() {
        errors.push(field::required(at("image"), ""));
    }
    for (index, port) in list(container, "ports").iter().enumerate() {
        let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or_default();
        let path = at(&format!("ports[{index}].containerPort"));
        if number == 0 {
            errors.push(field::required(path, ""));
        } else if !(1..=65535).contains(&number) {
            errors.push(field::invalid(path, &json!(number), "must be between 1 and 65535, inclusive"));
        }
    }
    for (index, variable) in list(container, "env").iter().enumerate() {
        if text(variable, "name").is_empty() {
            errors.push(field::required(at(&format!("env[{index}].name")), ""));
        }
    }
    let policy = text(container, "imagePullPolicy");
    let supported = &["Always", "IfNotPresent", "Never"];
    if !policy.is_empty() && !supported.contains(&policy) {
        errors.push(field::not_supported(at("imagePullPolicy"), policy, supported));
    }
    errors.extend(duplicate);
    errors
}

/// Of a pod that exists, little may change (`ValidatePodUpdate`). Upstream appends a Go-style diff of its
/// internal struct to the sentence; we say the sentence.
fn pod_update(object: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for part in ["containers", "initContainers"] {
        let images = list(&object["spec"], part);
        if images.len() != list(&old["spec"], part).len() {
            let why = format!(
                "pod updates may not add or remove {}",
                match part {
                    "containers" => "containers",
                    _ => "init containers",
                }
            );
            return vec![field::forbidden(format!("spec.{part}"), &why)];
        }
        for (index, container) in images.iter().enumerate() {
            if text(container, "image").is_empty() {
                errors.push(field::required(format!("spec.{part}[{index}].image"), ""));
            }
        }
    }
    if without_mutable(&object["spec"]) != without_mutable(&old["spec"]) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.push(field::forbidden("spec", why));
    }
    errors
}

fn without_mutable(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("activeDeadlineSeconds");
        fields.remove("tolerations");
        for part in ["containers", "initContainers"] {
            for container in fields.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
                container.as_object_mut().map(|container| container.remove("image"));
            }
        }
    }
    spec
}

fn service(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    let ports = list(spec, "ports");
    let kind = text(spec, "type");
    let headless = text(spec, "clusterIP") == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.push(field::required("spec.ports", ""));
    }
    if kind == "ExternalName" && text(spec, "externalName").is_empty() {
        errors.push(field::required("spec.externalName", ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let at = |name: &str| format!("spec.ports[{index}].{name}");
        let name = text(port, "name");
        if name.is_empty() {
            if ports.len() > 1 {
                errors.push(field::required(at("name"), ""));
            }
        } else {
            for wrong in names::dns_label(name) {
                errors.push(field::invalid(at("name"), &json!(name), &wrong));
            }
            if seen.contains(&name) {
                errors.push(field::duplicate(at("name"), name));
            }
            seen.push(name);
        }
        let range = "must be between 1 and 65535, inclusive";
        let number = port.get("port").and_then(Value::as_i64).unwrap_or_default();
        if !(1..=65535).contains(&number) {
            errors.push(field::invalid(at("port"), &json!(number), range));
        }
        let protocol = text(port, "protocol");
        let supported = &["SCTP", "TCP", "UDP"];
        if !protocol.is_empty() && !supported.contains(&protocol) {
            errors.push(field::not_supported(at("protocol"), protocol, supported));
        }
        let target = port.get("targetPort").and_then(Value::as_i64).unwrap_or(number);
        let named = port.get("targetPort").is_some_and(Value::is_string);
        if !named && !(1..=65535).contains(&target) {
            errors.push(field::invalid(at("targetPort"), &json!(target), range));
        }
    }
    errors.extend(metadata::labels(spec.get("selector"), "spec.selector"));
    let affinity = text(spec, "sessionAffinity");
    if !matches!(affinity, "" | "ClientIP" | "None") {
        errors.push(field::not_supported("spec.sessionAffinity", affinity, &["ClientIP", "None"]));
    }
    let supported = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !kind.is_empty() && !supported.contains(&kind) {
        errors.push(field::not_supported("spec.type", kind, supported));
    }
    if let Some(old) = old {
        let (had, has) = (text(&old["spec"], "clusterIP"), text(spec, "clusterIP"));
        let kept = kind != "ExternalName" && text(&old["spec"], "type") != "ExternalName";
        if kept && !had.is_empty() && had != has {
            let value = json!([has]);
            errors.push(field::invalid("spec.clusterIPs[0]", &value, "may not change once set"));
        }
    }
    errors
}

fn config_map(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = keys(object, "data");
    errors.extend(keys(object, "binaryData"));
    if let (Some(data), Some(binary)) = (map(object, "data"), map(object, "binaryData")) {
        for key in data.keys().filter(|key| binary.contains_key(*key)) {
            let why = "duplicate of key present in binaryData";
            errors.push(field::invalid(format!("data[{key}]"), &json!(key), why));
        }
    }
    errors.extend(immutable(object, old, &["data", "binaryData"]));
    errors
}

/// Keys that a typed secret must have (`ValidateSecret`).
const SECRET_KEYS: &[(&str, &str)] = &[
    ("kubernetes.io/dockercfg", ".dockercfg"),
    ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
    ("kubernetes.io/ssh-auth", "ssh-privatekey"),
    ("kubernetes.io/tls", "tls.crt"),
    ("kubernetes.io/tls", "tls.key"),
];

fn secret(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = keys(object, "data");
    let kind = text(object, "type");
    for (_, key) in SECRET_KEYS.iter().filter(|(of, _)| *of == kind) {
        if map(object, "data").is_none_or(|data| !data.contains_key(*key)) {
            errors.push(field::required(format!("data[{key}]"), ""));
        }
    }
    if kind == "kubernetes.io/basic-auth"
        && map(object, "data")
            .is_none_or(|data| !data.contains_key("username") && !data.contains_key("password"))
    {
        errors.push(field::required("data[username]", ""));
        errors.push(field::required("data[password]", ""));
    }
    if let Some(old) = old {
        let had = text(old, "type");
        if kind != had {
            errors.push(field::invalid("type", &json!(kind), "field is immutable"));
        }
    }
    errors.extend(immutable(object, old, &["data"]));
    errors
}

fn keys(object: &Value, name: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for key in map(object, name).into_iter().flat_map(Map::keys) {
        for wrong in names::config_key(key) {
            errors.push(field::invalid(format!("{name}[{key}]"), &json!(key), &wrong));
        }
    }
    errors
}

fn immutable(object: &Value, old: Option<&Value>, fields: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(old) = old.filter(|old| old.get("immutable") == Some(&Value::Bool(true))) else { return errors };
    let why = "field is immutable when `immutable` is set";
    if object.get("immutable") != Some(&Value::Bool(true)) {
        errors.push(field::forbidden("immutable", why));
    }
    for name in fields {
        if object.get(*name) != old.get(*name) {
            errors.push(field::forbidden(*name, why));
        }
    }
    errors
}

fn event(object: &Value) -> Vec<FieldError> {
    let involved = &object["involvedObject"];
    let (namespace, about) = (text(&object["metadata"], "namespace"), text(involved, "namespace"));
    // An event about something without a namespace is kept in "default".
    if about == namespace || about.is_empty() && namespace == "default" {
        return Vec::new();
    }
    vec![field::invalid("involvedObject.namespace", &json!(about), "does not match event.namespace")]
}

fn workload(resource: &ResourceType, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    if let Some(replicas) = spec.get("replicas").and_then(Value::as_i64).filter(|replicas| *replicas < 0) {
        errors.push(field::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0"));
    }
    let selector: Option<LabelSelector> = spec
        .get("selector")
        .filter(|value| !value.is_null())
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    let labels = spec.pointer("/template/metadata/labels");
    match &selector {
        None => errors.push(field::required("spec.selector", "")),
        Some(selector) => {
            errors.extend(rbac::label_selector(selector, "spec.selector"));
            if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
                let kind = resource.singular;
                let why = format!("empty selector is invalid for {kind}");
                errors.push(field::invalid("spec.selector", &json!(selector), &why));
            }
        }
    }
    let chosen = selector.as_ref().is_some_and(|selector| {
        let labels =
            labels.cloned().and_then(|labels| serde_json::from_value(labels).ok()).unwrap_or_default();
        selector.matches(&labels)
    });
    if !chosen {
        let value = labels.cloned().unwrap_or(Value::Null);
        let why = "`selector` does not match template `labels`";
        errors.push(field::invalid("spec.template.metadata.labels", &value, why));
    }
    errors.extend(metadata::labels(labels, "spec.template.labels"));
    errors.extend(pod_spec(&spec["template"]["spec"], "spec.template.spec", &PodKind::Workload));
    if let Some(old) = old {
        let value = spec.get("selector").cloned().unwrap_or(Value::Null);
        if old["spec"].get("selector") != Some(&value) {
            errors.push(field::invalid("spec.selector", &value, "field is immutable"));
        }
    }
    errors
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn map<'a>(object: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    object.get(name).and_then(Value::as_object)
}
