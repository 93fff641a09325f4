//! What the FAPI 2.0 Security Profile asks of an authorization server (§5.3.2), of a client whose settings ask for it: with
//! `private_key_jwt` and DPoP, and with mutual TLS for both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{ClientAuthentication, ClientKeys, GrantType};
use kubesso_provider::ClientCertificate;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::dpop::{Prover, post as post_with_proof, userinfo};
use crate::house::{Answer, CHALLENGE, House, ISSUER, PASSWORD, REDIRECT_URI, VERIFIER, form, payload};
use crate::mutual_tls::{Client, house, register, x5t};

const PAR: &str = "/oauth2/k8s-auth/v1/par";

/// A client that signs assertions.
struct Signer {
    house: House,
    key: SigningKey,
}

async fn signer() -> Signer {
    let house = house().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = ClientKeys::Inline(json!({ "keys": [key.public_jwk()] }));
    let settings = json!({ "dpop_bound_access_tokens": true, "require_pushed_authorization_requests": true });
    register(&house, ClientAuthentication::PrivateKeyJwt(keys), settings).await;
    Signer { house, key }
}

impl Signer {
    /// The form with a new assertion in place of the client id, and `changes`.
    fn proved(&self, fields: &[(&str, &str)], changes: &[&str]) -> String {
        self.proved_at(fields, changes, 0)
    }

    /// Likewise, by a clock that is so many seconds ahead.
    fn proved_at(&self, fields: &[(&str, &str)], changes: &[&str], ahead: i64) -> String {
        self.proved_for(&json!(ISSUER), fields, changes, ahead)
    }

    /// Likewise, for that audience.
    fn proved_for(&self, aud: &Value, fields: &[(&str, &str)], changes: &[&str], ahead: i64) -> String {
        let now = self.house.clock_now().as_second() + ahead;
        let jti = kubesso_directory::GrantId::generate(&*self.house.entropy).to_string();
        let claims = json!({ "iss": "k8s", "sub": "k8s", "aud": aud, "iat": now, "nbf": now, "exp": now + 60, "jti": jti });
        let assertion = self.key.sign("JWT", &claims).unwrap();
        let proof = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        form(&[fields, &proof].concat(), changes)
    }

    async fn push(&self, changes: &[&str]) -> Answer {
        self.house.browser().post(PAR, &self.proved(&REQUEST, changes)).await
    }

    /// A code, and its answer.
    async fn code(&self) -> String {
        let pushed = self.push(&[]).await.expect(StatusCode::CREATED).json();
        signed_in(&self.house, &pushed).await
    }

    async fn redeem(&self, code: &str, prover: Option<&Prover>) -> Answer {
        let body = self.proved(&redeeming(code), &[]);
        let proof = match prover {
            Some(prover) => Some(prover.for_tokens(&self.house).await),
            None => None,
        };
        post_with_proof(&self.house, &body, proof.as_deref()).await
    }
}

const REQUEST: [(&str, &str); 6] = [
    ("response_type", "code"),
    ("redirect_uri", REDIRECT_URI),
    ("scope", "openid email"),
    ("state", "the-state"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

fn redeeming(code: &str) -> [(&'static str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT_URI),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
}

/// What a browser brings back for a pushed request.
async fn signed_in(house: &House, pushed: &Value) -> String {
    let request_uri = pushed["request_uri"].as_str().unwrap();
    let query = form(&[("client_id", "k8s"), ("request_uri", request_uri)], &[]);
    let path = format!("/oauth2/k8s-auth/v1/authorize?{query}");
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    // No 307: a browser would post the password on (RFC 9700 §4.12).
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("iss").as_deref(), Some(ISSUER));
    assert_eq!(answer.returned("state").as_deref(), Some("the-state"));
    answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test]
async fn the_metadata_offers_what_the_profile_needs() {
    let house = house().await;
    let metadata =
        house.browser().get("/.well-known/oauth-authorization-server/oauth2/k8s-auth").await.json();
    let offers = |name: &str, value: &str| {
        assert!(metadata[name].as_array().unwrap().iter().any(|one| one == value), "{name} {value}");
    };
    for method in ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"] {
        offers("token_endpoint_auth_methods_supported", method);
    }
    for algorithm in ["PS256", "ES256"] {
        offers("token_endpoint_auth_signing_alg_values_supported", algorithm);
        offers("dpop_signing_alg_values_supported", algorithm);
    }
    offers("code_challenge_methods_supported", "S256");
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    assert!(metadata["pushed_authorization_request_endpoint"].is_string());
}

#[tokio::test]
async fn with_private_key_jwt_and_dpop_a_sign_in_ends_in_a_token_for_its_owner() {
    let signer = signer().await;
    let (house, prover) = (&signer.house, Prover::new());
    let pushed = signer.push(&[]).await.expect(StatusCode::CREATED).json();
    assert!(pushed["expires_in"].as_i64().unwrap() < 600);
    let code = signed_in(house, &pushed).await;
    let tokens = signer.redeem(&code, Some(&prover)).await.expect(StatusCode::OK).json();
    assert_eq!(tokens["token_type"], "DPoP");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(payload(token)["cnf"]["jkt"], prover.thumbprint());
    userinfo(house, token, &prover.for_userinfo(house, token)).await.expect(StatusCode::OK);
    let other = Prover::new();
    userinfo(house, token, &other.for_userinfo(house, token)).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_mutual_tls_a_sign_in_ends_in_a_token_for_its_owner() {
    let house = house().await;
    let keys = ClientKeys::Inline(json!({ "keys": [{ "x5c": [STANDARD.encode(b"own")] }] }));
    let settings = json!({ "tls_client_certificate_bound_access_tokens": true, "require_pushed_authorization_requests": true });
    register(&house, ClientAuthentication::SelfSignedTls(keys), settings).await;
    let [own, other] = [b"own", b"oth"].map(|der| ClientCertificate::of_anybody(der));
    let [mut client, mut thief, mut nobody] =
        [Some(&own), Some(&other), None].map(|certificate| Client::new(&house, certificate));
    let request = [&REQUEST[..], &[("client_id", "k8s")]].concat();
    for stranger in [&mut thief, &mut nobody] {
        let answer = stranger.post(PAR, &request).await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(answer.error().0, "invalid_client");
    }
    let pushed = client.post(PAR, &request).await.expect(StatusCode::CREATED).json();
    let code = signed_in(&house, &pushed).await;
    thief.redeem(&code).await.expect(StatusCode::UNAUTHORIZED);
    let tokens = client.redeem(&code).await.expect(StatusCode::OK).json();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(payload(token)["cnf"]["x5t#S256"], x5t(b"own"));
    client.userinfo(token).await.expect(StatusCode::OK);
    for stranger in [&mut thief, &mut nobody] {
        stranger.userinfo(token).await.expect(StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_request_counts_only_if_the_client_pushed_it_whole() {
    let signer = signer().await;
    let house = &signer.house;
    // §5.3.2.2: 3. without PAR; 4. without client authentication; 5. without PKCE by S256; 6. without redirect_uri.
    let answer = house.browser().get(&house.authorize(&["prompt=none"])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("invalid_request"));
    assert!(answer.returned("error_description").unwrap().contains("push"), "{answer:?}");
    let unproved = form(&REQUEST, &["+client_id=k8s"]);
    house.browser().post(PAR, &unproved).await.expect(StatusCode::UNAUTHORIZED);
    for changes in [
        &["code_challenge", "code_challenge_method"][..],
        &["code_challenge_method=plain"],
        &["code_challenge_method"],
        &["redirect_uri"],
        &["redirect_uri=https://evil.example/"],
        &["response_type=token"],
        &["request_uri=urn:x"],
    ] {
        let answer = signer.push(changes).await.expect(StatusCode::BAD_REQUEST);
        assert!(
            answer.error().0.starts_with("invalid_") || answer.error().0.starts_with("unsupported_"),
            "{changes:?}"
        );
    }
    // A request object of the client, which is signed but was not pushed, does not count either.
    let claims = json!({ "iss": "k8s", "aud": ISSUER, "exp": house.clock_now().as_second() + 60, "client_id": "k8s",
        "redirect_uri": REDIRECT_URI, "response_type": "code", "scope": "openid", "code_challenge": CHALLENGE,
        "code_challenge_method": "S256", "prompt": "none" });
    let object = signer.key.sign("oauth-authz-req+jwt", &claims).unwrap();
    let query = form(&[("client_id", "k8s"), ("request", &object), ("redirect_uri", REDIRECT_URI)], &[]);
    let answer = house.browser().get(&format!("/oauth2/k8s-auth/v1/authorize?{query}")).await;
    assert_eq!(answer.returned("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn tokens_are_given_only_for_a_code_that_is_young_once_and_to_a_key() {
    let signer = signer().await;
    let (house, prover) = (&signer.house, Prover::new());
    // §5.3.2.1: 4. sender-constrained tokens only.
    let code = signer.code().await;
    let answer = signer.redeem(&code, None).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(answer.error().0, "invalid_dpop_proof");
    // 10. codes live for a minute at most.
    let code = signer.code().await;
    house.advance(SignedDuration::from_secs(61));
    assert_eq!(signer.redeem(&code, Some(&prover)).await.error().0, "invalid_grant");
    // §5.3.2.2: 8. a code works once.
    let code = signer.code().await;
    signer.redeem(&code, Some(&prover)).await.expect(StatusCode::OK);
    assert_eq!(signer.redeem(&code, Some(&prover)).await.error().0, "invalid_grant");
    // 11. the code is bound to the key that the request names.
    let named = format!("dpop_jkt={}", prover.thumbprint());
    let pushed = signer.push(&[&named]).await.expect(StatusCode::CREATED).json();
    let code = signed_in(house, &pushed).await;
    assert_eq!(signer.redeem(&code, Some(&Prover::new())).await.error().0, "invalid_grant");
    signer.redeem(&code, Some(&prover)).await.expect(StatusCode::OK);
    // 2. no password grant.
    let fields = [
        ("grant_type", GrantType::Password.as_str()),
        ("username", "dev@example.com"),
        ("password", PASSWORD),
    ];
    let proof = prover.for_tokens(house).await;
    let answer = post_with_proof(house, &signer.proved(&fields, &[]), Some(&proof)).await;
    assert_eq!(answer.expect(StatusCode::BAD_REQUEST).error().0, "unauthorized_client");
}

#[tokio::test]
async fn an_assertion_may_come_from_a_clock_that_is_a_little_ahead() {
    let signer = signer().await;
    // §5.3.2.1: 12. up to ten seconds must be taken, more than sixty must not.
    for (ahead, expected) in
        [(0, StatusCode::CREATED), (10, StatusCode::CREATED), (61, StatusCode::UNAUTHORIZED)]
    {
        let body = signer.proved_at(&REQUEST, &[], ahead);
        signer.house.browser().post(PAR, &body).await.expect(expected);
    }
}

#[tokio::test]
async fn an_assertion_names_the_issuer_alone() {
    let signer = signer().await;
    // §5.3.2.1: 8. the issuer as text; not the endpoint, which another server could have told the client.
    for (aud, expected) in [
        (json!(ISSUER), StatusCode::CREATED),
        (json!([ISSUER]), StatusCode::UNAUTHORIZED),
        (json!(format!("{ISSUER}/v1/token")), StatusCode::UNAUTHORIZED),
        (json!(format!("{ISSUER}/v1/par")), StatusCode::UNAUTHORIZED),
        (json!([ISSUER, "https://other.example"]), StatusCode::UNAUTHORIZED),
    ] {
        let body = signer.proved_for(&aud, &REQUEST, &[], 0);
        signer.house.browser().post(PAR, &body).await.expect(expected);
    }
}
