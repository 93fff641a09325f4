//! The token endpoint, with codes.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{
    Change, ClientAuthentication, ClientSecret, ClientSecretId, ClientSecretValue, GrantType, Status,
};
use kubesso_token::{Algorithm, JwkSet};
use serde_json::{Value, json};

use crate::house::{House, ISSUER, PASSWORD, Tokens, World, header_of, payload, user, user_id};

async fn code(house: &House, changes: &[&str]) -> String {
    let answer = house.browser().sign_in(&house.authorize(changes), "dev@example.com", PASSWORD).await;
    answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test]
async fn the_tokens_say_what_kube_apiserver_reads_in_the_types_that_it_takes() {
    let house = House::with(World { algorithm: "RS256", ..World::default() }).await;
    let answer = house.redeem(&code(&house, &[]).await, &[]).await.expect(StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let tokens = Tokens(answer.json());
    assert_eq!(tokens.0["token_type"], "Bearer");
    assert_eq!(tokens.0["expires_in"], 3600);
    assert_eq!(tokens.0["scope"], "openid email profile offline_access");

    let mut claims = Value::Object(tokens.claims());
    for varying in ["jti", "at_hash", "sid"] {
        assert!(claims[varying].as_str().is_some_and(|text| text.len() > 10), "{varying}");
        claims[varying] = json!("…");
    }
    insta::assert_json_snapshot!(claims, @r#"
    {
      "acr": "urn:okta:loa:1fa:pwd",
      "amr": [
        "pwd"
      ],
      "at_hash": "…",
      "aud": "k8s",
      "auth_time": 1795334400,
      "email": "dev@example.com",
      "email_verified": true,
      "exp": 1795338000,
      "family_name": "Example",
      "given_name": "dev",
      "groups": [
        "k8s-restricted-users"
      ],
      "iat": 1795334400,
      "iss": "https://localhost:8443/oauth2/k8s-auth",
      "jti": "…",
      "name": "dev Example",
      "nonce": "the-nonce",
      "preferred_username": "dev@example.com",
      "sid": "…",
      "sub": "dev"
    }
    "#);
    assert_eq!(header_of(tokens.id_token())["typ"], "JWT");
    assert_eq!(header_of(tokens.id_token())["alg"], "RS256");

    let keys = house.browser().get("/oauth2/k8s-auth/v1/keys").await.expect(StatusCode::OK);
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    for token in [tokens.id_token(), tokens.access_token()] {
        assert!(keys.verify(token, &[Algorithm::Rs256]).is_ok());
    }
}

#[tokio::test]
async fn the_access_token_is_one_of_rfc_9068_and_no_id_token() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    assert_eq!(header_of(tokens.access_token())["typ"], "at+jwt");
    let mut claims = Value::Object(payload(tokens.access_token()));
    for varying in ["jti", "grant_id"] {
        assert!(claims[varying].as_str().is_some_and(|text| text.len() > 10), "{varying}");
        claims[varying] = json!("…");
    }
    insta::assert_json_snapshot!(claims, @r#"
    {
      "acr": "urn:okta:loa:1fa:pwd",
      "amr": [
        "pwd"
      ],
      "aud": "http:://localhost:8000",
      "auth_time": 1795334400,
      "cid": "k8s",
      "client_id": "k8s",
      "exp": 1795338000,
      "grant_id": "…",
      "iat": 1795334400,
      "iss": "https://localhost:8443/oauth2/k8s-auth",
      "jti": "…",
      "scope": "openid email profile offline_access",
      "scp": [
        "openid",
        "email",
        "profile",
        "offline_access"
      ],
      "sub": "dev",
      "uid": "dev"
    }
    "#);
}

#[tokio::test]
async fn claims_follow_the_scopes_and_the_groups() {
    let house = House::new().await;
    let guest = house.sign_in("guest@example.com").await.claims();
    assert_eq!(guest.get("groups"), None, "in no group that the filter lets through");
    let admin = house.sign_in("admin@example.com").await.claims();
    assert_eq!(admin["groups"], json!(["k8s-admins"]));

    let tokens = house.redeem(&code(&house, &["scope=openid"]).await, &[]).await.json();
    assert_eq!(tokens.get("refresh_token"), None, "without offline_access");
    let claims = Tokens(tokens).claims();
    assert_eq!((claims.get("email"), claims.get("name")), (None, None));
    assert_eq!(claims["groups"], json!(["k8s-restricted-users"]));

    let tokens = house.redeem(&code(&house, &["scope=email"]).await, &[]).await.json();
    assert_eq!(tokens.get("id_token"), None, "without openid");
    let claims = Tokens(house.redeem(&code(&house, &["nonce"]).await, &[]).await.json()).claims();
    assert_eq!(claims.get("nonce"), None, "none was given");
}

#[tokio::test]
async fn a_refresh_token_needs_the_clients_grant_type_as_well() {
    let house = House::new().await;
    let mut application = house.application.clone();
    application.grant_types.remove(&GrantType::RefreshToken);
    house.change(Change::PutApplication(application)).await;
    let tokens = house.redeem(&code(&house, &[]).await, &[]).await.expect(StatusCode::OK).json();
    assert_eq!(tokens.get("refresh_token"), None);
    assert_eq!(tokens["scope"], "openid email profile");
    let answer = house.refresh("anything", &[]).await;
    assert_eq!(answer.error().0, "unauthorized_client");
}

#[tokio::test]
async fn what_does_not_fit_the_code_is_refused_and_the_code_stays_good() {
    let house = House::new().await;
    let code = code(&house, &[]).await;
    let other_verifier = format!("code_verifier={}", "a".repeat(43));
    let cases: [(&[&str], u16, &str, &str); 13] = [
        (&["grant_type"], 400, "invalid_request", "The parameter grant_type is missing."),
        (
            &["grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer"],
            400,
            "unsupported_grant_type",
            "The grant type urn:ietf:params:oauth:grant-type:jwt-bearer is not supported.",
        ),
        (
            &["grant_type=nonsense"],
            400,
            "unsupported_grant_type",
            "The grant type nonsense is not supported.",
        ),
        (&["code"], 400, "invalid_request", "The parameter code is missing."),
        (&["code=junk"], 400, "invalid_grant", "The code is unknown, expired or already redeemed."),
        (&["+code=junk"], 400, "invalid_request", "The parameter code is given more than once."),
        (&["redirect_uri"], 400, "invalid_request", "The parameter redirect_uri is missing."),
        (&["redirect_uri=http://localhost:18000"], 400, "invalid_grant", "The redirect_uri is not the one"),
        (&["redirect_uri=http://localhost:8000/"], 400, "invalid_grant", "The redirect_uri is not the one"),
        (&["code_verifier"], 400, "invalid_request", "The parameter code_verifier is missing."),
        (&[&other_verifier], 400, "invalid_grant", "The code_verifier does not fit the code_challenge."),
        (&["client_id"], 401, "invalid_client", "The parameter client_id is missing."),
        (&["client_id=other"], 401, "invalid_client", "There is no such client"),
    ];
    for (changes, status, error, description) in cases {
        let answer = house.redeem(&code, changes).await;
        let (code, text) = answer.error();
        assert_eq!((answer.status.as_u16(), code.as_str()), (status, error), "{changes:?}: {text}");
        assert!(text.starts_with(description), "{changes:?}: {text}");
        assert_eq!(answer.header("cache-control"), "no-store", "{changes:?}");
    }
    house.redeem(&code, &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn only_a_posted_form_is_read() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.get("/oauth2/k8s-auth/v1/token").await.expect(StatusCode::METHOD_NOT_ALLOWED);
    let request = Request::post("/oauth2/k8s-auth/v1/token")
        .header(header::CONTENT_TYPE, "application/json")
        .body("{}".into());
    let answer = browser.send(request.unwrap()).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(answer.error().0, "invalid_request");
    let long = "x".repeat(100_000);
    let answer = browser.post("/oauth2/k8s-auth/v1/token", &long).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_code_ends_after_a_minute() {
    let house = House::new().await;
    let (first, second) = (code(&house, &[]).await, code(&house, &[]).await);
    house.advance(SignedDuration::from_secs(59));
    house.redeem(&first, &[]).await.expect(StatusCode::OK);
    house.advance(SignedDuration::from_secs(1));
    assert_eq!(house.redeem(&second, &[]).await.error().0, "invalid_grant");
}

#[tokio::test]
async fn a_code_works_once_and_a_second_use_revokes_what_the_first_gave() {
    let house = House::new().await;
    let code = code(&house, &[]).await;
    let tokens = Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json());
    assert_eq!(house.redeem(&code, &[]).await.expect(StatusCode::BAD_REQUEST).error().0, "invalid_grant");
    let refused = house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.error().0, "invalid_grant");
}

#[tokio::test]
async fn of_many_who_redeem_a_code_at_once_one_wins() {
    let house = House::new().await;
    let code = code(&house, &[]).await;
    let attempts = (0..8).map(|_| house.redeem(&code, &[]));
    let answers = futures_util::future::join_all(attempts).await;
    let won = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn what_changed_since_the_sign_in_counts() {
    let house = House::new().await;
    let (first, second) = (code(&house, &[]).await, code(&house, &[]).await);
    let suspended = user("dev", house.clock_now()).suspend(house.clock_now()).unwrap();
    house.change(Change::PutUser(suspended)).await;
    assert_eq!(house.redeem(&first, &[]).await.error().0, "invalid_grant");
    house.change(Change::PutUser(user("dev", house.clock_now()))).await;
    house.change(Change::RemoveMember("k8s-restricted-users".parse().unwrap(), user_id("dev"))).await;
    let (error, description) = house.redeem(&second, &[]).await.error();
    assert_eq!(error, "invalid_grant");
    assert_eq!(description, "The person is not assigned to the client application any more.");
}

#[tokio::test]
async fn a_client_with_a_secret_has_to_show_it() {
    let house = House::new().await;
    let mut application = house.application.clone();
    let secret = ClientSecretValue::generate(&*house.entropy);
    application.authentication = ClientAuthentication::ClientSecretPost(vec![ClientSecret {
        id: ClientSecretId::generate(&*house.entropy),
        hash: secret.hash(),
        sealed: house.sealing_key.seal(ClientSecret::PURPOSE, secret.expose().as_bytes(), &*house.entropy),
        status: Status::Active,
        created: house.clock_now(),
    }]);
    house.change(Change::PutApplication(application)).await;
    let code = code(&house, &[]).await;
    assert_eq!(house.redeem(&code, &[]).await.expect(StatusCode::UNAUTHORIZED).error().0, "invalid_client");
    let secret = format!("client_secret={}", secret.expose());
    house.redeem(&code, &[&secret]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_verifier_without_a_challenge_means_that_somebody_took_the_challenge_out() {
    let house = House::new().await;
    let mut application = house.application.clone();
    let secret = ClientSecretValue::generate(&*house.entropy);
    application.pkce_required = false;
    application.authentication = ClientAuthentication::ClientSecretPost(vec![ClientSecret {
        id: ClientSecretId::generate(&*house.entropy),
        hash: secret.hash(),
        sealed: house.sealing_key.seal(ClientSecret::PURPOSE, secret.expose().as_bytes(), &*house.entropy),
        status: Status::Active,
        created: house.clock_now(),
    }]);
    house.change(Change::PutApplication(application)).await;
    let code = code(&house, &["code_challenge", "code_challenge_method"]).await;
    let secret = format!("client_secret={}", secret.expose());
    assert_eq!(house.redeem(&code, &[&secret]).await.error().0, "invalid_grant");
    house.redeem(&code, &[&secret, "code_verifier"]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_code_of_one_client_is_nothing_to_another() {
    let house = House::new().await;
    let mut other = house.application.clone();
    other.id = "other".parse().unwrap();
    other.client_id = "other".parse().unwrap();
    house.change(Change::PutApplication(other)).await;
    let code = code(&house, &[]).await;
    assert_eq!(house.redeem(&code, &["client_id=other"]).await.error().0, "invalid_grant");
    house.redeem(&code, &[]).await.expect(StatusCode::OK);
    assert_eq!(house.provider.issuer(&"k8s-auth".parse().unwrap()), ISSUER);
}
