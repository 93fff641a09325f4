//! Token exchange (RFC 8693).

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    Application, ApplicationId, Change, ClientAuthentication, ClientSecret, ClientSecretId,
    ClientSecretValue, GrantType, GroupAssignment, Label, Lifetimes, PolicyClients, RedirectUri, Server,
    Status,
};
use serde_json::{Value, json};

use crate::dpop::{Prover, bound, post};
use crate::house::{Answer, House, REDIRECT_URI, Tokens, form, group_id, payload, rule, user, user_id};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SECRET: &str = "the secret";

fn application(house: &House, id: &str) -> Application {
    let redirect = RedirectUri::parse(REDIRECT_URI).unwrap();
    let id = ApplicationId::parse(id).unwrap();
    Application::native(id, Label::parse("another").unwrap(), vec![redirect], house.clock_now())
}

/// A house with a confidential client `broker`, which may exchange, and clients of two more clusters; dev is assigned to
/// the first.
async fn allowed() -> House {
    let house = House::new().await;
    let mut broker = application(&house, "broker");
    broker.authentication = ClientAuthentication::ClientSecretPost(vec![ClientSecret {
        id: ClientSecretId::generate(&*house.entropy),
        hash: ClientSecretValue::presented(SECRET).hash(),
        sealed: house.sealing_key.seal(ClientSecret::PURPOSE, SECRET.as_bytes(), &*house.entropy),
        status: Status::Active,
        created: house.clock_now(),
    }]);
    house.change(Change::PutApplication(broker.clone())).await;
    for id in ["staging", "production", "elsewhere"] {
        house.change(Change::PutApplication(application(&house, id))).await;
    }
    for (id, group) in [
        (broker.id.clone(), "k8s-restricted-users"),
        ("staging".parse().unwrap(), "k8s-restricted-users"),
        ("elsewhere".parse().unwrap(), "k8s-restricted-users"),
        ("production".parse().unwrap(), "k8s-admins"),
    ] {
        let assigned = GroupAssignment::new(id, group_id(group), 0, house.clock_now());
        house.change(Change::AssignGroup(assigned)).await;
    }
    let snapshot = house.store.snapshot().await.unwrap();
    let (mut policy, _) = {
        let mut policies = snapshot.servers().flat_map(Server::policies);
        let (policy, rules) = policies.next().unwrap();
        (policy.clone(), rules.len())
    };
    policy.clients = PolicyClients::Only(
        ["k8s", "broker", "staging", "production"].into_iter().map(|id| id.parse().unwrap()).collect(),
    );
    house.change(Change::PutPolicy(policy)).await;
    house.allow(GrantType::TokenExchange).await;
    house
}

async fn exchange(house: &House, client: &str, token: &str, kind: &str, changes: &[&str]) -> Answer {
    let mut fields = vec![
        ("grant_type", GRANT),
        ("client_id", client),
        ("subject_token", token),
        ("subject_token_type", kind),
        ("requested_token_type", ID_TOKEN),
        ("audience", "staging"),
    ];
    if client == "broker" {
        fields.push(("client_secret", SECRET));
    }
    post(house, &form(&fields, changes), None).await
}

/// What dev gets as a client with credentials.
async fn as_broker(house: &House) -> Tokens {
    let secret = format!("client_secret={SECRET}");
    let path = house.authorize(&["client_id=broker"]);
    let answer = house.browser().sign_in(&path, "dev@example.com", crate::house::PASSWORD).await;
    let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
    Tokens(house.redeem(&code, &["client_id=broker", &secret]).await.expect(StatusCode::OK).json())
}

#[tokio::test]
async fn a_refresh_token_gives_an_id_token_for_another_cluster() {
    let house = allowed().await;
    let tokens = house.sign_in("dev@example.com").await;
    let answer = exchange(&house, "k8s", tokens.refresh_token(), REFRESH_TOKEN, &[]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.expect(StatusCode::OK).json();
    assert_eq!(answer["issued_token_type"], ID_TOKEN);
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("N_A"), &json!(3600)));
    assert_eq!(answer["scope"], "openid email profile");
    assert_eq!((answer.get("refresh_token"), answer.get("id_token")), (None, None));
    let (claims, original) = (payload(answer["access_token"].as_str().unwrap()), tokens.claims());
    assert_eq!(claims["aud"], "staging");
    for name in ["iss", "sub", "groups", "email", "auth_time", "acr", "amr", "sid"] {
        assert_eq!(claims[name], original[name], "{name}");
    }
    for name in ["at_hash", "nonce", "act"] {
        assert_eq!(claims.get(name), None, "{name}");
    }
    let events = house.store.audit_events(10).await.unwrap();
    let event = events.iter().find(|event| event.event_type == "app.oauth2.as.token.grant.id_token").unwrap();
    assert_eq!((event.actor.as_str(), event.target.as_deref()), ("dev", Some("staging")));
    // The refresh token was not spent.
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_client_with_credentials_exchanges_every_kind_of_token() {
    let house = allowed().await;
    let own = as_broker(&house).await;
    let others = house.sign_in("dev@example.com").await;
    for (token, kind) in [
        (own.access_token(), ACCESS_TOKEN),
        (own.id_token(), ID_TOKEN),
        (own.refresh_token(), REFRESH_TOKEN),
        (others.access_token(), ACCESS_TOKEN),
    ] {
        let answer = exchange(&house, "broker", token, kind, &[]).await.expect(StatusCode::OK).json();
        assert_eq!(payload(answer["access_token"].as_str().unwrap())["aud"], "staging", "{kind}");
    }
    let changes = ["requested_token_type", "scope=email"];
    let answer = exchange(&house, "broker", others.access_token(), ACCESS_TOKEN, &changes).await;
    let answer = answer.expect(StatusCode::OK).json();
    assert_eq!(
        (&answer["issued_token_type"], &answer["token_type"]),
        (&json!(ACCESS_TOKEN), &json!("Bearer"))
    );
    let token = answer["access_token"].as_str().unwrap();
    let claims = payload(token);
    for (name, value) in [
        ("aud", "staging"),
        ("client_id", "broker"),
        ("exchanged_from", "k8s"),
        ("scope", "email"),
        ("sub", "dev"),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let asked = form(&[("client_id", "broker"), ("client_secret", SECRET), ("token", token)], &[]);
    let mut browser = house.browser();
    let refused = browser.post("/oauth2/k8s-auth/v1/revoke", &asked).await;
    assert_eq!(refused.error().0, "unsupported_token_type", "the sign-in is the other client's");
    let known = |answer: Answer| answer.json()["active"].clone();
    assert_eq!(known(browser.post("/oauth2/k8s-auth/v1/introspect", &asked).await), true);
    let ended = form(&[("client_id", "k8s"), ("token", others.refresh_token())], &[]);
    browser.post("/oauth2/k8s-auth/v1/revoke", &ended).await.expect(StatusCode::OK);
    assert_eq!(known(browser.post("/oauth2/k8s-auth/v1/introspect", &asked).await), false, "it ends with it");
}

#[tokio::test]
async fn what_everybody_holds_is_not_exchanged_by_a_client_that_everybody_can_be() {
    let house = allowed().await;
    let tokens = house.sign_in("dev@example.com").await;
    for (token, kind) in [(tokens.access_token(), ACCESS_TOKEN), (tokens.id_token(), ID_TOKEN)] {
        let refused = exchange(&house, "k8s", token, kind, &[]).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused.error().0, "invalid_request", "{kind}");
    }
    let refused = exchange(&house, "broker", tokens.refresh_token(), REFRESH_TOKEN, &[]).await;
    assert_eq!(refused.error().0, "invalid_request", "another client's refresh token");
    let refused = exchange(&house, "broker", tokens.id_token(), ID_TOKEN, &[]).await;
    assert_eq!(refused.error().0, "invalid_request", "another client's ID token");

    let prover = Prover::new();
    let tokens = bound(&house, &prover).await;
    let body = form(
        &[
            ("grant_type", GRANT),
            ("client_id", "k8s"),
            ("subject_token", tokens["access_token"].as_str().unwrap()),
            ("subject_token_type", ACCESS_TOKEN),
        ],
        &[],
    );
    assert_eq!(post(&house, &body, None).await.error().0, "invalid_dpop_proof");
    let stolen = post(&house, &body, Some(&Prover::new().for_tokens(&house).await)).await;
    assert_eq!(stolen.error().0, "invalid_grant");
    let mine = post(&house, &body, Some(&prover.for_tokens(&house).await)).await;
    let mine = mine.expect(StatusCode::OK).json();
    assert_eq!(mine["token_type"], "DPoP");
    assert_eq!(payload(mine["access_token"].as_str().unwrap())["cnf"]["jkt"], prover.thumbprint().as_str());
}

#[tokio::test]
async fn what_is_not_offered_or_not_allowed_is_refused_with_the_reason() {
    let house = allowed().await;
    let tokens = house.sign_in("dev@example.com").await;
    let cases: [(&[&str], &str, &str); 14] = [
        (&["actor_token=x"], "invalid_request", "Actor tokens"),
        (&["actor_token_type=x"], "invalid_request", "Actor tokens"),
        (&["resource=https://api.example"], "invalid_target", "resource"),
        (&["requested_token_type=jwt"], "invalid_request", "requested_token_type"),
        (&["subject_token_type=jwt"], "invalid_request", "subject_token_type"),
        (&["subject_token_type"], "invalid_request", "subject_token_type"),
        (&["subject_token"], "invalid_request", "subject_token"),
        (&["subject_token=junk"], "invalid_request", "still counts"),
        (&["audience=production"], "invalid_target", "assigned"),
        (&["audience=nobody"], "invalid_target", "assigned"),
        (&["audience=elsewhere"], "invalid_target", "this issuer"),
        (&["audience=not an id"], "invalid_target", "assigned"),
        (&["scope=address"], "invalid_scope", "address"),
        (&["scope=email"], "invalid_scope", "openid"),
    ];
    for (changes, error, says) in cases {
        let answer = exchange(&house, "k8s", tokens.refresh_token(), REFRESH_TOKEN, changes).await;
        let (code, description) = answer.expect(StatusCode::BAD_REQUEST).error();
        assert_eq!(code, error, "{changes:?}: {description}");
        assert!(description.contains(says), "{changes:?}: {description}");
    }
}

#[tokio::test]
async fn it_is_off_unless_the_application_lists_it_and_a_rule_allows_it() {
    let house = House::new().await;
    let token = house.sign_in("dev@example.com").await;
    let ask = async || exchange(&house, "k8s", token.refresh_token(), REFRESH_TOKEN, &["audience"]).await;
    let published = async || {
        let mut browser = house.browser();
        let document = browser.get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
        document["grant_types_supported"].as_array().unwrap().contains(&Value::from(GRANT))
    };
    assert_eq!(ask().await.error().0, "unauthorized_client");
    let mut application = house.application.clone();
    application.grant_types.insert(GrantType::TokenExchange);
    house.change(Change::PutApplication(application)).await;
    assert_eq!(ask().await.error().0, "access_denied");
    assert!(!published().await);
    house.allow(GrantType::TokenExchange).await;
    ask().await.expect(StatusCode::OK);
    assert!(published().await);
}

#[tokio::test]
async fn nothing_outlives_what_it_came_from() {
    let house = allowed().await;
    let tokens = as_broker(&house).await;
    house.advance(SignedDuration::from_mins(50));
    let end = house.clock_now().as_second() + 600;
    for changes in [&[][..], &["requested_token_type"]] {
        for (token, kind) in [(tokens.access_token(), ACCESS_TOKEN), (tokens.id_token(), ID_TOKEN)] {
            let answer = exchange(&house, "broker", token, kind, changes).await.expect(StatusCode::OK).json();
            assert_eq!(answer["expires_in"], 600, "{kind}");
            assert_eq!(payload(answer["access_token"].as_str().unwrap())["exp"], end, "{kind}");
        }
    }
    // A refresh token goes on: the rule's lifetimes count.
    let short = Lifetimes::new(5, 120, 60, None).unwrap();
    let mut short = rule(short, house.clock_now());
    short.grant_types.insert(GrantType::TokenExchange);
    house.change(Change::PutRule(short)).await;
    let answer =
        exchange(&house, "broker", tokens.refresh_token(), REFRESH_TOKEN, &["requested_token_type"]).await;
    assert_eq!(answer.expect(StatusCode::OK).json()["expires_in"], 300);
    house.advance(SignedDuration::from_mins(10));
    for (token, kind) in [(tokens.access_token(), ACCESS_TOKEN), (tokens.id_token(), ID_TOKEN)] {
        let ended = exchange(&house, "broker", token, kind, &[]).await;
        assert_eq!(ended.error().0, "invalid_request", "{kind}");
    }
}

#[tokio::test]
async fn whoever_lost_the_access_exchanges_nothing() {
    let house = allowed().await;
    let tokens = house.sign_in("dev@example.com").await;
    let ask = async || exchange(&house, "k8s", tokens.refresh_token(), REFRESH_TOKEN, &[]).await;
    house.change(Change::PutUser(user("dev", house.clock_now()).suspend(house.clock_now()).unwrap())).await;
    assert_eq!(ask().await.error().0, "invalid_request");
    house.change(Change::PutUser(user("dev", house.clock_now()))).await;
    ask().await.expect(StatusCode::OK);
    house.change(Change::RemoveMember(group_id("k8s-restricted-users"), user_id("dev"))).await;
    assert_eq!(ask().await.error().0, "invalid_request");
    house.change(Change::AddMember(group_id("k8s-restricted-users"), user_id("dev"))).await;
    house.change(Change::EndGrants(user_id("dev"))).await;
    assert_eq!(ask().await.error().0, "invalid_request");
}

#[tokio::test]
async fn a_token_for_one_resource_does_not_become_one_for_others() {
    let house = allowed().await;
    house.serve_audiences(&["https://api.example", "urn:k8s"]).await;
    let secret = format!("client_secret={SECRET}");
    let path = house.authorize(&["client_id=broker", "resource=urn:k8s", "+resource=https://api.example"]);
    let answer = house.browser().sign_in(&path, "dev@example.com", crate::house::PASSWORD).await;
    let changes = ["client_id=broker", &secret, "resource=urn:k8s"];
    let tokens = house.redeem(&answer.returned("code").unwrap(), &changes).await.expect(StatusCode::OK);
    let tokens = Tokens(tokens.json());
    for (token, kind, expected) in [
        (tokens.access_token(), ACCESS_TOKEN, json!("urn:k8s")),
        (tokens.refresh_token(), REFRESH_TOKEN, json!(["urn:k8s", "https://api.example"])),
    ] {
        let changes = ["audience", "requested_token_type"];
        let answer = exchange(&house, "broker", token, kind, &changes).await.expect(StatusCode::OK).json();
        let claims = payload(answer["access_token"].as_str().unwrap());
        assert_eq!((&claims["aud"], &claims["acr"]), (&expected, &json!("urn:okta:loa:1fa:pwd")), "{kind}");
    }
}
