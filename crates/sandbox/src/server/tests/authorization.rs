use serde_json::{Value, json};

use super::harness::{Cluster, Reply, request};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";

/// `dev` may write RBAC objects, and get and list pods.
async fn cluster_with_dev() -> Cluster {
    let cluster = Cluster::new().await;
    let rbac = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"];
    let rules = json!([
        {"verbs": ["create", "update", "patch", "get", "list"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": rbac},
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]},
    ]);
    cluster
        .create(&format!("{RBAC}/clusterroles"), json!({"metadata": {"name": "rbacer2"}, "rules": rules}))
        .await;
    bind(&cluster, "dev", "rbacer2", "dev").await;
    cluster
}

async fn bind(cluster: &Cluster, name: &str, role: &str, user: &str) {
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": user}],
    });
    cluster.create(&format!("{RBAC}/clusterrolebindings"), binding).await;
}

async fn post(cluster: &Cluster, user: &str, path: &str, object: Value) -> Reply {
    cluster.call(user, "POST", path, &object.to_string()).await
}

// Recorded from kube-apiserver 1.36.3; so are the messages below.
#[tokio::test]
async fn who_may_not_is_told_so_in_kube_apiserver_s_words() {
    let cluster = cluster_with_dev().await;
    for (user, path, code, message) in [
        (
            "other",
            "/api/v1/namespaces/default/pods",
            403,
            "pods is forbidden: User \"other\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        (
            "other",
            "/api/v1/nodes/x",
            403,
            "nodes \"x\" is forbidden: User \"other\" cannot get resource \"nodes\" in API group \"\" at the cluster scope",
        ),
        ("other", "/foo", 403, "forbidden: User \"other\" cannot get path \"/foo\""),
        (
            "",
            "/api/v1/pods",
            403,
            "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope",
        ),
        ("nobody", "/api/v1/pods", 401, "Unauthorized"),
    ] {
        let reply = cluster.call(user, "GET", path, "").await;
        assert_eq!((reply.code, reply.refusal().2), (code, message));
    }
    assert_eq!(cluster.call("dev", "GET", "/api/v1/pods", "").await.code, 200);
    assert_eq!(cluster.call("", "GET", "/healthz", "").await.text, "ok");
}

#[tokio::test]
async fn a_binding_counts_from_the_moment_it_is_written_until_it_is_gone() {
    let cluster = Cluster::new().await;
    let code = async || cluster.call("other", "GET", "/api/v1/pods", "").await.code;
    assert_eq!(code().await, 403);
    bind(&cluster, "others-view", "view", "other").await;
    assert_eq!(code().await, 200, "view is filled by aggregation");
    cluster.call("admin", "DELETE", &format!("{RBAC}/clusterrolebindings/others-view"), "").await;
    assert_eq!(code().await, 403);
}

#[tokio::test]
async fn aggregated_roles_follow_their_parts() {
    let cluster = Cluster::new().await;
    let part = json!({
        "metadata": {"name": "part", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"verbs": ["get"], "apiGroups": ["x.io"], "resources": ["widgets"]}],
    });
    cluster.create(&format!("{RBAC}/clusterroles"), part).await;
    let has = async |role: &str| {
        let role = cluster.get(&format!("{RBAC}/clusterroles/{role}")).await;
        role["rules"].as_array().unwrap().iter().any(|rule| rule["apiGroups"] == json!(["x.io"]))
    };
    for role in ["view", "edit", "admin"] {
        assert!(has(role).await, "{role}");
    }
    cluster.call("admin", "DELETE", &format!("{RBAC}/clusterroles/part"), "").await;
    for role in ["view", "edit", "admin"] {
        assert!(!has(role).await, "{role}");
    }
}

#[tokio::test]
async fn nobody_grants_what_they_do_not_have() {
    let cluster = cluster_with_dev().await;
    let head = "user \"dev\" (groups=[\"devs\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n";
    let pods = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
    let reply = post(
        &cluster,
        "dev",
        &format!("{RBAC}/clusterroles"),
        json!({"metadata": {"name": "ok1"}, "rules": pods}),
    )
    .await;
    assert_eq!(reply.code, 201, "{}", reply.text);

    let more = json!([{"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods", "secrets"]}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}]);
    let reply = post(
        &cluster,
        "dev",
        &format!("{RBAC}/clusterroles"),
        json!({"metadata": {"name": "bad1"}, "rules": more}),
    )
    .await;
    assert_eq!(
        reply.refusal(),
        (403, "Forbidden", format!("clusterroles.rbac.authorization.k8s.io \"bad1\" is forbidden: {head}{{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}}\n{{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"delete\"]}}\n{{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}}").as_str())
    );
    let aggregated = json!({"metadata": {"name": "bad2"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}});
    let reply = post(&cluster, "dev", &format!("{RBAC}/clusterroles"), aggregated).await;
    assert_eq!(
        reply.refusal().2,
        "clusterroles.rbac.authorization.k8s.io \"bad2\" is forbidden: must have cluster-admin privileges to use the aggregationRule"
    );

    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    let binding =
        |role: &str| json!({"metadata": {"name": "rb"}, "roleRef": {"kind": "ClusterRole", "name": role}});
    let reply = post(&cluster, "dev", &bindings, binding("cluster-admin")).await;
    assert_eq!(
        reply.refusal().2,
        format!(
            "rolebindings.rbac.authorization.k8s.io \"rb\" is forbidden: {head}{{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}}\n{{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}}"
        )
    );
    let reply = post(&cluster, "dev", &bindings, binding("nope")).await;
    assert_eq!(
        reply.refusal(),
        (404, "NotFound", "rolebindings.rbac.authorization.k8s.io \"nope\" not found")
    );
    assert_eq!(post(&cluster, "dev", &bindings, binding("ok1")).await.code, 201);

    let everything = r#"{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}"#;
    let reply = cluster.call("dev", "PATCH", &format!("{RBAC}/clusterroles/ok1"), everything).await;
    assert_eq!(
        reply.refusal().2,
        format!(
            "clusterroles.rbac.authorization.k8s.io \"ok1\" is forbidden: {head}{{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}}"
        )
    );
}

#[tokio::test]
async fn a_put_that_creates_needs_the_permission_to_create() {
    let cluster = Cluster::new().await;
    let rules = json!([{"verbs": ["update", "escalate"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}]);
    cluster
        .create(&format!("{RBAC}/clusterroles"), json!({"metadata": {"name": "updater"}, "rules": rules}))
        .await;
    bind(&cluster, "updater", "updater", "other").await;
    let role = json!({"metadata": {"name": "new"}}).to_string();
    let path = format!("{RBAC}/clusterroles/new");
    let refused = cluster.call("other", "PUT", &path, &role).await;
    assert_eq!(
        refused.refusal().2,
        "clusterroles.rbac.authorization.k8s.io \"new\" is forbidden: User \"other\" cannot create resource \"clusterroles\" in API group \"rbac.authorization.k8s.io\" at the cluster scope"
    );
    assert_eq!(cluster.call("admin", "PUT", &path, &role).await.code, 201);
}

async fn as_user(cluster: &Cluster, user: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let body = if method == "POST" { "{}" } else { "" };
    cluster.send(request(user, method, path, body, "application/json", headers)).await
}

#[tokio::test]
async fn administrators_may_be_anybody() {
    let cluster = cluster_with_dev().await;
    let who = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    for (headers, expected) in [
        (&[("impersonate-user", "bob")][..], json!({"username": "bob", "groups": ["system:authenticated"]})),
        (
            &[("impersonate-user", "system:serviceaccount:default:x")],
            json!({"username": "system:serviceaccount:default:x", "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]}),
        ),
        (
            &[
                ("impersonate-user", "bob"),
                ("impersonate-group", "a"),
                ("impersonate-group", "b"),
                ("impersonate-uid", "u"),
                ("impersonate-extra-foo%2fbar", "x"),
                ("impersonate-extra-foo%2fbar", "y"),
            ],
            json!({"username": "bob", "uid": "u", "groups": ["a", "b", "system:authenticated"], "extra": {"foo/bar": ["x", "y"]}}),
        ),
        (
            &[("impersonate-user", "")],
            json!({"username": "admin", "groups": ["system:masters", "system:authenticated"]}),
        ),
    ] {
        let reply = as_user(&cluster, "admin", "POST", who, headers).await;
        assert_eq!((reply.code, &reply.body["status"]["userInfo"]), (201, &expected), "{headers:?}");
    }
    let as_dev = as_user(
        &cluster,
        "admin",
        "GET",
        "/api/v1/namespaces/default/secrets",
        &[("impersonate-user", "dev")],
    )
    .await;
    assert_eq!(
        as_dev.refusal().2,
        "secrets is forbidden: User \"dev\" cannot list resource \"secrets\" in API group \"\" in the namespace \"default\""
    );
    let nameless =
        as_user(&cluster, "admin", "GET", "/api/v1/pods", &[("impersonate-group", "system:masters")]).await;
    assert_eq!(
        nameless.refusal(),
        (
            400,
            "BadRequest",
            "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"system:masters\"}, Extra:map[string][]string(nil)} without impersonating a user name"
        )
    );
}

#[tokio::test]
async fn a_refused_impersonation_names_the_first_mode_that_refuses() {
    let cluster = cluster_with_dev().await;
    let pods = "/api/v1/namespaces/default/pods";
    for (path, user, message) in [
        (
            pods,
            "bob",
            "pods is forbidden: User \"dev\" cannot impersonate-on:user-info:list resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        (
            pods,
            "system:serviceaccount:default:x",
            "pods is forbidden: User \"dev\" cannot impersonate-on:serviceaccount:list resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        (
            pods,
            "system:node:x",
            "pods is forbidden: User \"dev\" cannot impersonate-on:arbitrary-node:list resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        ("/healthz", "bob", "forbidden: User \"dev\" cannot impersonate-on:user-info:get path \"/healthz\""),
        (
            "/api/v1/namespaces/default/pods/x/log",
            "bob",
            "pods \"x\" is forbidden: User \"dev\" cannot impersonate-on:user-info:get resource \"pods/log\" in API group \"\" in the namespace \"default\"",
        ),
    ] {
        let reply = as_user(&cluster, "dev", "GET", path, &[("impersonate-user", user)]).await;
        assert_eq!((reply.code, reply.refusal().2), (403, message));
    }

    let rules = json!([{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"]}]);
    cluster
        .create(&format!("{RBAC}/clusterroles"), json!({"metadata": {"name": "imp"}, "rules": rules}))
        .await;
    bind(&cluster, "imp", "imp", "dev").await;
    let reply = as_user(&cluster, "dev", "GET", pods, &[("impersonate-user", "bob")]).await;
    assert_eq!(
        reply.refusal().2,
        "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    );
    // The legacy mode has worked for dev, and is now asked first.
    let reply = as_user(&cluster, "dev", "GET", pods, &[("impersonate-user", "alice")]).await;
    assert_eq!(
        reply.refusal().2,
        "users \"alice\" is forbidden: User \"dev\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"
    );
}

#[tokio::test]
async fn a_constrained_impersonation_allows_what_both_its_permissions_allow() {
    let cluster = Cluster::new().await;
    let rules = json!([
        {"verbs": ["impersonate-on:user-info:list"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["impersonate:user-info"], "apiGroups": ["authentication.k8s.io"], "resources": ["users"], "resourceNames": ["dev"]},
    ]);
    cluster
        .create(&format!("{RBAC}/clusterroles"), json!({"metadata": {"name": "imp"}, "rules": rules}))
        .await;
    bind(&cluster, "imp", "imp", "other").await;
    bind(&cluster, "dev", "view", "dev").await;
    let code =
        async |path: &str| as_user(&cluster, "other", "GET", path, &[("impersonate-user", "dev")]).await.code;
    assert_eq!(code("/api/v1/pods").await, 200);
    assert_eq!(code("/api/v1/configmaps").await, 403);
}

#[tokio::test]
async fn access_is_reviewed() {
    let cluster = cluster_with_dev().await;
    let own = format!("{AUTHORIZATION}/selfsubjectaccessreviews");
    let theirs = format!("{AUTHORIZATION}/subjectaccessreviews");
    let local = format!("{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews");
    let pods = json!({"verb": "get", "resource": "pods"});
    let reason = "RBAC: allowed by ClusterRoleBinding \"dev\" of ClusterRole \"rbacer2\" to User \"dev\"";
    for (user, path, spec, status) in [
        ("admin", &own, json!({"resourceAttributes": pods}), json!({"allowed": true})),
        ("dev", &own, json!({"resourceAttributes": pods}), json!({"allowed": true, "reason": reason})),
        (
            "dev",
            &own,
            json!({"resourceAttributes": {"verb": "get", "resource": "secrets"}}),
            json!({"allowed": false}),
        ),
        (
            "dev",
            &own,
            json!({"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}),
            json!({"allowed": true, "reason": "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\""}),
        ),
        (
            "admin",
            &theirs,
            json!({"user": "dev", "resourceAttributes": pods}),
            json!({"allowed": true, "reason": reason}),
        ),
        (
            "admin",
            &local,
            json!({"user": "dev", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}),
            json!({"allowed": true, "reason": reason}),
        ),
    ] {
        let reply = post(&cluster, user, path, json!({"spec": spec})).await;
        assert_eq!((reply.code, &reply.body["status"], &reply.body["spec"]), (201, &status, &spec), "{path}");
    }
    let exactly = "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
    for (path, spec, message) in [
        (&own, json!({}), format!(".authorization.k8s.io \"\" is invalid: {exactly}")),
        (&theirs, json!({}), format!(".authorization.k8s.io \"\" is invalid: [{exactly}, spec.user: Invalid value: \"\": at least one of user or group must be specified]")),
        (&local, json!({"user": "dev", "resourceAttributes": pods}), ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"\": must match metadata.namespace".to_owned()),
        (&local, json!({"user": "dev", "nonResourceAttributes": {"verb": "get", "path": "/x"}}), ".authorization.k8s.io \"\" is invalid: spec.nonResourceAttributes: Invalid value: {\"Path\":\"/x\",\"Verb\":\"get\"}: disallowed on this kind of request".to_owned()),
    ] {
        let reply = post(&cluster, "admin", path, json!({"spec": spec})).await;
        assert_eq!(reply.refusal(), (422, "Invalid", message.as_str()));
    }
}

#[tokio::test]
async fn rules_are_reviewed() {
    let cluster = cluster_with_dev().await;
    let path = format!("{AUTHORIZATION}/selfsubjectrulesreviews");
    let reply = post(&cluster, "dev", &path, json!({"spec": {"namespace": "default"}})).await;
    assert_eq!(
        (reply.code, &reply.body["spec"], &reply.body["status"]["incomplete"]),
        (201, &json!({}), &json!(false))
    );
    let rules = reply.body["status"]["resourceRules"].as_array().unwrap();
    assert!(rules.contains(&json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]})));
    let reply = post(&cluster, "dev", &path, json!({"spec": {}})).await;
    assert_eq!(reply.refusal(), (400, "BadRequest", "no namespace on request"));
}

#[tokio::test]
async fn tokens_are_reviewed() {
    let cluster = Cluster::new().await;
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let status =
        async |spec: Value| post(&cluster, "admin", path, json!({"spec": spec})).await.body["status"].clone();
    assert_eq!(
        status(json!({"token": "dev"})).await,
        json!({"authenticated": true, "user": {"username": "dev", "groups": ["devs", "system:authenticated"]}, "audiences": ["https://kubernetes.default.svc"]})
    );
    let invalid = json!({"user": {}, "error": "invalid bearer token"});
    assert_eq!(status(json!({"token": "nobody"})).await, invalid);
    assert_eq!(status(json!({"token": "dev", "audiences": ["x"]})).await, invalid);
    let reply = post(&cluster, "admin", path, json!({"spec": {}})).await;
    assert_eq!(reply.refusal(), (400, "BadRequest", "token is required for TokenReview in authentication"));
}
