use http::header::CONTENT_TYPE;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::Catalog;

fn resource(group: &str, plural: &str) -> &'static ResourceType {
    Catalog::get().resource(group, "v1", plural).unwrap()
}

fn read(kind: &str, bytes: &str) -> Result<Patch, ApiError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, format!("application/{kind}").parse().unwrap());
    Patch::read(&headers, bytes.as_bytes())
}

fn patched(kind: &str, patch: &str, validation: FieldValidation) -> Result<Value, ApiError> {
    let config_maps = resource("", "configmaps");
    let current =
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x1"}, "data": {"a": "b"}});
    let patch = read(kind, patch)?;
    patch.apply(config_maps, SchemaNode::of(config_maps), &current, validation).map(|(object, _)| object)
}

/// `recorded.json` holds what kube-apiserver 1.36.3 made of each patch of the same Deployment.
#[test]
fn a_strategic_merge_patch_gives_what_kube_apiserver_gives() {
    let recorded: Value = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let deployments = resource("apps", "deployments");
    let mut original = recorded["original"].clone();
    original["kind"] = "Deployment".into();
    original["apiVersion"] = "apps/v1".into();
    original["metadata"]["name"] = "smp".into();
    let mut compared = 0;
    for case in recorded["cases"].as_array().unwrap() {
        let patch = &case["patch"];
        let result = read("strategic-merge-patch+json", &patch.to_string()).unwrap().apply(
            deployments,
            SchemaNode::of(deployments),
            &original,
            FieldValidation::Warn,
        );
        match case["result"].get("error").and_then(Value::as_str) {
            // What only shows when the patched object is validated or converted is not this module's.
            Some(error) if error.contains("is invalid") => {}
            Some(error) => assert_eq!(result.unwrap_err().0.message, error, "{patch}"),
            None => {
                let (mut object, _) = result.unwrap();
                schema::apply_defaults(deployments, &mut object);
                assert_eq!(object["spec"], case["result"]["spec"], "{patch}");
                for name in ["labels", "annotations", "finalizers"] {
                    assert_eq!(
                        object["metadata"].get(name),
                        case["result"]["metadata"].get(name),
                        "{name} of {patch}"
                    );
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 15, "only {compared} cases were compared");
}

#[test]
fn each_kind_of_patch_changes_the_object() {
    for (kind, patch) in [
        (
            "json-patch+json",
            r#"[{"op":"replace","path":"/data/a","value":"c"},{"op":"test","path":"/data/a","value":"c"}]"#,
        ),
        ("merge-patch+json", r#"{"data":{"a":"c"}}"#),
        ("strategic-merge-patch+json", r#"{"data":{"a":"c"}}"#),
    ] {
        assert_eq!(
            patched(kind, patch, FieldValidation::Strict).unwrap()["data"],
            json!({"a": "c"}),
            "{kind}"
        );
    }
}

// Messages recorded from kube-apiserver 1.36.3.
#[test]
fn patches_that_do_not_apply_are_refused_as_kube_apiserver_refuses_them() {
    let rejected = "the server rejected our request due to an error in our request";
    for (kind, patch, code, message) in [
        ("json", "{}", 415, "415: Unsupported Media Type"),
        ("merge-patch+json", r#"{"data":"#, 400, "error decoding patch: unexpected end of JSON input"),
        (
            "json-patch+json",
            r#"{"data":1}"#,
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        ("json-patch+json", r#"[{"op":"replace","path":"/data/zz","value":"1"}]"#, 422, rejected),
        ("json-patch+json", r#"[{"op":"test","path":"/data/a","value":"1"}]"#, 422, rejected),
        ("json-patch+json", r#"[{"op":"nono","path":"/data/a","value":"1"}]"#, 422, rejected),
        (
            "strategic-merge-patch+json",
            "[]",
            400,
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "strategic-merge-patch+json",
            r#"{"foo":1,"data":{"b":"c"}}"#,
            422,
            " \"\" is invalid: patch: Invalid value: \"map[data:map[b:c] foo:1]\": strict decoding error: unknown field \"foo\"",
        ),
    ] {
        let error = patched(kind, patch, FieldValidation::Strict).unwrap_err();
        assert_eq!((error.0.code, error.0.message.as_str()), (code, message), "{kind} {patch}");
    }
}

#[test]
fn server_side_apply_is_refused_in_a_sentence() {
    let error = read("apply-patch+yaml", "{}").unwrap_err();
    assert_eq!(error.0.code, 501);
    assert!(error.0.message.contains("without --server-side"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        (0..3).prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c]", any_json(), 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// The merge patch that turns `from` into `to` (RFC 7396 read backwards).
fn difference(from: &Value, to: &Value) -> Value {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            let removed =
                from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
            let changed = to
                .iter()
                .filter(|(key, value)| from.get(*key) != Some(value))
                .map(|(key, value)| (key.clone(), difference(from.get(key).unwrap_or(&Value::Null), value)));
            Value::Object(removed.chain(changed).collect())
        }
        _ => to.clone(),
    }
}

proptest! {
    #[test]
    fn a_strategic_patch_without_a_schema_is_a_merge_patch(from in any_object(), patch in any_object()) {
        let mut expected = from.clone();
        json_patch::merge(&mut expected, &patch);
        prop_assert_eq!(strategic::merge(None, &from, &patch).unwrap(), expected);
    }

    #[test]
    fn the_difference_of_two_objects_turns_one_into_the_other(from in any_object(), to in any_object()) {
        let patch = difference(&from, &to);
        prop_assert_eq!(strategic::merge(None, &from, &patch).unwrap(), to);
    }
}
