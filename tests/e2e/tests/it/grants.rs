//! The plugin's other grants, against our own provider.

use anyhow::{Context, Result};
use kubesso_e2e::form::FormClient;
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::plugin::Desk;
use url::Url;

const GET_PODS: &[&str] = &["get", "pods", "-n", "default"];

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_signs_in_with_a_login_and_a_password_only_where_that_is_allowed() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    let password = format!("--exec-arg=--password={}", kubesso.password("dev")?);
    let username = format!("--exec-arg=--username={}", email("dev"));
    let flags = ["--exec-arg=--grant-type=password", &username, &password];
    desk.set_credentials_with(&kubesso, &["openid email offline_access"], &flags).await?;
    let refused = desk.run(GET_PODS).await?.failed()?;
    assert!(refused.contains("not allowed to use the grant type password"), "{refused}");
    kubesso.allow_password_grant().await?;
    assert!(desk.run(GET_PODS).await?.succeeded()?.contains("storefront"));
    desk.cache().let_the_token_expire()?;
    desk.run(GET_PODS).await?.succeeded()?;
    assert_eq!(desk.opened.take()?, None, "no browser was needed");
    Ok(())
}

/// A desk whose plugin uses the device grant, as over SSH; it opens the link, and the person reads it there.
async fn device_desk(kubesso: &Kubesso) -> Result<Desk> {
    let desk = Desk::new(kubesso).await?;
    let flags = ["--exec-arg=--grant-type=device-code"];
    desk.set_credentials_with(kubesso, &["openid email offline_access"], &flags).await?;
    Ok(desk)
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_signs_in_by_a_code_that_somebody_confirms_in_another_browser() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = device_desk(&kubesso).await?;
    let person = async {
        let link = desk.opened.next().await?;
        let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
        let mistyped = Url::parse(&link.replace("user_code=", "user_code=X"))?;
        let (status, explanation) = browser.explanation(&mistyped).await?;
        assert_eq!(status, 422);
        assert!(explanation.context("a reason")?.starts_with("This is not a code"));
        browser.decide_device(&link, &email("dev"), &kubesso.password("dev")?, "allow").await
    };
    let (rows, decided) = tokio::join!(desk.run(GET_PODS), person);
    assert_eq!(decided?, "The device may sign in now");
    assert!(rows?.succeeded()?.contains("storefront"));
    desk.cache().let_the_token_expire()?;
    desk.run(GET_PODS).await?.succeeded()?;
    assert_eq!(desk.opened.take()?, None, "renewed without a browser");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_is_told_when_the_person_says_no() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = device_desk(&kubesso).await?;
    // kubectl asks the plugin again for each thing that it looks up, and so the person is asked again.
    let person = async {
        loop {
            let link = desk.opened.next().await?;
            let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
            browser.decide_device(&link, &email("dev"), &kubesso.password("dev")?, "deny").await?;
        }
    };
    let done = tokio::select! {
        done = desk.run(GET_PODS) => done?,
        ended = person => return ended,
    };
    let said = done.failed()?;
    assert!(said.contains("access_denied") && said.contains("said no"), "{said}");
    assert_eq!(desk.cache().entries().unwrap_or_default().len(), 0);
    Ok(())
}
