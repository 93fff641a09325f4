//! Resource indicators (RFC 8707).

use http::StatusCode;
use kubesso_directory::GrantType;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens, form, payload};

const ALL: [&str; 2] = ["https://api.example", "urn:k8s"];

async fn house() -> House {
    let house = House::new().await;
    house.serve_audiences(&ALL).await;
    house
}

fn audience(tokens: &Value) -> Value {
    payload(tokens["access_token"].as_str().unwrap())["aud"].clone()
}

#[tokio::test]
async fn the_access_token_is_for_the_resources_that_were_named() {
    let house = house().await;
    let both = json!(["urn:k8s", "https://api.example"]);
    // What the authorization request names, what the token request names, for which the access token is, and that of
    // a refresh which names nothing.
    let cases: [(&[&str], &[&str], Value, Value); 6] = [
        (&[], &[], json!(ALL), json!(ALL)),
        (&["resource=urn:k8s"], &[], json!("urn:k8s"), json!("urn:k8s")),
        (&["resource=urn:k8s"], &["resource=urn:k8s"], json!("urn:k8s"), json!("urn:k8s")),
        (&[], &["resource=https://api.example"], json!("https://api.example"), json!(ALL)),
        (
            &["resource=urn:k8s", "+resource=https://api.example"],
            &["resource=urn:k8s"],
            json!("urn:k8s"),
            both.clone(),
        ),
        (&["resource=urn:k8s", "+resource=https://api.example"], &[], both.clone(), both),
    ];
    for (asked, redeemed, expected, remembered) in cases {
        let answer = house.browser().sign_in(&house.authorize(asked), "dev@example.com", PASSWORD).await;
        let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
        let tokens = house.redeem(&code, redeemed).await.expect(StatusCode::OK).json();
        assert_eq!(audience(&tokens), expected, "{asked:?} {redeemed:?}");
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let refreshed = house.refresh(refresh_token, &[]).await.expect(StatusCode::OK).json();
        assert_eq!(audience(&refreshed), remembered, "{asked:?} {redeemed:?}");
        let narrowed =
            house.refresh(refresh_token, &["resource=urn:k8s"]).await.expect(StatusCode::OK).json();
        assert_eq!(audience(&narrowed), "urn:k8s");
    }
}

#[tokio::test]
async fn a_resource_that_is_not_the_servers_is_refused() {
    let house = house().await;
    for resource in ["https://other.example", "https://api.example/", "api", "urn:k8s#x"] {
        let change = format!("resource={resource}");
        let answer = house.browser().get(&house.authorize(&[&change])).await;
        assert_eq!(answer.returned("error").as_deref(), Some("invalid_target"), "{resource}");
        let twice = ["resource=urn:k8s", &format!("+resource={resource}")];
        let answer = house.browser().get(&house.authorize(&twice)).await;
        assert_eq!(answer.returned("error").as_deref(), Some("invalid_target"), "{resource}");
        let refused = house.refresh("junk", &[&change]).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused.error().0, "invalid_target", "{resource}");
    }
    let path = house.authorize(&["resource=urn:k8s"]);
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap();
    let beyond = house.redeem(&code, &["resource=https://api.example"]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(beyond.error().0, "invalid_target");
    house.redeem(&code, &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_never_widens_what_was_granted() {
    let house = house().await;
    let path = house.authorize(&["resource=urn:k8s"]);
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    let tokens = house.redeem(&answer.returned("code").unwrap(), &[]).await.expect(StatusCode::OK).json();
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    for changes in
        [&["resource=https://api.example"][..], &["resource=urn:k8s", "+resource=https://api.example"]]
    {
        let refused = house.refresh(refresh_token, changes).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused.error().0, "invalid_target", "{changes:?}");
    }
    // Narrowing once is not narrowing for ever, and what was refused has spent nothing.
    house.refresh(refresh_token, &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_audience_any_more_is_left_out_and_nothing_takes_its_place() {
    let house = house().await;
    let path = house.authorize(&["resource=urn:k8s", "+resource=https://api.example"]);
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    let tokens = house.redeem(&answer.returned("code").unwrap(), &[]).await.expect(StatusCode::OK).json();
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    house.serve_audiences(&["urn:k8s", "urn:new"]).await;
    let refreshed = house.refresh(refresh_token, &[]).await.expect(StatusCode::OK).json();
    assert_eq!(audience(&refreshed), "urn:k8s");
    house.serve_audiences(&["urn:new"]).await;
    let refused = house.refresh(refresh_token, &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.error().0, "invalid_target");
}

#[tokio::test]
async fn grants_without_a_browser_remember_their_resources_too() {
    let house = house().await;
    house.allow(GrantType::Password).await;
    let fields = [
        ("grant_type", "password"),
        ("client_id", house.application.client_id.as_str()),
        ("username", "dev@example.com"),
        ("password", PASSWORD),
        ("scope", "openid offline_access"),
        ("resource", "urn:k8s"),
    ];
    let tokens = house.browser().post("/oauth2/k8s-auth/v1/token", &form(&fields, &[])).await;
    let tokens = Tokens(tokens.expect(StatusCode::OK).json());
    let refreshed = house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json();
    assert_eq!((audience(&tokens.0), audience(&refreshed)), (json!("urn:k8s"), json!("urn:k8s")));
    let refreshed = Tokens(refreshed).claims();
    assert_eq!((&refreshed["acr"], &refreshed["amr"]), (&json!("urn:okta:loa:1fa:pwd"), &json!(["pwd"])));
    let beyond = house.refresh(tokens.refresh_token(), &["resource=https://api.example"]).await;
    assert_eq!(beyond.expect(StatusCode::BAD_REQUEST).error().0, "invalid_target");
}
