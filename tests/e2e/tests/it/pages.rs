//! Every page of the provider in Chromium: on a desktop and a phone, light and dark, by the keyboard alone, and as it is read
//! aloud. `KUBESSO_SCREENSHOTS_DIR` keeps a picture of each.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::administrator::{Administrator, Application};
use kubesso_e2e::browser::Browser;
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::form::{self, REDIRECT_URI};
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::pages::{ENTER, TAB, look, look_without_scripts};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

/// RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CHOSEN: &str = "a heron over the weir at dusk";

/// An authorization request of an application.
fn authorize(kubesso: &Kubesso, client_id: &str, more: &[(&str, &str)]) -> Result<String> {
    let query = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile email offline_access"),
        ("state", "the-state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let kept = query.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let url = format!("{}/v1/authorize", kubesso.ready.issuer);
    Ok(Url::parse_with_params(&url, kept.chain(more))?.to_string())
}

async fn title_is(browser: &Browser, expected: &str) -> Result<()> {
    eventually(&format!("the page {expected:?}"), Duration::from_secs(15), async || {
        let shown = browser.script("return document.querySelector('h1')?.textContent ?? ''").await;
        Ok(shown.ok().filter(|shown| shown.as_str().is_some_and(|text| text.contains(expected))).map(drop))
    })
    .await
    .with_context(|| format!("not the page {expected:?}"))
}

/// Opens an address that leads on to the application, where nobody listens.
async fn open_through(browser: &Browser, url: &str) -> Result<()> {
    match browser.open(url).await {
        Err(error) if error.to_string().contains("ERR_CONNECTION_REFUSED") => Ok(()),
        other => other,
    }
}

/// The browser has left for the application.
async fn is_gone_with(browser: &Browser, word: &str) -> Result<()> {
    eventually(&format!("back at the application with {word}"), Duration::from_secs(15), async || {
        let url = browser.url().await?;
        Ok((url.starts_with(REDIRECT_URI) && url.contains(word)).then_some(()))
    })
    .await
}

async fn user(administrator: &Administrator, who: &str) -> Result<String> {
    let found =
        administrator.call(Method::GET, &format!("/api/v1/users/{}", email(who)), &Value::Null).await?;
    Ok(found["id"].as_str().context("an id")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_signing_in() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let browser = Browser::start().await?;
    let client_id = &kubesso.ready.client_id;
    browser.open(&kubesso.base_url()?).await?;
    look(&browser, "landing").await?;

    browser.open(&authorize(&kubesso, client_id, &[])?).await?;
    look(&browser, "sign-in").await?;
    // By the keyboard alone: the focus is at the name; the password; Enter.
    browser.open(&authorize(&kubesso, client_id, &[])?).await?;
    browser.type_keys(&email("dev")).await?;
    browser.press(TAB).await?;
    browser.type_keys("not the password").await?;
    browser.press(ENTER).await?;
    ensure!(!browser.text("error").await?.is_empty(), "nobody is told that the password is wrong");
    // The name is kept, and the focus is where one goes on.
    assert_eq!(browser.focused().await?.id, "password");
    look(&browser, "sign-in-wrong-password").await?;
    browser.fill_in(&email("dev"), &kubesso.password("dev")?).await?;
    is_gone_with(&browser, "code=").await?;

    browser.open(&authorize(&kubesso, client_id, &[("prompt", "login")])?).await?;
    look(&browser, "sign-in-again").await?;
    browser.open(&authorize(&kubesso, client_id, &[("client_id", "0oanobody")])?).await?;
    look(&browser, "error").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_passwords() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let administrator = Administrator::new(&kubesso).await?;
    let browser = Browser::start().await?;
    let lifecycle = async |who: &str, what: &str| {
        let path = format!("/api/v1/users/{}/lifecycle/{what}", user(&administrator, who).await?);
        administrator.call(Method::POST, &path, &Value::Null).await
    };

    lifecycle("dev", "expire_password").await?;
    browser
        .sign_in(
            &authorize(&kubesso, &kubesso.ready.client_id, &[])?,
            &email("dev"),
            &kubesso.password("dev")?,
        )
        .await?;
    // One can type at once.
    browser.element_focused("new-password").await?;
    look(&browser, "expired-password").await?;
    choose(&browser, "password").await?;
    ensure!(!browser.text("error").await?.is_empty(), "a password that is guessed first is taken");
    look(&browser, "expired-password-refused").await?;
    choose(&browser, CHOSEN).await?;
    is_gone_with(&browser, "code=").await?;

    let person = json!({ "profile": { "firstName": "Ada", "lastName": "Example", "email": "ada@example.com", "login": "ada@example.com" } });
    let ada = administrator.call(Method::POST, "/api/v1/users?activate=false", &person).await?;
    let path =
        format!("/api/v1/users/{}/lifecycle/activate?sendEmail=false", ada["id"].as_str().context("an id")?);
    let link = administrator.call(Method::POST, &path, &Value::Null).await?;
    let link = link["activationUrl"].as_str().context("a link")?;
    browser.open(link).await?;
    look(&browser, "welcome").await?;
    choose(&browser, CHOSEN).await?;
    browser.text("done").await?;
    look(&browser, "password-chosen").await?;
    browser.open(link).await?;
    look(&browser, "link-is-used").await?;

    let link = lifecycle("guest", "reset_password?sendEmail=false").await?;
    browser.open(link["resetPasswordUrl"].as_str().context("a link")?).await?;
    look(&browser, "reset-password").await
}

/// By the keyboard alone.
async fn choose(browser: &Browser, password: &str) -> Result<()> {
    browser.tab_to("new-password").await?;
    browser.type_keys(password).await?;
    browser.press(TAB).await?;
    browser.type_keys(password).await?;
    browser.press(ENTER).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_device() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let browser = Browser::start().await?;
    let ready = &kubesso.ready;
    let http = form::client(&kubesso.ca_pem()?)?;
    let asked = async || {
        let form = [("client_id", ready.client_id.as_str()), ("scope", "openid")];
        let answer = http.post(format!("{}/v1/device/authorize", ready.issuer)).form(&form).send().await?;
        anyhow::Ok(serde_json::from_str::<Value>(&answer.text().await?)?)
    };
    let device = asked().await?;
    let page = device["verification_uri"].as_str().with_context(|| format!("{device}"))?;
    browser.open(page).await?;
    look(&browser, "device-code").await?;
    browser.open(page).await?;
    browser.type_keys("XXXXX-XXXXX").await?;
    browser.press(ENTER).await?;
    browser.text("error").await?;
    look(&browser, "device-code-wrong").await?;
    browser.type_into("user-code", device["user_code"].as_str().context("a code")?).await?;
    browser.click("next").await?;
    title_is(&browser, "Sign in to").await?;
    look(&browser, "device-sign-in").await?;
    browser.fill_in(&email("dev"), &kubesso.password("dev")?).await?;
    browser.text("warning").await?;
    look(&browser, "device-confirm").await?;
    browser.click("allow").await?;
    browser.text("done").await?;
    look(&browser, "device-done").await?;
    let other = asked().await?;
    browser.open(other["verification_uri_complete"].as_str().context("a link")?).await?;
    browser.click("deny").await?;
    browser.text("done").await?;
    look(&browser, "device-denied").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_ones_own_account() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let browser = Browser::start().await?;
    let base_url = kubesso.base_url()?;
    let account = format!("{base_url}/account");
    browser.sign_in(&account, &email("dev"), &kubesso.password("dev")?).await?;
    browser.text("groups").await?;
    // An application that stays signed in, and another browser.
    open_through(&browser, &authorize(&kubesso, &kubesso.ready.client_id, &[])?).await?;
    is_gone_with(&browser, "code=").await?;
    let mut other = form::FormClient::new(&kubesso.ca_pem()?)?;
    let ready = &kubesso.ready;
    other.tokens(&ready.issuer, &ready.client_id, &email("dev"), &kubesso.password("dev")?).await?;
    browser.open(&account).await?;
    look(&browser, "account").await?;
    browser.click("change-password").await?;
    title_is(&browser, "Change your password").await?;
    look(&browser, "change-password").await?;
    browser.type_into("old-password", "not the old one").await?;
    browser.type_into("new-password", CHOSEN).await?;
    browser.type_into("repeat-password", CHOSEN).await?;
    browser.click("change").await?;
    browser.text("error").await?;
    look(&browser, "change-password-wrong").await?;
    browser.type_into("old-password", &kubesso.password("dev")?).await?;
    browser.type_into("new-password", CHOSEN).await?;
    browser.type_into("repeat-password", CHOSEN).await?;
    browser.press(ENTER).await?;
    browser.text("done").await?;
    look(&browser, "account-password-changed").await?;

    browser.open(&format!("{}/v1/logout", ready.issuer)).await?;
    title_is(&browser, "Sign out?").await?;
    look(&browser, "sign-out").await?;
    browser.tab_to("sign-out").await?;
    browser.press(ENTER).await?;
    title_is(&browser, "signed out").await?;
    look(&browser, "signed-out").await
}

/// An application that asks for consent.
async fn asking(administrator: &Administrator) -> Result<Application> {
    let settings = json!({
        "application_type": "native", "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "redirect_uris": [REDIRECT_URI], "consent_method": "REQUIRED",
        "policy_uri": "https://example.com/privacy", "tos_uri": "https://example.com/terms",
    });
    let application = administrator.create_application("none", settings).await?;
    for (name, consent) in [("metrics", "REQUIRED"), ("logs", "FLEXIBLE")] {
        let scope = json!({
            "name": name, "displayName": format!("Read {name}"), "description": format!("See the {name} of all clusters"),
            "consent": consent, "optional": name == "logs",
        });
        administrator.call(Method::POST, &format!("{}/scopes", administrator.server()), &scope).await?;
    }
    administrator.assign(&application, "Everyone").await?;
    administrator.allow(&[&application], &["authorization_code"]).await?;
    Ok(application)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_between_the_person_and_the_application() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let administrator = Administrator::new(&kubesso).await?;
    let application = asking(&administrator).await?;
    let browser = Browser::start().await?;
    let scope = ("scope", "openid metrics logs");
    let asks = authorize(&kubesso, &application.client_id, &[scope])?;
    browser.sign_in(&asks, &email("dev"), &kubesso.password("dev")?).await?;
    title_is(&browser, "Allow").await?;
    look(&browser, "consent").await?;
    browser.tab_to("allow").await?;
    browser.press(ENTER).await?;
    is_gone_with(&browser, "code=").await?;

    // The page that posts the answer; without scripts it has a button.
    let posts = authorize(&kubesso, &kubesso.ready.client_id, &[("response_mode", "form_post")])?;
    browser.allow_scripts(false).await?;
    browser.open(&posts).await?;
    look_without_scripts(&browser, "form-post").await?;
    browser.allow_scripts(true).await?;
    open_through(&browser, &posts).await?;
    is_gone_with(&browser, "").await?;

    // Not assigned: who is signed in, and with whom it could go on.
    let outsiders = Browser::start().await?;
    outsiders
        .sign_in(
            &format!("{}/account", kubesso.base_url()?),
            &email("outsider"),
            &kubesso.password("outsider")?,
        )
        .await?;
    outsiders.text("groups").await?;
    outsiders.open(&authorize(&kubesso, &kubesso.ready.client_id, &[])?).await?;
    outsiders.text("note").await?;
    look(&outsiders, "not-assigned").await
}
