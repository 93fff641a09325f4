//! What tokens would say, beside what they do say.

use kubesso_directory::{AccessRequest, GrantType, decide, parse_scopes};
use kubesso_provider::{MADE_AT_ISSUE, PreviewRequest, preview};
use serde_json::{Map, Value};

use crate::house::{House, payload, user_id};

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
