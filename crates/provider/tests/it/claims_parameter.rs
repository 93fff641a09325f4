//! Single claims, `sub` and `acr` (OpenID Connect Core §5.5).

use axum::body::Body;
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{Change, Lifetimes, RuleScopes, ScopeName};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens, payload, rule};

/// The tokens of dev for a request with `scope` and `claims`.
async fn tokens(house: &House, scope: &str, claims: &Value) -> Tokens {
    let changes = [format!("scope={scope}"), format!("claims={claims}")];
    let path = house.authorize(&[&changes[0], &changes[1]]);
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
    Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json())
}

async fn userinfo(house: &House, access_token: &str) -> Value {
    let request = Request::get("/oauth2/k8s-auth/v1/userinfo")
        .header(header::AUTHORIZATION, format!("Bearer {access_token}"))
        .body(Body::empty());
    house.browser().send(request.unwrap()).await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn single_claims_come_where_they_were_asked_for() {
    let house = House::new().await;
    let claims = json!({
        "id_token": { "email": { "essential": true }, "nickname": null, "iss": { "value": "x" }, "unknown": null },
        "userinfo": { "name": { "essential": true }, "preferred_username": null },
    });
    let tokens = tokens(&house, "openid", &claims).await;
    let id_token = tokens.claims();
    assert_eq!(id_token["email"], "dev@example.com");
    assert_eq!(id_token["iss"], crate::house::ISSUER, "what the protocol says stays");
    assert!(
        ["name", "nickname", "unknown", "email_verified"].iter().all(|name| !id_token.contains_key(*name))
    );
    let told = userinfo(&house, tokens.access_token()).await;
    assert_eq!(
        told,
        json!({
            "sub": "dev", "name": "dev Example", "preferred_username": "dev@example.com",
            "groups": ["k8s-restricted-users"]
        })
    );
}

#[tokio::test]
async fn single_claims_are_no_way_around_the_rules() {
    let house = House::new().await;
    let mut strict = rule(Lifetimes::default(), house.clock_now());
    let allowed = ["openid", "profile"].map(|scope| ScopeName::parse(scope).unwrap());
    strict.scopes = RuleScopes::Only(allowed.into());
    house.change(Change::PutRule(strict)).await;
    let asked = json!({ "name": null, "email": { "essential": true } });
    let tokens = tokens(&house, "openid", &json!({ "id_token": asked, "userinfo": asked })).await;
    let told = userinfo(&house, tokens.access_token()).await;
    for claims in [tokens.claims(), told.as_object().unwrap().clone()] {
        assert_eq!(claims["name"], "dev Example");
        assert!(!claims.contains_key("email"), "the rule does not allow the scope email");
    }
}

#[tokio::test]
async fn nobody_else_than_the_sub_that_was_asked_for_is_the_answer() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let silent = |claims: Value| house.authorize(&["prompt=none", &format!("claims={claims}")]);
    for (claims, error) in [
        (json!({ "id_token": { "sub": { "value": "dev" } } }), None),
        (json!({ "id_token": { "sub": { "values": ["admin", "dev"] } } }), None),
        (json!({ "id_token": { "sub": { "value": "admin" } } }), Some("login_required")),
        (json!({ "userinfo": { "sub": { "value": "admin" } } }), Some("login_required")),
    ] {
        let answer = browser.get(&silent(claims.clone())).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(answer.returned("error").as_deref(), error, "{claims}");
    }
    let path = house.authorize(&[r#"claims={"id_token":{"sub":{"value":"admin"}}}"#]);
    let page = browser.get(&path).await.expect(StatusCode::OK);
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await;
    assert_eq!(answer.returned("error").as_deref(), Some("login_required"));
    assert!(browser.submit(&page, "admin@example.com", PASSWORD).await.returned("code").is_some());
}

#[tokio::test]
async fn acr_is_the_one_that_was_asked_for_or_what_the_sign_in_was() {
    let house = House::new().await;
    let mut browser = house.browser();
    let plain = browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let plain = Tokens(house.redeem(&plain.returned("code").unwrap(), &[]).await.json());
    assert_eq!(plain.claims()["acr"], "urn:okta:loa:1fa:pwd");
    for (changes, expected) in [
        ("acr_values=urn:okta:loa:2fa:any urn:okta:loa:1fa:any", "urn:okta:loa:1fa:any"),
        ("acr_values=1 2", "urn:okta:loa:1fa:pwd"),
        (r#"claims={"id_token":{"acr":null}}"#, "urn:okta:loa:1fa:pwd"),
        (
            r#"claims={"id_token":{"acr":{"essential":true,"value":"urn:okta:loa:1fa:pwd"}}}"#,
            "urn:okta:loa:1fa:pwd",
        ),
        (r#"claims={"id_token":{"acr":{"values":["x"]}}}"#, "urn:okta:loa:1fa:pwd"),
    ] {
        let answer = browser.get(&house.authorize(&[changes])).await;
        let tokens = Tokens(house.redeem(&answer.returned("code").unwrap(), &[]).await.json());
        assert_eq!(tokens.claims()["acr"], expected, "{changes}");
    }
    let unmet = r#"claims={"id_token":{"acr":{"essential":true,"value":"urn:okta:loa:2fa:any"}}}"#;
    let answer = house.browser().get(&house.authorize(&[unmet])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("unmet_authentication_requirements"));
}

#[tokio::test]
async fn what_was_asked_for_is_there_after_each_refresh() {
    let house = House::new().await;
    let claims = json!({
        "id_token": { "nickname": null, "email": null, "acr": { "value": "urn:okta:loa:1fa:any" } },
        "userinfo": { "name": null },
    });
    let first = tokens(&house, "openid offline_access", &claims).await;
    let mut refresh_token = first.refresh_token().to_owned();
    for _ in 0..3 {
        house.advance(SignedDuration::from_mins(1));
        let refreshed = Tokens(house.refresh(&refresh_token, &[]).await.expect(StatusCode::OK).json());
        let id_token = refreshed.claims();
        for name in ["acr", "amr", "auth_time", "email", "sid"] {
            assert_eq!(id_token[name], first.claims()[name], "{name}");
        }
        assert_eq!(id_token["acr"], "urn:okta:loa:1fa:any");
        let told = userinfo(&house, refreshed.access_token()).await;
        assert_eq!((&told["name"], told.get("email")), (&json!("dev Example"), None));
        refresh_token = refreshed.refresh_token().to_owned();
    }
    // Fewer scopes are no other claims; without `openid` there is no ID token that could carry them.
    let narrowed = house.refresh(&refresh_token, &["scope=openid"]).await.expect(StatusCode::OK).json();
    let refresh_token = narrowed["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(Tokens(narrowed).claims()["email"], "dev@example.com");
    let narrowed = house.refresh(&refresh_token, &["scope=offline_access"]).await.expect(StatusCode::OK);
    assert_eq!(narrowed.json().get("id_token"), None);
}

#[tokio::test]
async fn a_rule_that_takes_a_scope_away_takes_its_single_claims_at_the_next_refresh() {
    let house = House::new().await;
    let asked = json!({ "name": null, "email": null });
    let claims = json!({ "id_token": asked, "userinfo": asked });
    let first = tokens(&house, "openid offline_access", &claims).await;
    let mut strict = rule(Lifetimes::default(), house.clock_now());
    let allowed = ["openid", "offline_access", "profile"].map(|scope| ScopeName::parse(scope).unwrap());
    strict.scopes = RuleScopes::Only(allowed.into());
    house.change(Change::PutRule(strict)).await;
    let refreshed = house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::OK).json();
    let refreshed = Tokens(refreshed);
    let told = userinfo(&house, refreshed.access_token()).await;
    for claims in [refreshed.claims(), told.as_object().unwrap().clone()] {
        assert_eq!((&claims["name"], claims.get("email")), (&json!("dev Example"), None));
    }
    // And comes back with it: the grant still has what was asked for.
    house.change(Change::PutRule(rule(Lifetimes::default(), house.clock_now()))).await;
    let refreshed = house.refresh(refreshed.refresh_token(), &[]).await.expect(StatusCode::OK).json();
    assert_eq!(Tokens(refreshed).claims()["email"], "dev@example.com");
}

#[tokio::test]
async fn how_somebody_signed_in_stands_in_access_tokens_too() {
    let house = House::new().await;
    let first = tokens(&house, "openid offline_access", &json!({})).await;
    house.advance(SignedDuration::from_mins(1));
    let refreshed = Tokens(house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    for token in [first.access_token(), refreshed.access_token()] {
        let claims = payload(token);
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:okta:loa:1fa:pwd"), &json!(["pwd"])));
        assert_eq!(claims["auth_time"], first.claims()["auth_time"]);
    }
}
