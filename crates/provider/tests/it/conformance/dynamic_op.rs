//! "Dynamic OP": clients register themselves, and both sides exchange their keys without telling the other beforehand.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use kubesso_directory::GroupId;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::{Answer, CHALLENGE, House, ISSUER, PASSWORD, Tokens, VERIFIER, form, header_of};
use crate::registration::{application, call, house, own, register};

/// A house where everybody may register, for members of a group that may sign in to all clients.
async fn open() -> House {
    let house = house(true, &["k8s-restricted-users"]).await;
    let snapshot = house.store.snapshot().await.unwrap();
    let server = snapshot.servers().find(|server| server.server.id.as_str() == "k8s-auth").unwrap();
    for (policy, _) in server.policies() {
        let mut policy = policy.clone();
        policy.clients = kubesso_directory::PolicyClients::All;
        house.change(kubesso_directory::Change::PutPolicy(policy)).await;
    }
    house
}

async fn registered(house: &House, metadata: &Value) -> Value {
    register(house, None, metadata).await.expect(StatusCode::CREATED).json()
}

fn request(client: &Value, changes: &[&str]) -> String {
    let query = form(
        &[
            ("client_id", client["client_id"].as_str().unwrap()),
            ("redirect_uri", client["redirect_uris"][0].as_str().unwrap()),
            ("response_type", "code"),
            ("scope", "openid"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
        changes,
    );
    format!("/oauth2/k8s-auth/v1/authorize?{query}")
}

async fn signed_in(house: &House, path: &str) -> Answer {
    house.browser().sign_in(path, "dev@example.com", PASSWORD).await
}

async fn redeem(house: &House, client: &Value, code: &str, proof: &[(&str, &str)]) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client["client_id"].as_str().unwrap()),
        ("redirect_uri", client["redirect_uris"][0].as_str().unwrap()),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    house.browser().post("/oauth2/k8s-auth/v1/token", &form(&[&fields[..], proof].concat(), &[])).await
}

#[tokio::test]
async fn a_client_that_was_not_there_a_moment_ago_signs_people_in() {
    let house = open().await;
    let metadata = json!({
        "client_name": "Conformance", "redirect_uris": ["https://rp.example/cb?foo=bar"], "contacts": ["a@example.com"],
        "logo_uri": "https://rp.example/logo.png", "policy_uri": "https://rp.example/policy", "tos_uri": "https://rp.example/tos",
        "token_endpoint_auth_method": "client_secret_post", "response_types": ["code"], "subject_type": "public",
    });
    let client = registered(&house, &metadata).await;
    for (name, value) in metadata.as_object().unwrap() {
        assert_eq!(&client[name], value, "what was asked for is what is registered: {name}");
    }
    assert_eq!(client["client_secret_expires_at"], 0);
    // A redirect URI with a query is answered with it, and no other query is.
    let answer = signed_in(&house, &request(&client, &[])).await;
    let location = answer.location().unwrap();
    assert!(location.as_str().starts_with("https://rp.example/cb?foo=bar&"), "{location}");
    let secret = client["client_secret"].as_str().unwrap();
    let code = answer.returned("code").unwrap();
    let tokens = redeem(&house, &client, &code, &[("client_secret", secret)]).await.expect(StatusCode::OK);
    assert_eq!(Tokens(tokens.json()).claims()["aud"], client["client_id"]);
    for other in
        ["https://rp.example/cb?foo=other", "https://rp.example/cb", "https://rp.example/cb?foo=bar&x=y"]
    {
        let page = house.browser().get(&request(&client, &[&format!("redirect_uri={other}")])).await;
        assert!(page.expect(StatusCode::BAD_REQUEST).body.contains("Redirect not allowed"), "{other}");
    }
}

#[tokio::test]
async fn what_the_profile_forbids_to_register_is_refused() {
    let house = open().await;
    for (changes, error) in [
        (json!({ "redirect_uris": ["https://rp.example/cb#fragment"] }), "invalid_redirect_uri"),
        (json!({}), "invalid_redirect_uri"),
        (
            json!({ "redirect_uris": ["https://rp.example/cb"], "sector_identifier_uri": "https://rp.example/s" }),
            "invalid_client_metadata",
        ),
        (
            json!({ "redirect_uris": ["https://rp.example/cb"], "id_token_signed_response_alg": "none" }),
            "invalid_client_metadata",
        ),
    ] {
        let answer = register(&house, None, &changes).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.error().0, error, "{changes}");
    }
}

#[tokio::test]
async fn a_client_exchanges_its_key_and_its_request_counts_with_the_new_one() {
    let house = open().await;
    let (keys, requests) = ("https://rp.example/keys", "https://rp.example/request");
    let [old, new] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256).unwrap());
    let set = |key: &SigningKey| json!({ "keys": [key.public_jwk()] }).to_string();
    house.web.serve(keys, set(&old));
    let metadata = json!({
        "redirect_uris": ["https://rp.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys,
        "request_uris": [requests], "request_object_signing_alg": "ES256",
    });
    let client = registered(&house, &metadata).await;
    let client_id = client["client_id"].as_str().unwrap();
    for (round, key) in [&old, &new].into_iter().enumerate() {
        let now = house.clock_now().as_second();
        let object = json!({
            "iss": client_id, "aud": ISSUER, "exp": now + 60, "client_id": client_id, "response_type": "code",
            "redirect_uri": "https://rp.example/cb", "scope": "openid", "state": format!("round-{round}"),
            "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        });
        house.web.serve(requests, key.sign("JWT", &object).unwrap());
        let path = request(&client, &[&format!("request_uri={requests}")]);
        let answer = signed_in(&house, &path).await;
        assert_eq!(answer.returned("state"), Some(format!("round-{round}")));
        let claims = json!({ "iss": client_id, "sub": client_id, "aud": ISSUER, "exp": now + 60, "jti": round.to_string() });
        let assertion = key.sign("JWT", &claims).unwrap();
        let proof = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        redeem(&house, &client, &answer.returned("code").unwrap(), &proof).await.expect(StatusCode::OK);
        house.web.serve(keys, set(&new));
        house.advance(SignedDuration::from_mins(2));
    }
}

#[tokio::test]
async fn the_provider_exchanges_its_key_and_publishes_it_beforehand() {
    let house = open().await;
    let metadata = json!({ "redirect_uris": ["https://rp.example/cb"], "token_endpoint_auth_method": "client_secret_post" });
    let client = registered(&house, &metadata).await;
    let secret = client["client_secret"].as_str().unwrap();
    let mut used = Vec::new();
    for _ in 0..2 {
        let published = house.browser().get("/oauth2/k8s-auth/v1/keys").await.json();
        let code = signed_in(&house, &request(&client, &[])).await.returned("code").unwrap();
        let tokens =
            redeem(&house, &client, &code, &[("client_secret", secret)]).await.expect(StatusCode::OK);
        let tokens = Tokens(tokens.json());
        let kid = header_of(tokens.id_token())["kid"].clone();
        assert!(
            published["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid),
            "{kid} {published}"
        );
        used.push(kid);
        let server = kubesso_directory::AuthorizationServerId::parse("k8s-auth").unwrap();
        house.provider.rotate_key(&server).await.unwrap();
    }
    assert_ne!(used[0], used[1]);
}

#[tokio::test]
async fn a_client_reads_what_is_registered_and_is_an_application_of_the_group() {
    let house = open().await;
    let client = registered(&house, &json!({ "redirect_uris": ["https://rp.example/cb"] })).await;
    let (path, token) = own(&client);
    let read = call(&house, Method::GET, &path, Some(&token), None).await.expect(StatusCode::OK).json();
    for name in ["client_id", "redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method"]
    {
        assert_eq!(read[name], client[name], "{name}");
    }
    let found = application(&house, &client).await.unwrap();
    let snapshot = house.store.snapshot().await.unwrap();
    let groups: Vec<_> = snapshot.group_assignments(&found.id).iter().map(|one| one.group.clone()).collect();
    assert_eq!(groups, [GroupId::parse("k8s-restricted-users").unwrap()]);
}
