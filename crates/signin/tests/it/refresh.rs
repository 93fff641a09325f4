//! Renewing tokens (kubelogin's own TokenCacheLifecycle, and what its users ask for).

use jiff::SignedDuration;
use serde_json::json;

use crate::world::World;

const HOURS_2: SignedDuration = SignedDuration::from_hours(2);

#[test]
fn a_token_lives_in_the_cache_and_is_refreshed_with_each_new_refresh_token() {
    let world = World::new();
    let scope = "--oidc-extra-scope=email offline_access";
    let first = world.get_token(&[scope]);
    let requests = world.stub.behaviour().requests.len();

    assert_eq!(world.get_token(&[scope]), first, "valid: the same bytes");
    assert_eq!(world.stub.behaviour().requests.len(), requests, "and nobody was asked");

    world.clock.advance(HOURS_2);
    let second = world.get_token(&[scope]);
    assert_ne!(second.token(), first.token());
    assert!(second.stdout.contains("\"2020-01-01T03:00:00Z\""));

    world.clock.advance(HOURS_2);
    world.stub.behaviour().token_answer.insert("refresh_token".into(), json!(null));
    world.get_token(&[scope]).token();
    let behaviour = world.stub.behaviour();
    let refreshes = &behaviour.requests_to("/token")[1..];
    let sent: Vec<_> = refreshes.iter().map(|r| (r["refresh_token"].as_str(), r["scope"].as_str())).collect();
    let scopes = "email offline_access openid";
    assert_eq!(sent, [("REFRESH_TOKEN_1", scopes), ("REFRESH_TOKEN_2", scopes)]);
    drop(behaviour);
    assert_eq!(world.browser.openings(), 1);

    // The last answer had no refresh token, so the one before it is kept and tried.
    world.clock.advance(HOURS_2);
    world.get_token(&[scope]);
    let behaviour = world.stub.behaviour();
    assert_eq!(behaviour.requests_to("/token")[3]["refresh_token"], "REFRESH_TOKEN_2");
}

#[test]
fn scopes_that_may_not_have_been_granted_are_left_out_when_the_provider_minds() {
    let world = World::new();
    let scope = "--oidc-extra-scope=offline_access";
    world.stub.behaviour().token_answer.insert("scope".into(), json!(null));
    world.get_token(&[scope]);
    world.clock.advance(HOURS_2);
    let more_than_granted = json!({"error": "invalid_scope"}).to_string();
    world.stub.behaviour().answer_next("/token", 400, "application/json", &more_than_granted);
    world.get_token(&[scope]).token();
    let behaviour = world.stub.behaviour();
    let refreshes = &behaviour.requests_to("/token")[1..];
    let sent: Vec<_> = refreshes.iter().map(|r| r.get("scope").map(String::as_str)).collect();
    assert_eq!(sent, [Some("offline_access openid"), None]);
    drop(behaviour);
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn the_same_over_tls() {
    let world = World::with_tls();
    let file = world.home.path().join("ca.pem");
    std::fs::write(&file, world.stub.ca.clone().unwrap()).unwrap();
    let ca = format!("--certificate-authority={}", file.display());
    let first = world.get_token(&[&ca]);
    assert_eq!(world.get_token(&[&ca]), first);
    world.clock.advance(HOURS_2);
    let second = world.get_token(&[&ca]);
    assert_ne!(second.token(), first.token());
    world.clock.advance(HOURS_2);
    assert_ne!(world.get_token(&[&ca]).token(), second.token());
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn a_refreshed_token_of_another_person_is_not_taken() {
    let world = World::new();
    let first = world.get_token(&[]).token();
    world.clock.advance(HOURS_2);
    world.stub.behaviour().claims.insert("sub".into(), json!("00u2"));
    let error = world.get_token(&[]).error().to_owned();
    assert!(error.contains("another person's") && error.contains("oidc-login clean"), "{error}");
    let cached = std::fs::read_to_string(&world.cache_files(".json")[0]).unwrap();
    assert!(cached.contains(&first), "what was there stays");
}

#[test]
fn a_token_is_renewed_shortly_before_its_end() {
    let world = World::new();
    let first = world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_secs(3600 - 31));
    assert_eq!(world.get_token(&[]).token(), first);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_ne!(world.get_token(&[]).token(), first);
}

#[test]
fn a_refresh_can_be_forced() {
    let world = World::new();
    let first = world.get_token(&[]).token();
    let second = world.get_token(&["--force-refresh"]).token();
    assert_ne!(first, second);
    assert_eq!(world.get_token(&[]).token(), second);
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn a_refresh_token_that_has_ended_leads_to_the_browser_and_is_not_tried_again() {
    let world = World::new();
    world.get_token(&[]).token();
    world.clock.advance(HOURS_2);
    let refused = json!({"error": "invalid_grant"}).to_string();
    world.stub.behaviour().answer_next("/token", 400, "application/json", &refused);
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 2);

    // When the sign-in that follows fails too, the spent refresh token is already forgotten.
    world.clock.advance(HOURS_2);
    world.stub.behaviour().answer_next("/token", 400, "application/json", &refused);
    world.stub.behaviour().redirect.insert("error".into(), "access_denied".into());
    world.get_token(&[]).error();
    let before = world.stub.behaviour().requests_to("/token").len();
    world.get_token(&[]).error();
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), before);
}

#[test]
fn nothing_but_an_ended_refresh_token_leads_to_the_browser() {
    for (status, body, says) in [
        (400, r#"{"error":"invalid_client"}"#, "invalid_client"),
        (400, r#"{"error":"invalid_request","error_description":"no"}"#, "invalid_request: no"),
        (401, "{}", "401"),
        (403, "forbidden by the proxy", "403"),
        (200, "<html>", "application/json"),
    ] {
        let world = World::new();
        world.get_token(&[]).token();
        world.clock.advance(HOURS_2);
        world.stub.behaviour().answer_next("/token", status, "application/json", body);
        let run = world.get_token(&[]);
        assert!(run.error().contains(says), "{}", run.error());
        assert_eq!(world.browser.openings(), 1);
        world.get_token(&[]).token();
        assert_eq!(world.browser.openings(), 1, "the refresh token is still there");
    }
}

#[test]
fn a_provider_with_a_fault_is_asked_again_and_then_reported() {
    let world = World::new();
    world.get_token(&[]).token();
    world.clock.advance(HOURS_2);
    for _ in 0..2 {
        world.stub.behaviour().answer_next("/token", 503, "text/plain", "busy");
        world.stub.behaviour().answer_next("/.well-known/openid-configuration", 502, "text/plain", "busy");
    }
    world.get_token(&[]).token();
    world.clock.advance(HOURS_2);
    for _ in 0..3 {
        world.stub.behaviour().answer_next("/token", 503, "text/plain", "busy");
    }
    let run = world.get_token(&[]);
    assert!(run.error().contains("HTTP status 503"), "{}", run.error());
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn a_refresh_without_an_id_token_says_so_and_signs_in() {
    let world = World::new();
    world.get_token(&[]).token();
    world.clock.advance(HOURS_2);
    let answer = json!({"access_token": "a", "token_type": "Bearer"}).to_string();
    world.stub.behaviour().answer_next("/token", 200, "application/json", &answer);
    let run = world.get_token(&[]);
    run.token();
    assert!(run.stderr.contains("warning: the token could not be refreshed"), "{}", run.stderr);
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_refresh_asks_for_the_scopes_that_were_granted() {
    let world = World::new();
    world.stub.behaviour().token_answer.insert("scope".into(), json!("openid email"));
    world.get_token(&["--oidc-extra-scope=email,groups"]).token();
    world.clock.advance(HOURS_2);
    world.stub.behaviour().token_answer.insert("scope".into(), json!(null));
    world.get_token(&["--oidc-extra-scope=email,groups"]).token();
    world.clock.advance(HOURS_2);
    world.get_token(&["--oidc-extra-scope=email,groups"]).token();
    let behaviour = world.stub.behaviour();
    let scopes: Vec<_> =
        behaviour.requests_to("/token")[1..].iter().map(|form| form["scope"].as_str()).collect();
    assert_eq!(scopes, ["openid email", "openid email"]);
}

#[test]
fn a_key_that_was_rotated_is_looked_up() {
    let world = World::new();
    world.get_token(&[]).token();
    world.stub.behaviour().rotate_key();
    world.get_token(&["--force-refresh"]).token();
    assert_eq!(world.browser.openings(), 1);
}
