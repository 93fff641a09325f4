//! Administrators: API tokens got by signing in, roles, and what the doctor says.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::form::{self, FormClient};
use kubesso_e2e::kubesso::{Ended, Kubesso, email};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Calls the management API; status and body.
async fn call(
    kubesso: &Kubesso,
    token: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value)> {
    let client = form::client(&kubesso.ca_pem()?)?;
    let mut request = client
        .request(method, format!("{}{path}", kubesso.base_url()?))
        .header("Authorization", format!("SSWS {token}"));
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    Ok((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? }))
}

/// Runs a command at the server, and signs in as `who` with the code that it prints.
async fn signed_in(kubesso: &Kubesso, who: &str, arguments: &[&str]) -> Result<Ended> {
    let (server, ca) = (kubesso.base_url()?, kubesso.ready.ca.display().to_string());
    let place = ["--server", &server, "--certificate-authority", &ca, "--grant-type", "device-code"];
    let running = kubesso.begin(&[arguments, &place].concat())?;
    let link = eventually("a code is shown", Duration::from_secs(30), async || {
        let said = running.said();
        let link = said.split_whitespace().find(|word| word.contains("/device?user_code="));
        Ok(link.map(str::to_owned))
    })
    .await?;
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    browser.decide_device(&link, &email(who), &kubesso.password(who)?, "allow").await?;
    running.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_gets_an_api_token_by_signing_in_and_takes_it_back() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let create = ["api-token", "create", "--name", "ci", "--role", "read-only-admin", "-o", "json"];
    let done = signed_in(&kubesso, "admin", &create).await?;
    ensure!(done.code == Some(0), "{}", done.stderr);
    let made: Value = serde_json::from_str(&done.stdout)?;
    let token = made["token"].as_str().context("a token")?;
    let groups = "/api/v1/groups";
    assert_eq!(call(&kubesso, token, Method::GET, groups, None).await?.0, StatusCode::OK);
    let body = json!({ "profile": { "name": "more" } });
    let (status, refusal) = call(&kubesso, token, Method::POST, groups, Some(&body)).await?;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refusal}");
    let (_, me) = call(&kubesso, token, Method::GET, "/api/v1/users/me", None).await?;
    assert_eq!(me["profile"]["login"], "admin@example.com");

    // The role goes, and with it what the token may do.
    let done = kubesso.command(&["user", "revoke-role", "admin@example.com", "super-admin"]).await?;
    ensure!(done.code == Some(0), "{}", done.stderr);
    assert_eq!(call(&kubesso, token, Method::GET, groups, None).await?.0, StatusCode::FORBIDDEN);
    let done = kubesso.command(&["api-token", "revoke", "ci"]).await?;
    ensure!(done.code == Some(0), "{}", done.stderr);
    assert_eq!(call(&kubesso, token, Method::GET, groups, None).await?.0, StatusCode::UNAUTHORIZED);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_a_role_gets_no_api_token() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let done = signed_in(&kubesso, "dev", &["api-token", "create", "--name", "mine"]).await?;
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("refuses: ") && done.stderr.contains("role"), "{}", done.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_which_lifetime_cannot_take_effect() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let done = kubesso.command(&["doctor"]).await?;
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    assert!(done.stdout.starts_with("nothing to say: every setting can do what it says"), "{}", done.stdout);
    let token = kubesso.api_token("terraform").await?;
    let server = kubesso.ready.issuer.rsplit('/').next().context("an issuer")?;
    let policies = format!("/api/v1/authorizationServers/{server}/policies");
    let (_, found) = call(&kubesso, &token, Method::GET, &policies, None).await?;
    let rules = format!("{policies}/{}/rules", found[0]["id"].as_str().context("a policy")?);
    let (_, found) = call(&kubesso, &token, Method::GET, &rules, None).await?;
    let mut rule = found[0].clone();
    let path = format!("{rules}/{}", rule["id"].as_str().context("a rule")?);
    // The tutorial's second failure: refreshing can never begin.
    rule["actions"]["token"] = json!({
        "accessTokenLifetimeMinutes": 10, "refreshTokenLifetimeMinutes": 10, "refreshTokenWindowMinutes": 10,
    });
    let (status, answer) = call(&kubesso, &token, Method::PUT, &path, Some(&rule)).await?;
    ensure!(status == StatusCode::OK, "{answer}");
    let done = kubesso.command(&["doctor"]).await?;
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("authorization server k8s-auth"), "{}", done.stdout);
    assert!(done.stdout.contains("refresh"), "{}", done.stdout);
    Ok(())
}
