//! Resource indicators (RFC 8707).

use http::StatusCode;
use kubesso_directory::{Audience, AuthorizationServer, Change, Label};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, payload, server_id};

const ALL: [&str; 2] = ["https://api.example", "urn:k8s"];

async fn house() -> House {
    let house = House::new().await;
    let audiences = ALL.map(|audience| Audience::parse(audience).unwrap()).into();
    let name = Label::parse("k8s-auth").unwrap();
    let mut server = AuthorizationServer::new(server_id(), name, audiences, house.clock_now());
    server.algorithm = "ES256".to_owned();
    house.change(Change::PutAuthorizationServer(server)).await;
    house
}

fn audience(tokens: &Value) -> Value {
    payload(tokens["access_token"].as_str().unwrap())["aud"].clone()
}

#[tokio::test]
async fn the_access_token_is_for_the_resources_that_were_named() {
    let house = house().await;
    let cases: [(&[&str], &[&str], Value); 6] = [
        (&[], &[], json!(ALL)),
        (&["resource=urn:k8s"], &[], json!("urn:k8s")),
        (&["resource=urn:k8s"], &["resource=urn:k8s"], json!("urn:k8s")),
        (&[], &["resource=https://api.example"], json!("https://api.example")),
        (&["resource=urn:k8s", "+resource=https://api.example"], &["resource=urn:k8s"], json!("urn:k8s")),
        (
            &["resource=urn:k8s", "+resource=https://api.example"],
            &[],
            json!(["urn:k8s", "https://api.example"]),
        ),
    ];
    for (asked, redeemed, expected) in cases {
        let answer = house.browser().sign_in(&house.authorize(asked), "dev@example.com", PASSWORD).await;
        let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
        let tokens = house.redeem(&code, redeemed).await.expect(StatusCode::OK).json();
        assert_eq!(audience(&tokens), expected, "{asked:?} {redeemed:?}");
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let refreshed =
            house.refresh(refresh_token, &["resource=urn:k8s"]).await.expect(StatusCode::OK).json();
        assert_eq!(audience(&refreshed), "urn:k8s");
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
