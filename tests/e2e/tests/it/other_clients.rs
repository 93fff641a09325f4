//! Clients of OpenID Connect that others wrote sign people in at kubesso: openid-client (certified by the OpenID
//! Foundation), Authlib, Nimbus' SDK, which Spring Security uses, and Rust's `openidconnect`. Each checks every answer by
//! its own rules.

use anyhow::{Context, Result};
use kubesso_e2e::administrator::{Administrator, Application};
use kubesso_e2e::form::{FormClient, SCOPE};
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::oidc_client::{Credentials, OidcClient};
use reqwest::Method;
use serde_json::{Value, json};

/// What an application that signs people in has registered. Libraries make a path of none, so there is one.
const CALLBACK: &str = "http://localhost:8000/callback";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An application that signs people in, a service, and a policy for both.
async fn applications(kubesso: &Kubesso) -> Result<[Application; 2]> {
    let administrator = Administrator::new(kubesso).await?;
    let settings = json!({
        "application_type": "native", "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE],
        "response_types": ["code"], "redirect_uris": [CALLBACK],
    });
    let person = administrator.create_application("none", settings).await?;
    let settings = json!({
        "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"],
    });
    let service = administrator.create_application("client_secret_basic", settings).await?;
    administrator.assign(&person, "k8s-restricted-users").await?;
    let scopes = format!("{}/scopes", administrator.server());
    administrator.call(Method::POST, &scopes, &json!({ "name": "metrics" })).await?;
    let grants = ["authorization_code", "client_credentials", DEVICE_CODE];
    administrator.allow(&[&person, &service], &grants).await?;
    Ok([person, service])
}

/// What the program said of the person, after what all of them say was checked.
async fn with_the_client_for(language: &str) -> Result<Value> {
    let kubesso = Kubesso::up().await?;
    let [application, service] = applications(&kubesso).await?;
    let (issuer, ca) = (&kubesso.ready.issuer, kubesso.ready.ca.display().to_string());
    let client = OidcClient::new(language, issuer, &application.client_id, SCOPE, &ca)?.back_at(CALLBACK);
    let (login, password) = (email("dev"), kubesso.password("dev")?);
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    let who = Credentials { login: &login, password: &password };
    let said = client.sign_in(&mut browser, who).await.with_context(|| kubesso.log())?;
    let (claims, refreshed) = (&said["claims"], &said["refreshed"]);
    assert_eq!(claims["email"], "dev@example.com");
    assert_eq!(claims["groups"], json!(["k8s-restricted-users"]));
    for same in ["sub", "iss", "auth_time"] {
        assert_eq!(claims[same], refreshed[same], "{same} is the same on refresh");
    }
    assert_eq!(said["userinfo"]["sub"], claims["sub"]);
    assert_eq!(said["userinfo"]["name"], "Dev Example");
    assert_eq!(said["after_revocation"], "invalid_grant");

    let secret = service.secret.context("a secret")?;
    let by_itself =
        OidcClient::new(language, issuer, &service.client_id, "metrics", &ca)?.with_secret(&secret);
    let itself = by_itself.client_credentials().await.with_context(|| kubesso.log())?;
    let active = &itself["active"];
    assert_eq!((&active["active"], &active["client_id"]), (&json!(true), &json!(service.client_id)));
    assert_eq!(active["scope"], "metrics");
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_for_node_signs_somebody_in() -> Result<()> {
    with_the_client_for("nodejs").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_for_python_signs_somebody_in() -> Result<()> {
    with_the_client_for("python").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn nimbus_for_java_signs_somebody_in() -> Result<()> {
    with_the_client_for("java").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn openidconnect_for_rust_signs_somebody_in() -> Result<()> {
    let said = with_the_client_for("rust").await?;
    // It introspects the person's access token too.
    let active = &said["active"];
    assert_eq!((&active["active"], &active["username"]), (&json!(true), &json!(email("dev"))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn openidconnect_for_rust_signs_a_device_in() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let [application, _] = applications(&kubesso).await?;
    let (issuer, ca) = (&kubesso.ready.issuer, kubesso.ready.ca.display().to_string());
    let client = OidcClient::new("rust", issuer, &application.client_id, SCOPE, &ca)?;
    let (login, password) = (email("dev"), kubesso.password("dev")?);
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    let who = Credentials { login: &login, password: &password };
    let said = client.sign_in_on_a_device(&mut browser, who).await.with_context(|| kubesso.log())?;
    assert_eq!(said["claims"]["email"], "dev@example.com");
    assert_eq!(said["claims"]["groups"], json!(["k8s-restricted-users"]));
    Ok(())
}
