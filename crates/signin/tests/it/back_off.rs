//! Programs that call again and again while nobody is there: how many browser tabs they open. And the command that
//! signs in at once.

use std::thread;

use jiff::SignedDuration;
use serde_json::json;

use crate::world::{Recording, World};

const IGNORED: &str = "--authentication-timeout-sec=0";

/// A dashboard whose person is away: no terminal, and no prompt is answered.
fn dashboard() -> World {
    let mut world = World::new();
    world.is_attended = false;
    world.browser.ignore();
    world
}

#[test]
fn a_dashboard_that_polls_each_minute_opens_a_tab_an_hour_in_the_end() {
    let world = dashboard();
    let mut tabs_at = Vec::new();
    for minute in 0..200 {
        let before = world.browser.openings();
        world.get_token(&[IGNORED]).error();
        if world.browser.openings() > before {
            tabs_at.push(minute);
        }
        world.clock.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(tabs_at, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
}

#[test]
fn whoever_is_not_asked_is_told_why_for_how_long_and_what_signs_in_now() {
    let world = dashboard();
    world.get_token(&[IGNORED]).error();
    world.clock.advance(SignedDuration::from_secs(10));
    let run = world.get_token(&[IGNORED, "--oidc-client-secret=hunter2"]);
    assert!(run.error().contains("nobody signed in within 0 seconds"), "another entry: {run:?}");
    let run = world.get_token(&[IGNORED]);
    let expected = format!(
        "error: get-token: the latest sign-in came to nothing (nobody signed in within 0 seconds), so that the person \
         is not asked again for 50 seconds; to sign in now, run: kubectl oidc-login login --oidc-issuer-url={} \
         --oidc-client-id=kubernetes --listen-address=127.0.0.1:0 --authentication-timeout-sec=0",
        world.stub.issuer
    );
    assert_eq!(run.error(), expected);
    let requests = world.stub.behaviour().requests.len();
    world.get_token(&[IGNORED]).error();
    assert_eq!(world.stub.behaviour().requests.len(), requests, "the provider is not asked either");
}

#[test]
fn at_a_terminal_the_third_prompt_in_a_row_is_the_last_for_a_while() {
    let world = World::new();
    world.browser.ignore();
    for _ in 0..3 {
        assert!(world.get_token(&[IGNORED]).error().contains("nobody signed in"));
    }
    assert!(world.get_token(&[IGNORED]).error().contains("not asked again for 60 seconds"));
    assert_eq!(world.browser.openings(), 3);
    world.clock.advance(SignedDuration::from_mins(1));
    world.get_token(&[IGNORED]).error();
    assert_eq!(world.browser.openings(), 4);
}

#[test]
fn a_success_is_a_new_beginning() {
    let mut world = dashboard();
    world.get_token(&[IGNORED]).error();
    world.clock.advance(SignedDuration::from_mins(1));
    world.browser.answer();
    world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_hours(2));
    world.stub.behaviour().answer_next("/token", 400, "application/json", r#"{"error":"invalid_grant"}"#);
    world.browser.ignore();
    assert!(world.get_token(&[IGNORED]).error().contains("nobody signed in"), "asked at once");
    world.is_attended = true;
    assert!(
        world.get_token(&[IGNORED]).error().contains("nobody signed in"),
        "somebody came to the terminal"
    );
}

#[test]
fn a_provider_that_refuses_the_person_is_no_reason_for_tab_after_tab() {
    let mut world = World::new();
    world.is_attended = false;
    world.stub.behaviour().redirect.insert("error".into(), "access_denied".into());
    assert!(world.get_token(&[]).error().contains("access_denied"));
    let run = world.get_token(&[]);
    assert!(run.error().contains("access_denied") && run.error().contains("not asked again"), "{run:?}");
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn what_is_not_for_the_person_does_not_count_against_them() {
    let mut world = World::new();
    world.is_attended = false;
    for status in [502, 503, 404] {
        for _ in 0..3 {
            world.stub.behaviour().answer_next(
                "/.well-known/openid-configuration",
                status,
                "text/plain",
                "no",
            );
        }
        world.get_token(&["--authentication-timeout-sec=60"]).error();
        world.stub.behaviour().overrides.clear();
    }
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn a_record_that_was_broken_asks_the_person() {
    let world = dashboard();
    world.get_token(&[IGNORED]).error();
    std::fs::write(&world.cache_files(".attempt")[0], "{").unwrap();
    assert!(world.get_token(&[IGNORED]).error().contains("nobody signed in"));
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_clock_that_is_put_back_asks_the_person() {
    let world = dashboard();
    world.get_token(&[IGNORED]).error();
    world.clock.advance(SignedDuration::from_hours(-24));
    assert!(world.get_token(&[IGNORED]).error().contains("nobody signed in"));
}

#[test]
fn an_interruption_counts_only_where_nobody_sits_at_a_terminal() {
    for (is_attended, asks_again) in [(true, true), (false, false)] {
        let mut world = World::new();
        world.is_attended = is_attended;
        world.browser.ignore();
        let recording = Recording::default();
        thread::scope(|scope| {
            let call = scope.spawn(|| world.run_into("get-token", &["--skip-open-browser"], &recording));
            recording.wait_for("Please visit", 1);
            world.interrupt.cancel();
            assert_eq!(call.join().unwrap().error(), "error: get-token: interrupted");
        });
        world.interrupt = tokio_util::sync::CancellationToken::new();
        let run = world.get_token(&[IGNORED, "--skip-open-browser"]);
        assert_eq!(run.error().contains("nobody signed in"), asks_again, "{run:?}");
        assert_eq!(run.error().contains("it was interrupted"), !asks_again, "{run:?}");
    }
}

#[test]
fn a_login_is_asked_for_and_so_it_asks_however_many_came_to_nothing() {
    let world = dashboard();
    world.get_token(&[IGNORED]).error();
    assert!(world.get_token(&[IGNORED]).error().contains("not asked again"));
    world.browser.answer();
    let run = world.run("login", &[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert_eq!(run.stderr, "Signed in as dev@example.com, until 2020-01-01T01:00:00Z\n");
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 2, "the token of the login is found");
}

#[test]
fn a_user_of_the_kubeconfig_is_named_and_signs_in_by_name() {
    let world = dashboard();
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "kubectl", "args": [
        "oidc-login", "get-token", format!("--oidc-issuer-url={}", world.stub.issuer), "--oidc-client-id=kubernetes",
        "--listen-address=127.0.0.1:0",
    ]});
    let other = json!({"command": "kubectl", "args": ["oidc-login", "get-token", "--oidc-issuer-url=https://other", "--oidc-client-id=x"]});
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "an other"}}],
        "users": [{"name": "an other", "user": {"exec": other}}, {"name": "my oidc", "user": {"exec": exec}}],
    });
    std::fs::create_dir_all(world.home.path().join(".kube")).unwrap();
    std::fs::write(world.home.path().join(".kube/config"), kubeconfig.to_string()).unwrap();
    world.get_token(&[IGNORED]).error();
    let run = world.get_token(&[IGNORED]);
    assert!(
        run.error().ends_with("to sign in now, run: kubectl oidc-login login '--user=my oidc'"),
        "{run:?}"
    );

    world.browser.answer();
    let line = ["kubectl-oidc_login", "login", "--user=my oidc"].map(str::to_owned).to_vec();
    let run = world.run_line(line, &Recording::default());
    assert_eq!(run.stderr, "Signed in as dev@example.com, until 2020-01-01T01:00:00Z\n");
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_login_gets_another_token_only_when_the_one_at_hand_is_about_to_end() {
    let world = World::new();
    let first = world.get_token(&[]).token();
    world.run("login", &[]);
    assert_eq!(world.get_token(&[]).token(), first);
    world.clock.advance(SignedDuration::from_mins(56));
    let run = world.run("login", &[]);
    assert!(run.stderr.contains("until 2020-01-01T01:56:00Z"), "{run:?}");
    assert_ne!(world.get_token(&[]).token(), first);
    assert_eq!(world.browser.openings(), 1, "refreshed");
}

#[test]
fn a_login_that_fails_says_so_in_one_line() {
    let world = World::new();
    world.stub.behaviour().claims.insert("aud".into(), json!("another"));
    let run = world.run("login", &[]);
    assert!(run.error().starts_with("error: login: "), "{run:?}");
}
