//! Asking a person whether an application may have a scope.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, Consent, ConsentGrant, GrantType, Outcome, Scope, ScopeName};
use serde_json::{Value, json};

use crate::house::{Answer, Browser, House, PASSWORD, form, payload, user_id};

/// A house whose application is somebody else's, and whose `email` wants consent; `profile` may be left out.
async fn house() -> House {
    let mut house = House::new().await;
    house.application.other.insert(
        "oauthClient".to_owned(),
        json!({ "consent_method": "REQUIRED", "policy_uri": "https://theirs.example/privacy" }),
    );
    house.change(Change::PutApplication(house.application.clone())).await;
    let title = Some("Your e-mail address".to_owned());
    let email = Scope { consent: Consent::Required, display_name: title, ..scope(&house, "email").await };
    house.change(Change::PutScope(email)).await;
    let profile = Scope { consent: Consent::Flexible, optional: true, ..scope(&house, "profile").await };
    house.change(Change::PutScope(profile)).await;
    house
}

async fn scope(house: &House, name: &str) -> Scope {
    let snapshot = house.store.snapshot().await.unwrap();
    let server = snapshot.servers().next().unwrap();
    server.scope(&ScopeName::parse(name).unwrap()).unwrap().clone()
}

async fn given(house: &House) -> Vec<String> {
    let given = house.store.consents(&user_id("dev"), None).await.unwrap();
    let mut names: Vec<_> =
        given.into_iter().map(|grant: ConsentGrant| grant.scope_name.to_string()).collect();
    names.sort();
    names
}

async fn asked(house: &House, browser: &mut Browser, changes: &[&str]) -> Answer {
    browser.sign_in(&house.authorize(changes), "dev@example.com", PASSWORD).await.expect(StatusCode::OK)
}

async fn redeemed(house: &House, answer: &Answer) -> Value {
    let code = answer.returned("code").unwrap();
    house.redeem(&code, &[]).await.expect(StatusCode::OK).json()
}

/// Presses a button of the page, a second later, so that what is written down has an order.
async fn press(house: &House, browser: &mut Browser, page: &Answer, action: &str, scopes: &[&str]) -> Answer {
    house.advance(SignedDuration::from_secs(1));
    let request = page.sealed_request();
    let mut fields = vec![("request", request.as_str()), ("action", action)];
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    browser.post("/consent", &form(&fields, &[])).await
}

#[tokio::test]
async fn a_person_is_asked_once_and_what_was_allowed_is_in_the_tokens() {
    let house = house().await;
    let mut browser = house.browser();
    let page = asked(&house, &mut browser, &[]).await;
    for part in
        ["Allow k8s OIDC?", "dev@example.com", "Your e-mail address", "https://theirs.example/privacy"]
    {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(!page.body.contains("offline_access"), "wants no consent");
    let answer =
        press(&house, &mut browser, &page, "allow", &["profile"]).await.expect(StatusCode::SEE_OTHER);
    assert!(answer.returned("code").is_some());
    assert_eq!(given(&house).await, ["email", "profile"]);
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!(
        (event.event_type.as_str(), event.actor.as_str(), event.outcome),
        ("app.oauth2.as.consent.grant", "dev", Outcome::Success)
    );
    let tokens = redeemed(&house, &answer).await;
    assert_eq!(tokens["scope"], "openid email profile offline_access");

    let again = browser.get(&house.authorize(&[])).await.expect(StatusCode::SEE_OTHER);
    assert!(again.returned("code").is_some(), "not asked again");
    let silent = browser.get(&house.authorize(&["prompt=none"])).await.expect(StatusCode::SEE_OTHER);
    assert!(silent.returned("code").is_some());
    let insisting = browser.get(&house.authorize(&["prompt=consent"])).await.expect(StatusCode::OK);
    assert!(insisting.body.contains("Allow k8s OIDC?"), "prompt=consent asks again");
}

#[tokio::test]
async fn what_may_be_left_out_is_left_out_of_the_tokens_and_asked_again() {
    let house = house().await;
    let mut browser = house.browser();
    let page = asked(&house, &mut browser, &[]).await;
    // Nobody can take away what is not optional.
    let answer = press(&house, &mut browser, &page, "allow", &[]).await.expect(StatusCode::SEE_OTHER);
    let tokens = redeemed(&house, &answer).await;
    assert_eq!(tokens["scope"], "openid email offline_access");
    assert_eq!(given(&house).await, ["email"]);
    let again = browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
    assert!(again.body.contains("profile") && !again.body.contains("Your e-mail address"));
}

#[tokio::test]
async fn whoever_says_no_is_sent_back_with_access_denied_and_nothing_is_stored() {
    let house = house().await;
    let mut browser = house.browser();
    let page = asked(&house, &mut browser, &[]).await;
    let answer = press(&house, &mut browser, &page, "deny", &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    assert!(given(&house).await.is_empty());
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!((event.event_type.as_str(), event.outcome), ("app.oauth2.as.consent.grant", Outcome::Failure));
}

#[tokio::test]
async fn without_a_page_the_answer_is_consent_required() {
    let house = house().await;
    let mut browser = house.browser();
    asked(&house, &mut browser, &[]).await;
    let answer = browser.get(&house.authorize(&["prompt=none"])).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn a_trusted_application_asks_only_when_the_request_insists() {
    let mut house = house().await;
    house.application.other.clear();
    house.change(Change::PutApplication(house.application.clone())).await;
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    assert!(answer.expect(StatusCode::SEE_OTHER).returned("code").is_some());
    browser.get(&house.authorize(&["prompt=consent"])).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_form_counts_in_its_browser_and_its_session_only() {
    let house = house().await;
    let (mut browser, mut thief) = (house.browser(), house.browser());
    let page = asked(&house, &mut browser, &[]).await;
    asked(&house, &mut thief, &[]).await;
    press(&house, &mut thief, &page, "allow", &[]).await.expect(StatusCode::FORBIDDEN);
    assert!(given(&house).await.is_empty());
    // The session ends meanwhile: the page leads to a new sign-in.
    house.change(Change::EndSessions(user_id("dev"))).await;
    let answer = press(&house, &mut browser, &page, "allow", &[]).await.expect(StatusCode::OK);
    assert!(answer.body.contains("Sign in to k8s OIDC"));
    assert!(given(&house).await.is_empty());
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_consent_must_have_been_given() {
    let house = house().await;
    house.allow(GrantType::Password).await;
    let mut application = house.application.clone();
    application.grant_types.insert(GrantType::Password);
    house.change(Change::PutApplication(application)).await;
    let ask = async |scope: &str| {
        let fields = [
            ("grant_type", "password"),
            ("client_id", house.application.client_id.as_str()),
            ("username", "dev@example.com"),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        house.browser().post("/oauth2/k8s-auth/v1/token", &form(&fields, &[])).await
    };
    ask("openid").await.expect(StatusCode::OK);
    let (error, description) = ask("openid email").await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "invalid_grant");
    assert!(description.contains("the scope email"), "{description}");
    let mut browser = house.browser();
    let page = asked(&house, &mut browser, &[]).await;
    press(&house, &mut browser, &page, "allow", &[]).await.expect(StatusCode::SEE_OTHER);
    ask("openid email").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn whoever_may_not_use_the_application_is_not_asked() {
    let house = house().await;
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), "outsider@example.com", PASSWORD).await;
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    assert!(given(&house).await.is_empty());
}

#[tokio::test]
async fn taking_it_back_ends_refreshing_and_is_asked_anew() {
    let house = house().await;
    let mut browser = house.browser();
    let page = asked(&house, &mut browser, &[]).await;
    let answer = press(&house, &mut browser, &page, "allow", &["profile"]).await;
    let tokens = redeemed(&house, &answer).await;
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();

    let account = browser.get("/account").await.expect(StatusCode::OK);
    assert!(account.body.contains("What you have allowed") && account.body.contains("Your e-mail address"));
    house.advance(SignedDuration::from_secs(1));
    let request = account.sealed_request();
    let fields = [
        ("request", request.as_str()),
        ("action", "withdraw"),
        ("application", house.application.id.as_str()),
    ];
    let answer = browser.post("/account", &form(&fields, &[])).await.expect(StatusCode::SEE_OTHER);
    assert!(answer.header("location").ends_with("/account?done=consent"));
    assert!(given(&house).await.is_empty());
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!(event.event_type, "app.oauth2.as.consent.revoke");

    let refused = house.refresh(&refresh, &[]).await.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(refused["error"], "invalid_grant");
    browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_who_takes_it_back_ends_refreshing_at_the_next_try() {
    let house = house().await;
    let mut browser = house.browser();
    let page = asked(&house, &mut browser, &[]).await;
    let answer = press(&house, &mut browser, &page, "allow", &["profile"]).await;
    let tokens = redeemed(&house, &answer).await;
    let grants = house.store.consents(&user_id("dev"), None).await.unwrap();
    house.change(Change::WithdrawConsent(grants[0].id.clone())).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refused = house.refresh(refresh, &[]).await.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(refused["error"], "invalid_grant");
    let description = refused["error_description"].as_str().unwrap();
    assert!(description.contains("has not allowed the client the scope"), "{description}");
}

#[tokio::test]
async fn a_single_claim_does_not_lead_past_the_question() {
    for (method, expected) in [("REQUIRED", false), ("TRUSTED", true)] {
        let mut house = house().await;
        house.application.other.insert("oauthClient".to_owned(), json!({ "consent_method": method }));
        house.change(Change::PutApplication(house.application.clone())).await;
        let mut browser = house.browser();
        let claims = r#"claims={"id_token":{"email":null}}"#;
        let url = house.authorize(&["scope=openid", claims]);
        let answer = browser.sign_in(&url, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
        let tokens = redeemed(&house, &answer).await;
        let claims = payload(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims.contains_key("email"), expected, "{method}");
    }
}
