//! Authorization requests that the client has signed (RFC 9101, OpenID Connect Core §6.1).

use http::StatusCode;
use kubesso_directory::{Change, ClientAuthentication, ClientKeys};
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::{CHALLENGE, House, ISSUER, PASSWORD, REDIRECT_URI, form};

async fn registered(algorithm: Algorithm) -> (House, SigningKey) {
    let house = House::new().await;
    let key = SigningKey::generate(algorithm).unwrap();
    let mut application = house.application.clone();
    application.authentication =
        ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(json!({ "keys": [key.public_jwk()] })));
    house.change(Change::PutApplication(application)).await;
    (house, key)
}

/// A good request object with `changes`; `null` removes.
fn object(house: &House, key: &SigningKey, changes: &Value) -> String {
    let mut claims = json!({
        "iss": "k8s", "aud": ISSUER, "exp": house.clock_now().as_second() + 60, "client_id": "k8s",
        "redirect_uri": REDIRECT_URI, "response_type": "code", "scope": "openid", "state": "signed-state",
        "nonce": "signed-nonce", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "max_age": 60,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    key.sign("oauth-authz-req+jwt", &claims).unwrap()
}

fn path(fields: &[(&str, &str)]) -> String {
    format!("/oauth2/k8s-auth/v1/authorize?{}", form(fields, &[]))
}

#[tokio::test]
async fn what_is_signed_counts_and_what_stands_beside_it_does_not() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256] {
        let (house, key) = registered(algorithm).await;
        let object = object(&house, &key, &json!({}));
        for beside in
            [&[][..], &[("state", "forged"), ("scope", "openid email"), ("redirect_uri", "https://evil")]]
        {
            let path = path(&[&[("client_id", "k8s"), ("request", object.as_str())], beside].concat());
            let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
            assert_eq!(answer.returned("state").as_deref(), Some("signed-state"), "{algorithm}");
            assert!(answer.returned("code").is_some());
        }
    }
}

#[tokio::test]
async fn an_object_that_proves_nothing_is_an_error_of_the_request() {
    let (house, key) = registered(Algorithm::Es256).await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let cases = [
        (object(&house, &stranger, &json!({})), "invalid_request_object"),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), "invalid_request_object"),
        ("a.b.c.d.e".to_owned(), "request_not_supported"),
        (object(&house, &key, &json!({ "aud": "https://other.example" })), "invalid_request_object"),
        (object(&house, &key, &json!({ "iss": "other" })), "invalid_request_object"),
        (object(&house, &key, &json!({ "client_id": "other" })), "invalid_request_object"),
        (
            object(&house, &key, &json!({ "exp": house.clock_now().as_second() - 60 })),
            "invalid_request_object",
        ),
        (object(&house, &key, &json!({ "exp": null })), "invalid_request_object"),
        (object(&house, &key, &json!({ "request_uri": "urn:x" })), "invalid_request_object"),
        (object(&house, &key, &json!({ "scope": "openid nothing" })), "invalid_scope"),
        (object(&house, &key, &json!({ "max_age": "x" })), "invalid_request"),
        (object(&house, &key, &json!({ "registration": {} })), "registration_not_supported"),
    ];
    for (object, error) in cases {
        let beside = [("client_id", "k8s"), ("request", object.as_str()), ("redirect_uri", REDIRECT_URI)];
        let answer = house.browser().get(&path(&beside)).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(answer.returned("error").as_deref(), Some(error), "{answer:?}");
        assert_eq!(answer.returned("iss").as_deref(), Some(ISSUER));
    }
    let nowhere = path(&[("client_id", "k8s"), ("request", "junk")]);
    let page = house.browser().get(&nowhere).await.expect(StatusCode::BAD_REQUEST);
    assert!(page.body.contains("invalid_request_object"), "{}", page.body);
    let evil = object(&house, &key, &json!({ "redirect_uri": "https://evil.example" }));
    let page = house.browser().get(&path(&[("client_id", "k8s"), ("request", &evil)])).await;
    assert!(page.expect(StatusCode::BAD_REQUEST).body.contains("Redirect not allowed"));
}

#[tokio::test]
async fn a_client_without_keys_is_told_that_it_cannot_sign() {
    let house = House::new().await;
    let answer = house.browser().get(&house.authorize(&["request=a.b.c"])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("request_not_supported"));
    assert!(answer.returned("error_description").unwrap().contains("no registered keys"));
}

#[tokio::test]
async fn an_object_may_be_pushed() {
    let (house, key) = registered(Algorithm::Es256).await;
    let now = house.clock_now().as_second();
    let claims = json!({ "iss": "k8s", "sub": "k8s", "aud": ISSUER, "exp": now + 60, "jti": "1" });
    let assertion = key.sign("JWT", &claims).unwrap();
    let object = object(&house, &key, &json!({}));
    let fields = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
        ("request", object.as_str()),
    ];
    let pushed = house.browser().post("/oauth2/k8s-auth/v1/par", &form(&fields, &[])).await;
    let pushed = pushed.expect(StatusCode::CREATED).json();
    let path = path(&[("client_id", "k8s"), ("request_uri", pushed["request_uri"].as_str().unwrap())]);
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    assert_eq!(answer.returned("state").as_deref(), Some("signed-state"));
}

const REQUEST: &str = "https://client.example/request.jwt?for=sign-in";

/// The client registered `request_uris`.
async fn with_request_uris(uris: &Value) -> (House, SigningKey) {
    let (house, key) = registered(Algorithm::Es256).await;
    let mut application = house.application.clone();
    application.authentication =
        ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(json!({ "keys": [key.public_jwk()] })));
    application.other.insert("oauthClient".to_owned(), json!({ "request_uris": uris }));
    house.change(Change::PutApplication(application)).await;
    (house, key)
}

#[tokio::test]
async fn a_request_is_fetched_from_a_registered_address() {
    for registered in [REQUEST.to_owned(), format!("{REQUEST}#first-version")] {
        let (house, key) = with_request_uris(&json!(["https://client.example/other", registered])).await;
        house.web.serve(REQUEST, format!("{}\n", object(&house, &key, &json!({}))));
        for request_uri in [REQUEST.to_owned(), format!("{REQUEST}#second-version")] {
            let path = path(&[("client_id", "k8s"), ("request_uri", &request_uri), ("state", "forged")]);
            let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
            assert_eq!(answer.returned("state").as_deref(), Some("signed-state"), "{request_uri}");
        }
        assert_eq!(house.web.fetches(), 1, "who reloads the page does not have it fetched again");
    }
}

#[tokio::test]
async fn nothing_is_fetched_from_an_address_that_is_not_registered() {
    let (house, key) = with_request_uris(&json!([REQUEST, "http://client.example/plain"])).await;
    let good = object(&house, &key, &json!({}));
    for request_uri in [
        "https://client.example/request.jwt",
        "https://client.example/request.jwt?for=sign-in&more",
        "https://CLIENT.example/request.jwt?for=sign-in",
        "https://client.example:443/request.jwt?for=sign-in",
        "http://client.example/plain",
        "https://10.0.0.1/",
        "file:///etc/passwd",
        "urn:example:request",
        "junk",
    ] {
        house.web.serve(request_uri, good.clone());
        let path =
            path(&[("client_id", "k8s"), ("request_uri", request_uri), ("redirect_uri", REDIRECT_URI)]);
        let answer = house.browser().get(&path).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(answer.returned("error").as_deref(), Some("invalid_request_uri"), "{request_uri}");
    }
    assert_eq!(house.web.fetches(), 0);
}

#[tokio::test]
async fn what_is_at_a_registered_address_must_be_signed_by_the_client() {
    let (house, key) = with_request_uris(&json!([REQUEST])).await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    for (served, error) in [
        (None, "invalid_request_uri"),
        (Some(object(&house, &stranger, &json!({}))), "invalid_request_object"),
        (Some("<html>".to_owned()), "invalid_request_object"),
        (Some(object(&house, &key, &json!({ "request_uri": REQUEST }))), "invalid_request_object"),
        (Some(" ".repeat(33 * 1024)), "invalid_request_uri"),
    ] {
        match served {
            Some(body) => house.web.serve(REQUEST, body),
            None => house.web.stop(REQUEST),
        }
        house.advance(jiff::SignedDuration::from_mins(2));
        let path = path(&[("client_id", "k8s"), ("request_uri", REQUEST), ("redirect_uri", REDIRECT_URI)]);
        let answer = house.browser().get(&path).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(answer.returned("error").as_deref(), Some(error), "{answer:?}");
        let description = answer.returned("error_description").unwrap();
        assert!(!description.contains("10.0.0.1"), "{description}");
    }
}
