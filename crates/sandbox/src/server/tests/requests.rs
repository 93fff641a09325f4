use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use super::harness::{Cluster, request};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str) -> Value {
    json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}})
}

#[tokio::test]
async fn an_object_can_be_made_read_changed_and_removed() {
    let cluster = Cluster::new().await;
    let made = cluster.create(CONFIG_MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).await;
    assert_eq!(made["kind"], "ConfigMap");
    assert_eq!(made["apiVersion"], "v1");
    assert_eq!(made["metadata"]["namespace"], "default");
    assert_eq!(made["metadata"]["creationTimestamp"], "2026-11-22T08:00:00Z");
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await, made);

    let mut next = made.clone();
    next["data"]["k"] = "w".into();
    let changed = cluster.call("admin", "PUT", &format!("{CONFIG_MAPS}/a"), &next.to_string()).await;
    assert_eq!((changed.code, &changed.body["data"]["k"]), (200, &json!("w")));
    assert_ne!(changed.body["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let stale = cluster.call("admin", "PUT", &format!("{CONFIG_MAPS}/a"), &next.to_string()).await;
    assert_eq!(
        stale.refusal(),
        (
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
        )
    );

    let removed = cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}/a"), "").await;
    assert_eq!(removed.code, 200);
    assert_eq!(removed.body["status"], "Success");
    assert_eq!(
        removed.body["details"],
        json!({"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]})
    );
    assert_eq!(cluster.call("admin", "GET", &format!("{CONFIG_MAPS}/a"), "").await.code, 404);
}

// Recorded from kube-apiserver 1.36.3; so are the tables below.
#[tokio::test]
async fn requests_that_cannot_be_are_refused_as_kube_apiserver_refuses_them() {
    let cluster = Cluster::new().await;
    cluster.create(CONFIG_MAPS, config_map("x1")).await;
    let missing = "the server could not find the requested resource";
    let method = "the server does not allow this method on the requested resource";
    for (verb, path, body, code, reason, message) in [
        ("GET", "/api/v1/namespaces/default/pods/x", "", 404, "NotFound", "pods \"x\" not found"),
        (
            "GET",
            "/apis/apps/v1/namespaces/default/deployments/x",
            "",
            404,
            "NotFound",
            "deployments.apps \"x\" not found",
        ),
        ("GET", "/api/v1/namespaces/default/pods/x/foo", "", 404, "NotFound", missing),
        ("GET", "/api/v1/namespaces/default/widgets", "", 404, "NotFound", missing),
        ("GET", "/api/v1/namespaces/default/nodes", "", 404, "NotFound", missing),
        ("GET", "/api/v1/namespaces/default/pods/x/log", "", 404, "NotFound", "pods \"x\" not found"),
        (
            "POST",
            "/api/v1/namespaces/default/pods/x/exec?command=ls",
            "",
            404,
            "NotFound",
            "pods \"x\" not found",
        ),
        ("POST", "/api/v1/namespaces/default/pods/x", "", 405, "MethodNotAllowed", method),
        ("PUT", "/api/v1/namespaces/default/pods", "", 405, "MethodNotAllowed", method),
        ("DELETE", "/api/v1/namespaces", "", 405, "MethodNotAllowed", method),
        ("POST", "/api/v1/configmaps", "{}", 405, "MethodNotAllowed", method),
        (
            "POST",
            CONFIG_MAPS,
            "{}",
            422,
            "Invalid",
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            "POST",
            CONFIG_MAPS,
            r#"{"metadata":{"name":"x1"}}"#,
            409,
            "AlreadyExists",
            "configmaps \"x1\" already exists",
        ),
        (
            "POST",
            CONFIG_MAPS,
            r#"{"metadata":{"name":"x2","namespace":"other"}}"#,
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "POST",
            "/api/v1/namespaces/nope/configmaps",
            r#"{"metadata":{"name":"x2"}}"#,
            404,
            "NotFound",
            "namespaces \"nope\" not found",
        ),
        (
            "POST",
            CONFIG_MAPS,
            r#"{"metadata":{"name":"x5","resourceVersion":"5"}}"#,
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ),
        (
            "PUT",
            "/api/v1/namespaces/default/configmaps/x1",
            r#"{"metadata":{"name":"x1","resourceVersion":"abc"}}"#,
            500,
            "",
            "strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        (
            "PUT",
            "/api/v1/namespaces/default/configmaps/x1",
            r#"{"metadata":{"name":"x2"}}"#,
            400,
            "BadRequest",
            "the name of the object (x2) does not match the name on the URL (x1)",
        ),
        (
            "PUT",
            "/api/v1/namespaces/default/configmaps/x1",
            r#"{"metadata":{}}"#,
            400,
            "BadRequest",
            "the name of the object (x1 based on URL) was undeterminable: name must be provided",
        ),
        (
            "PUT",
            "/api/v1/namespaces/default/configmaps/xnew",
            r#"{"metadata":{"name":"xnew"}}"#,
            404,
            "NotFound",
            "configmaps \"xnew\" not found",
        ),
        (
            "PATCH",
            "/api/v1/namespaces/default/configmaps/nope",
            "{}",
            404,
            "NotFound",
            "configmaps \"nope\" not found",
        ),
        (
            "PATCH",
            "/api/v1/namespaces/default/configmaps/x1",
            r#"{"metadata":{"name":"zz"}}"#,
            400,
            "BadRequest",
            "the name of the object (zz) does not match the name on the URL (x1)",
        ),
        (
            "PATCH",
            "/api/v1/namespaces/default/configmaps/x1",
            r#"{"metadata":{"resourceVersion":"1"}}"#,
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"x1\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        (
            "DELETE",
            "/api/v1/namespaces/default/configmaps/nope",
            "",
            404,
            "NotFound",
            "configmaps \"nope\" not found",
        ),
        (
            "DELETE",
            "/api/v1/namespaces/default",
            "",
            403,
            "Forbidden",
            "namespaces \"default\" is forbidden: this namespace may not be deleted",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps?fieldSelector=foo%3Db",
            "",
            400,
            "BadRequest",
            "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps?limit=1&continue=x",
            "",
            400,
            "BadRequest",
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 0",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps?resourceVersion=x",
            "",
            400,
            "BadRequest",
            "invalid resource version: resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=x",
            "",
            500,
            "",
            "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
    ] {
        let reply = cluster.call("admin", verb, path, body).await;
        assert_eq!(reply.refusal(), (code, reason, message), "{verb} {path} {body}");
        assert_eq!(reply.body["kind"], "Status");
    }
    let reply = cluster
        .call("admin", "GET", "/api/v1/namespaces/default/configmaps?resourceVersion=99999999", "")
        .await;
    assert_eq!(reply.code, 504);
    assert!(reply.refusal().2.starts_with("Timeout: Too large resource version: 99999999, current: "));
}

#[tokio::test]
async fn paths_that_can_only_be_read_are_only_read() {
    let cluster = Cluster::new().await;
    for (method, path, code) in [
        ("GET", "/version", 200),
        ("PUT", "/version", 405),
        ("PUT", "/api", 405),
        ("DELETE", "/apis/apps/v1", 405),
        ("POST", "/livez", 200),
        ("GET", "/api/v1/watch", 500),
        ("GET", "/api/v1/namespaces/default/pods/%2e%2e", 400),
    ] {
        assert_eq!(cluster.call("admin", method, path, "").await.code, code, "{method} {path}");
    }
    let paths = cluster.get("/").await["paths"].clone();
    for path in ["/apis/apps/v1", "/version"] {
        assert!(paths.as_array().unwrap().contains(&json!(path)), "{path}");
    }
    let annotation =
        &cluster.get("/api/v1/namespaces/default").await["metadata"]["annotations"]["kubesso/sandbox"];
    assert!(annotation.as_str().unwrap().contains("runs no containers"));
}

#[tokio::test]
async fn paths_of_no_group_are_no_pages() {
    let cluster = Cluster::new().await;
    for path in ["/foo", "/apis/foo/v1/widgets"] {
        let reply = cluster.call("admin", "GET", path, "").await;
        assert_eq!((reply.code, reply.text.as_str()), (404, "404 page not found\n"));
        assert_eq!(reply.headers[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}

#[tokio::test]
async fn objects_that_are_not_valid_are_refused_as_kube_apiserver_refuses_them() {
    let cluster = Cluster::new().await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    for (path, object, message) in [
        (
            "/api/v1/namespaces".to_owned(),
            json!({"metadata": {"name": "a.b"}}),
            "Namespace \"a.b\" is invalid: metadata.name: Invalid value: \"a.b\": must not contain dots",
        ),
        (
            "/api/v1/namespaces/default/pods".to_owned(),
            json!({"metadata": {"name": "p"}, "spec": {}}),
            "Pod \"p\" is invalid: spec.containers: Required value",
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments".to_owned(),
            json!({"metadata": {"name": "d2"}, "spec": {}}),
            "Deployment.apps \"d2\" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`, spec.template.spec.containers: Required value]",
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments".to_owned(),
            json!({"metadata": {"name": "d2"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
            "Deployment.apps \"d2\" is invalid: spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`",
        ),
        (
            "/api/v1/namespaces/default/services".to_owned(),
            json!({"metadata": {"name": "s2"}, "spec": {}}),
            "Service \"s2\" is invalid: spec.ports: Required value",
        ),
        (
            "/api/v1/namespaces/default/services".to_owned(),
            json!({"metadata": {"name": "1s2"}, "spec": {"ports": [{"port": 0}, {"port": 80}], "type": "Foo"}}),
            "Service \"1s2\" is invalid: [spec.ports[0].name: Required value, spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[1].name: Required value, spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"]",
        ),
        (
            "/api/v1/namespaces/default/secrets".to_owned(),
            json!({"metadata": {"name": "s2"}, "type": "kubernetes.io/dockerconfigjson"}),
            "Secret \"s2\" is invalid: data[.dockerconfigjson]: Required value",
        ),
        (
            "/api/v1/namespaces/default/events".to_owned(),
            json!({"metadata": {"name": "e"}, "involvedObject": {"namespace": "other"}}),
            "Event \"e\" is invalid: involvedObject.namespace: Invalid value: \"other\": does not match event.namespace",
        ),
        (
            format!("{rbac}/clusterroles"),
            json!({"metadata": {"name": "a/b"}, "rules": [{}]}),
            "ClusterRole.rbac.authorization.k8s.io \"a/b\" is invalid: [metadata.name: Invalid value: \"a/b\": may not contain '/', rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: Required value: resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one resource]",
        ),
        (
            format!("{rbac}/clusterroles"),
            json!({"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resourceNames": ["a"]}]}),
            "ClusterRole.rbac.authorization.k8s.io \"r\" is invalid: rules[0].nonResourceURLs: Invalid value: [\"/x\"]: rules cannot apply to both regular resources and non-resource URLs",
        ),
        (
            format!("{rbac}/namespaces/default/roles"),
            json!({"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
            "Role.rbac.authorization.k8s.io \"r\" is invalid: rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs",
        ),
        (
            format!("{rbac}/clusterroles"),
            json!({"metadata": {"name": "agg"}, "aggregationRule": {"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "Foo"}]}]}}),
            "ClusterRole.rbac.authorization.k8s.io \"agg\" is invalid: [aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: \"Foo\": not a valid selector operator, aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.]",
        ),
        (
            format!("{rbac}/namespaces/default/rolebindings"),
            json!({"metadata": {"name": "rb"}}),
            "RoleBinding.rbac.authorization.k8s.io \"rb\" is invalid: [roleRef.kind: Unsupported value: \"\": supported values: \"Role\", \"ClusterRole\", roleRef.name: Required value]",
        ),
        (
            format!("{rbac}/clusterrolebindings"),
            json!({"metadata": {"name": "crb"}, "roleRef": {"kind": "Role", "name": "view"}, "subjects": [{"kind": "ServiceAccount", "name": "x"}, {"kind": "User"}, {"kind": "Foo", "name": "x"}, {"kind": "Group", "name": "x", "apiGroup": "zz"}]}),
            "ClusterRoleBinding.rbac.authorization.k8s.io \"crb\" is invalid: [roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\", subjects[0].namespace: Required value, subjects[1].name: Required value, subjects[2].kind: Unsupported value: \"Foo\": supported values: \"ServiceAccount\", \"User\", \"Group\", subjects[3].apiGroup: Unsupported value: \"zz\": supported values: \"rbac.authorization.k8s.io\"]",
        ),
    ] {
        let reply = cluster.call("admin", "POST", &path, &object.to_string()).await;
        assert_eq!(reply.refusal(), (422, "Invalid", message), "{object}");
    }
}

#[tokio::test]
async fn what_must_not_change_cannot_be_changed() {
    let cluster = Cluster::new().await;
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    cluster
        .create(
            bindings,
            json!({"metadata": {"name": "crb"}, "roleRef": {"kind": "ClusterRole", "name": "view"}}),
        )
        .await;
    cluster
        .create(
            "/api/v1/namespaces/default/secrets",
            json!({"metadata": {"name": "im"}, "immutable": true, "data": {"a": "YQ=="}}),
        )
        .await;
    let pod = json!({"metadata": {"name": "p1"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    cluster.create("/api/v1/namespaces/default/pods", pod).await;
    for (path, patch, message) in [
        (
            format!("{bindings}/crb"),
            r#"{"roleRef":{"name":"edit"}}"#,
            "ClusterRoleBinding.rbac.authorization.k8s.io \"crb\" is invalid: roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"ClusterRole\",\"Name\":\"edit\"}: cannot change roleRef",
        ),
        (
            "/api/v1/namespaces/default/secrets/im".to_owned(),
            r#"{"data":{"b":"YQ=="}}"#,
            "Secret \"im\" is invalid: data: Forbidden: field is immutable when `immutable` is set",
        ),
        (
            "/api/v1/namespaces/default/secrets/im".to_owned(),
            r#"{"type":"x/y"}"#,
            "Secret \"im\" is invalid: type: Invalid value: \"x/y\": field is immutable",
        ),
        (
            "/api/v1/namespaces/default/pods/p1".to_owned(),
            r#"{"spec":{"nodeName":"n"}}"#,
            "Pod \"p1\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ),
    ] {
        let reply = cluster.call("admin", "PATCH", &path, patch).await;
        assert_eq!(reply.refusal(), (422, "Invalid", message), "{path}");
    }
}

#[tokio::test]
async fn replies_have_the_form_that_is_asked_for() {
    let cluster = Cluster::new().await;
    cluster.create(CONFIG_MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).await;
    let table = cluster.table(CONFIG_MAPS).await;
    assert_eq!((&table["kind"], &table["rows"][0]["cells"][0]), (&json!("Table"), &json!("a")));
    let get =
        |accept: &'static str| request("admin", "GET", CONFIG_MAPS, "", "", &[(ACCEPT.as_str(), accept)]);
    let yaml = cluster.send(get("application/yaml")).await;
    assert_eq!(yaml.headers[CONTENT_TYPE], "application/yaml");
    assert!(yaml.text.contains("kind: ConfigMapList"));
    let metadata =
        cluster.send(get("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")).await.body;
    assert_eq!(
        (&metadata["items"][0]["metadata"]["name"], metadata["items"][0].get("data")),
        (&json!("a"), None)
    );
    let none = cluster.send(get("text/foo")).await;
    assert_eq!((none.code, none.refusal().1), (406, "NotAcceptable"));
    let text = cluster.send(request("admin", "POST", CONFIG_MAPS, "{}", "text/plain", &[])).await;
    assert_eq!(text.code, 415);
}

#[tokio::test]
async fn unknown_fields_are_dropped_with_a_warning() {
    let cluster = Cluster::new().await;
    let reply = cluster.call("admin", "POST", CONFIG_MAPS, r#"{"metadata":{"name":"x3"},"foo":1}"#).await;
    assert_eq!((reply.code, reply.body.get("foo")), (201, None));
    assert_eq!(reply.headers["warning"], "299 - \"unknown field \\\"foo\\\"\"");
    let reply = cluster
        .call(
            "admin",
            "POST",
            &format!("{CONFIG_MAPS}?fieldValidation=Strict"),
            r#"{"metadata":{"name":"x4"},"foo":1}"#,
        )
        .await;
    assert_eq!(
        reply.refusal(),
        (
            400,
            "BadRequest",
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\""
        )
    );
}
