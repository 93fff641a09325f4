//! The client credentials grant.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{
    Change, ClientAuthentication, ClientSecret, ClientSecretId, ClientSecretValue, Consent, GrantType,
    Lifetimes, Scope, ScopeName, Status,
};
use serde_json::{Value, json};

use crate::house::{Answer, House, form, header_of, payload, rule};

const SECRET: &str = "the secret";

fn secret(house: &House) -> ClientAuthentication {
    ClientAuthentication::ClientSecretPost(vec![ClientSecret {
        id: ClientSecretId::generate(&*house.entropy),
        hash: ClientSecretValue::presented(SECRET).hash(),
        sealed: house.sealing_key.seal(ClientSecret::PURPOSE, SECRET.as_bytes(), &*house.entropy),
        status: Status::Active,
        created: house.clock_now(),
    }])
}

/// A house whose application may act for itself.
async fn allowed() -> House {
    let house = House::new().await;
    house.allow(GrantType::ClientCredentials).await;
    let mut application = house.application.clone();
    application.authentication = secret(&house);
    application.grant_types.insert(GrantType::ClientCredentials);
    house.change(Change::PutApplication(application)).await;
    house
}

async fn post(house: &House, endpoint: &str, changes: &[&str]) -> Answer {
    let fields = [("client_id", "k8s"), ("client_secret", SECRET)];
    house.browser().post(&format!("/oauth2/k8s-auth/v1/{endpoint}"), &form(&fields, changes)).await
}

async fn ask(house: &House, changes: &[&str]) -> Answer {
    let mut all = vec!["grant_type=client_credentials", "scope=profile email"];
    all.extend(changes);
    post(house, "token", &all).await
}

async fn introspect(house: &House, token: &str) -> Value {
    post(house, "introspect", &[&format!("token={token}")]).await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn a_client_gets_an_access_token_for_itself_and_nothing_else() {
    let house = allowed().await;
    let answer = ask(&house, &[]).await.expect(StatusCode::OK).json();
    assert_eq!(
        answer.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access_token", "expires_in", "scope", "token_type"]
    );
    assert_eq!((&answer["scope"], &answer["token_type"]), (&json!("profile email"), &json!("Bearer")));
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(header_of(token)["typ"], "at+jwt");
    let claims = payload(token);
    for (name, value) in [
        ("sub", json!("k8s")),
        ("cid", json!("k8s")),
        ("client_id", json!("k8s")),
        ("scp", json!(["profile", "email"])),
        ("exp", json!(house.clock_now().as_second() + answer["expires_in"].as_i64().unwrap())),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    for name in ["uid", "auth_time", "groups", "email"] {
        assert_eq!(claims.get(name), None, "{name} is about a person");
    }
}

#[tokio::test]
async fn who_asks_for_what_is_not_given_is_told_why() {
    let house = allowed().await;
    for (changes, error, says) in [
        (&["scope"][..], "invalid_scope", "scope is missing"),
        (&["scope=profile openid"], "invalid_scope", "openid is for people"),
        (&["scope=offline_access"], "invalid_scope", "offline_access is for people"),
        (&["scope=unknown"], "invalid_scope", "no scope unknown"),
        (&["client_secret=wrong"], "invalid_client", "wrong"),
        (&["client_secret"], "invalid_client", "client_secret_post"),
    ] {
        let (found, description) = ask(&house, changes).await.error();
        assert_eq!((found.as_str(), description.contains(says)), (error, true), "{changes:?}: {description}");
    }

    house.change(Change::PutRule(rule(Lifetimes::default(), house.clock_now()))).await;
    assert_eq!(ask(&house, &[]).await.expect(StatusCode::BAD_REQUEST).error().0, "access_denied", "no rule");
    let mut application = house.application.clone();
    application.authentication = secret(&house);
    house.change(Change::PutApplication(application.clone())).await;
    assert_eq!(ask(&house, &[]).await.error().0, "unauthorized_client", "not its grant");
    application.authentication = ClientAuthentication::None;
    application.grant_types.insert(GrantType::ClientCredentials);
    house.change(Change::PutApplication(application)).await;
    let (error, description) = ask(&house, &["client_secret"]).await.error();
    assert_eq!((error.as_str(), description.contains("no credentials")), ("unauthorized_client", true));
}

#[tokio::test]
async fn people_in_the_rule_are_not_asked_about() {
    let house = allowed().await;
    let snapshot = house.store.snapshot().await.unwrap();
    let server = snapshot.servers().next().unwrap();
    let mut rule = server.policies().flat_map(|(_, rules)| rules).next().unwrap().clone();
    rule.people.include_groups = kubesso_directory::RuleGroups::Only([].into());
    house.change(Change::PutRule(rule)).await;
    ask(&house, &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_clients_own_token_is_introspected_and_tells_nothing_of_people() {
    let house = allowed().await;
    let answer = ask(&house, &[]).await.expect(StatusCode::OK).json();
    let token = answer["access_token"].as_str().unwrap();
    let known = introspect(&house, token).await;
    assert_eq!((&known["active"], &known["sub"]), (&json!(true), &json!("k8s")));
    assert_eq!(known.get("username"), None);

    let request =
        Request::get("/oauth2/k8s-auth/v1/userinfo").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let refused = house.browser().send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let body = format!("token={token}");
    let (error, _) = post(&house, "revoke", &[&body]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "unsupported_token_type", "better than to say that it was done");
    assert_eq!(house.provider.person_of_access_token(token).await.unwrap(), None);

    house.advance(SignedDuration::from_secs(answer["expires_in"].as_i64().unwrap()));
    assert_eq!(introspect(&house, token).await, json!({ "active": false }));
}

#[tokio::test]
async fn the_grant_is_published_where_a_rule_allows_it() {
    let path = "/oauth2/k8s-auth/.well-known/openid-configuration";
    for (house, expected) in [(House::new().await, false), (allowed().await, true)] {
        let published = house.browser().get(path).await.json()["grant_types_supported"].clone();
        let is_published = published.as_array().unwrap().contains(&json!("client_credentials"));
        assert_eq!(is_published, expected, "{published}");
    }
}

#[tokio::test]
async fn a_scope_that_a_person_must_allow_is_for_no_client_by_itself() {
    let house = allowed().await;
    let email = ScopeName::parse("email").unwrap();
    let snapshot = house.store.snapshot().await.unwrap();
    let scope = snapshot.servers().next().unwrap().scope(&email).unwrap().clone();
    for (consent, status) in
        [(Consent::Flexible, StatusCode::OK), (Consent::Required, StatusCode::BAD_REQUEST)]
    {
        house.change(Change::PutScope(Scope { consent, ..scope.clone() })).await;
        let answer = ask(&house, &[]).await.expect(status);
        assert_eq!(answer.json()["error"] == "invalid_scope", consent == Consent::Required);
    }
}
