//! Introspection.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::Change;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens, form, user, user_id};

async fn ask(house: &House, client: &str, token: &str) -> Value {
    let body = form(&[("client_id", client), ("token", token)], &[]);
    house.browser().post("/oauth2/k8s-auth/v1/introspect", &body).await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn a_client_learns_whether_its_tokens_still_count() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let access = ask(&house, "k8s", tokens.access_token()).await;
    let expected = [
        ("active", json!(true)),
        ("client_id", json!("k8s")),
        ("scope", json!("openid email profile offline_access")),
        ("sub", json!("dev")),
        ("token_type", json!("Bearer")),
        ("username", json!("dev@example.com")),
    ];
    for (name, value) in expected {
        assert_eq!(access[name], value, "{name}");
    }
    let refresh = ask(&house, "k8s", tokens.refresh_token()).await;
    assert_eq!((&refresh["active"], &refresh["sub"]), (&json!(true), &json!("dev")));
    let week = 7 * 24 * 3600;
    assert_eq!(refresh["exp"].as_i64().unwrap(), house.clock_now().as_second() + week);

    house.advance(SignedDuration::from_hours(1));
    assert_eq!(ask(&house, "k8s", tokens.access_token()).await, json!({ "active": false }));
    assert_eq!(ask(&house, "k8s", tokens.refresh_token()).await["active"], true);
    house.advance(SignedDuration::from_secs(week - 3600));
    assert_eq!(ask(&house, "k8s", tokens.refresh_token()).await, json!({ "active": false }));
}

#[tokio::test]
async fn nothing_is_said_of_strangers_tokens_of_no_tokens_and_of_people_who_left() {
    let house = House::new().await;
    let mut other = house.application.clone();
    other.id = "other".parse().unwrap();
    other.client_id = "other".parse().unwrap();
    house.change(Change::PutApplication(other)).await;
    let tokens = house.sign_in("dev@example.com").await;
    let nothing = json!({ "active": false });
    for (client, token) in [
        ("other", tokens.access_token()),
        ("other", tokens.refresh_token()),
        ("k8s", tokens.id_token()),
        ("k8s", "junk"),
    ] {
        assert_eq!(ask(&house, client, token).await, nothing, "{client}");
    }
    let now = house.clock_now();
    house.change(Change::PutUser(user("dev", now).suspend(now).unwrap())).await;
    for token in [tokens.access_token(), tokens.refresh_token()] {
        assert_eq!(ask(&house, "k8s", token).await, nothing);
    }
    let mut browser = house.browser();
    browser.post("/oauth2/k8s-auth/v1/introspect", "token=x").await.expect(StatusCode::UNAUTHORIZED);
    browser.post("/oauth2/k8s-auth/v1/introspect", "client_id=k8s").await.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn access_tokens_end_with_their_grant_however_it_ended() {
    let nothing = json!({ "active": false });
    let access_ends_by = async |end: &str| {
        let house = House::new().await;
        let tokens = house.sign_in("dev@example.com").await;
        let other = house.sign_in("dev@example.com").await;
        let revoked = match end {
            "access_token" => tokens.access_token(),
            _ => tokens.refresh_token(),
        };
        let body = form(&[("client_id", "k8s"), ("token", revoked)], &[]);
        if end == "reuse" {
            house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
            house.advance(SignedDuration::from_secs(31));
            house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
        } else {
            house.browser().post("/oauth2/k8s-auth/v1/revoke", &body).await.expect(StatusCode::OK);
        }
        assert_eq!(ask(&house, "k8s", tokens.access_token()).await, nothing, "{end}");
        let bearer = form(&[("access_token", tokens.access_token())], &[]);
        let userinfo = "/oauth2/k8s-auth/v1/userinfo";
        house.browser().post(userinfo, &bearer).await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(ask(&house, "k8s", other.access_token()).await["active"], true, "another sign-in goes on");
    };
    for end in ["access_token", "refresh_token", "reuse"] {
        access_ends_by(end).await;
    }
}

#[tokio::test]
async fn an_access_token_without_a_refresh_token_ends_with_its_grant_too() {
    for end in ["the code comes again", "it is revoked", "the password is reset"] {
        let house = House::new().await;
        let mut browser = house.browser();
        let authorize = house.authorize(&["scope=openid"]);
        let code = browser.sign_in(&authorize, "dev@example.com", PASSWORD).await.returned("code").unwrap();
        let tokens = Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json());
        assert!(tokens.0.get("refresh_token").is_none());
        assert_eq!(ask(&house, "k8s", tokens.access_token()).await["active"], true);
        match end {
            "the code comes again" => drop(house.redeem(&code, &[]).await.expect(StatusCode::BAD_REQUEST)),
            "it is revoked" => {
                let body = form(&[("client_id", "k8s"), ("token", tokens.access_token())], &[]);
                browser.post("/oauth2/k8s-auth/v1/revoke", &body).await.expect(StatusCode::OK);
            }
            _ => house.change(Change::EndGrants(user_id("dev"))).await,
        }
        let nothing = json!({ "active": false });
        assert_eq!(ask(&house, "k8s", tokens.access_token()).await, nothing, "{end}");
    }
}
