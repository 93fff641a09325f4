//! Who may do what: the same calls to the sandbox and to the real kube-apiserver, with the same answers.

use anyhow::Result;
use kubesso_e2e::reply::{AS_TABLE, Call, Differences};
use kubesso_e2e::world;
use reqwest::Method;
use serde_json::{Value, json};

/// The outsider has no token, and so is anonymous.
const EVERYBODY: [&str; 4] = ["outsider", "guest", "dev", "admin"];

const VERBS: [&str; 5] = ["get", "list", "watch", "create", "delete"];

/// A collection to try the verbs on, an object that is in it, and one to create.
struct Resource {
    name: &'static str,
    collection: &'static str,
    present: &'static str,
    new: Value,
}

fn resources() -> Vec<Resource> {
    let pod = || {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"},
                        "spec": {"containers": [{"name": "c", "image": "registry.example/trial:1"}]}})
    };
    vec![
        Resource {
            name: "pods",
            collection: "/api/v1/namespaces/default/pods",
            present: "storefront",
            new: pod(),
        },
        Resource {
            name: "services",
            collection: "/api/v1/namespaces/default/services",
            present: "catalog",
            new: json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "trial"},
                        "spec": {"ports": [{"port": 80}]}}),
        },
        Resource {
            name: "secrets",
            collection: "/api/v1/namespaces/default/secrets",
            present: "catalog-database",
            new: json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trial"},
                        "stringData": {"key": "value"}}),
        },
        Resource {
            name: "nodes",
            collection: "/api/v1/nodes",
            present: "sandbox",
            new: json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "trial"}}),
        },
        Resource {
            name: "pods of payments",
            collection: "/api/v1/namespaces/payments/pods",
            present: "ledger",
            new: pod(),
        },
    ]
}

/// What the first world says: admins everything, developers look at pods and services of `default`.
fn is_allowed(who: &str, verb: &str, resource: &str) -> bool {
    match who {
        "admin" => true,
        "dev" => ["get", "list", "watch"].contains(&verb) && ["pods", "services"].contains(&resource),
        _ => false,
    }
}

fn call(verb: &str, resource: &Resource) -> Call {
    let collection = resource.collection;
    match verb {
        "get" => Call::get(&format!("{collection}/{}", resource.present)).header("Accept", AS_TABLE),
        "list" => Call::get(collection).header("Accept", AS_TABLE),
        "watch" => Call::get(&format!("{collection}?watch=true&timeoutSeconds=1")),
        "create" => Call::post(collection, &resource.new),
        _ => Call { method: Method::DELETE, ..Call::get(&format!("{collection}/trial")) },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_the_same_in_both_clusters_and_is_told_the_same() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let mut differences = Differences::default();
    for resource in &resources() {
        for who in EVERYBODY {
            for verb in VERBS {
                let what = format!("{who}: {verb} {}", resource.name);
                let call = call(verb, resource).with_token(world.id_token(who));
                let expected = match (is_allowed(who, verb, resource.name), verb) {
                    (false, _) => 403,
                    (true, "create") => 201,
                    (true, _) => 200,
                };
                differences.expect(&what, &call, expected, &sandbox, &real).await?;
            }
        }
    }
    differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn non_resource_urls_are_open_to_the_same_people_in_both_clusters() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    // Path, and the codes for the outsider, the guest, the developer and the administrator.
    let cases = [
        ("/healthz", [200, 200, 200, 200]),
        ("/livez", [200, 200, 200, 200]),
        ("/readyz", [200, 200, 200, 200]),
        ("/version", [200, 200, 200, 200]),
        ("/api", [403, 200, 200, 200]),
        ("/apis", [403, 200, 200, 200]),
        ("/api/v1", [403, 200, 200, 200]),
        ("/openapi/v3", [403, 200, 200, 200]),
        ("/nonsense/path", [403, 403, 403, 404]),
    ];
    let mut differences = Differences::default();
    for (path, codes) in cases {
        for (who, expected) in EVERYBODY.into_iter().zip(codes) {
            let what = format!("{who}: get {path}");
            let call = Call::get(path).with_token(world.id_token(who));
            differences.expect(&what, &call, expected, &sandbox, &real).await?;
        }
    }
    differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_in_the_same_words() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    let role = |rules: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                                     "metadata": {"name": "trial"}, "rules": rules})
    };
    let binding = |kind: &str, name: &str, subject: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "trial"},
               "subjects": [subject], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}})
    };
    let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "k8s-admins"});
    let pods = "/api/v1/namespaces/default/pods";
    let cases = [
        ("not there", Call::get(&format!("{pods}/nobody"))),
        ("no such resource", Call::get("/api/v1/namespaces/default/unicorns")),
        ("no such group", Call::get("/apis/example.com/v1/unicorns")),
        (
            "no such namespace",
            Call::post(
                "/api/v1/namespaces/nowhere/configmaps",
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trial"}}),
            ),
        ),
        (
            "already there",
            Call::post(
                "/api/v1/namespaces",
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}),
            ),
        ),
        (
            "no name",
            Call::post(
                "/api/v1/namespaces/default/configmaps",
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
            ),
        ),
        (
            "a bad name",
            Call::post(
                "/api/v1/namespaces/default/configmaps",
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not_A_Name"}}),
            ),
        ),
        (
            "another namespace in the object",
            Call::post(
                "/api/v1/namespaces/default/configmaps",
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trial", "namespace": "payments"}}),
            ),
        ),
        (
            "another kind in the object",
            Call::post(
                "/api/v1/namespaces/default/configmaps",
                &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trial"}}),
            ),
        ),
        (
            "no JSON",
            Call {
                body: Some(("application/json", "{".to_owned())),
                ..Call::post("/api/v1/namespaces/default/configmaps", &json!(null))
            },
        ),
        (
            "a role without verbs",
            Call::post(roles, &role(json!([{"apiGroups": [""], "resources": ["pods"], "verbs": []}]))),
        ),
        (
            "a role without resources",
            Call::post(roles, &role(json!([{"apiGroups": [""], "resources": [], "verbs": ["get"]}]))),
        ),
        (
            "a role with a non-resource URL",
            Call::post(roles, &role(json!([{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}]))),
        ),
        ("a binding to nothing", Call::post(bindings, &binding("Role", "", group.clone()))),
        ("a binding to an unknown kind", Call::post(bindings, &binding("Pod", "a", group.clone()))),
        (
            "a subject of an unknown kind",
            Call::post(bindings, &binding("ClusterRole", "view", json!({"kind": "Robot", "name": "r"}))),
        ),
        (
            "a service account without namespace",
            Call::post(
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                        "metadata": {"name": "trial"}, "subjects": [{"kind": "ServiceAccount", "name": "r"}],
                        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}}),
            ),
        ),
        (
            "a changed role reference",
            Call::patch(
                &format!("{bindings}/oidc-cluster-user"),
                "application/merge-patch+json",
                &json!({"roleRef": {"name": "other"}}),
            ),
        ),
        ("a patch of an unknown type", Call::patch(&format!("{pods}/storefront"), "text/plain", &json!({}))),
        ("deleting what is not there", Call::delete(&format!("{pods}/nobody"))),
        ("an unknown label selector", Call::get(&format!("{pods}?labelSelector=a%20b%20c"))),
    ];
    let mut differences = Differences::default();
    for (what, call) in cases {
        let call = call.with_token(world.id_token("admin"));
        let reply = differences.compare(what, &call, &sandbox, &real).await?;
        if reply.status < 400 {
            differences.note(what, &call.path, &reply.body, "(no mistake is accepted)");
        }
    }
    differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_away_more_than_they_have() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let admin = world.id_token("admin");
    // The guest may write roles and bindings in `default`, and owns nothing else.
    let editor = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "role-editor"},
        "rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["get", "create", "delete"]}]});
    let granted = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "role-editor"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "guest@example.com"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role-editor"}});
    let (roles, bindings) =
        (format!("{rbac}/namespaces/default/roles"), format!("{rbac}/namespaces/default/rolebindings"));
    let greedy = |rules: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                                       "metadata": {"name": "greedy"}, "rules": rules})
    };
    let bind = |role: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "greedy"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "guest@example.com"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}})
    };
    let mut differences = Differences::default();
    for (what, call, expected) in [
        ("the administrator makes the role", Call::post(&roles, &editor), 201),
        ("the administrator binds it", Call::post(&bindings, &granted), 201),
    ] {
        differences.expect(what, &call.with_token(admin), expected, &sandbox, &real).await?;
    }
    let secrets = json!([{"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": ["get", "list"]},
                         {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["get"]}]);
    for (what, call, expected) in [
        ("a role with more", Call::post(&roles, &greedy(secrets)), 403),
        ("a binding to more", Call::post(&bindings, &bind("cluster-admin")), 403),
        ("a binding to a role that is not there", Call::post(&bindings, &bind("no-such-role")), 404),
        ("a role with what they have", Call::post(&roles, &greedy(editor["rules"].clone())), 201),
    ] {
        differences
            .expect(what, &call.with_token(world.id_token("guest")), expected, &sandbox, &real)
            .await?;
    }
    for path in [format!("{roles}/greedy"), format!("{bindings}/role-editor"), format!("{roles}/role-editor")]
    {
        differences.compare("tidying up", &Call::delete(&path).with_token(admin), &sandbox, &real).await?;
    }
    differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn acting_as_somebody_else_is_allowed_and_refused_in_the_same_words() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let secrets = Call::get("/api/v1/namespaces/default/secrets");
    let pods = Call::get("/api/v1/namespaces/default/pods");
    let as_user = |call: &Call, user: &str| call.clone().header("Impersonate-User", user);
    let cases = [
        ("as dev, who may not", as_user(&secrets, "dev@example.com"), "admin", 403),
        (
            "as a member of the group",
            as_user(&pods, "somebody").header("Impersonate-Group", "k8s-restricted-users"),
            "admin",
            200,
        ),
        ("as nobody's member", as_user(&pods, "somebody"), "admin", 403),
        ("as a service account", as_user(&pods, "system:serviceaccount:default:builder"), "admin", 403),
        ("dev as admin", as_user(&secrets, "admin@example.com"), "dev", 403),
        ("a group without a user", pods.clone().header("Impersonate-Group", "k8s-admins"), "admin", 400),
    ];
    let mut differences = Differences::default();
    for (what, call, who, expected) in cases {
        differences.expect(what, &call.with_token(world.id_token(who)), expected, &sandbox, &real).await?;
    }
    differences.none()
}
