//! Clients register themselves (RFC 7591), and change themselves (RFC 7592).

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{
    Application, Change, ClientId, ConsentMethod, GroupName, InitialAccessToken, InitialAccessTokenId,
    InitialAccessTokenValue, Label, Status,
};
use kubesso_provider::{ClientAddress, RegistrationPolicy};
use serde_json::{Value, json};

use crate::house::{Answer, House, ISSUER, PASSWORD, VERIFIER, World, form};

const REGISTER: &str = "/oauth2/k8s-auth/v1/register";

pub(crate) async fn house(dangerously_open: bool, groups: &[&str]) -> House {
    let groups = groups.iter().map(|name| GroupName::parse(name).unwrap()).collect();
    let registration = Some(RegistrationPolicy { dangerously_open, groups });
    House::with(World { registration, ..World::default() }).await
}

/// A token for `uses` clients, good for a minute.
pub(crate) async fn token(house: &House, uses: u32) -> String {
    let value = InitialAccessTokenValue::generate(&*house.entropy);
    let now = house.clock_now();
    let token = InitialAccessToken {
        id: InitialAccessTokenId::generate(&*house.entropy),
        name: Label::parse(value.expose()).unwrap(),
        hash: value.hash(),
        uses_left: uses,
        created: now,
        expires: now + SignedDuration::from_secs(60),
    };
    house.change(Change::PutInitialAccessToken(token)).await;
    value.expose().to_owned()
}

pub(crate) async fn call(
    house: &House,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let mut request = request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap();
    request.extensions_mut().insert(ClientAddress("192.0.2.1".parse().ok()));
    house.browser().send(request).await
}

pub(crate) async fn register(house: &House, token: Option<&str>, body: &Value) -> Answer {
    call(house, Method::POST, REGISTER, token, Some(body)).await
}

fn good() -> Value {
    json!({ "client_name": "App", "redirect_uris": ["https://app.example/cb"], "contacts": ["jo@example.com"] })
}

pub(crate) async fn application(house: &House, registered: &Value) -> Option<Application> {
    let id = ClientId::parse(registered["client_id"].as_str().unwrap()).unwrap();
    house.store.snapshot().await.unwrap().application(&id).cloned()
}

/// The path of `registration_client_uri`, and the token for it.
pub(crate) fn own(registered: &Value) -> (String, String) {
    let text = |name: &str| registered[name].as_str().unwrap().to_owned();
    let uri = text("registration_client_uri");
    (uri.strip_prefix("https://localhost:8443").unwrap().to_owned(), text("registration_access_token"))
}

#[tokio::test]
async fn without_the_setting_nobody_registers_anything() {
    let house = House::new().await;
    let token = token(&house, 1).await;
    let answer = register(&house, Some(&token), &good()).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(answer.error().0, "registration_not_supported");
    let metadata = house.browser().get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
    assert!(metadata.get("registration_endpoint").is_none());
}

#[tokio::test]
async fn a_token_registers_so_many_clients_until_its_end() {
    let house = house(false, &[]).await;
    let metadata = house.browser().get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["registration_endpoint"], format!("{ISSUER}/v1/register"));
    let good_token = token(&house, 2).await;
    for wrong in [None, Some("x"), Some(""), Some(&*format!("{good_token}x"))] {
        let answer = register(&house, wrong, &good()).await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(answer.error().0, "invalid_token", "{wrong:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{wrong:?}");
    }
    // A mistake costs no use.
    let wrong = json!({ "redirect_uris": ["http://app.example/"] });
    for _ in 0..3 {
        let answer = register(&house, Some(&good_token), &wrong).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.error().0, "invalid_redirect_uri");
    }
    let answer = call(&house, Method::POST, REGISTER, Some(&good_token), Some(&json!([1]))).await;
    assert_eq!(answer.expect(StatusCode::BAD_REQUEST).error().0, "invalid_client_metadata");
    for expected in [StatusCode::CREATED, StatusCode::CREATED, StatusCode::UNAUTHORIZED] {
        register(&house, Some(&good_token), &good()).await.expect(expected);
    }
    let late = token(&house, 1).await;
    house.advance(SignedDuration::from_secs(60));
    register(&house, Some(&late), &good()).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_registered_is_an_application_that_nobody_may_use_yet() {
    let house = house(false, &[]).await;
    let token = token(&house, 1).await;
    let answer = register(&house, Some(&token), &good()).await.expect(StatusCode::CREATED);
    assert_eq!(answer.header("cache-control"), "no-store");
    let registered = answer.json();
    assert_eq!(registered["client_secret_expires_at"], 0);
    let found = application(&house, &registered).await.unwrap();
    assert_eq!(found.label.as_str(), "App");
    assert_eq!(found.consent_method(), ConsentMethod::Required);
    let secret = registered["client_secret"].as_str().unwrap();
    let (_, own_token) = own(&registered);
    let stored = format!("{found:?}");
    assert!(!stored.contains(secret) && !stored.contains(&own_token), "only hashes are stored");

    let client_id = registered["client_id"].as_str().unwrap();
    let path = house.authorize(&[&format!("client_id={client_id}"), "redirect_uri=https://app.example/cb"]);
    let page = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    assert!(page.returned("code").is_none(), "{page:?}");

    let entries = house.store.audit_events(1000).await.unwrap();
    let entry =
        entries.iter().find(|entry| entry.event_type == "app.oauth2.client.lifecycle.create").unwrap();
    assert!(entry.actor.starts_with("iat"), "{entry:?}");
    assert_eq!(entry.target.as_deref(), Some(client_id));
}

#[tokio::test]
async fn members_of_the_groups_of_the_settings_may_use_it_at_once() {
    let house = house(false, &["k8s-admins", "no such group"]).await;
    let token = token(&house, 1).await;
    let registered = register(&house, Some(&token), &good()).await.expect(StatusCode::CREATED).json();
    let client_id = registered["client_id"].as_str().unwrap();
    // The rule of the house is for one client; an administrator's policy for all of them is what lets a new one in.
    let snapshot = house.store.snapshot().await.unwrap();
    let server = snapshot.servers().find(|server| server.server.id.as_str() == "k8s-auth").unwrap();
    let mut policy = server.policies().next().unwrap().0.clone();
    policy.clients = kubesso_directory::PolicyClients::All;
    house.change(Change::PutPolicy(policy)).await;

    let mut found = application(&house, &registered).await.unwrap();
    found.other.insert("oauthClient".to_owned(), json!({}));
    house.change(Change::PutApplication(found)).await;
    let path = house.authorize(&[&format!("client_id={client_id}"), "redirect_uri=https://app.example/cb"]);
    let answer = house.browser().sign_in(&path, "admin@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
    let fields = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://app.example/cb"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("{client_id}:{}", registered["client_secret"].as_str().unwrap()),
    );
    let request = Request::post("/oauth2/k8s-auth/v1/token")
        .header(header::AUTHORIZATION, format!("Basic {basic}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form(&fields, &[])))
        .unwrap();
    let tokens = house.browser().send(request).await.expect(StatusCode::OK).json();
    assert!(tokens["id_token"].is_string());
    assert!(tokens.get("refresh_token").is_none(), "it did not register for refreshing");
}

#[tokio::test]
async fn a_client_reads_replaces_and_removes_its_registration() {
    let house = house(false, &[]).await;
    let token = token(&house, 2).await;
    let registered = register(&house, Some(&token), &good()).await.expect(StatusCode::CREATED).json();
    let other = register(&house, Some(&token), &good()).await.expect(StatusCode::CREATED).json();
    let (path, own_token) = own(&registered);
    let (_, other_token) = own(&other);
    for wrong in [None, Some("x"), Some(&*other_token), Some(&*token)] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = call(&house, method, &path, wrong, Some(&good())).await;
            assert_eq!(answer.expect(StatusCode::UNAUTHORIZED).error().0, "invalid_token");
        }
    }
    let read = call(&house, Method::GET, &path, Some(&own_token), None).await.expect(StatusCode::OK).json();
    assert_eq!(read["contacts"], registered["contacts"]);
    assert_eq!(read["registration_access_token"], own_token);
    assert!(read.get("client_secret").is_none(), "it was shown once");

    let client_id = registered["client_id"].as_str().unwrap();
    let wanted = json!({ "client_id": client_id, "client_name": "New", "redirect_uris": ["https://new.example/cb"],
        "client_secret": registered["client_secret"], "grant_types": ["authorization_code", "refresh_token"] });
    let changed = |name: &str, value: Value| {
        let mut changed = wanted.clone();
        changed[name] = value;
        changed
    };
    for (body, code) in [
        (changed("client_id", other["client_id"].clone()), "invalid_client_metadata"),
        (changed("client_id", Value::Null), "invalid_client_metadata"),
        (changed("client_secret", "my-own-choice".into()), "invalid_client_metadata"),
        (changed("registration_access_token", own_token.as_str().into()), "invalid_client_metadata"),
        (changed("redirect_uris", json!([])), "invalid_redirect_uri"),
        (changed("grant_types", json!(["password"])), "invalid_client_metadata"),
    ] {
        let answer = call(&house, Method::PUT, &path, Some(&own_token), Some(&body)).await;
        assert_eq!(answer.expect(StatusCode::BAD_REQUEST).error().0, code, "{body}");
    }
    // What an administrator decided stays.
    let mut found = application(&house, &registered).await.unwrap();
    found.pkce_required = true;
    found.other["oauthClient"]["consent_method"] = "TRUSTED".into();
    house.change(Change::PutApplication(found.clone())).await;
    let answer =
        call(&house, Method::PUT, &path, Some(&own_token), Some(&wanted)).await.expect(StatusCode::OK);
    let answer = answer.json();
    assert_eq!(answer["client_name"], "New");
    assert!(answer.get("contacts").is_none(), "what is left out is not registered any more");
    assert!(answer.get("client_secret").is_none(), "the secret stays");
    let after = application(&house, &registered).await.unwrap();
    assert_eq!(after.authentication, found.authentication);
    assert!(after.pkce_required && after.consent_method() == ConsentMethod::Trusted);

    house.change(Change::PutApplication(Application { status: Status::Inactive, ..after.clone() })).await;
    call(&house, Method::GET, &path, Some(&own_token), None).await.expect(StatusCode::FORBIDDEN);
    house.change(Change::PutApplication(after)).await;
    call(&house, Method::DELETE, &path, Some(&own_token), None).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(application(&house, &registered).await, None);
    call(&house, Method::GET, &path, Some(&own_token), None).await.expect(StatusCode::UNAUTHORIZED);
    assert!(application(&house, &other).await.is_some());
}

#[tokio::test]
async fn what_an_administrator_made_has_no_registration() {
    let house = house(true, &[]).await;
    let path = format!("{REGISTER}/k8s");
    for token in ["", "x"] {
        call(&house, Method::GET, &path, Some(token), None).await.expect(StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_open_registration_is_slow_and_ends() {
    let house = house(true, &[]).await;
    for _ in 0..10 {
        register(&house, None, &good()).await.expect(StatusCode::CREATED);
    }
    let answer = register(&house, None, &good()).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "60");
    let entries = house.store.audit_events(1000).await.unwrap();
    assert!(entries.iter().any(|entry| entry.actor == "anonymous"));
    for _ in 0..90 {
        house.advance(SignedDuration::from_hours(25));
        register(&house, None, &good()).await.expect(StatusCode::CREATED);
    }
    house.advance(SignedDuration::from_hours(25));
    let answer = register(&house, None, &good()).await.expect(StatusCode::FORBIDDEN);
    assert!(answer.error().1.contains("initial access token"), "{answer:?}");
    let token = token(&house, 1).await;
    register(&house, Some(&token), &good()).await.expect(StatusCode::CREATED);
}
