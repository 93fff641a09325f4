//! Signing keys and their rotation.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    Batch, Change, KeyState, Kid, Resealing, RotationMode, RotationSchedule, SealingKey,
};
use kubesso_provider::{
    ImportError, JWK_SET_MAX_AGE, KeyCommand, KeyError, Provider, ProviderConfig, Settings, adopt_key,
    rotate_keys, rotate_promptly,
};
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::json;

use crate::house::{Answer, House, ORIGIN, Tokens, World, form, header_of, server_id};

async fn published(house: &House) -> JwkSet {
    let answer = house.browser().get("/oauth2/k8s-auth/v1/keys").await.expect(StatusCode::OK);
    JwkSet::parse(answer.body.as_bytes()).unwrap()
}

fn kids(keys: &JwkSet) -> Vec<String> {
    keys.keys().iter().map(|key| key.kid().unwrap().as_str().to_owned()).collect()
}

fn kid_of(tokens: &Tokens) -> String {
    header_of(tokens.id_token())["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_server_has_an_rs256_key_that_may_not_be_cached_for_long() {
    let house = House::with(World { algorithm: "RS256", ..World::default() }).await;
    let answer = house.browser().get("/oauth2/k8s-auth/v1/keys").await.expect(StatusCode::OK);
    let max_age: i64 =
        answer.header("cache-control").strip_prefix("public, max-age=").unwrap().parse().unwrap();
    assert!(max_age <= 30, "kube-apiserver would not fetch again for an unknown kid");
    let keys = answer.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&"RSA".into(), &"RS256".into(), &"sig".into()));
    assert_eq!(key.get("d"), None);
}

#[tokio::test]
async fn a_key_is_published_then_signs_then_stays_until_its_last_token_has_ended() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    let before = published(&house).await;
    assert_eq!(kids(&before), [kid_of(&first)]);

    house.provider.rotate_keys(&rotate_promptly()).await.unwrap();
    let with_next = published(&house).await;
    assert_eq!(kids(&with_next).len(), 2);
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.json());
    assert_eq!(kid_of(&second), kid_of(&first), "published, but does not sign yet");

    house.advance(JWK_SET_MAX_AGE * 2);
    house.provider.rotate_keys(&rotate_promptly()).await.unwrap();
    let third = Tokens(house.refresh(second.refresh_token(), &[]).await.json());
    assert_ne!(kid_of(&third), kid_of(&first));
    assert!(kids(&with_next).contains(&kid_of(&third)), "whoever cached the set has the key already");
    let keys = published(&house).await;
    assert_eq!(kids(&keys).len(), 2, "an exchange ends the rotation: no third key is made for the next one");
    for tokens in [&first, &second, &third] {
        assert!(keys.verify(tokens.id_token(), &[Algorithm::Es256]).is_ok());
    }

    house.advance(SignedDuration::from_hours(25));
    assert!(!kids(&published(&house).await).contains(&kid_of(&first)), "its last token has ended");
    house.provider.maintain().await.unwrap();
    let snapshot = house.store.snapshot().await.unwrap();
    let keys = &snapshot.server(&server_id()).unwrap().keys;
    assert!(keys.iter().all(|key| !matches!(key.state, KeyState::Retiring { .. })));
}

#[tokio::test]
async fn a_key_is_exchanged_by_the_calendar_without_anybodys_doing() {
    let house = House::new().await;
    let before = kids(&published(&house).await);
    house.advance(SignedDuration::from_hours(24 * 89));
    house.provider.maintain().await.unwrap();
    assert_eq!(kids(&published(&house).await).len(), 2);
    house.advance(SignedDuration::from_hours(24));
    house.provider.maintain().await.unwrap();
    let tokens = house.sign_in("dev@example.com").await;
    assert!(!before.contains(&kid_of(&tokens)));
}

#[tokio::test]
async fn a_server_that_an_administrator_rotates_is_left_alone() {
    let house = House::new().await;
    let snapshot = house.store.snapshot().await.unwrap();
    let mut server = snapshot.server(&server_id()).unwrap().server.clone();
    server.rotation_mode = RotationMode::Manual;
    house.change(Change::PutAuthorizationServer(server)).await;
    house.advance(SignedDuration::from_hours(24 * 400));
    house.provider.maintain().await.unwrap();
    assert_eq!(kids(&published(&house).await).len(), 1);
    house.provider.rotate_keys(&rotate_promptly()).await.unwrap();
    assert_eq!(kids(&published(&house).await).len(), 2);
}

#[tokio::test]
async fn a_server_that_is_added_later_gets_its_key_when_it_is_first_asked_for() {
    let house = House::new().await;
    let snapshot = house.store.snapshot().await.unwrap();
    let mut server = snapshot.server(&server_id()).unwrap().server.clone();
    server.id = "second".parse().unwrap();
    server.name = "second".parse().unwrap();
    house
        .store
        .commit(Batch::new(house.clock_now(), vec![Change::PutAuthorizationServer(server)]))
        .await
        .unwrap();
    house.advance(SignedDuration::from_secs(1));
    let keys = house.browser().get("/oauth2/second/v1/keys").await.expect(StatusCode::OK).json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_whose_keys_cannot_be_made_does_not_hold_up_the_rest() {
    let house = House::new().await;
    let snapshot = house.store.snapshot().await.unwrap();
    let mut server = snapshot.server(&server_id()).unwrap().server.clone();
    server.id = "broken".parse().unwrap();
    server.name = "broken".parse().unwrap();
    server.algorithm = "HS256".to_owned();
    let mut application = house.application.clone();
    application.status = kubesso_directory::Status::Inactive;
    let changes = vec![Change::PutAuthorizationServer(server), Change::PutApplication(application)];
    house.store.commit(Batch::new(house.clock_now(), changes)).await.unwrap();
    house.advance(SignedDuration::from_secs(1));
    house.browser().get(&house.authorize(&[])).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(kids(&published(&house).await).len(), 1, "the other server's keys are as they were");
    assert!(
        house.provider.rotate_keys(&RotationSchedule::default()).await.is_err(),
        "whoever rotates is told"
    );
}

#[tokio::test]
async fn several_processes_that_rotate_at_once_make_one_key() {
    let house = House::new().await;
    let schedule = rotate_promptly();
    let rotate =
        || rotate_keys(&*house.store, &house.sealing_key, &*house.entropy, &schedule, house.clock_now());
    let done = futures_util::future::join_all((0..4).map(|_| rotate())).await;
    let made: usize = done.into_iter().map(|changes| changes.unwrap().len()).sum();
    assert_eq!(made, 1);
    house.provider.reload().await.unwrap();
    assert_eq!(kids(&published(&house).await).len(), 2);
}

#[tokio::test]
async fn rotating_what_is_not_due_changes_nothing() {
    let house = House::new().await;
    let revision = house.store.revision().await.unwrap();
    let changes = house.provider.rotate_keys(&RotationSchedule::default()).await.unwrap();
    assert_eq!(changes, []);
    assert_eq!(house.store.revision().await.unwrap(), revision);
}

#[tokio::test]
async fn another_sealing_key_or_a_base_url_that_is_none_stops_the_start_with_the_reason() {
    let house = House::new().await;
    let config = |base_url: &str, sealing_key| ProviderConfig {
        base_url: base_url.parse().unwrap(),
        store: house.store.clone(),
        clock: house.clock.clone(),
        entropy: house.entropy.clone(),
        sealing_key,
        back_channel: None,
        settings: Settings::default(),
        fetch: None,
        mutual_tls: None,
        registration: None,
    };
    let other_key = SealingKey::generate(&*house.entropy);
    let error = Provider::new(config(ORIGIN, other_key)).await.unwrap_err().to_string();
    assert!(error.contains("another master key"), "{error}");
    for base_url in
        ["http://localhost:8443", "https://localhost/sso", "https://user@localhost", "https://localhost/?x"]
    {
        let error = Provider::new(config(base_url, house.sealing_key.clone())).await.unwrap_err().to_string();
        assert!(error.contains("cannot be the provider's base URL"), "{base_url}: {error}");
    }
}

#[tokio::test]
async fn a_rotation_at_once_makes_one_key_and_ends() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    let schedule = RotationSchedule { published_ahead: SignedDuration::ZERO, ..rotate_promptly() };
    let changes = house.provider.rotate_keys(&schedule).await.unwrap();
    assert!(
        changes.iter().any(|change| matches!(change.state, Some(KeyState::Active { .. }))),
        "{changes:?}"
    );
    assert_eq!(kids(&published(&house).await).len(), 2);
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.json());
    assert_ne!(kid_of(&second), kid_of(&first));
}

#[tokio::test]
async fn a_key_made_beforehand_is_taken_only_where_there_is_none_and_of_the_right_kind() {
    let house = House::new().await;
    let signing: Vec<_> =
        house.store.snapshot().await.unwrap().servers().flat_map(|s| s.keys.clone()).collect();
    let adopt = async |algorithm| {
        let key = SigningKey::generate(algorithm).unwrap();
        let now = house.clock_now();
        adopt_key(&*house.store, &house.sealing_key, &*house.entropy, &server_id(), key, now).await.unwrap()
    };
    assert!(!adopt(Algorithm::Es256).await, "there is one");
    let removals = signing.into_iter().map(|key| Change::RemoveSigningKey(server_id(), key.kid)).collect();
    house.store.commit(Batch::new(house.clock_now(), removals)).await.unwrap();
    assert!(!adopt(Algorithm::Es384).await, "the server signs with ES256");
    assert!(adopt(Algorithm::Es256).await);
    assert!(!adopt(Algorithm::Es256).await, "there is one again");
    house.provider.reload().await.unwrap();
    assert_eq!(kids(&published(&house).await).len(), 1);
}

#[tokio::test]
async fn whoever_still_has_an_old_master_key_goes_on_signing_but_writes_nothing_and_says_so() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let snapshot = house.store.snapshot().await.unwrap();
    let new = SealingKey::generate(&*house.entropy);
    let resealing = Resealing::of(&snapshot, &house.sealing_key, &new, &*house.entropy).unwrap();
    let batch = Batch::new(house.clock_now(), vec![Change::Reseal(resealing)]);
    house.store.commit(batch).await.unwrap();

    house.advance(SignedDuration::from_secs(1));
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
    let readiness = house.provider.readiness().await;
    let (_, keys) = readiness.iter().find(|(name, _)| *name == "keys").unwrap();
    assert!(keys.as_ref().unwrap_err().contains("another master key"), "{keys:?}");
    let refused = house.provider.rotate_keys(&rotate_promptly()).await;
    assert!(matches!(refused, Err(KeyError::OtherMasterKey(_))), "{refused:?}");
}

fn algorithms(house_keys: &JwkSet) -> Vec<Algorithm> {
    house_keys.keys().iter().map(|key| key.algorithm().unwrap()).collect()
}

fn command(house: &House) -> KeyCommand<'_> {
    KeyCommand {
        store: &*house.store,
        sealing_key: &house.sealing_key,
        entropy: &*house.entropy,
        now: house.clock_now(),
    }
}

fn algorithm_of(token: &str) -> String {
    header_of(token)["alg"].as_str().unwrap().to_owned()
}

async fn ask_userinfo(house: &House, access_token: &str) -> Answer {
    let body = form(&[("access_token", access_token)], &[]);
    house.browser().post("/oauth2/k8s-auth/v1/userinfo", &body).await
}

#[tokio::test]
async fn another_algorithm_is_told_before_it_signs_and_the_old_one_until_its_tokens_have_ended() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    let discovery = async || {
        let answer = house.browser().get("/oauth2/k8s-auth/.well-known/openid-configuration").await;
        answer.expect(StatusCode::OK).json()["id_token_signing_alg_values_supported"].clone()
    };
    assert_eq!(discovery().await, json!(["ES256"]));
    assert!(command(&house).set_algorithm(&server_id(), Algorithm::Es384).await.unwrap());
    assert!(!command(&house).set_algorithm(&server_id(), Algorithm::Es384).await.unwrap());
    house.provider.maintain().await.unwrap();
    house.provider.reload().await.unwrap();
    assert_eq!(discovery().await, json!(["ES256", "ES384"]));
    assert_eq!(algorithms(&published(&house).await).len(), 2);
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.json());
    assert_eq!(kid_of(&second), kid_of(&first), "it does not sign yet");

    house.advance(RotationSchedule::default().published_ahead);
    house.provider.maintain().await.unwrap();
    let third = house.sign_in("dev@example.com").await;
    assert_eq!(algorithm_of(third.id_token()), "ES384");
    assert_eq!(algorithm_of(third.access_token()), "ES384");
    assert_eq!(algorithms(&published(&house).await).len(), 2);
    house.advance(SignedDuration::from_hours(25));
    house.provider.maintain().await.unwrap();
    assert_eq!(discovery().await, json!(["ES384"]));
    assert_eq!(algorithms(&published(&house).await), [Algorithm::Es384]);
}

#[tokio::test]
async fn an_application_that_asks_for_an_algorithm_gets_its_id_tokens_by_it_at_once() {
    let house = House::new().await;
    let mut application = house.application.clone();
    let settings = json!({ "id_token_signed_response_alg": "RS256" });
    application.other.insert("oauthClient".to_owned(), settings);
    house.change(Change::PutApplication(application.clone())).await;
    let tokens = house.sign_in("dev@example.com").await;
    assert_eq!(algorithm_of(tokens.id_token()), "RS256");
    assert_eq!(algorithm_of(tokens.access_token()), "ES256");
    let keys = published(&house).await;
    assert!(keys.verify(tokens.id_token(), &[Algorithm::Rs256]).is_ok());
    let answer = ask_userinfo(&house, tokens.access_token()).await;
    answer.expect(StatusCode::OK);
    // One that there is not is none.
    let settings = json!({ "id_token_signed_response_alg": "none" });
    application.other.insert("oauthClient".to_owned(), settings);
    house.change(Change::PutApplication(application)).await;
    house.provider.maintain().await.unwrap();
    let tokens = Tokens(house.refresh(tokens.refresh_token(), &[]).await.json());
    assert_eq!(algorithm_of(tokens.id_token()), "ES256");
}

#[tokio::test]
async fn a_revoked_key_is_gone_at_once_and_another_signs() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    let kid = Kid::parse(&kid_of(&first)).unwrap();
    command(&house).revoke(&server_id(), &kid).await.unwrap();
    house.provider.reload().await.unwrap();
    let keys = published(&house).await;
    assert_eq!(kids(&keys).len(), 1);
    assert!(!kids(&keys).contains(&kid_of(&first)));
    let answer = ask_userinfo(&house, first.access_token()).await;
    answer.expect(StatusCode::UNAUTHORIZED);
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.json());
    assert!(keys.verify(second.id_token(), &[Algorithm::Es256]).is_ok());
    // It stays known, without its private half, and stays out.
    let snapshot = house.store.snapshot().await.unwrap();
    let revoked =
        snapshot.server(&server_id()).unwrap().keys.iter().find(|key| key.kid == kid).unwrap().clone();
    assert!(matches!(revoked.state, KeyState::Revoked { .. }));
    house.advance(SignedDuration::from_hours(24 * 400));
    house.provider.maintain().await.unwrap();
    assert!(!kids(&published(&house).await).contains(&kid_of(&first)));
    let none = Kid::parse("none").unwrap();
    assert!(matches!(command(&house).revoke(&server_id(), &none).await, Err(KeyError::NoKey { .. })));
}

#[tokio::test]
async fn a_key_from_elsewhere_is_published_by_its_own_name_and_signs_after_a_rotation() {
    let house = House::new().await;
    let pkcs8 = SigningKey::generate(Algorithm::Es256).unwrap().to_pkcs8().unwrap();
    let key = || {
        SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8)
            .unwrap()
            .named(kubesso_token::Kid::new("from-elsewhere"))
    };
    command(&house).import(&server_id(), &key()).await.unwrap();
    house.provider.reload().await.unwrap();
    assert!(kids(&published(&house).await).contains(&"from-elsewhere".to_owned()));
    house.advance(JWK_SET_MAX_AGE * 2);
    house.provider.rotate_keys(&rotate_promptly()).await.unwrap();
    let tokens = house.sign_in("dev@example.com").await;
    assert_eq!(kid_of(&tokens), "from-elsewhere");
    assert!(published(&house).await.verify(tokens.id_token(), &[Algorithm::Es256]).is_ok());

    let again = command(&house).import(&server_id(), &key().named(kubesso_token::Kid::new("other"))).await;
    assert!(matches!(again, Err(ImportError::Known { state: "active", .. })), "{again:?}");
    let another = || SigningKey::generate(Algorithm::Es256).unwrap();
    let named = another().named(kubesso_token::Kid::new("from-elsewhere"));
    let same_name = command(&house).import(&server_id(), &named).await;
    assert!(matches!(same_name, Err(ImportError::Named { .. })), "{same_name:?}");
    command(&house).import(&server_id(), &another()).await.unwrap();
    let second = command(&house).import(&server_id(), &another()).await;
    assert!(matches!(second, Err(ImportError::Pending { .. })), "{second:?}");
}
