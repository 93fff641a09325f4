//! Objects on the wire: read and written again by Kubernetes' Go types and by ours.

use kubesso_k8s_types::authentication::{SelfSubjectReview, TokenReview};
use kubesso_k8s_types::authorization::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use kubesso_k8s_types::exec_credential::ExecCredential;
use kubesso_k8s_types::go;
use kubesso_k8s_types::kubeconfig::Config;
use kubesso_k8s_types::meta::Status;
use kubesso_k8s_types::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleList};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::oracle::Oracle;

fn rewrite<T: DeserializeOwned + Serialize>(object: &Value) -> String {
    let read: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
    go::json(&read).unwrap()
}

fn ours(kind: &str, object: &Value) -> String {
    match kind {
        "Role" => rewrite::<Role>(object),
        "ClusterRole" => rewrite::<ClusterRole>(object),
        "RoleBinding" => rewrite::<RoleBinding>(object),
        "ClusterRoleBinding" => rewrite::<ClusterRoleBinding>(object),
        "RoleList" => rewrite::<RoleList>(object),
        "SubjectAccessReview" => rewrite::<SubjectAccessReview>(object),
        "SelfSubjectAccessReview" => rewrite::<SelfSubjectAccessReview>(object),
        "LocalSubjectAccessReview" => rewrite::<LocalSubjectAccessReview>(object),
        "SelfSubjectRulesReview" => rewrite::<SelfSubjectRulesReview>(object),
        "TokenReview" => rewrite::<TokenReview>(object),
        "SelfSubjectReview" => rewrite::<SelfSubjectReview>(object),
        "Status" => rewrite::<Status>(object),
        "ExecCredential" | "ExecCredentialV1Beta1" => rewrite::<ExecCredential>(object),
        "Config" => rewrite::<Config>(object),
        other => panic!("no such kind: {other}"),
    }
}

fn metadata() -> Value {
    json!({
        "name": "n", "generateName": "g-", "namespace": "ns", "selfLink": "/x", "uid": "u", "resourceVersion": "7",
        "generation": 3, "creationTimestamp": "2026-11-22T08:00:00Z", "deletionTimestamp": "2026-11-22T09:00:00+01:00",
        "deletionGracePeriodSeconds": 0, "labels": {"b": "<2>", "a": "1"}, "annotations": {"x&y": "\u{2028}"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": false}],
        "finalizers": ["example.com/f"],
        "managedFields": [{"manager": "m", "operation": "Update", "apiVersion": "v1", "time": "2026-11-22T08:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}}],
        "unknown": true,
    })
}

#[test]
fn objects_are_written_byte_for_byte_as_upstream_writes_them() {
    let Some(mut oracle) = Oracle::start() else { return };
    let rules = json!([
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
        {"nonResourceURLs": ["/x"], "verbs": null},
        {},
    ]);
    let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"});
    let subjects = json!([{"kind": "User", "name": "u", "apiGroup": "g"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {}]);
    let resource = json!({"namespace": "n", "verb": "get", "group": "g", "version": "v", "resource": "r", "subresource": "s",
        "name": "x", "fieldSelector": {"rawSelector": "a=b", "requirements": [{"key": "k", "operator": "In", "values": ["v"]}]},
        "labelSelector": {"requirements": [{"key": "k", "operator": "Exists"}]}});
    let user = json!({"username": "u", "uid": "1", "groups": ["g"], "extra": {"k": ["v", ""]}});
    let review = json!({"allowed": true, "denied": true, "reason": "r", "evaluationError": "e"});
    let full = |kind: &str, more: Value| {
        let mut object = json!({"kind": kind, "apiVersion": "x/v1", "metadata": metadata()});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    let mut cases = vec![
        ("Role", full("Role", json!({"rules": rules}))),
        (
            "ClusterRole",
            full(
                "ClusterRole",
                json!({"rules": rules, "aggregationRule": {"clusterRoleSelectors": [
            {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}, {}]}}),
            ),
        ),
        ("RoleBinding", full("RoleBinding", json!({"subjects": subjects, "roleRef": role_ref}))),
        ("ClusterRoleBinding", full("ClusterRoleBinding", json!({"subjects": [], "roleRef": role_ref}))),
        (
            "RoleList",
            json!({"kind": "RoleList", "metadata": {"resourceVersion": "5", "continue": "c", "remainingItemCount": 0},
            "items": [{"metadata": {"name": "a"}, "rules": rules}]}),
        ),
        (
            "SubjectAccessReview",
            full(
                "SubjectAccessReview",
                json!({"spec": {"resourceAttributes": resource, "user": "u",
            "groups": ["g"], "uid": "1", "extra": {"a": ["b"]}}, "status": review}),
            ),
        ),
        (
            "SelfSubjectAccessReview",
            full(
                "SelfSubjectAccessReview",
                json!({"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}},
            "status": {"allowed": false}}),
            ),
        ),
        (
            "LocalSubjectAccessReview",
            full("LocalSubjectAccessReview", json!({"spec": {"resourceAttributes": {}}, "status": {}})),
        ),
        (
            "SelfSubjectRulesReview",
            full(
                "SelfSubjectRulesReview",
                json!({"spec": {"namespace": "n"}, "status": {
            "resourceRules": [{"verbs": ["get"], "resources": ["r"]}, {}], "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/"]}],
            "incomplete": false, "evaluationError": "e"}}),
            ),
        ),
        ("SelfSubjectRulesReview", json!({"status": {"resourceRules": [], "nonResourceRules": []}})),
        (
            "TokenReview",
            full(
                "TokenReview",
                json!({"spec": {"token": "t<", "audiences": ["a"]},
            "status": {"authenticated": true, "user": user, "audiences": ["a"], "error": "e"}}),
            ),
        ),
        ("SelfSubjectReview", full("SelfSubjectReview", json!({"status": {"userInfo": user}}))),
        (
            "Status",
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "m", "reason": "NotFound",
            "details": {"name": "n", "group": "g", "kind": "k", "uid": "u", "causes": [{"reason": "r", "message": "m", "field": "f"}, {}],
            "retryAfterSeconds": 3}, "code": 404}),
        ),
        ("Status", json!({"details": {}})),
    ];
    for version in ["ExecCredential", "ExecCredentialV1Beta1"] {
        let question = json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "spec": {"interactive": true}});
        let answer = json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "spec": {},
            "status": {"expirationTimestamp": "2026-11-22T08:00:00Z", "token": "t&", "clientCertificateData": "c", "clientKeyData": "k"}});
        cases.extend([(version, question), (version, answer)]);
    }
    // Nothing at all, and null everywhere, for every kind that has no required list.
    for kind in [
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "SubjectAccessReview",
        "SelfSubjectAccessReview",
        "LocalSubjectAccessReview",
        "TokenReview",
        "SelfSubjectReview",
        "Status",
    ] {
        cases.push((kind, json!({})));
        cases.push((kind, json!({"kind": null, "apiVersion": null, "metadata": null, "spec": null, "status": null, "rules": null,
            "subjects": null, "roleRef": null, "aggregationRule": null, "details": null, "message": null, "code": null})));
    }
    for (kind, object) in cases {
        let answer = oracle.ask(&json!({"op": "wire", "kind": kind, "object": object}));
        assert_eq!(answer["text"], ours(kind, &object), "{kind} {object}");
    }
}

#[test]
fn a_kubeconfig_means_the_same_after_a_rewrite() {
    let Some(mut oracle) = Oracle::start() else { return };
    let config = json!({
        "kind": "Config", "apiVersion": "v1", "current-context": "c", "preferences": {"colors": true},
        "clusters": [{"name": "k", "cluster": {"server": "https://k", "certificate-authority-data": "QUI=", "tls-server-name": "t",
            "insecure-skip-tls-verify": true, "certificate-authority": "/ca", "proxy-url": "socks5://p", "disable-compression": true,
            "extensions": [{"name": "e", "extension": {"a": 1}}]}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
        "users": [{"name": "u", "user": {"client-certificate": "/c", "client-certificate-data": "QQ==", "client-key": "/k",
            "client-key-data": "Qg==", "token": "t", "tokenFile": "/t", "as": "root", "as-groups": ["g"], "username": "n", "password": "p",
            "auth-provider": {"name": "oidc", "config": {"a": "b"}},
            "exec": {"command": "kubectl", "args": ["oidc-login"], "env": [{"name": "A", "value": "b"}],
                "apiVersion": "client.authentication.k8s.io/v1", "installHint": "h", "provideClusterInfo": true, "interactiveMode": "IfAvailable"}}}],
        "extensions": [{"name": "e", "extension": {"b": [null, "c"]}}],
    });
    let read = |text: &Value| -> Value { serde_json::from_str(text.as_str().unwrap()).unwrap() };
    let theirs = oracle.ask(&json!({"op": "wire", "kind": "Config", "object": config}))["text"].clone();
    assert_eq!(read(&theirs), serde_json::from_str::<Value>(&ours("Config", &config)).unwrap());
}
