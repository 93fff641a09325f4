//! Tokens that are bound to a key (DPoP, RFC 9449).

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_ambient::draw;
use kubesso_directory::{
    Change, ClientAuthentication, ClientSecret, ClientSecretId, ClientSecretValue, GrantType, Status,
};
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::{Answer, House, ORIGIN, PASSWORD, REDIRECT_URI, VERIFIER, form, payload};

pub(crate) const TOKEN: &str = "/oauth2/k8s-auth/v1/token";
const USERINFO: &str = "/oauth2/k8s-auth/v1/userinfo";
const SECRET: &str = "the secret";

/// A client's key.
pub(crate) struct Prover(SigningKey);

impl Prover {
    pub(crate) fn new() -> Self {
        Self(SigningKey::generate(Algorithm::Es256).unwrap())
    }

    pub(crate) fn thumbprint(&self) -> String {
        self.0.public_jwk().thumbprint().as_str().to_owned()
    }

    /// A proof (§4.2) for a request, with more claims.
    pub(crate) fn proof(&self, house: &House, method: &str, path: &str, more: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "typ": "dpop+jwt", "alg": self.0.algorithm(), "jwk": self.0.public_jwk() });
        let mut claims = json!({
            "iat": house.clock_now().as_second(),
            "jti": URL_SAFE_NO_PAD.encode(draw::<16>(&*house.entropy)),
            "htm": method,
            "htu": format!("{ORIGIN}{path}"),
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(self.0.sign_bytes(input.as_bytes()).unwrap()))
    }

    /// A proof for the token endpoint, with the nonce that holds now.
    pub(crate) async fn for_tokens(&self, house: &House) -> String {
        self.proof(house, "POST", TOKEN, &json!({ "nonce": nonce(house).await }))
    }

    pub(crate) fn for_userinfo(&self, house: &House, token: &str) -> String {
        self.proof(house, "GET", USERINFO, &json!({ "ath": hash(token) }))
    }
}

fn hash(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref())
}

/// What the token endpoint gives out for the next proof.
async fn nonce(house: &House) -> String {
    let answer = post(house, "grant_type=x", Some("junk")).await;
    answer.header("dpop-nonce").to_owned()
}

pub(crate) async fn post(house: &House, body: &str, proof: Option<&str>) -> Answer {
    let mut request = Request::post(TOKEN).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    house.browser().send(request.body(Body::from(body.to_owned())).unwrap()).await
}

pub(crate) async fn userinfo(house: &House, token: &str, proof: &str) -> Answer {
    let request = Request::get(USERINFO).header(header::AUTHORIZATION, format!("DPoP {token}"));
    house.browser().send(request.header("dpop", proof).body(Body::empty()).unwrap()).await
}

async fn code(house: &House, changes: &[&str]) -> String {
    let answer = house.browser().sign_in(&house.authorize(changes), "dev@example.com", PASSWORD).await;
    answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"))
}

fn redeeming(code: &str, changes: &[&str]) -> String {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "k8s"),
        ("redirect_uri", REDIRECT_URI),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    form(&fields, changes)
}

fn refreshing(token: &str, changes: &[&str]) -> String {
    form(&[("grant_type", "refresh_token"), ("client_id", "k8s"), ("refresh_token", token)], changes)
}

pub(crate) async fn bound(house: &House, prover: &Prover) -> Value {
    let body = redeeming(&code(house, &[]).await, &[]);
    post(house, &body, Some(&prover.for_tokens(house).await)).await.expect(StatusCode::OK).json()
}

async fn with_secret(house: &House) {
    let mut application = house.application.clone();
    application.authentication = ClientAuthentication::ClientSecretPost(vec![ClientSecret {
        id: ClientSecretId::generate(&*house.entropy),
        hash: ClientSecretValue::presented(SECRET).hash(),
        sealed: house.sealing_key.seal(ClientSecret::PURPOSE, SECRET.as_bytes(), &*house.entropy),
        status: Status::Active,
        created: house.clock_now(),
    }]);
    application.grant_types.insert(GrantType::ClientCredentials);
    house.change(Change::PutApplication(application)).await;
}

#[tokio::test]
async fn a_proof_binds_the_access_token_and_a_public_clients_refresh_token() {
    let house = House::new().await;
    let (mine, others) = (Prover::new(), Prover::new());
    let tokens = bound(&house, &mine).await;
    assert_eq!(tokens["token_type"], "DPoP");
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(payload(access_token)["cnf"], json!({ "jkt": mine.thumbprint() }));
    assert_eq!(payload(tokens["id_token"].as_str().unwrap()).get("cnf"), None);

    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let body = refreshing(refresh_token, &[]);
    let bare = post(&house, &body, None).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(bare.error().0, "invalid_dpop_proof");
    let stolen = post(&house, &body, Some(&others.for_tokens(&house).await)).await;
    assert_eq!(stolen.error().0, "invalid_grant");
    let proof = mine.for_tokens(&house).await;
    let refreshed = post(&house, &body, Some(&proof)).await.expect(StatusCode::OK);
    assert_ne!(refreshed.header("dpop-nonce"), "", "for the next one");
    assert_eq!(refreshed.json()["token_type"], "DPoP");
    let body = refreshing(refreshed.json()["refresh_token"].as_str().unwrap(), &[]);
    let replayed = post(&house, &body, Some(&proof)).await;
    assert_eq!(replayed.error().0, "invalid_dpop_proof", "a proof is for one request");

    for token in [access_token, refreshed.json()["refresh_token"].as_str().unwrap()] {
        let asked = form(&[("client_id", "k8s"), ("token", token)], &[]);
        let known = house.browser().post("/oauth2/k8s-auth/v1/introspect", &asked).await.json();
        assert_eq!(known["cnf"]["jkt"], mine.thumbprint().as_str());
    }
}

#[tokio::test]
async fn a_client_with_credentials_may_take_another_key_when_it_refreshes() {
    let house = House::new().await;
    with_secret(&house).await;
    let secret = format!("client_secret={SECRET}");
    let body = redeeming(&code(&house, &[]).await, &[&secret]);
    let tokens = post(&house, &body, Some(&Prover::new().for_tokens(&house).await)).await.json();
    let another = Prover::new();
    let body = refreshing(tokens["refresh_token"].as_str().unwrap(), &[&secret]);
    let refreshed = post(&house, &body, Some(&another.for_tokens(&house).await)).await.json();
    let token = refreshed["access_token"].as_str().unwrap();
    assert_eq!(payload(token)["cnf"]["jkt"], another.thumbprint().as_str());
}

#[tokio::test]
async fn every_grant_gives_bound_tokens_and_none_other_where_the_application_wants_that() {
    let house = House::new().await;
    house.allow(GrantType::ClientCredentials).await;
    house.allow(GrantType::Password).await;
    with_secret(&house).await;
    let stored = house.store.snapshot().await.unwrap();
    let mut application = stored.application(&house.application.client_id).unwrap().clone();
    application.other.insert("oauthClient".to_owned(), json!({ "dpop_bound_access_tokens": true }));
    application.grant_types.insert(GrantType::Password);
    house.change(Change::PutApplication(application)).await;
    let by_password =
        ["grant_type=password", "username=dev@example.com", &format!("password={PASSWORD}"), "scope=openid"];
    let secret = [("client_id", "k8s"), ("client_secret", SECRET)];
    for changes in [&by_password[..], &["grant_type=client_credentials", "scope=email"]] {
        let body = form(&secret, changes);
        let bare = post(&house, &body, None).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(bare.error().0, "invalid_dpop_proof", "{changes:?}");
        let prover = Prover::new();
        let answer = post(&house, &body, Some(&prover.for_tokens(&house).await)).await;
        let tokens = answer.expect(StatusCode::OK).json();
        assert_eq!(tokens["token_type"], "DPoP", "{changes:?}");
        let claims = payload(tokens["access_token"].as_str().unwrap());
        assert_eq!(claims["cnf"]["jkt"], prover.thumbprint().as_str(), "{changes:?}");
    }
}

#[tokio::test]
async fn a_proof_that_is_not_for_this_request_is_refused_and_costs_nothing() {
    let house = House::new().await;
    let prover = Prover::new();
    let body = redeeming(&code(&house, &[]).await, &[]);
    let good = nonce(&house).await;
    let cases = [
        (json!({}), "use_dpop_nonce"),
        (json!({ "nonce": "guessed" }), "use_dpop_nonce"),
        (json!({ "nonce": good, "htm": "GET" }), "invalid_dpop_proof"),
        (json!({ "nonce": good, "htu": format!("{ORIGIN}{USERINFO}") }), "invalid_dpop_proof"),
        (json!({ "nonce": good, "iat": house.clock_now().as_second() - 300 }), "invalid_dpop_proof"),
    ];
    for (claims, error) in cases {
        let proof = prover.proof(&house, "POST", TOKEN, &claims);
        let refused = post(&house, &body, Some(&proof)).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused.error().0, error, "{claims}");
        assert_eq!(refused.header("dpop-nonce"), good, "{claims}");
    }
    let twice = Request::post(TOKEN)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("dpop", prover.for_tokens(&house).await)
        .header("dpop", prover.for_tokens(&house).await);
    let refused = house.browser().send(twice.body(Body::from(body.clone())).unwrap()).await;
    assert_eq!(refused.error().0, "invalid_dpop_proof");
    // The code is still there.
    post(&house, &body, Some(&prover.for_tokens(&house).await)).await.expect(StatusCode::OK);
    let old = prover.for_tokens(&house).await;
    house.advance(SignedDuration::from_mins(10));
    let body = redeeming(&code(&house, &[]).await, &[]);
    assert_eq!(post(&house, &body, Some(&old)).await.error().0, "invalid_dpop_proof", "too old");
}

#[tokio::test]
async fn a_code_is_bound_to_the_key_that_its_request_named() {
    let house = House::new().await;
    let (mine, others) = (Prover::new(), Prover::new());
    let named = format!("dpop_jkt={}", mine.thumbprint());
    let body = redeeming(&code(&house, &[&named]).await, &[]);
    assert_eq!(post(&house, &body, None).await.error().0, "invalid_dpop_proof");
    let proof = others.for_tokens(&house).await;
    assert_eq!(post(&house, &body, Some(&proof)).await.error().0, "invalid_grant");
    let proof = mine.for_tokens(&house).await;
    post(&house, &body, Some(&proof)).await.expect(StatusCode::OK);

    let answer = house.browser().get(&house.authorize(&["dpop_jkt=short"])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn userinfo_takes_a_bound_token_with_its_proof_only() {
    let house = House::new().await;
    let (mine, others) = (Prover::new(), Prover::new());
    let tokens = bound(&house, &mine).await;
    let token = tokens["access_token"].as_str().unwrap();
    let free = house.sign_in("dev@example.com").await;
    let once = mine.for_userinfo(&house, token);
    let cases = [
        ("DPoP", token, Some(once.clone()), 200, ""),
        ("DPoP", token, Some(once), 401, "invalid_dpop_proof"),
        ("dpop", token, Some(mine.for_userinfo(&house, token)), 200, ""),
        ("DPoP", token, None, 401, "invalid_dpop_proof"),
        ("Bearer", token, None, 401, "invalid_dpop_proof"),
        ("Bearer", token, Some(mine.for_userinfo(&house, token)), 401, "invalid_dpop_proof"),
        ("DPoP", token, Some(others.for_userinfo(&house, token)), 401, "invalid_dpop_proof"),
        ("DPoP", token, Some(mine.for_userinfo(&house, free.access_token())), 401, "invalid_dpop_proof"),
        (
            "DPoP",
            free.access_token(),
            Some(mine.for_userinfo(&house, free.access_token())),
            401,
            "invalid_token",
        ),
        ("Bearer", free.access_token(), None, 200, ""),
    ];
    for (index, (scheme, token, proof, status, error)) in cases.into_iter().enumerate() {
        let mut request = Request::get(USERINFO).header(header::AUTHORIZATION, format!("{scheme} {token}"));
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let answer = house.browser().send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{index}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(error), "{index}: {challenge}");
    }
}

#[tokio::test]
async fn a_proof_is_remembered_beyond_a_restart_and_nothing_of_whoever_fails_is() {
    let house = House::new().await;
    let prover = Prover::new();
    let tokens = bound(&house, &prover).await;
    let token = tokens["access_token"].as_str().unwrap();
    let proof = prover.for_userinfo(&house, token);
    userinfo(&house, token, &proof).await.expect(StatusCode::OK);
    // Wrong in something else: a code that does not exist, a token that was revoked, a client that is none.
    let body = redeeming("invented", &[]);
    post(&house, &body, Some(&prover.for_tokens(&house).await)).await.expect(StatusCode::BAD_REQUEST);
    let body = redeeming("invented", &["client_id=nobody"]);
    post(&house, &body, Some(&prover.for_tokens(&house).await)).await.expect(StatusCode::UNAUTHORIZED);
    let body = refreshing(tokens["refresh_token"].as_str().unwrap(), &["scope=beyond"]);
    post(&house, &body, Some(&prover.for_tokens(&house).await)).await.expect(StatusCode::BAD_REQUEST);

    let restarted = house.restarted().await;
    userinfo(&restarted, token, &proof).await.expect(StatusCode::UNAUTHORIZED);
    restarted.advance(SignedDuration::from_mins(6));
    let purged = restarted.store.purge(restarted.clock_now()).await.unwrap();
    assert_eq!(purged.single_uses, 2, "of the code's proof and of userinfo's");
}
