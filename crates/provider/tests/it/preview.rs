//! What operators are told: what tokens would say, beside what they do say; readiness, and counts.

use kubesso_directory::{AccessRequest, GrantType, decide, parse_scopes};
use kubesso_provider::{MADE_AT_ISSUE, PreviewRequest, preview};
use serde_json::{Map, Value};

use crate::house::{House, PASSWORD, payload, user_id};

/// Without what is another in every token, and the nonce, which the client chooses.
fn lasting(mut claims: Map<String, Value>) -> Map<String, Value> {
    for name in MADE_AT_ISSUE.iter().chain(&["nonce"]) {
        claims.remove(*name);
    }
    claims
}

#[tokio::test]
async fn a_preview_says_what_the_tokens_say() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let snapshot = house.store.snapshot().await.unwrap();
    let server = snapshot.servers().find(|server| server.server.id.as_str() == "k8s-auth").unwrap();
    let person = house.store.person(&user_id("dev")).await.unwrap().unwrap();
    let scopes = parse_scopes(tokens.0["scope"].as_str().unwrap()).unwrap();
    let request = AccessRequest {
        client: &house.application.client_id,
        grant_type: GrantType::AuthorizationCode,
        person: Some(&person),
        scopes: &scopes,
    };
    let seen = preview(&PreviewRequest {
        issuer: &house.provider.issuer(&server.server.id),
        server,
        application: &house.application,
        person: &person,
        scopes: &scopes,
        lifetimes: decide(server, &request).unwrap().lifetimes(),
        now: house.clock_now(),
    });
    assert_eq!(seen.id_token.unwrap(), lasting(tokens.claims()));
    assert_eq!(seen.access_token, lasting(payload(tokens.access_token())));
    assert_eq!(seen.refresh_token, tokens.0.get("refresh_token").is_some());
    assert!(seen.problems.is_empty());
}

#[tokio::test]
async fn sign_ins_and_tokens_are_counted_by_outcome_and_by_grant() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    house.refresh(tokens.refresh_token(), &[]).await.expect(http::StatusCode::OK);
    house.refresh("no refresh token", &[]).await;
    house.browser().sign_in(&house.authorize(&[]), "dev@example.com", "wrong").await;
    house.browser().sign_in(&house.authorize(&[]), "outsider@example.com", PASSWORD).await;
    let counts = house.provider.counts();
    let nonzero = |counts: Vec<(&'static str, u64)>| {
        counts.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    assert_eq!(nonzero(counts.sign_ins), [("success", 1), ("not_allowed", 1), ("wrong_password", 1)]);
    assert_eq!(nonzero(counts.tokens), [("authorization_code", 1), ("refresh_token", 1)]);
    assert!(house.provider.readiness().await.iter().all(|(_, found)| found.is_ok()));
    assert!(house.provider.keys_by_state().await.contains(&("retiring", 0)));
}
