//! Clients that prove who they are with an assertion signed by a key of their own.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, ClientAuthentication, ClientKeys};
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::{Answer, House, ISSUER, PASSWORD, form};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The application of the house, registered with `keys`.
pub(crate) async fn register(house: &House, keys: ClientKeys) {
    let mut application = house.application.clone();
    application.authentication = ClientAuthentication::PrivateKeyJwt(keys);
    house.change(Change::PutApplication(application)).await;
}

async fn registered(algorithm: Algorithm) -> (House, SigningKey) {
    let house = House::new().await;
    let key = SigningKey::generate(algorithm).unwrap();
    register(&house, ClientKeys::Inline(json!({ "keys": [key.public_jwk()] }))).await;
    (house, key)
}

/// A good assertion for the token endpoint with `changes`; `null` removes.
pub(crate) fn assertion(house: &House, key: &SigningKey, changes: &Value) -> String {
    let now = house.clock_now().as_second();
    let mut claims = json!({
        "iss": "k8s", "sub": "k8s", "aud": format!("{ISSUER}/v1/token"), "iat": now, "exp": now + 3600, "jti": "j-0"
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    key.sign("JWT", &claims).unwrap()
}

/// A request that every endpoint would answer one way or another if the client is who it says.
pub(crate) async fn post(house: &House, endpoint: &str, assertion: &str, changes: &[&str]) -> Answer {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "junk"),
        ("token", "junk"),
        ("scope", "openid"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    house.browser().post(&format!("/oauth2/k8s-auth/v1/{endpoint}"), &form(&fields, changes)).await
}

#[tokio::test]
async fn at_every_endpoint_a_client_may_use_an_assertion_once() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps512, Algorithm::Es256, Algorithm::Es512] {
        let (house, key) = registered(algorithm).await;
        house.allow(kubesso_directory::GrantType::DeviceCode).await;
        register(&house, ClientKeys::Inline(json!({ "keys": [key.public_jwk()] }))).await;
        // Not known of the client; but it is known who asks.
        for (endpoint, audience, known, error) in [
            ("token", "/v1/token", StatusCode::BAD_REQUEST, "invalid_grant"),
            ("introspect", "", StatusCode::OK, ""),
            ("revoke", "/v1/revoke", StatusCode::OK, ""),
            ("device/authorize", "/v1/token", StatusCode::BAD_REQUEST, "unauthorized_client"),
        ] {
            let changes = json!({ "jti": endpoint, "aud": format!("{ISSUER}{audience}") });
            let text = assertion(&house, &key, &changes);
            let answer = post(&house, endpoint, &text, &[]).await.expect(known);
            if !error.is_empty() {
                assert_eq!(answer.error().0, error, "{endpoint}");
            }
            let (error, description) =
                post(&house, endpoint, &text, &[]).await.expect(StatusCode::UNAUTHORIZED).error();
            assert_eq!(error, "invalid_client", "{endpoint}");
            assert!(description.contains("was used before"), "{description}");
        }
    }
}

#[tokio::test]
async fn an_assertion_that_proves_nothing_is_refused_with_the_reason() {
    let (house, key) = registered(Algorithm::Es256).await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let now = house.clock_now().as_second();
    let good = |jti: &str| assertion(&house, &key, &json!({ "jti": jti }));
    let cases = [
        (assertion(&house, &stranger, &json!({})), &[][..], "invalid_client", "does not publish"),
        ("junk".to_owned(), &[], "invalid_client", "malformed"),
        (assertion(&house, &key, &json!({ "jti": null })), &[], "invalid_client", "claim 'jti'"),
        (assertion(&house, &key, &json!({ "exp": now - 60 })), &[], "invalid_client", "expired"),
        (assertion(&house, &key, &json!({ "exp": now + 7200 })), &[], "invalid_client", "too long"),
        (
            assertion(&house, &key, &json!({ "aud": "https://other.example" })),
            &[],
            "invalid_client",
            "audience",
        ),
        (assertion(&house, &key, &json!({ "iss": "other" })), &[], "invalid_client", "another client"),
        (
            assertion(&house, &key, &json!({ "iss": "other", "sub": "other" })),
            &[],
            "invalid_client",
            "no such client",
        ),
        (good("1"), &["client_assertion_type=jwt"], "invalid_request", "client_assertion_type must be"),
        (good("2"), &["client_assertion_type"], "invalid_request", "client_assertion_type must be"),
        (good("3"), &["client_assertion"], "invalid_request", "client_assertion is missing"),
        (good("4"), &["client_secret=x"], "invalid_request", "more than one"),
        (good("5"), &["client_id=other"], "invalid_request", "another than the client of the assertion"),
        (good("6"), &["client_id=k8s"], "invalid_grant", ""),
    ];
    for (text, changes, error, says) in cases {
        let answer = post(&house, "token", &text, changes).await;
        let (found, description) = answer.error();
        assert_eq!((found.as_str(), description.contains(says)), (error, true), "{changes:?} {description}");
        assert!(!answer.body.contains(&text), "the assertion is not repeated");
    }
    let body = form(&[("grant_type", "refresh_token"), ("client_id", "k8s"), ("refresh_token", "x")], &[]);
    let (_, description) = house.browser().post("/oauth2/k8s-auth/v1/token", &body).await.error();
    assert_eq!(description, "The client is registered for the authentication method private_key_jwt.");
}

#[tokio::test]
async fn a_client_whose_keys_cannot_be_used_is_told_so() {
    let (house, key) = registered(Algorithm::Es256).await;
    for (keys, says) in [
        (
            ClientKeys::At("https://client.example/keys".parse().unwrap()),
            "could not be fetched from its jwks_uri.",
        ),
        (ClientKeys::Inline(json!({ "keys": [{ "kty": "oct", "k": "x" }] })), "is a private key"),
        (ClientKeys::Inline(json!({ "keys": [] })), "does not publish"),
    ] {
        register(&house, keys).await;
        let answer = post(&house, "token", &assertion(&house, &key, &json!({})), &[]).await;
        let (error, description) = answer.expect(StatusCode::UNAUTHORIZED).error();
        assert_eq!((error.as_str(), description.contains(says)), ("invalid_client", true), "{description}");
    }
}

#[tokio::test]
async fn a_client_with_a_key_redeems_and_refreshes() {
    let (house, key) = registered(Algorithm::Es256).await;
    let answer = house.browser().sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap();
    let prove = |jti: &str| {
        [
            format!("client_assertion_type={JWT_BEARER}"),
            format!("client_assertion={}", assertion(&house, &key, &json!({ "jti": jti }))),
        ]
    };
    let proof = prove("redeem");
    let tokens =
        house.redeem(&code, &[&proof[0], &proof[1], "client_id"]).await.expect(StatusCode::OK).json();
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    house.refresh(refresh_token, &[&proof[0], &proof[1]]).await.expect(StatusCode::UNAUTHORIZED);
    let proof = prove("refresh");
    house.refresh(refresh_token, &[&proof[0], &proof[1]]).await.expect(StatusCode::OK);

    // What has ended by its own time may come again: it is refused by that.
    house.advance(SignedDuration::from_secs(3660));
    let answer = house.refresh(refresh_token, &[&proof[0], &proof[1]]).await.expect(StatusCode::UNAUTHORIZED);
    assert!(answer.error().1.contains("expired"), "{answer:?}");
}

const KEYS: &str = "https://client.example/keys";

fn set(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>() }).to_string()
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_and_exchanged_without_a_new_registration() {
    let house = House::new().await;
    let [old, new] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256).unwrap());
    register(&house, ClientKeys::At(KEYS.parse().unwrap())).await;
    house.web.serve(KEYS, set(&[&old]));
    let proves = async |key: &SigningKey, jti: &str| {
        let answer = post(&house, "revoke", &assertion(&house, key, &json!({ "jti": jti })), &[]).await;
        (answer.status == StatusCode::OK, house.web.fetches())
    };
    assert_eq!(proves(&old, "1").await, (true, 1));
    assert_eq!(proves(&old, "2").await, (true, 1), "it is remembered");
    // However many strangers try, the client is asked once a minute.
    assert_eq!(proves(&new, "3").await, (false, 1));
    house.advance(SignedDuration::from_secs(60));
    assert_eq!(proves(&new, "4").await, (false, 2));
    assert_eq!(proves(&new, "5").await, (false, 2));
    house.web.serve(KEYS, set(&[&new]));
    house.advance(SignedDuration::from_secs(60));
    assert_eq!(proves(&new, "6").await, (true, 3));
    assert_eq!(proves(&old, "7").await, (false, 3), "the old key is no key any more");
}

#[tokio::test]
async fn an_address_without_keys_is_told_to_nobody_but_the_log() {
    let house = House::new().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    register(&house, ClientKeys::At(KEYS.parse().unwrap())).await;
    for (served, says) in [
        (None, "The client's keys could not be fetched from its jwks_uri."),
        (Some("<html>".to_owned()), "The client's keys at its jwks_uri: "),
        (Some(json!({ "keys": [{ "kty": "EC", "d": "x" }] }).to_string()), "publishes a private key"),
        (Some(format!("{}{}", set(&[&key]), " ".repeat(64 * 1024))), "could not be fetched"),
    ] {
        match served {
            Some(body) => house.web.serve(KEYS, body),
            None => house.web.stop(KEYS),
        }
        house.advance(SignedDuration::from_hours(2));
        let answer = post(&house, "token", &assertion(&house, &key, &json!({})), &[]).await;
        let (error, description) = answer.expect(StatusCode::UNAUTHORIZED).error();
        assert_eq!((error.as_str(), description.contains(says)), ("invalid_client", true), "{description}");
        assert!(!description.contains("10.0.0.1"), "{description}");
    }
}
