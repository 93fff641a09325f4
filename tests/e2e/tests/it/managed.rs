//! Access is set up by programs that use Okta's own SDKs, as people's scripts and Terraform do; then people sign in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::apiserver::{ApiServer, Oidc};
use kubesso_e2e::browser::Browser;
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::form::{FormClient, claims};
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::okta_sdk::{Made, OktaSdk};
use kubesso_e2e::plugin::Desk;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// kubesso with people only, and a token for whoever sets up access.
async fn begin() -> Result<(Kubesso, String)> {
    let kubesso = Kubesso::up_for_terraform().await?;
    let token = kubesso.api_token("terraform").await?;
    Ok((kubesso, token))
}

/// Calls the management API, as scripts do.
async fn call(kubesso: &Kubesso, token: &str, method: Method, path: &str) -> Result<StatusCode> {
    let client: Client = kubesso_e2e::form::client(&kubesso.ca_pem()?)?;
    let url = format!("{}{path}", kubesso.organization_url()?);
    let answer = client.request(method, url).header("Authorization", format!("SSWS {token}")).send().await?;
    Ok(answer.status())
}

/// The tutorial's RBAC, in a real cluster: administrators are whoever is in `k8s-admins`.
async fn bind_administrators(real: &ApiServer) -> Result<()> {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "oidc-cluster-admin" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "k8s-admins" }],
    });
    let collection = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    real.create(&real.administrator()?, collection, &binding).await
}

/// Seconds between two moments of a token.
fn lifetime(claims: &Value) -> Option<i64> {
    Some(claims["exp"].as_i64()? - claims["iat"].as_i64()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_tutorial_set_up_by_oktas_sdk_for_go_with_a_real_api_server() -> Result<()> {
    let (mut kubesso, token) = begin().await?;
    let sdk = OktaSdk::new("golang", &kubesso, &token, "dev")?;
    let made = sdk.run("setup").await?;
    (kubesso.ready.issuer, kubesso.ready.client_id) = (made.issuer.clone(), made.client_id.clone());
    let oidc = Oidc { issuer: &made.issuer, client_id: &made.client_id, ca: &kubesso.ready.ca };
    let real = ApiServer::start(&oidc).await?;
    bind_administrators(&real).await?;

    let kubeconfig = kubesso.ready.kubeconfig.clone();
    let written = async || Ok(kubeconfig.exists().then_some(()));
    eventually("the cluster follows what was made", Duration::from_secs(15), written).await?;
    let desk = Desk::new(&kubesso).await?;
    let authority = real.folder().join("ca.crt");
    let server = format!("--server={}", real.url);
    let authority = format!("--certificate-authority={}", authority.display());
    desk.kubectl.run(&["config", "set-cluster", "real", &server, &authority]).await?.succeeded()?;
    let secrets = ["get", "secrets", "-A", "--cluster=real"];

    // In the browser, as a person does it.
    let browser = Browser::start().await?;
    let person = async {
        let url = desk.opened.next().await?;
        browser.sign_in(&url, &email("dev"), &kubesso.password("dev")?).await
    };
    let (rows, signed_in) = tokio::join!(desk.run(&secrets), person);
    signed_in.with_context(|| kubesso.log())?;
    rows?.succeeded()?;
    // The sandbox trusts the same, without having been told.
    assert!(desk.run(&["get", "pods", "-n", "default"]).await?.succeeded()?.contains("storefront"));

    // A change is in force at the next token.
    sdk.run("again").await?;
    let mut form = FormClient::new(&kubesso.ca_pem()?)?;
    let tokens = form.tokens(&made.issuer, &made.client_id, &email("dev"), &kubesso.password("dev")?).await?;
    assert_eq!(lifetime(&claims(&tokens.access_token)?), Some(30 * 60), "the rule's lifetime");
    assert_eq!(lifetime(&claims(&tokens.id_token)?), Some(30 * 60), "and kubectl's token obeys it too");

    // Out of the group: Forbidden, in kube-apiserver's own words, as soon as the token ends.
    let [admins, restricted] = made.group_ids.as_slice() else { anyhow::bail!("two groups: {made:?}") };
    let member = |group: &str| format!("/api/v1/groups/{group}/users/{}", made.user_id);
    ensure!(call(&kubesso, &token, Method::PUT, &member(restricted)).await? == StatusCode::NO_CONTENT);
    ensure!(call(&kubesso, &token, Method::DELETE, &member(admins)).await? == StatusCode::NO_CONTENT);
    desk.cache().let_the_token_expire()?;
    let refused = desk.run(&secrets).await?.failed()?;
    assert!(refused.contains("(Forbidden): secrets is forbidden: User \"dev@example.com\""), "{refused}");
    assert_eq!(desk.opened.take()?, None, "no browser was needed");

    // And with everything gone nobody gets a token any more.
    ensure!(call(&kubesso, &token, Method::PUT, &member(admins)).await? == StatusCode::NO_CONTENT);
    sdk.run("destroy").await?;
    let refresh_token = tokens.refresh_token.context("offline_access")?;
    let mut form = FormClient::new(&kubesso.ca_pem()?)?;
    assert!(form.refresh(&made.issuer, &made.client_id, &refresh_token).await.is_err());
    let refused = form.tokens(&made.issuer, &made.client_id, &email("dev"), &kubesso.password("dev")?).await;
    assert!(refused.is_err());
    Ok(())
}

/// Sets up, looks again, signs somebody in, and takes everything away.
async fn with_the_sdk_for(language: &str) -> Result<()> {
    let (kubesso, token) = begin().await?;
    let sdk = OktaSdk::new(language, &kubesso, &token, "dev")?;
    let made: Made = sdk.run("setup").await.with_context(|| kubesso.log())?;
    let mut form = FormClient::new(&kubesso.ca_pem()?)?;
    let tokens = form.tokens(&made.issuer, &made.client_id, &email("dev"), &kubesso.password("dev")?).await?;
    let said = claims(&tokens.id_token)?;
    assert_eq!((&said["email"], &said["groups"]), (&json!("dev@example.com"), &json!(["k8s-admins"])));
    let again = sdk.run("again").await.with_context(|| kubesso.log())?;
    assert_eq!(again, made, "the same objects");
    sdk.run("destroy").await.with_context(|| kubesso.log())?;
    let refused = form.tokens(&made.issuer, &made.client_id, &email("dev"), &kubesso.password("dev")?).await;
    assert!(refused.is_err(), "the authorization server is gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_sdk_for_java_sets_up_access_and_a_person_signs_in() -> Result<()> {
    with_the_sdk_for("java").await
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_sdk_for_node_sets_up_access_and_a_person_signs_in() -> Result<()> {
    with_the_sdk_for("nodejs").await
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_sdk_for_python_sets_up_access_and_a_person_signs_in() -> Result<()> {
    with_the_sdk_for("python").await
}
