//! People sign in: in Chromium, by kubectl and its plugin, and what happens afterwards.

use anyhow::{Context, Result, bail, ensure};
use kubesso_e2e::browser::Browser;
use kubesso_e2e::form::{FormClient, Outcome};
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::plugin::Desk;

const GET_PODS: &[&str] = &["get", "pods", "-n", "default"];
const GET_SECRETS: &[&str] = &["get", "secrets", "-n", "default"];

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_opens_chromium_the_person_signs_in_and_the_rows_come() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    let browser = Browser::start().await?;
    let person = async {
        let url = desk.opened.next().await?;
        browser.sign_in(&url, &email("dev"), "not the password").await?;
        let refused = browser.text("error").await?;
        ensure!(!refused.is_empty(), "the page does not say that the password is wrong");
        browser.fill_in(&email("dev"), &kubesso.password("dev")?).await
    };
    let (rows, signed_in) = tokio::join!(desk.run(GET_PODS), person);
    signed_in.with_context(|| kubesso.log())?;
    let rows = rows?.succeeded()?;
    assert!(rows.contains("storefront") && rows.contains("catalog"), "{rows}");
    assert!(browser.url().await?.starts_with("http://"), "the window ends at the plugin's own page");
    // Asked again, nobody is bothered: the plugin has the token.
    assert_eq!(desk.run(GET_PODS).await?.succeeded()?.lines().count(), rows.lines().count());
    assert_eq!(desk.opened.take()?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_the_browser_serves_a_second_desk_without_a_password() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let (first, second) = (Desk::new(&kubesso).await?, Desk::new(&kubesso).await?);
    let browser = Browser::start().await?;
    let person = async {
        let url = first.opened.next().await?;
        browser.sign_in(&url, &email("dev"), &kubesso.password("dev")?).await
    };
    let (rows, signed_in) = tokio::join!(first.run(GET_PODS), person);
    signed_in?;
    rows?.succeeded()?;
    let person = async { browser.open(&second.opened.next().await?).await };
    let (rows, opened) = tokio::join!(second.run(GET_PODS), person);
    opened?;
    assert!(rows?.succeeded()?.contains("storefront"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_in_the_same_words_as_an_unknown_person() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let mut words = Vec::new();
    for (login, password) in [(email("dev"), "wrong"), (email("nobody"), "wrong")] {
        let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
        let refused = browser.tokens(&kubesso.ready.issuer, &kubesso.ready.client_id, &login, password).await;
        words.push(refused.expect_err("a wrong password signs nobody in").to_string());
    }
    assert!(words[0].starts_with("refused: "), "{}", words[0]);
    assert_eq!(words[0], words[1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_is_known_and_may_nothing() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    let refused = desk.run_and_sign_in(GET_PODS, &kubesso, "guest").await?.failed()?;
    assert_eq!(
        refused.lines().last(),
        Some(
            "Error from server (Forbidden): pods is forbidden: User \"guest@example.com\" cannot list resource \
             \"pods\" in API group \"\" in the namespace \"default\""
        )
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outsider_is_told_why_by_the_provider_and_by_the_plugin() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    // kubectl asks the plugin again for each thing that it looks up, and so the person is asked again.
    let password = kubesso.password("outsider")?;
    let person = async {
        loop {
            let url = desk.opened.next().await?;
            let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
            let outcome = browser.sign_in(&url, &email("outsider"), &password).await?;
            let Outcome::Redirected(back) = outcome else { bail!("the plugin is left waiting: {outcome:?}") };
            let error =
                back.query_pairs().find(|(name, _)| name == "error").map(|(_, value)| value.into_owned());
            ensure!(error.as_deref() == Some("access_denied"), "{back}");
            let (_, page) = browser.follow(&back).await?;
            ensure!(page.contains("not assigned"), "the plugin's page does not say why: {page}");
        }
    };
    let done = tokio::select! {
        done = desk.run(GET_PODS) => done?,
        ended = person => return ended,
    };
    let said = done.failed()?;
    assert!(said.contains("access_denied") && said.contains("not assigned"), "{said}");
    assert_eq!(desk.cache().entries().unwrap_or_default().len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_that_has_ended_is_renewed_without_a_browser() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    desk.run_and_sign_in(GET_PODS, &kubesso, "dev").await?.succeeded()?;
    let before = desk.cache().claims()?;
    desk.cache().let_the_token_expire()?;
    desk.run(GET_PODS).await?.succeeded()?;
    assert_eq!(desk.opened.take()?, None, "no browser was needed");
    let after = desk.cache().claims()?;
    for same in ["iss", "sub", "aud", "email", "email_verified", "groups", "auth_time"] {
        assert_eq!(before.get(same), after.get(same), "{same} is the same on refresh");
    }
    assert_ne!(before["jti"], after["jti"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_taken_out_of_the_group_loses_access_with_the_next_refresh() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    let membership = async |command: &str| {
        let done = kubesso.command(&["user", command, "guest@example.com", "k8s-restricted-users"]).await?;
        ensure!(done.code == Some(0), "{}", done.stderr);
        anyhow::Ok(())
    };
    membership("add-to-group").await?;
    desk.run_and_sign_in(GET_PODS, &kubesso, "guest").await?.succeeded()?;
    membership("remove-from-group").await?;
    desk.run(GET_PODS).await?.succeeded().context("the token issued before still says so")?;
    desk.cache().let_the_token_expire()?;
    let refused = desk.run(GET_PODS).await?.failed()?;
    assert!(refused.contains("(Forbidden)"), "{refused}");
    membership("add-to-group").await?;
    desk.cache().let_the_token_expire()?;
    desk.run(GET_PODS).await?.succeeded()?;
    assert_eq!(desk.opened.take()?, None, "no browser was needed for any of it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_only_assignment_was_the_group_gets_no_further_token() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    let tokens =
        browser.tokens(&ready.issuer, &ready.client_id, &email("dev"), &kubesso.password("dev")?).await?;
    let done =
        kubesso.command(&["user", "remove-from-group", "dev@example.com", "k8s-restricted-users"]).await?;
    ensure!(done.code == Some(0), "{}", done.stderr);
    let token = tokens.refresh_token.context("offline_access")?;
    let refused =
        browser.refresh(&ready.issuer, &ready.client_id, &token).await?.expect_err("no token any more");
    assert_eq!(refused.error, "invalid_grant");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_kubectl_at_the_moment_of_expiry_all_succeed_without_a_browser() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    desk.run_and_sign_in(GET_PODS, &kubesso, "dev").await?.succeeded()?;
    // Twice, because a reuse that ends the family would show only at the second renewal.
    for _ in 0..2 {
        desk.cache().let_the_token_expire()?;
        let (one, two, three) = tokio::join!(desk.run(GET_PODS), desk.run(GET_SECRETS), desk.run(GET_PODS));
        one?.succeeded()?;
        three?.succeeded()?;
        let refused = two?.failed()?;
        assert!(refused.contains("(Forbidden)"), "{refused}");
        assert_eq!(desk.opened.take()?, None, "no browser was needed");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    let first =
        browser.tokens(&ready.issuer, &ready.client_id, &email("dev"), &kubesso.password("dev")?).await?;
    let mut tokens = vec![first.refresh_token.context("offline_access")?];
    for _ in 0..2 {
        let latest = tokens.last().context("a token")?;
        let next = browser.refresh(&ready.issuer, &ready.client_id, latest).await??;
        tokens.push(next.refresh_token.context("rotated")?);
    }
    // The one before the predecessor: somebody else has it.
    let reused = browser.refresh(&ready.issuer, &ready.client_id, &tokens[0]).await?;
    assert_eq!(reused.expect_err("reuse is refused").error, "invalid_grant");
    // And with it the whole family has ended, for whoever holds the latest.
    let latest = browser.refresh(&ready.issuer, &ready.client_id, &tokens[2]).await?;
    assert_eq!(latest.expect_err("the family has ended").error, "invalid_grant");
    Ok(())
}
