//! What the management API asks of the provider.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    AuthorizationServerId, Batch, Change, GroupId, GroupName, KeyState, MANAGEMENT_CLIENT, MANAGEMENT_SERVER,
    RotationMode, ScopeName, SigningKeyRecord, Status, UserStatus, management_login,
};
use kubesso_provider::{KeyError, Provider, ProviderConfig, Settings, rotate_promptly};
use kubesso_token::{Algorithm, JwkSet};
use serde_json::Value;

use crate::house::{
    Answer, CHALLENGE, House, ORIGIN, PASSWORD, Tokens, VERIFIER, form, header_of, server_id, user_id,
};

async fn keys(house: &House) -> Vec<SigningKeyRecord> {
    house.store.snapshot().await.unwrap().server(&server_id()).unwrap().keys.clone()
}

async fn kids(house: &House, state: fn(&KeyState) -> bool) -> Vec<String> {
    keys(house).await.into_iter().filter(|key| state(&key.state)).map(|key| key.kid.to_string()).collect()
}

fn signing(state: &KeyState) -> bool {
    matches!(state, KeyState::Active { .. })
}

fn published(state: &KeyState) -> bool {
    matches!(state, KeyState::Pending { .. })
}

fn retired(state: &KeyState) -> bool {
    matches!(state, KeyState::Retiring { .. })
}

fn kid_of(tokens: &Tokens) -> String {
    header_of(tokens.id_token())["kid"].as_str().unwrap().to_owned()
}

async fn second_replica(house: &House) -> Provider {
    Provider::new(ProviderConfig {
        base_url: ORIGIN.parse().unwrap(),
        store: house.store.clone(),
        clock: house.clock.clone(),
        entropy: house.entropy.clone(),
        sealing_key: house.sealing_key.clone(),
        back_channel: None,
        settings: Settings::default(),
        fetch: None,
        mutual_tls: None,
        registration: None,
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_first_key_is_stored_with_its_server_and_signs() {
    let house = House::new().await;
    let snapshot = house.store.snapshot().await.unwrap();
    for (name, algorithm) in
        [("second", "RS256"), ("third", "RS256"), ("fourth", "PS256"), ("fifth", "ES384")]
    {
        let mut server = snapshot.server(&server_id()).unwrap().server.clone();
        server.id = name.parse().unwrap();
        server.name = name.parse().unwrap();
        server.algorithm = algorithm.to_owned();
        let revision = house.store.revision().await.unwrap();
        let key = house.provider.first_key(&server.id, algorithm).await.unwrap();
        assert_eq!(house.store.revision().await.unwrap(), revision, "nothing is stored yet");
        let kid = key.kid.to_string();
        let changes = vec![Change::PutAuthorizationServer(server), Change::PutSigningKey(key)];
        house.store.commit(Batch::new(house.clock_now(), changes)).await.unwrap();
        house.provider.configuration_changed().await.unwrap();
        let answer = house.browser().get(&format!("/oauth2/{name}/v1/keys")).await.expect(StatusCode::OK);
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        assert_eq!(keys.len(), 1, "no other key was made");
        assert_eq!((&keys[0]["kid"], &keys[0]["alg"]), (&kid.into(), &algorithm.into()));
    }
    let unknown = house.provider.first_key(&server_id(), "HS256").await;
    assert!(matches!(unknown, Err(KeyError::Algorithm { .. })));
}

#[tokio::test]
async fn a_key_that_is_rotated_signs_at_once_and_the_old_one_stays_for_its_tokens() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    house.provider.rotate_keys(&rotate_promptly()).await.unwrap();
    let next = kids(&house, published).await;
    assert_eq!(next.len(), 1);

    house.provider.rotate_key(&server_id()).await.unwrap();
    assert_eq!(kids(&house, signing).await, next, "the key that was published ahead");
    assert_eq!(kids(&house, retired).await, [kid_of(&first)]);
    assert_eq!(kids(&house, published).await.len(), 1, "the next one");
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.json());
    assert_eq!(kid_of(&second), next[0], "without waiting");
    let set = house.browser().get("/oauth2/k8s-auth/v1/keys").await.expect(StatusCode::OK);
    let set = JwkSet::parse(set.body.as_bytes()).unwrap();
    assert_eq!(set.keys().len(), 3);
    for tokens in [&first, &second] {
        assert!(set.verify(tokens.id_token(), &[Algorithm::Es256]).is_ok());
    }

    house.advance(SignedDuration::from_hours(25));
    house.provider.maintain().await.unwrap();
    assert_eq!(kids(&house, retired).await, [] as [String; 0], "its last token has ended");
}

#[tokio::test]
async fn a_rotation_makes_what_is_missing_also_where_an_administrator_rotates() {
    let house = House::new().await;
    let mut server = house.store.snapshot().await.unwrap().server(&server_id()).unwrap().server.clone();
    server.rotation_mode = RotationMode::Manual;
    house.change(Change::PutAuthorizationServer(server)).await;
    let old = kids(&house, signing).await;
    for round in 1..=3 {
        house.provider.rotate_key(&server_id()).await.unwrap();
        let new = kids(&house, signing).await;
        assert_ne!(new, old);
        assert_eq!(new.len(), 1);
        assert_eq!(kids(&house, published).await.len(), 1);
        assert_eq!(kids(&house, retired).await.len(), round);
    }
    for key in keys(&house).await {
        house.change(Change::RemoveSigningKey(server_id(), key.kid)).await;
    }
    house.provider.rotate_key(&server_id()).await.unwrap();
    assert_eq!(kids(&house, signing).await.len(), 1, "a server without keys gets one");
    let unknown: AuthorizationServerId = "unknown".parse().unwrap();
    assert!(matches!(house.provider.rotate_key(&unknown).await, Err(KeyError::NoServer(_))));
}

#[tokio::test]
async fn replicas_that_rotate_at_once_leave_one_key_that_signs() {
    let house = House::new().await;
    let second = second_replica(&house).await;
    let server = server_id();
    let (one, other) = tokio::join!(house.provider.rotate_key(&server), second.rotate_key(&server));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(kids(&house, signing).await.len(), 1);
    assert_eq!(kids(&house, published).await.len(), 1);
    assert_eq!(kids(&house, retired).await.len(), 2);
}

#[tokio::test]
async fn the_request_after_a_change_is_judged_by_it() {
    let house = House::new().await;
    house.browser().get(&house.authorize(&[])).await.expect(StatusCode::OK);
    let mut application = house.application.clone();
    application.status = Status::Inactive;
    house
        .store
        .commit(Batch::new(house.clock_now(), vec![Change::PutApplication(application)]))
        .await
        .unwrap();
    house.browser().get(&house.authorize(&[])).await.expect(StatusCode::OK);
    house.provider.configuration_changed().await.unwrap();
    house.browser().get(&house.authorize(&[])).await.expect(StatusCode::BAD_REQUEST);
}

/// Somebody signs in to the management API; its tokens.
async fn management_tokens(house: &House, login: &str) -> Value {
    let query = [
        ("client_id", MANAGEMENT_CLIENT),
        ("redirect_uri", "http://localhost:8000"),
        ("response_type", "code"),
        ("scope", "openid offline_access"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let path = format!("/oauth2/{MANAGEMENT_SERVER}/v1/authorize?{}", form(&query, &[]));
    let answer = house.browser().sign_in(&path, login, PASSWORD).await;
    let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
    let body = [
        ("grant_type", "authorization_code"),
        ("client_id", MANAGEMENT_CLIENT),
        ("redirect_uri", "http://localhost:8000"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    management_post(house, "token", &form(&body, &[])).await.expect(StatusCode::OK).json()
}

async fn management_post(house: &House, endpoint: &str, body: &str) -> Answer {
    house.browser().post(&format!("/oauth2/{MANAGEMENT_SERVER}/v1/{endpoint}"), body).await
}

/// A house in which people can sign in to the management API.
async fn managed() -> House {
    let house = House::new().await;
    management_login(&*house.store, &*house.clock, &*house.entropy).await.unwrap();
    let everyone = GroupName::parse("Everyone").unwrap();
    let everyone: GroupId = house.store.group_by_name(&everyone).await.unwrap().unwrap().id;
    for name in ["admin", "dev"] {
        let member = Change::AddMember(everyone.clone(), user_id(name));
        // Where the store keeps everybody in it by itself, that is no news.
        let _ = house.store.commit(Batch::new(house.clock_now(), vec![member])).await;
    }
    house.provider.configuration_changed().await.unwrap();
    house
}

#[tokio::test]
async fn a_token_for_the_management_api_names_its_person_until_it_ends() {
    let house = managed().await;
    let tokens = management_tokens(&house, "admin@example.com").await;
    let text = tokens["access_token"].as_str().unwrap();
    let facts = house.provider.person_of_access_token(text).await.unwrap().unwrap();
    assert_eq!((facts.user, facts.client.as_str()), (user_id("admin"), MANAGEMENT_CLIENT));
    assert_eq!(facts.scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>(), ["openid", "offline_access"]);
    assert_eq!((facts.expires - house.clock_now()).get_seconds(), tokens["expires_in"].as_i64().unwrap());
    house.advance(facts.expires.duration_since(house.clock_now()));
    assert_eq!(house.provider.person_of_access_token(text).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_that_is_not_for_the_management_api_names_nobody() {
    let house = managed().await;
    let of_cluster = house.sign_in("dev@example.com").await;
    let own = management_tokens(&house, "admin@example.com").await;
    let text = own["access_token"].as_str().unwrap();
    for (what, token) in [
        ("another server's", of_cluster.access_token()),
        ("an ID token", own["id_token"].as_str().unwrap()),
        ("a refresh token", own["refresh_token"].as_str().unwrap()),
        ("no signature", text.rsplit_once('.').unwrap().0),
        ("nothing", ""),
    ] {
        assert_eq!(house.provider.person_of_access_token(token).await.unwrap(), None, "{what}");
    }
}

#[tokio::test]
async fn a_token_counts_no_longer_than_its_grant_its_person_and_its_client() {
    for case in ["revoked", "suspended", "client deactivated", "server deactivated"] {
        let house = managed().await;
        let tokens = management_tokens(&house, "admin@example.com").await;
        let text = tokens["access_token"].as_str().unwrap();
        assert!(house.provider.person_of_access_token(text).await.unwrap().is_some(), "{case}");
        let snapshot = house.store.snapshot().await.unwrap();
        match case {
            "revoked" => {
                let body = form(&[("client_id", MANAGEMENT_CLIENT), ("token", text)], &[]);
                management_post(&house, "revoke", &body).await.expect(StatusCode::OK);
            }
            "suspended" => {
                let mut user = house.store.person(&user_id("admin")).await.unwrap().unwrap().user;
                user.status = UserStatus::Suspended;
                house.change(Change::PutUser(user)).await;
            }
            "client deactivated" => {
                let mut client = snapshot.application(&MANAGEMENT_CLIENT.parse().unwrap()).unwrap().clone();
                client.status = Status::Inactive;
                house.change(Change::PutApplication(client)).await;
            }
            _ => {
                let mut server = snapshot.server(&MANAGEMENT_SERVER.parse().unwrap()).unwrap().server.clone();
                server.status = Status::Inactive;
                house.change(Change::PutAuthorizationServer(server)).await;
            }
        }
        assert_eq!(house.provider.person_of_access_token(text).await.unwrap(), None, "{case}");
    }
}
