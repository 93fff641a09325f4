//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0).

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, Outcome, Status};
use kubesso_provider::BackChannelError;
use kubesso_token::{Algorithm, JwkSet};
use serde_json::{Value, json};
use url::Url;

use crate::house::{Browser, House, ISSUER, PASSWORD, Tokens, form, header_of, payload, user_id};

const URI: &str = "https://app.example/logout?a=b";

async fn register(house: &House, uri: &str) {
    let mut application = house.application.clone();
    application.other.insert("oauthClient".to_owned(), json!({ "backchannel_logout_uri": uri }));
    house.change(Change::PutApplication(application)).await;
}

/// Somebody signs in, with or without a refresh token.
async fn signed_in(house: &House, login: &str, scope: &str) -> (Browser, Tokens) {
    let mut browser = house.browser();
    let path = house.authorize(&[&format!("scope={scope}")]);
    let answer = browser.sign_in(&path, login, PASSWORD).await;
    let tokens = house.redeem(&answer.returned("code").unwrap(), &[]).await.expect(StatusCode::OK).json();
    (browser, Tokens(tokens))
}

async fn sign_out(browser: &mut Browser, tokens: &Tokens) {
    let hint = form(&[("id_token_hint", tokens.id_token())], &[]);
    browser.get(&format!("/oauth2/k8s-auth/v1/logout?{hint}")).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_client_of_a_session_that_ends_gets_a_signed_logout_token() {
    let house = House::new().await;
    register(&house, URI).await;
    let (mut browser, tokens) = signed_in(&house, "dev@example.com", "openid").await;
    // The access token has ended; the session has not.
    house.advance(SignedDuration::from_mins(90));
    sign_out(&mut browser, &tokens).await;
    let told = house.told().await;
    assert_eq!(told.len(), 1);
    let (uri, token) = &told[0];
    assert_eq!(uri.as_str(), URI);
    assert_eq!(header_of(token)["typ"], "logout+jwt");
    let keys = house.browser().get("/oauth2/k8s-auth/v1/keys").await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    let mut claims = keys.verify(token, &[Algorithm::Es256]).unwrap().payload;
    assert!(claims.remove("jti").is_some_and(|jti| jti.as_str().is_some_and(|jti| jti.len() > 20)));
    let now = house.clock_now().as_second();
    let expected = json!({
        "iss": ISSUER,
        "aud": "k8s",
        "sub": "dev",
        "sid": tokens.claims()["sid"],
        "iat": now,
        "exp": now + 120,
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    assert_eq!(Value::Object(claims), expected);
    let hint = form(&[("id_token_hint", token)], &[]);
    let answer = browser.get(&format!("/oauth2/k8s-auth/v1/logout?{hint}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "it is no ID token");
}

#[tokio::test]
async fn only_those_who_took_part_and_want_to_know_are_told() {
    let house = House::new().await;
    let (mut browser, tokens) = signed_in(&house, "dev@example.com", "openid").await;
    for uri in ["http://app.example/", "https://user:secret@app.example/", "junk"] {
        register(&house, uri).await;
        sign_out(&mut browser, &tokens).await;
        assert_eq!(house.told().await, [], "{uri}");
        (browser, _) = signed_in(&house, "dev@example.com", "openid").await;
    }
    register(&house, URI).await;
    let (_, admin) = signed_in(&house, "admin@example.com", "openid").await;
    let (mut another, tokens) = signed_in(&house, "dev@example.com", "openid offline_access").await;
    sign_out(&mut another, &tokens).await;
    let told = house.told().await;
    let sids = sids(&told);
    assert_eq!(sids, [tokens.claims()["sid"].clone()]);
    assert_ne!(sids[0], admin.claims()["sid"]);

    let mut application = house.application.clone();
    application.other.insert("oauthClient".to_owned(), json!({ "backchannel_logout_uri": URI }));
    application.status = Status::Inactive;
    house.change(Change::PutApplication(application)).await;
    house.change(Change::EndSessions(user_id("admin"))).await;
    register(&house, URI).await;
    house.change(Change::EndSessions(user_id("dev"))).await;
    let told = house.told().await;
    assert_eq!(told.len(), 5, "each of the person's sessions, and nobody else's");
    assert!(told.iter().all(|(_, token)| payload(token)["sub"] == "dev"));
    assert_eq!(house.told().await, [], "once");
}

/// What came, by session.
fn sids(told: &[(Url, String)]) -> Vec<Value> {
    told.iter().map(|(_, token)| payload(token)["sid"].clone()).collect()
}

#[tokio::test]
async fn whoever_ends_sessions_and_wherever_clients_are_told() {
    let house = House::new().await;
    register(&house, URI).await;
    let (mut here, _) = signed_in(&house, "dev@example.com", "openid").await;
    let (_, elsewhere) = signed_in(&house, "dev@example.com", "openid").await;
    // At the account page.
    let page = here.get("/account").await.expect(StatusCode::OK);
    let fields = [("request", &*page.sealed_request()), ("action", "end-others")];
    here.post("/account", &form(&fields, &[])).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(sids(&house.told().await), [elsewhere.claims()["sid"].clone()]);
    // A command on the machine writes to the store, and nobody calls the provider.
    house.change(Change::EndSessions(user_id("dev"))).await;
    assert_eq!(house.told().await.len(), 2);
    // Signing in anew takes the place of a session: it is no logout.
    let (mut browser, _) = signed_in(&house, "dev@example.com", "openid").await;
    let page = browser.get(&house.authorize(&["prompt=login"])).await;
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(house.told().await, []);
}

#[tokio::test]
async fn a_client_that_fails_is_asked_again_with_growing_pauses_by_the_same_jti() {
    let house = House::new().await;
    register(&house, URI).await;
    let (mut browser, tokens) = signed_in(&house, "dev@example.com", "openid").await;
    let failed = || BackChannelError::Failed("the client answered 503".to_owned());
    house.told.answer((0..9).map(|_| failed()));
    sign_out(&mut browser, &tokens).await;
    let mut told = house.told().await;
    let pauses = [1, 5, 25, 120, 600, 1800, 3600, 7200];
    for pause in pauses {
        house.advance(SignedDuration::from_secs(pause - 1));
        assert_eq!(house.told().await, [], "not before {pause} s");
        house.advance(SignedDuration::from_secs(1));
        let again = house.told().await;
        assert_eq!(again.len(), 1, "after {pause} s");
        let claims = payload(&again[0].1);
        assert_eq!(claims["iat"], house.clock_now().as_second(), "made when it is sent");
        told.extend(again);
    }
    let jtis: BTreeSet<_> = told.iter().map(|(_, token)| payload(token)["jti"].to_string()).collect();
    assert_eq!((told.len(), jtis.len()), (9, 1));
    let entry = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!(
        (entry.event_type.as_str(), entry.target.as_deref(), entry.outcome),
        ("app.oauth2.as.backchannel_logout", Some("k8s"), Outcome::Failure)
    );
    assert!(entry.message.ends_with("given up: the client answered 503"), "{}", entry.message);
    assert_eq!(entry.details["attempts"], 9);
    house.advance(SignedDuration::from_hours(20));
    assert_eq!(house.told().await, [], "given up");
}

#[tokio::test]
async fn a_client_that_refuses_is_not_asked_again() {
    let house = House::new().await;
    register(&house, URI).await;
    let (mut browser, tokens) = signed_in(&house, "dev@example.com", "openid").await;
    house.told.answer([BackChannelError::Refused("the client answered 400".to_owned())]);
    sign_out(&mut browser, &tokens).await;
    assert_eq!(house.told().await.len(), 1);
    let entries = house.store.audit_events(10).await.unwrap();
    let entry = entries.iter().find(|entry| entry.event_type == "app.oauth2.as.backchannel_logout").unwrap();
    assert!(entry.message.ends_with("given up: the client answered 400"), "{}", entry.message);
    house.advance(SignedDuration::from_hours(1));
    assert_eq!(house.told().await, []);
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_after_a_restart() {
    let house = House::new().await;
    register(&house, URI).await;
    let (mut browser, tokens) = signed_in(&house, "dev@example.com", "openid").await;
    sign_out(&mut browser, &tokens).await;
    // Ended in the middle of an attempt: somebody took it, and was not heard of again.
    let now = house.clock_now();
    let taken = house.store.take_logout_deliveries(9, now, now + SignedDuration::from_mins(1)).await.unwrap();
    assert_eq!(taken.len(), 1);
    let house = house.restarted().await;
    assert_eq!(house.told().await, [], "perhaps it is still under way");
    house.advance(SignedDuration::from_mins(1));
    let told = house.told().await;
    assert_eq!(sids(&told), [tokens.claims()["sid"].clone()]);
    assert_eq!(payload(&told[0].1)["jti"], taken[0].jti(), "the same, if it was told before");
}

#[tokio::test]
async fn it_is_delivered_by_itself_while_the_provider_runs() {
    let house = House::new().await;
    register(&house, URI).await;
    let (mut browser, tokens) = signed_in(&house, "dev@example.com", "openid").await;
    let provider = house.provider.clone();
    let running = tokio::spawn(async move { provider.keep_delivering().await });
    sign_out(&mut browser, &tokens).await;
    let told = async {
        loop {
            let told = house.told.take();
            if !told.is_empty() {
                break told;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_mins(1), told).await.unwrap();
    assert_eq!(sids(&told), [tokens.claims()["sid"].clone()]);
    running.abort();
}
