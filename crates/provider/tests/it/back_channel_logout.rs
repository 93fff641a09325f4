//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0).

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, SessionsOf, Status};
use kubesso_token::{Algorithm, JwkSet};
use serde_json::{Value, json};

use crate::house::{Browser, House, ISSUER, PASSWORD, Tokens, form, header_of, user_id};

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
    let told = house.told.take(1).await;
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
        (browser, _) = signed_in(&house, "dev@example.com", "openid").await;
    }
    register(&house, URI).await;
    let (_, admin) = signed_in(&house, "admin@example.com", "openid").await;
    let (mut another, tokens) = signed_in(&house, "dev@example.com", "openid offline_access").await;
    sign_out(&mut another, &tokens).await;
    let told = house.told.take(1).await;
    let sids: Vec<_> = told.iter().map(|(_, token)| crate::house::payload(token)["sid"].clone()).collect();
    assert_eq!(sids, [tokens.claims()["sid"].clone()]);
    assert_ne!(sids[0], admin.claims()["sid"]);

    let mut application = house.application.clone();
    application.other.insert("oauthClient".to_owned(), json!({ "backchannel_logout_uri": URI }));
    application.status = Status::Inactive;
    house.change(Change::PutApplication(application)).await;
    house.provider.sessions_ended(&SessionsOf::User(user_id("admin"))).await;
    register(&house, URI).await;
    house.provider.sessions_ended(&SessionsOf::User(user_id("dev"))).await;
    let told = house.told.take(5).await;
    assert_eq!(told.len(), 5, "each of the person's sessions, and nobody else's");
    assert!(told.iter().all(|(_, token)| crate::house::payload(token)["sub"] == "dev"));
}
