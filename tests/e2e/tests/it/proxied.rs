//! oauth2-proxy before an application: people of one group sign in through it in Chromium, and lose access when they leave
//! the group.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::administrator::{Administrator, Application};
use kubesso_e2e::browser::Browser;
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::form::{FormClient, claims};
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::oauth2_proxy::{OAuth2Proxy, callback, told};
use kubesso_e2e::process::free_port;
use serde_json::json;

/// Who may use the application.
const GROUP: &str = "k8s-admins";

async fn application(kubesso: &Kubesso, port: u16) -> Result<Application> {
    let administrator = Administrator::new(kubesso).await?;
    let settings = json!({
        "application_type": "web", "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "redirect_uris": [callback(port)],
        "post_logout_redirect_uris": [format!("http://localhost:{port}/")],
    });
    let application = administrator.create_application("client_secret_basic", settings).await?;
    // Everybody may sign in; whom the application is for, the proxy decides.
    administrator.assign(&application, "Everyone").await?;
    administrator.allow(&[&application], &["authorization_code"]).await?;
    Ok(application)
}

/// What is shown at `url`, once it is what is awaited.
async fn shown(browser: &Browser, url: &str, what: &str, is_so: impl Fn(&str) -> bool) -> Result<String> {
    eventually(what, Duration::from_secs(30), async || {
        browser.open(url).await?;
        let text = browser.page_text().await?;
        Ok(is_so(&text).then_some(text))
    })
    .await
}

/// What is shown at the proxy once the browser has come there, by however many redirects.
async fn arrived(
    browser: &Browser,
    proxy: &OAuth2Proxy,
    what: &str,
    is_so: impl Fn(&str) -> bool,
) -> Result<String> {
    eventually(what, Duration::from_secs(30), async || {
        // Between two pages what was just found is gone.
        let Ok(text) = browser.page_text().await else { return Ok(None) };
        let is_there = browser.url().await?.starts_with(&proxy.url);
        Ok((is_there && is_so(&text)).then_some(text))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth2_proxy_lets_a_group_in_renews_and_signs_out() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let port = free_port()?;
    let proxy = OAuth2Proxy::start(&kubesso, &application(&kubesso, port).await?, port, GROUP).await?;
    let browser = Browser::start().await?;
    through(&kubesso, &proxy, &browser).await.with_context(|| format!("{}\n{}", proxy.log(), kubesso.log()))
}

async fn through(kubesso: &Kubesso, proxy: &OAuth2Proxy, browser: &Browser) -> Result<()> {
    let membership = async |command: &str| {
        let done = kubesso.command(&["user", command, &email("admin"), GROUP]).await?;
        ensure!(done.code == Some(0), "{}", done.stderr);
        anyhow::Ok(())
    };
    let issuer = &kubesso.ready.issuer;
    browser.sign_in(&proxy.url, &email("admin"), &kubesso.password("admin")?).await?;
    let is_in = |text: &str| told(text, "x-forwarded-email").is_ok();
    let first = arrived(browser, proxy, "the proxy lets the person in", is_in).await?;
    assert_eq!(told(&first, "x-forwarded-email")?, email("admin"));
    assert_eq!(told(&first, "x-forwarded-groups")?, GROUP);
    let token = told(&first, "authorization")?.to_owned();
    let before = claims(&token)?;
    assert_eq!((&before["iss"], &before["groups"]), (&json!(issuer), &json!([GROUP])));

    // The proxy renews by itself; the person sees nothing of it.
    let later = shown(browser, &proxy.url, "the tokens are renewed", |text| {
        told(text, "authorization").is_ok_and(|renewed| renewed != token)
    });
    let after = claims(told(&later.await?, "authorization")?)?;
    for same in ["iss", "sub", "aud", "email", "groups", "auth_time"] {
        assert_eq!(before[same], after[same], "{same} is the same on refresh");
    }

    // Out of the group, and with the next renewal out of the application; back again without a password.
    membership("remove-from-group").await?;
    shown(browser, &proxy.url, "the proxy refuses", |text| text.contains("Forbidden")).await?;
    membership("add-to-group").await?;
    shown(browser, &proxy.url, "the proxy lets the person in again", |text| {
        told(text, "x-forwarded-groups").is_ok_and(|groups| groups == GROUP)
    })
    .await?;

    // Signed out at the proxy and at the provider: the way back to the application asks for the password.
    let metadata = FormClient::new(&kubesso.ca_pem()?)?.metadata(issuer).await?;
    let end_session = metadata["end_session_endpoint"].as_str().context("an end_session_endpoint")?;
    browser.open(&proxy.sign_out_url(end_session)?).await?;
    assert!(browser.url().await?.starts_with(issuer), "{}", browser.url().await?);
    assert!(browser.page_text().await?.contains("Password"), "{}", browser.page_text().await?);

    // Somebody of another group signs in, and is told by the proxy that this is not for them.
    browser.fill_in(&email("dev"), &kubesso.password("dev")?).await?;
    arrived(browser, proxy, "the proxy refuses another group", |text| text.contains("Forbidden")).await?;
    Ok(())
}
