//! The `scale` subresource: how many replicas a workload should have, as `autoscaling/v1 Scale`.

use serde_json::{Value, json};

use crate::catalog::{ResourceType, Storage};
use crate::object;

/// The kind of the body.
pub(crate) static KIND: ResourceType = ResourceType {
    group: "autoscaling",
    version: "v1",
    plural: "scales",
    singular: "scale",
    kind: "Scale",
    namespaced: true,
    verbs: &[],
    short_names: &[],
    categories: &[],
    subresources: &[],
    storage: Storage::CreateOnly,
};

/// The scale of a workload.
pub(crate) fn of(workload: &Value) -> Value {
    let mut metadata = json!({});
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        let value = object::meta(workload, name);
        if !value.is_empty() {
            metadata[name] = value.into();
        }
    }
    let mut spec = json!({});
    if let Some(replicas) = workload.pointer("/spec/replicas").filter(|replicas| **replicas != 0) {
        spec["replicas"] = replicas.clone();
    }
    let replicas = workload.pointer("/status/replicas").cloned().unwrap_or_else(|| json!(0));
    let mut status = json!({"replicas": replicas});
    let selector = selector(workload.pointer("/spec/selector").unwrap_or(&Value::Null));
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
}

/// The workload with the replicas of `scale`; the resource version of the scale is the workload's.
pub(crate) fn applied(workload: &Value, scale: &Value) -> Value {
    let mut workload = workload.clone();
    let replicas = scale.pointer("/spec/replicas").cloned().unwrap_or_else(|| json!(0));
    object::child(&mut workload, "spec").insert("replicas".to_owned(), replicas);
    match object::meta(scale, "resourceVersion") {
        "" => drop(object::remove_meta(&mut workload, "resourceVersion")),
        version => object::set_meta(&mut workload, "resourceVersion", version),
    }
    workload
}

/// A label selector in its text form.
fn selector(selector: &Value) -> String {
    // Replication controllers have a plain map.
    let labels = selector.get("matchLabels").unwrap_or(selector);
    let mut parts: Vec<String> =
        object::string_map(Some(labels)).iter().map(|(key, value)| format!("{key}={value}")).collect();
    for requirement in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let key = object::text(requirement, "key");
        let values = object::strings(requirement.get("values")).join(",");
        parts.push(match object::text(requirement, "operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Recorded from kube-apiserver 1.36.3.
    #[test]
    fn a_deployment_has_a_scale() {
        let deployment = json!({
            "metadata": {"name": "d1", "namespace": "default", "uid": "u", "resourceVersion": "421", "creationTimestamp": "2026-11-22T08:12:05Z", "labels": {"x": "y"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}}, "status": {},
        });
        let scale = of(&deployment);
        assert_eq!(
            scale,
            json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "d1", "namespace": "default", "uid": "u", "resourceVersion": "421", "creationTimestamp": "2026-11-22T08:12:05Z"}, "spec": {"replicas": 3}, "status": {"replicas": 0, "selector": "a=b"}})
        );
        let mut five = scale;
        five["spec"]["replicas"] = json!(5);
        assert_eq!(applied(&deployment, &five)["spec"]["replicas"], 5);
    }
}
