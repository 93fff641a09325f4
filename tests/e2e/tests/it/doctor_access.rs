//! The doctor on rights, at a real API server: what it decides by roles and bindings is what the API server decides, and why not is
//! what one line mends.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::doctor_live::{Installation, doctor};

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1";

async fn create(it: &Installation, path: &str, object: &Value) -> Result<()> {
    it.real.create(&it.real.administrator()?, path, object).await
}

/// A namespace with a role in it that may do this, and a binding to this subject.
async fn bind(it: &Installation, namespace: &str, rule: &Value, subject: &Value) -> Result<()> {
    create(it, "/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).await?;
    let metadata = json!({"name": "it", "namespace": namespace});
    let role = json!({"metadata": metadata, "rules": [rule]});
    create(it, &format!("{ROLES}/namespaces/{namespace}/roles"), &role).await?;
    let binding = json!({
        "metadata": metadata, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "it"},
    });
    create(it, &format!("{ROLES}/namespaces/{namespace}/rolebindings"), &binding).await
}

fn subject(kind: &str, name: &str) -> Value {
    json!({"kind": kind, "apiGroup": "rbac.authorization.k8s.io", "name": name})
}

fn rule(verbs: &[&str], resources: &[&str]) -> Value {
    json!({"apiGroups": [""], "resources": resources, "verbs": verbs})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_explained_and_the_api_server_agrees_with_each_answer() -> Result<()> {
    // The token is of 00u1, in k8s-admins.
    let it = Installation::start().await?;
    let admins = || subject("Group", "k8s-admins");
    let named =
        json!({"apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"], "verbs": ["get", "list"]});
    bind(&it, "may", &rule(&["get", "list"], &["pods", "pods/log"]), &admins()).await?;
    bind(&it, "capitals", &rule(&["delete"], &["pods"]), &subject("Group", "K8s-Admins")).await?;
    bind(&it, "prefix", &rule(&["delete"], &["pods"]), &subject("Group", "oidc:k8s-admins")).await?;
    bind(&it, "user", &rule(&["delete"], &["pods"]), &subject("User", "https://sso.example.com#00u1"))
        .await?;
    bind(&it, "kind", &rule(&["delete"], &["pods"]), &subject("User", "k8s-admins")).await?;
    bind(&it, "exec", &rule(&["create"], &["pods/exec"]), &admins()).await?;
    bind(&it, "named", &named, &admins()).await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    for (question, allowed, row, near) in [
        ("list pods -n may", true, "", "RoleBinding may/it gives Role may/it to Group k8s-admins"),
        ("get pods/web/log -n may", true, "", "RoleBinding may/it"),
        ("delete pods/web -n may", false, "KS030", "allows get, list there and not delete"),
        ("list secrets -n may", false, "KS030", ""),
        ("get po/web -n other", false, "KS030", "in the namespace may, and not in other"),
        ("list pods -A", false, "KS030", "counts in the namespace may only"),
        ("list nodes", false, "KS030", ""),
        ("delete pods/web -n capitals", false, "KS029", "with other letters"),
        ("delete pods/web -n prefix", false, "KS028", "with another prefix"),
        ("delete pods/web -n user", false, "KS027", "with another prefix"),
        ("delete pods/web -n kind", false, "KS030", "as the wrong kind"),
        ("get pods/web/exec -n exec", false, "KS031", "allows create there and not get"),
        ("create pods/web/exec -n exec", true, "", "RoleBinding exec/it"),
        ("get pods/web -n named", true, "", "RoleBinding named/it"),
        ("list pods -n named", false, "KS030", "resourceNames never allow it"),
        ("get /metrics", false, "KS030", ""),
        ("get /version", true, "", "ClusterRoleBinding system:"),
    ] {
        let arguments = ["--admin-context", "admin", "--can-i", question];
        let said = doctor(&kubeconfig, &arguments, Some(&it.token)).await?;
        let access = &said.report["access"][0];
        let with = || format!("{question}: {access:#}");
        ensure!(access["user"] == "00u1" && access["known"] == "as the API server says", "{}", with());
        ensure!(access["allowed"] == allowed && access["differs"] == false, "{}", with());
        let server = access["apiServer"].as_str().context("the API server was asked")?;
        ensure!(server.starts_with(if allowed { "yes" } else { "no" }), "{}", with());
        if allowed {
            // What the others' bindings lack is a warning beside it.
            let checks = said.report["checks"].as_array().context("checks")?;
            ensure!(checks.iter().all(|check| check["severity"] != "error"), "{:#}", said.report);
            ensure!(access["by"].as_str().is_some_and(|by| by.contains(near)), "{}", with());
        } else {
            said.expect(row);
            let nears = access["near"].as_array().map(Vec::as_slice).unwrap_or_default();
            let first = nears.first().and_then(Value::as_str).unwrap_or_default();
            ensure!(first.contains(near) && first.is_empty() == near.is_empty(), "{}", with());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_read_as_kubectl_shows_it_and_somebody_else_is_asked_about_by_name() -> Result<()> {
    let it = Installation::start().await?;
    bind(&it, "shop", &rule(&["list"], &["pods"]), &subject("Group", "k8s-devs")).await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    // The sentence of this API server itself.
    let url = format!("{}/api/v1/namespaces/shop/pods", it.real.url);
    let client = kubesso_https::client(
        &kubesso_https::Trust::Only(it.real.ca_pem.clone()),
        kubesso_https::Timeouts::default(),
    )?;
    let refusal: Value = client.get(&url).bearer_auth(&it.token).send().await?.json().await?;
    let sentence = refusal["message"].as_str().context("a refusal has a message")?;
    let said =
        doctor(&kubeconfig, &["--admin-context", "admin", "--can-i", sentence], Some(&it.token)).await?;
    said.expect("KS030");
    let access = &said.report["access"][0];
    assert_eq!(access["question"], "list pods in the namespace shop");
    assert_eq!(access["others"][0], "RoleBinding shop/it gives Role shop/it to Group k8s-devs");
    // Nobody who may not see bindings learns more than the API server's word.
    let said = doctor(&kubeconfig, &["--can-i", sentence], Some(&it.token)).await?;
    said.expect("KS030");
    assert!(said.report["checks"][0]["mend"].to_string().contains("--admin-context"), "{:#}", said.report);
    // Somebody whose token is not at hand, and an administrator by their own certificate.
    for (arguments, user) in [
        (
            &["--context", "admin", "--as", "jo", "--as-group", "k8s-devs", "--can-i", "list pods -n shop"][..],
            "jo",
        ),
        (&["--context", "admin", "--can-i", "list pods -n shop"][..], "administrator"),
    ] {
        let said = doctor(&kubeconfig, arguments, None).await?;
        let access = &said.report["access"][0];
        assert_eq!((&access["user"], &access["allowed"]), (&json!(user), &json!(true)), "{:#}", said.report);
        assert_eq!(access["differs"], false);
    }
    // Another authorizer decides too: Node allows what no binding does.
    let node = [
        "--context",
        "admin",
        "--as",
        "system:node:a",
        "--as-group",
        "system:nodes",
        "--can-i",
        "list services -A",
    ];
    let said = doctor(&kubeconfig, &node, None).await?;
    let access = &said.report["access"][0];
    assert_eq!((&access["allowed"], &access["differs"]), (&json!(true), &json!(true)), "{:#}", said.report);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_of_the_clusters_own_is_known_by_its_short_name() -> Result<()> {
    let it = Installation::start().await?;
    let definition = json!({
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Cluster",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    });
    create(&it, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    let arguments = ["--context", "admin", "--can-i", "list wd -n shop"];
    let asked = async || {
        let said = doctor(&kubeconfig, &arguments, None).await?;
        let question = said.report["access"][0]["question"].as_str().map(str::to_owned);
        Ok((question.as_deref() == Some("list widgets.example.com of the cluster")).then_some(()))
    };
    // Discovery shows a definition a moment after it was made.
    kubesso_e2e::deadline::eventually("the resource is found", std::time::Duration::from_mins(1), asked).await
}
