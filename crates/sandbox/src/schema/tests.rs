use proptest::prelude::*;
use serde_json::{Value, json};

use super::fields::FieldReport;
use super::recorded::{answers, collect_differences};
use super::*;
use crate::catalog::Catalog;

fn resource(group: &str, plural: &str) -> &'static ResourceType {
    Catalog::get().resource(group, "v1", plural).unwrap()
}

#[test]
fn every_reference_is_recorded_and_every_kind_has_a_structure() {
    fn check(value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let name = reference.strip_prefix(REFERENCE_PREFIX).unwrap();
                    assert!(definitions().contains_key(name), "{name}");
                }
                fields.values().for_each(check);
            }
            Value::Array(elements) => elements.iter().for_each(check),
            _ => {}
        }
    }
    definitions().values().for_each(check);
    for kind in Catalog::get().iter() {
        assert!(SchemaNode::of(kind).is_some(), "{}", kind.kind);
    }
}

#[test]
fn no_sentence_of_upstreams_is_recorded() {
    for (name, definition) in definitions() {
        assert!(definition.get("description").is_none(), "{name}");
        for (field, schema) in definition.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(schema.get("description").is_none(), "{name}.{field}");
        }
    }
}

#[test]
fn the_merge_rules_of_a_field_are_found() {
    let spec = SchemaNode::of(resource("", "pods")).unwrap().field("spec").unwrap();
    let containers = spec.field("containers").unwrap();
    assert_eq!((containers.patch_strategy(), containers.patch_merge_key()), (Some("merge"), Some("name")));
    let ports = containers.items().unwrap().field("ports").unwrap();
    assert_eq!(ports.patch_merge_key(), Some("containerPort"));
    let volumes = spec.field("volumes").unwrap();
    assert_eq!(volumes.patch_strategy(), Some("merge,retainKeys"));
    let rules =
        SchemaNode::of(resource("rbac.authorization.k8s.io", "roles")).unwrap().field("rules").unwrap();
    assert_eq!((rules.patch_strategy(), rules.patch_merge_key()), (None, None));
    let labels = spec.field("nodeSelector").unwrap();
    assert_eq!(labels.additional().unwrap().shape(), Shape::String);
}

#[test]
fn a_real_server_accepts_what_is_accepted_here() {
    for answer in answers() {
        for object in [&answer.sent, &answer.created, &answer.stored] {
            let report = validate(answer.resource(), object, FieldValidation::Strict);
            assert_eq!(report, FieldReport::default(), "{}", answer.name());
        }
    }
}

/// What the server decides anew for each object, and what it keeps about it.
const NOT_DEFAULTS: [&str; 14] = [
    "/metadata/creationTimestamp",
    "/metadata/generation",
    "/metadata/namespace",
    "/metadata/resourceVersion",
    "/metadata/uid",
    "/spec/clusterIP",
    "/spec/clusterIPs",
    "/spec/ipFamilies",
    "/spec/ipFamilyPolicy",
    "/spec/finalizers",
    "/status",
    "/metadata/finalizers",
    "/metadata/annotations/deprecated.daemonset.template.generation",
    // Admission puts taints on a new node, tolerations and a priority on a pod.
    "/spec/taints",
];

fn without(object: &Value, pointers: &[&str]) -> Value {
    let mut object = object.clone();
    for pointer in pointers {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        if let Some(Value::Object(fields)) = object.pointer_mut(parent) {
            fields.remove(name);
        }
    }
    for name in ["metadata", "spec"] {
        if let Some(metadata) = object.get_mut(name).and_then(Value::as_object_mut) {
            metadata.retain(|_, value| *value != json!({}));
        }
    }
    object
}

#[test]
fn the_defaults_are_those_of_a_real_server() {
    let mut differences = Vec::new();
    for answer in answers() {
        let mut object = answer.sent.clone();
        prune(answer.resource(), &mut object);
        apply_defaults(answer.resource(), &mut object);
        let mut expected = without(&answer.created, &NOT_DEFAULTS);
        let mut found = without(&object, &NOT_DEFAULTS);
        match answer.resource().plural {
            "pods" => {
                // The priority admission plugin.
                for name in ["priority", "preemptionPolicy", "tolerations"] {
                    for object in [&mut expected, &mut found] {
                        object["spec"].as_object_mut().unwrap().remove(name);
                    }
                }
            }
            "services" => {
                for object in [&mut expected, &mut found] {
                    for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
                        port.as_object_mut().unwrap().remove("nodePort");
                    }
                }
            }
            // The selector of a job is made of its uid.
            "jobs" => {
                for object in [&mut expected, &mut found] {
                    object["spec"].as_object_mut().unwrap().remove("selector");
                    object["spec"]["template"]["metadata"] = Value::Null;
                    object["metadata"].as_object_mut().unwrap().remove("labels");
                }
            }
            "daemonsets" => {
                expected["metadata"].as_object_mut().unwrap().remove("annotations");
            }
            _ => {}
        }
        collect_differences(&answer.name(), &found, &expected, &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn an_object_of_a_real_server_is_not_changed() {
    let mut differences = Vec::new();
    for answer in answers() {
        let mut object = answer.stored.clone();
        prune(answer.resource(), &mut object);
        apply_defaults(answer.resource(), &mut object);
        collect_differences(&answer.name(), &object, &answer.stored, &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn fields_are_refused_in_the_words_of_a_real_server() {
    let config_map = ("", "configmaps");
    let role = ("rbac.authorization.k8s.io", "roles");
    let unmarshal = |rest: &str| format!("json: cannot unmarshal {rest}");
    for ((group, plural), object, error) in [
        (
            config_map,
            json!({"metadata": {"name": "a1", "foo": 1}, "zz": 2, "data": {"a": "1"}}),
            "strict decoding error: unknown field \"metadata.foo\", unknown field \"zz\"".to_owned(),
        ),
        (config_map, json!({"Data": {"a": "1"}}), "strict decoding error: unknown field \"Data\"".to_owned()),
        (
            config_map,
            json!({"metadata": {"foo": 1, "labels": {"a": 1}}}),
            unmarshal("number into Go struct field ObjectMeta.metadata.labels of type string"),
        ),
        (
            config_map,
            json!({"data": {"a": 1}}),
            unmarshal("number into Go struct field ConfigMap.data of type string"),
        ),
        (
            config_map,
            json!({"metadata": {"name": 1}}),
            unmarshal("number into Go struct field ObjectMeta.metadata.name of type string"),
        ),
        (
            config_map,
            json!({"metadata": "x"}),
            unmarshal("string into Go struct field ConfigMap.metadata of type v1.ObjectMeta"),
        ),
        (
            config_map,
            json!({"metadata": {"labels": []}}),
            unmarshal("array into Go struct field ObjectMeta.metadata.labels of type map[string]string"),
        ),
        (config_map, json!({"binaryData": {"a": "!!"}}), "illegal base64 data at input byte 0".to_owned()),
        (("", "secrets"), json!({"data": {"a": "abc"}}), "illegal base64 data at input byte 0".to_owned()),
        (
            ("", "secrets"),
            json!({"data": {"a": "YWJjZA="}}),
            "illegal base64 data at input byte 7".to_owned(),
        ),
        (
            ("", "secrets"),
            json!({"data": {"a": "YWJjZA==x"}}),
            "illegal base64 data at input byte 8".to_owned(),
        ),
        (
            ("", "secrets"),
            json!({"data": {"a": true}, "type": 1}),
            unmarshal("bool into Go struct field Secret.data of type []uint8"),
        ),
        (
            ("", "pods"),
            json!({"spec": {"containers": {}}}),
            unmarshal("object into Go struct field PodSpec.spec.containers of type []v1.Container"),
        ),
        (
            ("", "pods"),
            json!({"spec": {"containers": [{"ports": [{"containerPort": "80"}]}]}}),
            unmarshal(
                "string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
            ),
        ),
        (
            ("", "pods"),
            json!({"spec": {"containers": [{"imagePullPolicy": 1}]}}),
            unmarshal(
                "number into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy",
            ),
        ),
        (
            ("", "pods"),
            json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "abc"}}}]}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                .to_owned(),
        ),
        (
            ("", "pods"),
            json!({"spec": {"containers": [{"foo": 1}, {"bar": [1]}]}, "status": {"x": 1}}),
            "strict decoding error: unknown field \"spec.containers[0].foo\", \
             unknown field \"spec.containers[1].bar\", unknown field \"status.x\""
                .to_owned(),
        ),
        (
            ("", "services"),
            json!({"spec": {"ports": [{"port": 80.5}]}}),
            unmarshal("number 80.5 into Go struct field ServicePort.spec.ports.port of type int32"),
        ),
        (
            ("", "services"),
            json!({"spec": {"ports": [{"port": 80_000_000_000_i64}]}}),
            unmarshal("number 80000000000 into Go struct field ServicePort.spec.ports.port of type int32"),
        ),
        (
            ("", "services"),
            json!({"spec": {"ports": [{"targetPort": true}]}}),
            unmarshal("bool into Go struct field ServicePort.spec.ports.targetPort of type int32"),
        ),
        (
            ("", "services"),
            json!({"metadata": {"creationTimestamp": 1}}),
            unmarshal("number into Go struct field ObjectMeta.metadata.creationTimestamp of type string"),
        ),
        (
            role,
            json!({"rules": [{"verbs": "get"}]}),
            unmarshal("string into Go struct field PolicyRule.rules.verbs of type []string"),
        ),
        (
            role,
            json!({"rules": [{"verbs": ["get", 1]}]}),
            unmarshal("number into Go struct field PolicyRule.rules.verbs of type string"),
        ),
        (
            role,
            json!({"rules": {}}),
            unmarshal("object into Go struct field Role.rules of type []v1.PolicyRule"),
        ),
        (
            role,
            json!({"rules": ["a"]}),
            unmarshal("string into Go struct field Role.rules of type v1.PolicyRule"),
        ),
        (
            ("apps", "deployments"),
            json!({"spec": {"replicas": "3"}}),
            unmarshal("string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ),
        (
            ("apps", "deployments"),
            json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": []}}}}),
            unmarshal(
                "array into Go struct field RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type int32",
            ),
        ),
        (
            ("authorization.k8s.io", "subjectaccessreviews"),
            json!({"spec": {"extra": {"a": "b"}}}),
            unmarshal("string into Go struct field SubjectAccessReviewSpec.spec.extra of type v1.ExtraValue"),
        ),
    ] {
        let report = validate(resource(group, plural), &object, FieldValidation::Strict);
        assert_eq!(report, FieldReport { warnings: Vec::new(), error: Some(error) }, "{object}");
    }
}

#[test]
fn unknown_fields_are_warned_of_dropped_or_ignored() {
    let pods = resource("", "pods");
    let mut object =
        json!({"metadata": {"name": "a"}, "spec": {"nodeNam": "x", "containers": [{"name": "c", "x": {}}]}});
    let warned = validate(pods, &object, FieldValidation::Warn);
    assert_eq!(warned.error, None);
    assert_eq!(warned.warnings, ["unknown field \"spec.containers[0].x\"", "unknown field \"spec.nodeNam\""]);
    assert_eq!(validate(pods, &object, FieldValidation::Ignore), FieldReport::default());
    prune(pods, &mut object);
    assert_eq!(object, json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}}));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9=:.+-]{0,12}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "metadata",
            "spec",
            "status",
            "template",
            "containers",
            "ports",
            "resources",
            "limits",
            "rules",
            "verbs",
            "data",
            "labels",
            "volumes",
            "strategy",
            "rollingUpdate",
            "subjects",
            "roleRef",
            "creationTimestamp",
            "type",
            "image",
            "selector",
            "serviceAccount",
            "hostNetwork",
            "livenessProbe",
            "cpu",
            "initContainers",
            "hostPort",
            "containerPort",
            "targetPort",
            "port",
            "limit",
            "kind",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(key.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_resource() -> impl Strategy<Value = &'static ResourceType> {
    proptest::sample::select(Catalog::get().iter().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_json_is_read_to_an_end(resource in any_resource(), object in any_json()) {
        for validation in [FieldValidation::Ignore, FieldValidation::Warn, FieldValidation::Strict] {
            validate(resource, &object, validation);
        }
    }

    #[test]
    fn defaults_applied_twice_are_defaults_applied_once(resource in any_resource(), object in any_json()) {
        let mut once = object;
        prune(resource, &mut once);
        apply_defaults(resource, &mut once);
        let mut twice = once.clone();
        apply_defaults(resource, &mut twice);
        prop_assert_eq!(&once, &twice);
    }

    #[test]
    fn what_was_pruned_has_no_unknown_fields(resource in any_resource(), object in any_json()) {
        let mut object = object;
        prune(resource, &mut object);
        let report = validate(resource, &object, FieldValidation::Warn);
        prop_assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    }
}
