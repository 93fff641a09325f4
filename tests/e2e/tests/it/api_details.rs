//! What client libraries rely on beyond kubectl's verbs: paging, selectors, patches, reviews, dry runs, conflicts. The
//! whole bodies must be equal, apart from what each server sets for itself.

use anyhow::Result;
use kubesso_e2e::reply::{Call, Cluster, Differences, Reply};
use kubesso_e2e::world::{self, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::normalise;

/// Both clusters, and everything that they answer differently.
struct Both {
    sandbox: Cluster,
    real: Cluster,
    differences: Differences,
}

impl Both {
    fn new(world: &World) -> Result<Self> {
        Ok(Self { sandbox: world.sandbox()?, real: world.real()?, differences: Differences::default() })
    }

    /// The same call on both; status and whole body must be equal. The sandbox's reply is returned.
    async fn whole(&mut self, what: &str, call: &Call) -> Result<Reply> {
        let (ours, theirs) = tokio::join!(self.sandbox.call(call), self.real.call(call));
        let (ours, theirs) = (ours?, theirs?);
        let visible = |reply: &Reply| -> String {
            let body = reply.json().map_or_else(|_| json!(normalise::text(&reply.body)), normalise::object);
            format!("{} {body}", reply.status)
        };
        if visible(&ours) != visible(&theirs) {
            let request =
                format!("{} {} {}", call.method, call.path, call.body.as_ref().map_or("", |(_, body)| body));
            self.differences.note(what, &request, &visible(&ours), &visible(&theirs));
        }
        Ok(ours)
    }
}

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";

fn configmap(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"test": "details"}}, "data": data})
}

/// A SelfSubjectRulesReview with its rules sorted: the real one goes through the bindings in any order.
fn sorted_rules(reply: &Reply) -> Result<Value> {
    let mut body = reply.json()?;
    for list in ["resourceRules", "nonResourceRules"] {
        if let Some(rules) = body["status"][list].as_array_mut() {
            rules.sort_by_key(Value::to_string);
        }
    }
    Ok(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn access_reviews_say_the_same() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world)?;
    let attributes = |verb: &str, group: &str, resource: &str, namespace: &str, name: &str| json!({"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name});
    let asked = [
        attributes("get", "", "pods", "default", ""),
        attributes("list", "", "pods", "payments", ""),
        attributes("delete", "", "secrets", "", ""),
        attributes("create", "rbac.authorization.k8s.io", "clusterroles", "", ""),
        attributes("get", "", "pods", "default", "storefront"),
        attributes("*", "*", "*", "", ""),
        attributes("bind", "rbac.authorization.k8s.io", "clusterroles", "", "view"),
    ];
    for who in world::PEOPLE {
        let token = world.id_token(who);
        for attributes in &asked {
            let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                                "spec": {"resourceAttributes": attributes}});
            let call = Call::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review)
                .with_token(token);
            both.whole(&format!("{who} asks about themselves"), &call).await?;
        }
        // Paths that at most one binding speaks of: of several, the real one names any.
        for path in ["/metrics", "/nonsense"] {
            let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                                "spec": {"nonResourceAttributes": {"verb": "get", "path": path}}});
            let call = Call::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review)
                .with_token(token);
            both.whole(&format!("{who} asks about {path}"), &call).await?;
        }
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                            "spec": {"namespace": "default"}});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let call = Call::post(path, &review).with_token(token);
        let (ours, theirs) = tokio::join!(both.sandbox.call(&call), both.real.call(&call));
        let (ours, theirs) = (sorted_rules(&ours?)?, sorted_rules(&theirs?)?);
        if ours != theirs {
            let what = format!("{who} asks for the rules");
            both.differences.note(&what, path, &ours.to_string(), &theirs.to_string());
        }
    }
    let admin = world.id_token("admin");
    for attributes in &asked {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                            "spec": {"user": "somebody", "groups": ["k8s-restricted-users"], "resourceAttributes": attributes}});
        let call =
            Call::post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).with_token(admin);
        both.whole("the administrator asks about somebody", &call).await?;
    }
    let local = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "LocalSubjectAccessReview",
                       "metadata": {"namespace": "default"},
                       "spec": {"user": "somebody", "groups": ["k8s-restricted-users"],
                                "resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "default"}}});
    let path = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
    both.whole("a local review", &Call::post(path, &local).with_token(admin)).await?;
    let path = "/apis/authorization.k8s.io/v1/namespaces/payments/localsubjectaccessreviews";
    both.whole("a local review of another namespace", &Call::post(path, &local).with_token(admin)).await?;
    for spec in [json!({}), json!({"user": "a"}), json!({"resourceAttributes": {"verb": "get"}})] {
        let review =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        let call =
            Call::post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).with_token(admin);
        both.whole("an incomplete review", &call).await?;
    }
    for token in [world.tokens("dev")?.id_token.as_str(), "nonsense", ""] {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
        let call = Call::post("/apis/authentication.k8s.io/v1/tokenreviews", &review).with_token(admin);
        let (ours, theirs) = tokio::join!(both.sandbox.call(&call), both.real.call(&call));
        let (ours, theirs) = (ours?, theirs?);
        // The text of an error is for the log and names each server's own inside; whether there is one counts.
        let visible = |reply: &Reply| -> Result<String> {
            let body = reply.json()?;
            let status = &body["status"];
            Ok(format!(
                "{} {} {} {}",
                reply.status,
                status["authenticated"],
                status["user"],
                status["error"].is_string()
            ))
        };
        if visible(&ours)? != visible(&theirs)? {
            both.differences.note("a token review", &call.path, &ours.body, &theirs.body);
        }
    }
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_selected_and_paged_alike() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world)?;
    let admin = world.id_token("admin");
    for name in ["one", "two", "three"] {
        let call = Call::post(CONFIGMAPS, &configmap(name, &json!({"a": "b"}))).with_token(admin);
        both.whole("create", &call).await?;
    }
    for query in [
        "labelSelector=test%3Ddetails",
        "labelSelector=test",
        "labelSelector=%21test",
        "labelSelector=test%20in%20%28details%2Cother%29",
        "labelSelector=test%20notin%20%28details%29",
        "labelSelector=test%3D%3D%3Dx",
        "fieldSelector=metadata.name%3Done",
        "fieldSelector=metadata.name%21%3Done,metadata.namespace%3Ddefault",
        "fieldSelector=data.a%3Db",
        "labelSelector=test%3Ddetails&limit=0",
        "resourceVersion=0&labelSelector=test%3Ddetails",
        "resourceVersion=nonsense",
        "resourceVersionMatch=Exact",
        "limit=nonsense",
        "watch=false&labelSelector=test%3Dnothing",
    ] {
        let call = Call::get(&format!("{CONFIGMAPS}?{query}")).with_token(admin);
        both.whole("a list", &call).await?;
    }
    // Page by page: each cluster's own continue token leads to the same names.
    for cluster in [&both.sandbox, &both.real] {
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{CONFIGMAPS}?labelSelector=test%3Ddetails&limit=2&continue={token}");
            let page = cluster.call(&Call::get(&path).with_token(admin)).await?.json()?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            assert!(items.len() <= 2, "{}: {page}", cluster.name);
            names.extend(
                items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned()),
            );
            match page["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => break,
            }
        }
        assert_eq!(names, ["one", "three", "two"], "{}", cluster.name);
    }
    let nothing = Call::get(&format!("{CONFIGMAPS}?labelSelector=test%3Dnothing")).with_token(admin);
    for accept in [
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;as=Table;g=meta.k8s.io;v=v1",
        "application/yaml",
    ] {
        both.whole(accept, &nothing.clone().header("Accept", accept)).await?;
    }
    // The message lists what the server speaks, and the sandbox speaks no protobuf.
    for accept in ["text/html", "application/json;as=Nonsense;g=meta.k8s.io;v=v1"] {
        let call = nothing.clone().header("Accept", accept);
        let (ours, theirs) = tokio::join!(both.sandbox.call(&call), both.real.call(&call));
        assert_eq!((ours?.status, theirs?.status), (406, 406), "{accept}");
    }
    let path = format!("{CONFIGMAPS}?labelSelector=test%3Ddetails");
    both.whole("delete the collection", &Call::delete(&path).with_token(admin)).await?;
    both.whole("nothing is left", &Call::get(&path).with_token(admin)).await?;
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_checked_and_merged_alike() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world)?;
    let admin = world.id_token("admin");
    let one = format!("{CONFIGMAPS}/one");
    let put = |object: &Value| Call { method: Method::PUT, ..Call::post(&one, object) };
    let patch = |kind: &'static str, body: Value| Call::patch(&one, kind, &body);
    let (merge, strategic, json_patch) = (
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/json-patch+json",
    );
    let with_version = |version: &str| {
        let mut object = configmap("one", &json!({"a": "z"}));
        object["metadata"]["resourceVersion"] = json!(version);
        object
    };
    let mut other_uid = configmap("one", &json!({}));
    other_uid["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let steps = [
        (
            "a dry run creates nothing",
            Call::post(&format!("{CONFIGMAPS}?dryRun=All"), &configmap("one", &json!({"a": "b"}))),
        ),
        (
            "an unknown dry run",
            Call::post(&format!("{CONFIGMAPS}?dryRun=Some"), &configmap("one", &json!({"a": "b"}))),
        ),
        ("it is not there", Call::get(&one)),
        ("an update of what is not there", put(&configmap("one", &json!({})))),
        ("a patch of what is not there", patch(merge, json!({"data": {"a": "c"}}))),
        ("create", Call::post(CONFIGMAPS, &configmap("one", &json!({"a": "b"})))),
        (
            "create with an unknown field, strictly",
            Call::post(
                &format!("{CONFIGMAPS}?fieldValidation=Strict"),
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}, "daat": {}}),
            ),
        ),
        (
            "create with a wrong type",
            Call::post(
                CONFIGMAPS,
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}, "data": {"a": 1}}),
            ),
        ),
        (
            "create with a bad label",
            Call::post(
                CONFIGMAPS,
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd", "labels": {"a b": "c/d/e"}}}),
            ),
        ),
        (
            "a generated name without a name",
            Call::post(
                &format!("{CONFIGMAPS}?dryRun=All"),
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fixed", "generateName": "gen-"}}),
            ),
        ),
        ("update", put(&configmap("one", &json!({"a": "c"})))),
        ("update of an old version", put(&with_version("1"))),
        ("update with another uid", put(&other_uid)),
        ("update of another name", put(&configmap("two", &json!({})))),
        ("merge patch", patch(merge, json!({"data": {"b": "d"}, "metadata": {"labels": {"test": null}}}))),
        ("strategic merge patch", patch(strategic, json!({"data": {"c": "e"}}))),
        ("JSON patch", patch(json_patch, json!([{"op": "replace", "path": "/data/a", "value": "x"}]))),
        (
            "JSON patch whose test fails",
            patch(json_patch, json!([{"op": "test", "path": "/data/a", "value": "q"}])),
        ),
        (
            "JSON patch to nowhere",
            patch(json_patch, json!([{"op": "replace", "path": "/nowhere/a", "value": "x"}])),
        ),
        ("a patch that is no patch", patch(json_patch, json!({"a": "b"}))),
        ("a patch that changes the name", patch(merge, json!({"metadata": {"name": "two"}}))),
        ("an immutable one", patch(merge, json!({"immutable": true}))),
        ("does not change", patch(merge, json!({"data": {"a": "y"}}))),
        (
            "delete with a wrong precondition",
            Call {
                method: Method::DELETE,
                ..Call::post(
                    &one,
                    &json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}),
                )
            },
        ),
        ("a dry run deletes nothing", Call::delete(&format!("{one}?dryRun=All"))),
        ("delete", Call::delete(&one)),
        ("delete again", Call::delete(&one)),
    ];
    for (what, call) in steps {
        both.whole(what, &call.with_token(admin)).await?;
    }
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_objects_get_the_same_defaults() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world)?;
    let admin = world.id_token("admin");
    let container = json!([{"name": "c", "image": "registry.example/c"}]);
    let labels = json!({"app": "trial"});
    let objects = [
        (
            "/api/v1/namespaces/default/pods",
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"},
            "spec": {"containers": [{"name": "c", "image": "registry.example/c:1", "ports": [{"containerPort": 80}],
                     "resources": {"requests": {"cpu": "0.5", "memory": "64Mi"}},
                     "livenessProbe": {"httpGet": {"port": 80}}, "env": [{"name": "A", "value": "b"}]}],
                     "volumes": [{"name": "v", "emptyDir": {}}]}}),
        ),
        (
            "/api/v1/namespaces/default/services",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "trial"},
            "spec": {"clusterIP": "10.0.0.77", "ports": [{"port": 80}]}}),
        ),
        (
            "/api/v1/namespaces/default/services",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "headless"},
            "spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": "web"}], "selector": labels}}),
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "trial"}, "spec": {"selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": container}}}}),
        ),
        (
            "/api/v1/namespaces/default/secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trial"},
            "stringData": {"a": "b"}}),
        ),
        (
            "/api/v1/namespaces/default/serviceaccounts",
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "trial"}}),
        ),
        ("/api/v1/nodes", json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "trial"}})),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            json!({"apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole", "metadata": {"name": "trial"}}),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            json!({"apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding", "metadata": {"name": "trial"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
        ),
        (
            "/api/v1/namespaces",
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "trial-namespace"}}),
        ),
    ];
    for (collection, object) in &objects {
        let kind = object["kind"].as_str().unwrap_or_default();
        both.whole(&format!("a new {kind}"), &Call::post(collection, object).with_token(admin)).await?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if kind != "Namespace" {
            both.whole(
                &format!("deleting the {kind}"),
                &Call::delete(&format!("{collection}/{name}")).with_token(admin),
            )
            .await?;
        }
    }
    // No controller finishes this in the real one, so it is the last.
    both.sandbox.call(&Call::delete("/api/v1/namespaces/trial-namespace").with_token(admin)).await?;
    both.real.call(&Call::delete("/api/v1/namespaces/trial-namespace").with_token(admin)).await?;
    both.differences.none()
}
