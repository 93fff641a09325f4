//! Two providers on one PostgreSQL database act as one.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_ambient::SeededEntropy;
use kubesso_directory::{Change, ClientKeys, Status, Store};
use kubesso_provider::{Provider, ProviderConfig, Settings};
use kubesso_store_postgres::PostgresStore;
use kubesso_store_postgres::testkit::Server;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::json;

use crate::dpop::{self, Prover};
use crate::house::{House, ORIGIN, PASSWORD, Tokens, World, form};
use crate::private_key_jwt::{assertion, register};
use crate::pushed_request::pushed;

/// Two replicas, with randomness of their own, and one clock.
async fn replicas() -> (House, House) {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("master.key");
    let url = Server::shared().unwrap().database().unwrap();
    let entropy = Arc::new(SeededEntropy::new(1));
    let (store, sealing_key) = PostgresStore::connect(&url, &key_file, &*entropy).await.unwrap();
    let one = House::on(Arc::new(store), sealing_key, directory, entropy, World::default()).await;

    let entropy = Arc::new(SeededEntropy::new(2));
    let (store, sealing_key) = PostgresStore::connect(&url, &key_file, &*entropy).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let provider = Provider::new(ProviderConfig {
        base_url: ORIGIN.parse().unwrap(),
        store: store.clone(),
        clock: one.clock.clone(),
        entropy: entropy.clone(),
        sealing_key: sealing_key.clone(),
        back_channel: Some(one.told.clone()),
        settings: Settings::default(),
        fetch: Some(one.web.clone()),
        mutual_tls: None,
        registration: None,
    });
    let other = House {
        clock: one.clock.clone(),
        entropy,
        store,
        sealing_key,
        provider: provider.await.unwrap(),
        application: one.application.clone(),
        directory: tempfile::tempdir().unwrap(),
        told: one.told.clone(),
        web: one.web.clone(),
    };
    (one, other)
}

#[tokio::test]
async fn a_code_made_by_one_is_redeemed_by_the_other_and_by_nobody_again() {
    let (one, other) = replicas().await;
    let answer = one.browser().sign_in(&one.authorize(&[]), "dev@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap();
    let tokens = Tokens(other.redeem(&code, &[]).await.expect(StatusCode::OK).json());
    let again = one.redeem(&code, &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(again.error().0, "invalid_grant");
    // The second redeeming ends what came of the first, wherever it is used.
    let ended = other.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(ended.error().0, "invalid_grant");
}

#[tokio::test]
async fn a_sign_in_begun_at_one_goes_on_at_the_other() {
    let (one, other) = replicas().await;
    let mut browser = one.browser();
    let page = browser.get(&one.authorize(&[])).await.expect(StatusCode::OK);
    let mut elsewhere = other.browser();
    elsewhere.cookies = browser.cookies.clone();
    let code = elsewhere.submit(&page, "dev@example.com", PASSWORD).await.returned("code").unwrap();
    one.redeem(&code, &[]).await.expect(StatusCode::OK);
    // The session is known at both: nobody is asked again.
    browser.cookies = elsewhere.cookies.clone();
    assert!(browser.get(&one.authorize(&[])).await.returned("code").is_some());
}

#[tokio::test]
async fn a_refresh_token_rotated_at_both_at_once_gives_one_successor() {
    let (one, other) = replicas().await;
    let tokens = one.sign_in("dev@example.com").await;
    let old = tokens.refresh_token();
    let both =
        (0..12).map(|turn| if turn % 2 == 0 { one.refresh(old, &[]) } else { other.refresh(old, &[]) });
    let successors: BTreeSet<_> = futures_util::future::join_all(both)
        .await
        .into_iter()
        .map(|answer| Tokens(answer.expect(StatusCode::OK).json()).refresh_token().to_owned())
        .collect();
    assert_eq!(successors.len(), 1);
    other.refresh(successors.first().unwrap(), &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_change_of_the_configuration_at_one_is_seen_by_the_other_within_a_quarter_of_a_second() {
    let (one, other) = replicas().await;
    let tokens = other.sign_in("dev@example.com").await;
    let mut application = one.application.clone();
    application.status = Status::Inactive;
    one.change(Change::PutApplication(application)).await;
    other.advance(SignedDuration::from_millis(250));
    other.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_one_signed_the_other_publishes_and_attempts_count_at_both() {
    let (one, other) = replicas().await;
    let mut keys = Vec::new();
    for house in [&one, &other] {
        keys.push(house.browser().get("/oauth2/k8s-auth/v1/keys").await.expect(StatusCode::OK).json());
    }
    assert_eq!(keys[0], keys[1]);
    // Wrong passwords, by turns: then the right one has to wait, at either.
    for turn in 0..8 {
        let house = if turn % 2 == 0 { &one } else { &other };
        house.browser().sign_in(&house.authorize(&[]), "dev@example.com", "wrong").await;
    }
    for house in [&one, &other] {
        let answer = house.browser().sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
        assert_eq!(answer.returned("code"), None, "{answer:?}");
    }
}

#[tokio::test]
async fn a_proof_that_one_took_the_other_refuses() {
    let (one, other) = replicas().await;
    let prover = Prover::new();
    let tokens = dpop::bound(&one, &prover).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let body =
        form(&[("grant_type", "refresh_token"), ("client_id", "k8s"), ("refresh_token", refresh_token)], &[]);
    let proof = prover.for_tokens(&one).await;
    dpop::post(&one, &body, Some(&proof)).await.expect(StatusCode::OK);
    let refused = dpop::post(&other, &body, Some(&proof)).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(refused.0, "invalid_dpop_proof");
    assert!(refused.1.contains("used before"), "{refused:?}");

    // At both at once, at the resource: one takes it.
    let access_token = tokens["access_token"].as_str().unwrap();
    let proof = prover.for_userinfo(&one, access_token);
    let both = (0..8).map(|turn| {
        let house = if turn % 2 == 0 { &one } else { &other };
        dpop::userinfo(house, access_token, &proof)
    });
    let answers = futures_util::future::join_all(both).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn an_assertion_and_a_pushed_request_are_used_once_at_both_together() {
    let (one, other) = replicas().await;
    let path = pushed(&one, &[]).await;
    let (page, late) = (one.browser().get(&path).await, other.browser().get(&path).await);
    let first = one.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    assert!(first.returned("code").is_some(), "{first:?}");
    for house in [&one, &other] {
        let again = house.browser().get(&path).await.expect(StatusCode::BAD_REQUEST);
        assert!(again.body.contains("was used before"), "{}", again.body);
    }
    drop((page.expect(StatusCode::OK), late.expect(StatusCode::OK)));

    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    register(&one, ClientKeys::Inline(json!({ "keys": [key.public_jwk()] }))).await;
    other.advance(SignedDuration::from_millis(250));
    let text = assertion(&one, &key, &json!({ "jti": "at both" }));
    let both = (0..8).map(|turn| {
        let house = if turn % 2 == 0 { &one } else { &other };
        crate::private_key_jwt::post(house, "introspect", &text, &[])
    });
    let answers = futures_util::future::join_all(both).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_logout_at_one_is_told_by_either_and_once() {
    let (one, other) = replicas().await;
    let mut application = one.application.clone();
    let settings = json!({ "backchannel_logout_uri": "https://app.example/logout" });
    application.other.insert("oauthClient".to_owned(), settings);
    // The other one has not looked since.
    one.change(Change::PutApplication(application)).await;
    for _ in 0..5 {
        one.sign_in("dev@example.com").await;
    }
    one.change(Change::EndSessions(crate::house::user_id("dev"))).await;
    let (here, there) = (one.provider.deliver_logouts(), other.provider.deliver_logouts());
    let (here, there) = futures_util::future::join(here, there).await;
    assert!(here.is_ok() && there.is_ok(), "{here:?} {there:?}");
    let told = one.told.take();
    let jtis: BTreeSet<_> =
        told.iter().map(|(_, token)| crate::house::payload(token)["jti"].to_string()).collect();
    assert_eq!((told.len(), jtis.len()), (5, 5));
}
