use serde_json::{Value, json};

use super::harness::Cluster;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str) -> Value {
    json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}})
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let cluster = Cluster::new().await;
    let made = cluster.create(CONFIG_MAPS, config_map("a")).await;
    let same =
        cluster.call("admin", "PATCH", &format!("{CONFIG_MAPS}/a"), r#"{"metadata":{"name":"a"}}"#).await;
    assert_eq!(same.body, made);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cluster = Cluster::new().await;
    let dry = cluster
        .call("admin", "POST", &format!("{CONFIG_MAPS}?dryRun=All"), &config_map("d").to_string())
        .await;
    assert_eq!(dry.code, 201);
    assert_eq!(dry.body["metadata"].get("resourceVersion"), None);
    assert_eq!(cluster.call("admin", "GET", &format!("{CONFIG_MAPS}/d"), "").await.code, 404);
    cluster.create(CONFIG_MAPS, config_map("d")).await;
    assert_eq!(cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}/d?dryRun=All"), "").await.code, 200);
    assert_eq!(
        cluster
            .call("admin", "PATCH", &format!("{CONFIG_MAPS}/d?dryRun=All"), r#"{"data":{"a":"b"}}"#)
            .await
            .body["data"]["a"],
        "b"
    );
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/d")).await.get("data"), None);
}

#[tokio::test]
async fn names_can_be_generated() {
    let cluster = Cluster::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let made = cluster.create(CONFIG_MAPS, json!({"metadata": {"generateName": "gen-"}})).await;
        let name = made["metadata"]["name"].as_str().unwrap().to_owned();
        assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
        assert!(seen.insert(name));
    }
}

#[tokio::test]
async fn lists_come_in_pages_that_show_one_state() {
    let cluster = Cluster::new().await;
    for name in ["a", "b", "c", "d"] {
        cluster.create(CONFIG_MAPS, config_map(name)).await;
    }
    let first = cluster.get(&format!("{CONFIG_MAPS}?limit=3")).await;
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    assert_eq!(first["items"][0].get("kind"), None, "objects in a list do not repeat their kind");
    cluster.create(CONFIG_MAPS, config_map("e")).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = cluster.get(&format!("{CONFIG_MAPS}?limit=3&continue={token}")).await;
    let names: Vec<&Value> =
        second["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["d"], "what came later is not in it");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn lists_are_selected() {
    let cluster = Cluster::new().await;
    cluster.create(CONFIG_MAPS, json!({"metadata": {"name": "a", "labels": {"app": "x"}}})).await;
    cluster.create(CONFIG_MAPS, json!({"metadata": {"name": "b", "labels": {"app": "y"}}})).await;
    for (query, expected) in [
        ("labelSelector=app%3Dx", vec!["a"]),
        ("labelSelector=app%20in%20(x,y)", vec!["a", "b"]),
        ("labelSelector=!app", vec![]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        ("fieldSelector=metadata.name!%3Db,metadata.namespace%3Ddefault", vec!["a"]),
    ] {
        let list = cluster.get(&format!("{CONFIG_MAPS}?{query}")).await;
        let names: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{query}");
    }
}

#[tokio::test]
async fn deletions_keep_to_their_preconditions() {
    let cluster = Cluster::new().await;
    let made = cluster.create(CONFIG_MAPS, config_map("x1")).await;
    let (uid, version) =
        (made["metadata"]["uid"].as_str().unwrap(), made["metadata"]["resourceVersion"].as_str().unwrap());
    for (body, message) in [
        (
            json!({"preconditions": {"uid": "x"}}),
            format!(
                "Operation cannot be fulfilled on ConfigMap \"x1\": the UID in the precondition (x) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            ),
        ),
        (
            json!({"preconditions": {"resourceVersion": "1"}}),
            format!(
                "Operation cannot be fulfilled on ConfigMap \"x1\": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({version}). The object might have been modified"
            ),
        ),
    ] {
        let reply = cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}/x1"), &body.to_string()).await;
        assert_eq!(reply.refusal(), (409, "Conflict", message.as_str()));
    }
    let body = json!({"preconditions": {"uid": uid}}).to_string();
    assert_eq!(cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}/x1"), &body).await.code, 200);
}

#[tokio::test]
async fn an_object_with_finalizers_waits_for_them() {
    let cluster = Cluster::new().await;
    let path = format!("{CONFIG_MAPS}/a");
    cluster.create(CONFIG_MAPS, json!({"metadata": {"name": "a", "finalizers": ["x.io/f"]}})).await;
    let marked = cluster.call("admin", "DELETE", &path, "").await.body;
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-11-22T08:00:00Z");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(cluster.call("admin", "DELETE", &path, "").await.body, marked);
    let more = r#"{"metadata":{"finalizers":["x.io/f","y.io/z"]}}"#;
    let refused = cluster.call("admin", "PATCH", &path, more).await;
    assert_eq!(
        refused.refusal().2,
        "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"y.io/z\"}"
    );
    assert_eq!(cluster.call("admin", "PATCH", &path, r#"{"metadata":{"finalizers":null}}"#).await.code, 200);
    assert_eq!(cluster.call("admin", "GET", &path, "").await.code, 404);
}

#[tokio::test]
async fn a_collection_is_deleted_as_selected() {
    let cluster = Cluster::new().await;
    for (name, app) in [("a", "x"), ("b", "y"), ("c", "x")] {
        cluster.create(CONFIG_MAPS, json!({"metadata": {"name": name, "labels": {"app": app}}})).await;
    }
    let reply = cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}?labelSelector=app%3Dx"), "").await;
    assert_eq!((reply.code, reply.body["items"].as_array().unwrap().len()), (200, 2));
    let left = cluster.get(CONFIG_MAPS).await;
    assert_eq!(left["items"][0]["metadata"]["name"], "b");
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn dependents_go_with_their_last_owner() {
    let cluster = Cluster::new().await;
    for (propagation, stays) in [("Background", false), ("Foreground", false), ("Orphan", true)] {
        let owner = cluster.create(CONFIG_MAPS, config_map("owner")).await;
        let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]});
        cluster
            .create(CONFIG_MAPS, json!({"metadata": {"name": "child", "ownerReferences": [reference]}}))
            .await;
        let body = json!({"propagationPolicy": propagation}).to_string();
        assert_eq!(cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}/owner"), &body).await.code, 200);
        assert_eq!(cluster.call("admin", "GET", &format!("{CONFIG_MAPS}/owner"), "").await.code, 404);
        let child = cluster.call("admin", "GET", &format!("{CONFIG_MAPS}/child"), "").await;
        assert_eq!(child.code == 200, stays, "{propagation}");
        if stays {
            assert_eq!(child.body["metadata"].get("ownerReferences"), None);
        }
    }
}

#[tokio::test]
async fn a_namespace_ends_with_all_that_is_in_it() {
    let cluster = Cluster::new().await;
    let made = cluster.create("/api/v1/namespaces", json!({"metadata": {"name": "t1"}})).await;
    assert_eq!(made["status"]["phase"], "Active");
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(made["metadata"]["labels"]["kubernetes.io/metadata.name"], "t1");
    cluster
        .create(
            "/api/v1/namespaces/t1/configmaps",
            json!({"metadata": {"name": "held", "finalizers": ["x.io/f"]}}),
        )
        .await;
    cluster.create("/api/v1/namespaces/t1/configmaps", config_map("free")).await;

    let ending = cluster.call("admin", "DELETE", "/api/v1/namespaces/t1", "").await;
    assert_eq!((ending.code, &ending.body["status"]["phase"]), (200, &json!("Terminating")));
    let refused =
        cluster.call("admin", "POST", "/api/v1/namespaces/t1/configmaps", &config_map("b").to_string()).await;
    assert_eq!(
        refused.refusal(),
        (
            403,
            "Forbidden",
            "configmaps \"b\" is forbidden: unable to create new content in namespace t1 because it is being terminated"
        )
    );
    assert_eq!(
        refused.body["details"]["causes"],
        json!([{"reason": "NamespaceTerminating", "message": "namespace t1 is being terminated", "field": "metadata.namespace"}])
    );
    assert_eq!(cluster.get("/api/v1/namespaces/t1/configmaps").await["items"].as_array().unwrap().len(), 1);
    cluster
        .call(
            "admin",
            "PATCH",
            "/api/v1/namespaces/t1/configmaps/held",
            r#"{"metadata":{"finalizers":null}}"#,
        )
        .await;
    assert_eq!(cluster.call("admin", "GET", "/api/v1/namespaces/t1", "").await.code, 404);
}

#[tokio::test]
async fn a_manifest_may_be_put_again_although_the_server_had_added_to_it() {
    let cluster = Cluster::new().await;
    let manifest = |image: &str| json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": image}]}});
    let made = cluster.create("/api/v1/namespaces/default/pods", manifest("a:1")).await;
    let mut whole = manifest("a:2");
    whole["apiVersion"] = json!("v1");
    whole["kind"] = json!("Pod");
    let answer = cluster.call("admin", "PUT", "/api/v1/namespaces/default/pods/p", &whole.to_string()).await;
    assert_eq!(answer.code, 200, "{:?}", answer.body);
    for kept in ["tolerations", "priority", "preemptionPolicy"] {
        assert_eq!(answer.body["spec"][kept], made["spec"][kept]);
    }
    assert_eq!(answer.body["spec"]["containers"][0]["image"], "a:2");
}

#[tokio::test]
async fn new_objects_get_what_the_server_decides() {
    let cluster = Cluster::new().await;
    let pod = cluster
        .create("/api/v1/namespaces/default/pods", json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}, "status": {"phase": "Running"}}))
        .await;
    assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(pod["metadata"]["generation"], 1);
    assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "Always");
    assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 2);

    let service = cluster
        .create(
            "/api/v1/namespaces/default/services",
            json!({"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}),
        )
        .await;
    assert!(service["spec"]["clusterIP"].as_str().unwrap().starts_with("10.0."));
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 80);
    assert!((30_000..32_768).contains(&service["spec"]["ports"][0]["nodePort"].as_u64().unwrap()));

    let secret = cluster
        .create(
            "/api/v1/namespaces/default/secrets",
            json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}}),
        )
        .await;
    assert_eq!(
        (&secret["data"], &secret["type"], secret.get("stringData")),
        (&json!({"a": "Yg=="}), &json!("Opaque"), None)
    );
}

#[tokio::test]
async fn specs_and_statuses_are_changed_apart() {
    let cluster = Cluster::new().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    cluster.create(deployments, json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}})).await;
    let path = format!("{deployments}/d");
    let changed = cluster
        .call("admin", "PATCH", &path, r#"{"spec":{"replicas":3},"status":{"replicas":9}}"#)
        .await
        .body;
    assert_eq!((&changed["metadata"]["generation"], &changed["status"]), (&json!(2), &json!({})));
    let changed = cluster
        .call(
            "admin",
            "PATCH",
            &format!("{path}/status"),
            r#"{"spec":{"replicas":7},"status":{"replicas":9}}"#,
        )
        .await
        .body;
    assert_eq!((&changed["spec"]["replicas"], &changed["status"]["replicas"]), (&json!(3), &json!(9)));
    assert_eq!(changed["metadata"]["generation"], 2);
    let scaled =
        cluster.call("admin", "PATCH", &format!("{path}/scale"), r#"{"spec":{"replicas":5}}"#).await.body;
    assert_eq!(
        (&scaled["kind"], &scaled["spec"], &scaled["status"]),
        (&json!("Scale"), &json!({"replicas": 5}), &json!({"replicas": 9, "selector": "a=b"}))
    );
    assert_eq!(cluster.get(&path).await["spec"]["replicas"], 5);
}

#[tokio::test]
async fn what_would_need_a_container_is_refused_in_a_sentence() {
    let cluster = Cluster::new().await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    cluster.create("/api/v1/namespaces/default/pods", pod).await;
    for (method, below) in [
        ("GET", "log"),
        ("POST", "exec?command=ls"),
        ("GET", "exec?command=ls"),
        ("POST", "attach"),
        ("POST", "portforward"),
    ] {
        let reply =
            cluster.call("admin", method, &format!("/api/v1/namespaces/default/pods/p/{below}"), "").await;
        assert_eq!((reply.code, reply.refusal().1), (501, "NotImplemented"), "{below}");
        assert!(reply.refusal().2.contains("runs no containers"));
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let cluster = Cluster::new().await;
    let made = cluster.create(CONFIG_MAPS, config_map("kept")).await;
    let before = cluster.get("/apis/rbac.authorization.k8s.io/v1/clusterroles").await;
    let cluster = cluster.restart().await;
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/kept")).await, made);
    assert_eq!(
        cluster.get("/apis/rbac.authorization.k8s.io/v1/clusterroles").await,
        before,
        "nothing is written twice"
    );
}

#[tokio::test]
async fn seeds_are_created_once_with_their_status() {
    let cluster = Cluster::new().await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}, "status": {"phase": "Running"},
    });
    assert!(cluster.sandbox.ensure(pod.clone()).await.unwrap());
    assert!(!cluster.sandbox.ensure(pod).await.unwrap());
    assert_eq!(cluster.get("/api/v1/namespaces/default/pods/web").await["status"]["phase"], "Running");
    let error = cluster.sandbox.ensure(json!({"apiVersion": "v9", "kind": "Foo"})).await.unwrap_err();
    assert_eq!(error.to_string(), "the sandbox does not serve Foo of v9");
    let error = cluster
        .sandbox
        .ensure(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "nope"}}))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the sandbox refuses Pod x: namespaces \"nope\" not found");
}

#[tokio::test]
async fn ages_are_told_by_the_clock() {
    let cluster = Cluster::new().await;
    cluster.create(CONFIG_MAPS, config_map("a")).await;
    cluster.clock.advance(jiff::SignedDuration::from_mins(5));
    assert_eq!(cluster.table(CONFIG_MAPS).await["rows"][0]["cells"][2], "5m");
}
