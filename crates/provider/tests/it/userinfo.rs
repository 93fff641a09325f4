//! The userinfo endpoint.

use axum::body::Body;
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::Change;
use serde_json::json;

use crate::house::{Answer, House, PASSWORD, form, group_id, payload, user, user_id};

const PATH: &str = "/oauth2/k8s-auth/v1/userinfo";

async fn ask(house: &House, token: &str) -> Answer {
    let request =
        Request::get(PATH).header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty());
    house.browser().send(request.unwrap()).await
}

#[tokio::test]
async fn it_tells_what_the_scopes_allow_however_it_is_asked() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let answer = ask(&house, tokens.access_token()).await.expect(StatusCode::OK);
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "email": "dev@example.com",
      "email_verified": true,
      "family_name": "Example",
      "given_name": "dev",
      "groups": [
        "k8s-restricted-users"
      ],
      "name": "dev Example",
      "preferred_username": "dev@example.com",
      "sub": "dev"
    }
    "#);
    let in_body = form(&[("access_token", tokens.access_token())], &[]);
    let posted = house.browser().post(PATH, &in_body).await.expect(StatusCode::OK);
    assert_eq!(posted.json(), answer.json());
}

#[tokio::test]
async fn an_application_may_have_small_id_tokens_and_finds_the_rest_here() {
    let house = House::new().await;
    let all = ask(&house, house.sign_in("dev@example.com").await.access_token()).await.json();
    let mut application = house.application.clone();
    application.other.insert("oauthClient".to_owned(), json!({ "id_token_claims": ["groups"] }));
    house.change(Change::PutApplication(application)).await;
    let tokens = house.sign_in("dev@example.com").await;
    let refreshed = house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json();
    let refreshed = refreshed["id_token"].as_str().unwrap();
    for claims in [tokens.claims(), payload(refreshed)] {
        assert_eq!(claims["groups"], json!(["k8s-restricted-users"]));
        for name in ["email", "email_verified", "name", "preferred_username"] {
            assert!(!claims.contains_key(name), "{name}");
        }
        for name in ["iss", "sub", "aud", "iat", "exp", "jti", "auth_time", "amr"] {
            assert!(claims.contains_key(name), "{name} is the protocol's");
        }
    }
    assert_eq!(ask(&house, tokens.access_token()).await.json(), all);
    // What a request names one by one it gets (OpenID Connect Core §5.5).
    let asked = format!("claims={}", json!({ "id_token": { "email": null } }));
    let answer = house.browser().sign_in(&house.authorize(&[&asked]), "dev@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap();
    let tokens = house.redeem(&code, &[]).await.expect(StatusCode::OK).json();
    assert_eq!(payload(tokens["id_token"].as_str().unwrap())["email"], "dev@example.com");
}

#[tokio::test]
async fn it_asks_for_a_token_as_rfc_6750_says() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let none = house.browser().get(PATH).await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"kubesso\"");
    for token in ["junk", tokens.id_token(), tokens.refresh_token()] {
        let answer = ask(&house, token).await.expect(StatusCode::UNAUTHORIZED);
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{token}");
    }
    let twice = Request::post(PATH)
        .header(header::AUTHORIZATION, format!("Bearer {}", tokens.access_token()))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form(&[("access_token", tokens.access_token())], &[])));
    house.browser().send(twice.unwrap()).await.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_token_that_has_ended_or_whose_person_has_gone_tells_nothing() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let now = house.clock_now();
    house.change(Change::PutUser(user("dev", now).suspend(now).unwrap())).await;
    ask(&house, tokens.access_token()).await.expect(StatusCode::UNAUTHORIZED);
    house.change(Change::PutUser(user("dev", now))).await;
    ask(&house, tokens.access_token()).await.expect(StatusCode::OK);
    house.change(Change::RemoveMember(group_id("k8s-restricted-users"), user_id("dev"))).await;
    ask(&house, tokens.access_token()).await.expect(StatusCode::UNAUTHORIZED);

    let tokens = house.sign_in("admin@example.com").await;
    house.advance(SignedDuration::from_secs(3599));
    ask(&house, tokens.access_token()).await.expect(StatusCode::OK);
    house.advance(SignedDuration::from_secs(1));
    ask(&house, tokens.access_token()).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_without_openid_is_not_enough() {
    let house = House::new().await;
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&["scope=email"]), "dev@example.com", PASSWORD).await;
    let tokens = house.redeem(&answer.returned("code").unwrap(), &[]).await.json();
    let answer = ask(&house, tokens["access_token"].as_str().unwrap()).await.expect(StatusCode::FORBIDDEN);
    assert!(answer.header("www-authenticate").contains("error=\"insufficient_scope\""));
}
