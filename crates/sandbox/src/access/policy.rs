//! The bootstrap policy: the default roles and bindings are there after every start, with what an
//! administrator has added to them kept.
//!
//! As kube-apiserver's post-start hook (component-helpers `auth/rbac/reconciliation`): what is missing is
//! created; what is there gets the rules, subjects, labels and annotations that it lacks and loses nothing; an
//! object annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone; a binding with another
//! role is replaced, because that is how a wrong default is corrected.

use kubesso_authz::covers;
use kubesso_k8s_types::rbac::{AUTO_UPDATE_ANNOTATION, PolicyRule};
use serde_json::{Value, json};

use crate::object;

/// What `stored` must become so that it holds all of `expected`; `None` if it does already.
pub(crate) fn reconcile(stored: &Value, expected: &Value) -> Option<Value> {
    let annotation = stored.pointer("/metadata/annotations").and_then(|all| all.get(AUTO_UPDATE_ANNOTATION));
    if annotation.and_then(Value::as_str) == Some("false") {
        return None;
    }
    let mut merged = stored.clone();
    if expected.get("roleRef").is_some() && stored.get("roleRef") != expected.get("roleRef") {
        merged = expected.clone();
        for name in ["uid", "creationTimestamp", "namespace"] {
            if let Some(had) = stored.pointer(&format!("/metadata/{name}")).cloned() {
                object::set_meta(&mut merged, name, had);
            }
        }
    }
    for name in ["labels", "annotations"] {
        for (key, value) in object::string_map(expected.pointer(&format!("/metadata/{name}"))) {
            let metadata = object::child(&mut merged, "metadata");
            let map = object::members(metadata.entry(name).or_insert_with(|| json!({})));
            map.entry(key).or_insert_with(|| value.into());
        }
    }
    if expected.get("aggregationRule").is_some() {
        add_missing(
            &mut merged,
            expected,
            "/aggregationRule/clusterRoleSelectors",
            &["aggregationRule", "clusterRoleSelectors"],
        );
    } else if expected.get("rules").is_some() {
        let lacking = covers(&rules(&merged), &rules(expected));
        if !lacking.is_empty()
            && let Some(list) = list_at(&mut merged, &["rules"])
        {
            list.extend(lacking.iter().map(|rule| json!(rule)));
        }
    }
    if expected.get("subjects").is_some() {
        add_missing(&mut merged, expected, "/subjects", &["subjects"]);
    }
    (merged != *stored).then_some(merged)
}

fn rules(object: &Value) -> Vec<PolicyRule> {
    object.get("rules").cloned().and_then(|rules| serde_json::from_value(rules).ok()).unwrap_or_default()
}

fn add_missing(merged: &mut Value, expected: &Value, pointer: &str, path: &[&str]) {
    let wanted = expected.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    if wanted.is_empty() {
        return;
    }
    if let Some(list) = list_at(merged, path) {
        for entry in wanted {
            if !list.contains(&entry) {
                list.push(entry);
            }
        }
    }
}

/// The list at a path, made if it is missing.
fn list_at<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Vec<Value>> {
    let (last, parents) = path.split_last()?;
    let mut at = object;
    for parent in parents {
        at = object::members(at).entry(*parent).or_insert_with(|| json!({}));
    }
    let list = object::members(at).entry(*last).or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(rules: &Value) -> Value {
        json!({"metadata": {"name": "view", "labels": {"a": "b"}}, "rules": rules})
    }

    #[test]
    fn what_is_missing_is_added_and_nothing_is_taken_away() {
        let pods = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        let nodes = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"]});
        let merged = reconcile(&role(&json!([nodes])), &role(&json!([pods]))).unwrap();
        assert_eq!(merged["rules"], json!([nodes, pods]));
        assert_eq!(reconcile(&merged, &role(&json!([pods]))), None);
        let wider = role(&json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]));
        assert_eq!(reconcile(&wider, &role(&json!([pods]))), None, "what is covered is not added");
    }

    #[test]
    fn an_object_may_be_protected() {
        let mut mine = role(&json!([]));
        mine["metadata"]["annotations"] = json!({AUTO_UPDATE_ANNOTATION: "false"});
        assert_eq!(
            reconcile(&mine, &role(&json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["x"]}]))),
            None
        );
    }

    #[test]
    fn a_binding_to_another_role_is_replaced_and_subjects_are_added() {
        let binding = |role: &str, subjects: Value| json!({"metadata": {"name": "b", "uid": "u"}, "roleRef": {"name": role}, "subjects": subjects});
        let merged =
            reconcile(&binding("other", json!([{"name": "x"}])), &binding("r", json!([{"name": "y"}])))
                .unwrap();
        assert_eq!(merged, binding("r", json!([{"name": "y"}])));
        let merged =
            reconcile(&binding("r", json!([{"name": "x"}])), &binding("r", json!([{"name": "y"}]))).unwrap();
        assert_eq!(merged["subjects"], json!([{"name": "x"}, {"name": "y"}]));
    }
}
