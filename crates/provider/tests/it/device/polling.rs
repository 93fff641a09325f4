//! What a device is told.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    Change, GrantId, GrantType, Lifetimes, Purged, RefreshFamily, RuleScopes, ScopeName, TokenHash,
};
use serde_json::json;

use super::{Device, authorize, house};
use crate::house::{CHALLENGE, House, SCOPE, Tokens, VERIFIER, payload, rule, user_id};

#[tokio::test]
async fn a_device_gets_its_codes_the_pages_address_and_their_times() {
    let house = house().await;
    let answer = authorize(&house, &["+nonce=n", "+claims=x", "+audience=y"]).await.expect(StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut codes = answer.json();
    let user_code = codes["user_code"].as_str().unwrap().to_owned();
    assert!(user_code.len() == 11 && user_code.as_bytes()[5] == b'-', "{user_code}");
    assert_eq!(
        codes["verification_uri_complete"],
        format!("https://localhost:8443/device?user_code={user_code}")
    );
    assert!(codes["device_code"].as_str().is_some_and(|code| code.len() > 200));
    for varying in ["device_code", "user_code", "verification_uri_complete"] {
        codes[varying] = json!("…");
    }
    assert_eq!(
        codes,
        json!({
            "device_code": "…", "user_code": "…", "verification_uri_complete": "…",
            "verification_uri": "https://localhost:8443/device", "expires_in": 900, "interval": 5,
        })
    );
    house.advance(SignedDuration::from_secs(299));
    assert_eq!(authorize(&house, &[]).await.json()["expires_in"], 601, "until the end of a period");
}

#[tokio::test]
async fn who_may_not_have_codes_is_told_why() {
    let unlisted = House::new().await;
    assert_eq!(authorize(&unlisted, &[]).await.error().0, "unauthorized_client");
    let mut application = unlisted.application.clone();
    application.grant_types.insert(GrantType::DeviceCode);
    unlisted.change(Change::PutApplication(application)).await;
    let (error, description) = authorize(&unlisted, &[]).await.error();
    assert!(error == "access_denied" && description.starts_with("No access policy"), "{error} {description}");

    let house = house().await;
    for (changes, error, description) in [
        (
            &["scope=openid admin"][..],
            "invalid_scope",
            "The authorization server k8s-auth has no scope admin.",
        ),
        (&["+scope=openid"], "invalid_request", "The parameter scope is given more than once."),
        (
            &["+code_challenge=short", "+code_challenge_method=S256"],
            "invalid_request",
            "code_challenge must be the base64url-encoded SHA-256 of the code verifier, 43 characters long.",
        ),
        (
            &["+code_challenge=x", "+code_challenge_method=plain"],
            "invalid_request",
            "code_challenge_method must be S256; the plain method is not supported.",
        ),
        (&["client_id=nobody"], "invalid_client", "There is no such client, or it is deactivated."),
        (&["client_id"], "invalid_client", "The parameter client_id is missing."),
        (
            &["+client_secret=x"],
            "invalid_client",
            "The client is registered without a secret; send client_id alone.",
        ),
    ] {
        let refused = authorize(&house, changes).await;
        assert_eq!(refused.error(), (error.to_owned(), description.to_owned()), "{changes:?}");
    }
}

#[tokio::test]
async fn the_device_waits_gets_its_tokens_once_and_refreshes_them() {
    let house = house().await;
    let device = Device::new(&house).await;
    assert_eq!(device.poll(&[]).await.expect(StatusCode::BAD_REQUEST).error().0, "authorization_pending");
    house.advance(SignedDuration::from_secs(5));
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let tokens = device.tokens().await;
    assert_eq!(tokens.0["scope"], SCOPE);
    let claims = tokens.claims();
    assert_eq!((&claims["sub"], &claims["groups"][0]), (&"dev".into(), &"k8s-restricted-users".into()));
    assert_eq!((&claims["amr"][0], claims["auth_time"].as_i64()), (&"pwd".into(), Some(1_795_334_405)));
    assert!(!claims.contains_key("nonce"));

    let (error, description) = device.poll(&[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!((&*error, &*description), ("invalid_grant", "The device_code is already redeemed."));
    // Which does no harm to what the first question got: the device may only have missed the answer.
    let refreshed = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    assert_eq!(refreshed.claims()["auth_time"], claims["auth_time"]);
}

#[tokio::test]
async fn each_answer_of_the_rfc_comes_in_its_place() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut other = house.application.clone();
    other.id = "other".parse().unwrap();
    other.client_id = "other".parse().unwrap();
    other.grant_types.insert(GrantType::DeviceCode);
    house.change(Change::PutApplication(other)).await;
    for (changes, error, description) in [
        (&["device_code"][..], "invalid_request", "The parameter device_code is missing."),
        (&["device_code=junk"], "invalid_grant", "The device_code is not one of ours."),
        (
            &["client_id=other"],
            "invalid_grant",
            "The device_code was issued to another client or by another issuer.",
        ),
        (
            &["+code_verifier=x"],
            "invalid_grant",
            "There is a code_verifier, but the request had no code_challenge.",
        ),
        (&[], "authorization_pending", "Nobody has entered and confirmed the user code yet."),
        (&[], "slow_down", "The client asks too often: wait for five seconds longer from now on."),
    ] {
        let refused = device.poll(changes).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused.error(), (error.to_owned(), description.to_owned()), "{changes:?}");
    }
    device.confirmed_by("dev@example.com", "deny").await.expect(StatusCode::OK);
    let denied = device.poll(&[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(denied, ("access_denied".to_owned(), "The person said no.".to_owned()));
    house.advance(SignedDuration::from_secs(900));
    let ended = device.poll(&[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(ended.0, "expired_token");
}

#[tokio::test]
async fn who_does_not_wait_has_to_wait_for_longer_and_gets_its_tokens_all_the_same() {
    let house = house().await;
    let device = Device::new(&house).await;
    for (pause, expected) in [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        (4, "slow_down"),
        (5, "slow_down"),
        (15, "authorization_pending"),
        (14, "slow_down"),
        (20, "authorization_pending"),
    ] {
        house.advance(SignedDuration::from_secs(pause));
        assert_eq!(device.poll(&[]).await.error().0, expected, "after {pause} s");
    }
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    device.tokens().await;
}

#[tokio::test]
async fn the_verifier_is_asked_for_where_there_was_a_challenge() {
    let house = house().await;
    let challenge = format!("+code_challenge={CHALLENGE}");
    let device = Device::with(&house, &[&challenge, "+code_challenge_method=S256"]).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let verifier = format!("+code_verifier={VERIFIER}");
    for (changes, error) in [
        (&[][..], "invalid_request"),
        (&["+code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"], "invalid_grant"),
    ] {
        assert_eq!(device.poll(changes).await.expect(StatusCode::BAD_REQUEST).error().0, error);
    }
    device.poll(&[&verifier]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn of_two_questions_at_once_one_gets_the_tokens() {
    let house = house().await;
    let device = Device::new(&house).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let (one, other) = tokio::join!(device.poll(&[]), device.poll(&[]));
    let (winner, loser) = if one.status == StatusCode::OK { (one, other) } else { (other, one) };
    assert_eq!(loser.expect(StatusCode::BAD_REQUEST).error().0, "invalid_grant");
    let tokens = Tokens(winner.expect(StatusCode::OK).json());
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_decision_outlives_nothing_that_it_depends_on() {
    let house = house().await;
    let confirmed = async || {
        let device = Device::new(&house).await;
        device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
        device
    };
    let device = confirmed().await;
    house.change(Change::EndGrants(user_id("dev"))).await;
    assert_eq!(device.poll(&[]).await.error().0, "authorization_pending", "a new password takes it back");

    let device = confirmed().await;
    house.change(Change::RemoveMember("k8s-restricted-users".parse().unwrap(), user_id("dev"))).await;
    assert_eq!(device.poll(&[]).await.error().0, "invalid_grant", "not assigned any more");
    house.change(Change::AddMember("k8s-restricted-users".parse().unwrap(), user_id("dev"))).await;

    // The page did not know the scopes.
    let device = confirmed().await;
    let mut narrow = rule(Lifetimes::default(), house.clock_now());
    narrow.grant_types.insert(GrantType::DeviceCode);
    narrow.scopes = RuleScopes::Only([ScopeName::parse("openid").unwrap()].into());
    house.change(Change::PutRule(narrow)).await;
    let (error, description) = device.poll(&[]).await.error();
    assert!(error == "access_denied" && description.starts_with("No access policy"), "{error} {description}");

    let device = Device::with(&house, &["scope=openid"]).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let tokens = device.tokens().await;
    assert!(tokens.0.get("refresh_token").is_none(), "it was not asked for");
}

#[tokio::test]
async fn refreshing_is_judged_by_the_device_grant() {
    let house = house().await;
    let device = Device::new(&house).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let tokens = device.tokens().await;
    house.change(Change::PutRule(rule(Lifetimes::default(), house.clock_now()))).await;
    let refused = house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.error().0, "invalid_grant");
}

#[tokio::test]
async fn nothing_is_stored_before_somebody_has_signed_in() {
    let house = house().await;
    for _ in 0..20 {
        let device = Device::new(&house).await;
        device.poll(&[]).await.expect(StatusCode::BAD_REQUEST);
        house.browser().get(device.link()).await.expect(StatusCode::OK);
    }
    let in_a_year = house.clock_now() + SignedDuration::from_hours(365 * 24);
    let nothing = Purged { throttles: 1, ..Purged::default() };
    assert_eq!(house.store.purge(in_a_year).await.unwrap(), nothing, "one counter of one network");
    let device = Device::new(&house).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let decision = Purged { device_decisions: 1, sessions: 1, audit_events: 2, throttles: 1, ..nothing };
    assert_eq!(house.store.purge(in_a_year).await.unwrap(), decision);
}

#[tokio::test]
async fn two_devices_with_one_user_code_both_get_nothing() {
    let house = house().await;
    let device = Device::new(&house).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    // Another device that happens to show the same code is faster.
    let letters = device.user_code().replace('-', "");
    let bound = format!("k8s-auth\0k8s\0{}\0{letters}", house.clock_now().as_second() / 300);
    let user_code = TokenHash::of(&house.sealing_key.authenticate("device decision", bound.as_bytes()));
    let decision = house.store.device_decision(&user_code).await.unwrap().unwrap();
    let other = decision.authorization(GrantId::generate(&*house.entropy), Vec::new());
    let (family, _) = RefreshFamily::begin(&other, &Lifetimes::default(), &*house.entropy, house.clock_now());
    let redeemed = house.store.redeem_device_code(&user_code, &family, house.clock_now()).await.unwrap();
    assert_eq!(redeemed, Ok(()));
    assert_eq!(device.poll(&[]).await.error().0, "invalid_grant");
    assert!(house.store.has_grant_ended(&other.grant).await.unwrap(), "the faster one may be a thief");
}

#[tokio::test]
async fn the_resources_that_a_device_names_are_kept_and_each_request_may_name_fewer() {
    let house = house().await;
    house.serve_audiences(&["https://api.example", "urn:k8s", "urn:other"]).await;
    let device = Device::with(&house, &["resource=urn:k8s", "+resource=https://api.example"]).await;
    device.confirmed_by("dev@example.com", "allow").await.expect(StatusCode::OK);
    let refused = device.poll(&["resource=urn:other"]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.error().0, "invalid_target");
    let tokens = Tokens(device.poll(&["resource=urn:k8s"]).await.expect(StatusCode::OK).json());
    let audience = |tokens: &Tokens| payload(tokens.access_token())["aud"].clone();
    assert_eq!(audience(&tokens), "urn:k8s");
    let refreshed = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    assert_eq!(audience(&refreshed), json!(["urn:k8s", "https://api.example"]));
    for claims in [tokens.claims(), refreshed.claims()] {
        assert_eq!(claims["acr"], "urn:okta:loa:1fa:pwd");
        assert_eq!(
            (&claims["amr"], &claims["auth_time"]),
            (&tokens.claims()["amr"], &tokens.claims()["auth_time"])
        );
    }
    let refused = house.refresh(tokens.refresh_token(), &["resource=urn:other"]).await;
    assert_eq!(refused.expect(StatusCode::BAD_REQUEST).error().0, "invalid_target");
    let answer = authorize(&house, &["resource=urn:none"]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(answer.error().0, "invalid_target");
}
