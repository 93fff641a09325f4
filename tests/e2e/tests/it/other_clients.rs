//! Clients of OpenID Connect that others wrote sign people in at kubesso: openid-client (certified by the OpenID
//! Foundation), Authlib, and Nimbus' SDK, which Spring Security uses. Each checks every answer by its own rules.

use anyhow::{Context, Result, ensure};
use kubesso_e2e::form::{self, FormClient, SCOPE};
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::oidc_client::{Credentials, OidcClient};
use reqwest::Method;
use serde_json::{Value, json};

async fn call(kubesso: &Kubesso, token: &str, method: Method, path: &str, body: &Value) -> Result<Value> {
    let client = form::client(&kubesso.ca_pem()?)?;
    let url = format!("{}{path}", kubesso.base_url()?);
    let request = client.request(method, url).header("Authorization", format!("SSWS {token}")).json(body);
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
}

/// What an application that signs people in has registered. Libraries make a path of none, so there is one.
const CALLBACK: &str = "http://localhost:8000/callback";

/// An application.
struct Application {
    id: String,
    secret: Option<String>,
}

async fn create(
    kubesso: &Kubesso,
    token: &str,
    method: &str,
    settings: Value,
) -> Result<(String, Application)> {
    let app = json!({
        "name": "oidc_client",
        "label": format!("by {method}"),
        "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": { "token_endpoint_auth_method": method } },
        "settings": { "oauthClient": settings },
    });
    let app = call(kubesso, token, Method::POST, "/api/v1/apps", &app).await?;
    let client = &app["credentials"]["oauthClient"];
    let id = client["client_id"].as_str().context("a client id")?.to_owned();
    let secret = client["client_secret"].as_str().map(str::to_owned);
    Ok((app["id"].as_str().context("an id")?.to_owned(), Application { id, secret }))
}

/// An application that signs people in, a service, and a policy for both.
async fn applications(kubesso: &Kubesso) -> Result<[Application; 2]> {
    let token = kubesso.api_token("setup").await?;
    let (app, person) = create(
        kubesso,
        &token,
        "none",
        json!({
            "application_type": "native", "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"], "redirect_uris": [CALLBACK],
        }),
    )
    .await?;
    let (_, service) = create(
        kubesso,
        &token,
        "client_secret_basic",
        json!({
            "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"],
        }),
    )
    .await?;
    let groups = call(kubesso, &token, Method::GET, "/api/v1/groups?q=k8s-restricted", &Value::Null).await?;
    let group = groups[0]["id"].as_str().context("a group")?;
    call(kubesso, &token, Method::PUT, &format!("/api/v1/apps/{app}/groups/{group}"), &json!({})).await?;
    let server = kubesso.ready.issuer.rsplit('/').next().context("a server")?;
    let server = format!("/api/v1/authorizationServers/{server}");
    call(kubesso, &token, Method::POST, &format!("{server}/scopes"), &json!({ "name": "metrics" })).await?;
    let policy = json!({
        "type": "OAUTH_AUTHORIZATION_POLICY", "name": "others", "description": "others", "priority": 1,
        "status": "ACTIVE", "conditions": { "clients": { "include": [person.id, service.id] } },
    });
    let policy = call(kubesso, &token, Method::POST, &format!("{server}/policies"), &policy).await?;
    let rules = format!("{server}/policies/{}/rules", policy["id"].as_str().context("a policy")?);
    let nobody = json!({ "include": [], "exclude": [] });
    let rule = json!({
        "type": "RESOURCE_ACCESS", "name": "all", "priority": 1, "status": "ACTIVE",
        "conditions": {
            "people": { "users": nobody, "groups": { "include": ["EVERYONE"], "exclude": [] } },
            "grantTypes": { "include": ["authorization_code", "client_credentials"] },
            "scopes": { "include": ["*"] },
        },
        "actions": { "token": { "accessTokenLifetimeMinutes": 60, "refreshTokenWindowMinutes": 10080 } },
    });
    call(kubesso, &token, Method::POST, &rules, &rule).await?;
    Ok([person, service])
}

async fn with_the_client_for(language: &str) -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let [application, service] = applications(&kubesso).await?;
    let (issuer, ca) = (&kubesso.ready.issuer, kubesso.ready.ca.display().to_string());
    let client = OidcClient::new(language, issuer, &application.id, SCOPE, &ca)?.back_at(CALLBACK);
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
    let by_itself = OidcClient::new(language, issuer, &service.id, "metrics", &ca)?.with_secret(&secret);
    let said = by_itself.client_credentials().await.with_context(|| kubesso.log())?;
    let active = &said["active"];
    assert_eq!((&active["active"], &active["client_id"]), (&json!(true), &json!(service.id)));
    assert_eq!(active["scope"], "metrics");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_for_node_signs_somebody_in() -> Result<()> {
    with_the_client_for("nodejs").await
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_for_python_signs_somebody_in() -> Result<()> {
    with_the_client_for("python").await
}

#[tokio::test(flavor = "multi_thread")]
async fn nimbus_for_java_signs_somebody_in() -> Result<()> {
    with_the_client_for("java").await
}
