//! Which way is taken when nobody chose one, and the ways that need no person.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use serde_json::json;

use crate::world::{Recording, World, redirected_to};

/// A machine that somebody is on by SSH.
fn remote() -> World {
    let mut world = World::new();
    world.variables.remove("DISPLAY");
    world.variables.insert("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22".to_owned());
    world
}

fn automatically(world: &World) -> crate::world::Run {
    world.get_token_automatically(&[], &Recording::default())
}

#[test]
fn without_a_browser_the_code_is_entered_elsewhere() {
    let world = remote();
    let run = automatically(&world);
    run.token();
    assert!(run.stderr.contains("WDJB-MJHT") && run.stderr.contains("/activate"), "{}", run.stderr);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert_eq!(world.browser.openings(), 0);
    assert_eq!(world.stub.behaviour().requests_to("/auth").len(), 0);
}

#[test]
fn who_says_how_the_browser_comes_gets_the_browser() {
    for flag in ["--browser-command=firefox", "--listen-address=127.0.0.1:0"] {
        let world = remote();
        world.browser.ignore();
        let run = world.get_token(&[flag, "--authentication-timeout-sec=0"]);
        assert!(run.error().contains("--authentication-timeout-sec"), "{flag}: {}", run.error());
        assert_eq!(world.stub.behaviour().requests_to("/device").len(), 0, "{flag}");
    }
}

#[test]
fn a_code_that_the_provider_refuses_leads_to_a_pasted_address() {
    for (status, body) in [
        (400, r#"{"error":"unauthorized_client"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"unsupported_grant_type"}"#),
        (404, ""),
        (405, "<html>"),
    ] {
        let mut world = remote();
        world.stub.behaviour().answer_next("/device", status, "text/plain", body);
        let recording = Recording::default();
        let (sender, keyboard) = std::sync::mpsc::channel();
        world.typed = Some(Arc::new(Mutex::new(keyboard)));
        let shown = recording.clone();
        let person = std::thread::spawn(move || {
            shown.wait_for("Paste the address here: ", 1);
            let text = shown.text();
            let url = text.lines().find(|line| line.starts_with("http")).unwrap().parse().unwrap();
            sender.send(redirected_to(&url).to_string()).unwrap();
        });
        world.get_token_automatically(&[], &recording).token();
        person.join().unwrap();
        let behaviour = world.stub.behaviour();
        assert_eq!(behaviour.requests_to("/auth")[0]["redirect_uri"], "http://localhost:8000");
        assert_eq!(world.browser.openings(), 0);
    }
}

#[test]
fn where_nothing_works_the_error_says_what_would() {
    let mut world = remote();
    world.is_attended = false;
    world.stub.behaviour().discovery.insert("device_authorization_endpoint".into(), json!(null));
    let error = automatically(&world).error().to_owned();
    for says in
        ["no device flow", "no terminal", "BROWSER", "--skip-open-browser", "ssh -L 8000:localhost:8000"]
    {
        assert!(error.contains(says), "{says}: {error}");
    }
    let mut world = remote();
    world.is_attended = false;
    let refused = json!({"error": "unauthorized_client", "error_description": "not this one"}).to_string();
    world.stub.behaviour().answer_next("/device", 400, "application/json", &refused);
    assert!(automatically(&world).error().contains("unauthorized_client: not this one"));
}

#[test]
fn asking_for_the_device_code_survives_the_network() {
    let world = World::new();
    world.stub.behaviour().device_pending = 1;
    for _ in 0..4 {
        world.stub.behaviour().answer_next("/token", 502, "text/html", "<html>");
    }
    world.get_token(&["--grant-type=device-code"]).token();
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), 6);
}

#[test]
fn the_device_flow_takes_extra_parameters() {
    let world = World::new();
    let flags = ["--grant-type=device-code", "--oidc-auth-request-extra-params=acr_values=mfa"];
    world.get_token(&flags).token();
    assert_eq!(world.stub.behaviour().requests_to("/device")[0]["acr_values"], "mfa");
}

#[test]
fn no_refresh_token_is_asked_for_and_none_is_kept() {
    let world = World::new();
    let flags = ["--no-refresh-token", "--oidc-extra-scope=offline_access,email"];
    world.get_token(&flags).token();
    let request = world.stub.behaviour().requests_to("/auth")[0].clone();
    assert_eq!(request["scope"], "email openid");
    assert!(!request.contains_key("access_type"));
    for file in world.cache_files("") {
        assert!(!std::fs::read_to_string(file).unwrap().contains("REFRESH_TOKEN"));
    }
    world.clock.advance(SignedDuration::from_hours(2));
    world.get_token(&flags).token();
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_missing_refresh_token_is_explained_to_who_wants_to_know() {
    let world = World::new();
    world.stub.behaviour().discovery.insert("scopes_supported".into(), json!(["openid", "offline_access"]));
    world.stub.behaviour().token_answer.insert("refresh_token".into(), json!(null));
    let run = world.get_token(&["-v1"]);
    assert!(run.stderr.contains("--oidc-extra-scope=offline_access"), "{}", run.stderr);
    let run = world.get_token(&["-v1", "--oidc-extra-scope=offline_access"]);
    assert!(run.stderr.contains("grant type refresh_token"), "{}", run.stderr);
}

#[test]
fn a_token_is_exchanged() {
    let world = World::new();
    std::fs::write(world.home.path().join("token"), "subject-1\n").unwrap();
    let flags =
        ["--oidc-subject-token-file=~/token", "--oidc-audience=cluster", "--oidc-client-secret=s3cret"];
    let token = world.get_token(&flags).token();
    assert_eq!(world.get_token(&flags).token(), token, "it is kept like any other");
    std::fs::write(world.home.path().join("token"), "subject-2\n").unwrap();
    world.clock.advance(SignedDuration::from_hours(2));
    world.stub.behaviour().token_answer.insert("refresh_token".into(), json!(null));
    world
        .get_token(&[&flags[..], &["--oidc-use-access-token", "--oidc-subject-token-type=jwt"]].concat())
        .token();
    let behaviour = world.stub.behaviour();
    let forms = behaviour.requests_to("/token");
    let type_of = |name: &str| format!("urn:ietf:params:oauth:token-type:{name}");
    assert_eq!(forms[0]["grant_type"], "urn:ietf:params:oauth:grant-type:token-exchange");
    assert_eq!((forms[0]["subject_token"].as_str(), forms[0]["audience"].as_str()), ("subject-1", "cluster"));
    assert_eq!(forms[0]["subject_token_type"], type_of("id_token"));
    assert_eq!(forms[0]["requested_token_type"], type_of("id_token"));
    assert_eq!(forms[1]["subject_token"], "subject-2");
    assert_eq!(forms[1]["subject_token_type"], type_of("jwt"));
    assert_eq!(forms[1]["requested_token_type"], type_of("access_token"));
}

#[test]
fn what_was_exchanged_is_what_the_answer_says_it_is() {
    let world = World::new();
    let issued = json!("urn:ietf:params:oauth:token-type:id_token");
    world.stub.behaviour().token_answer.insert("issued_token_type".into(), issued);
    world.stub.behaviour().id_token_as_access_token = true;
    let flags = ["--grant-type=token-exchange", "--oidc-subject-token-command=echo subject"];
    let run = world.get_token(&flags);
    assert!(run.token().starts_with("eyJ"));
    assert_eq!(world.stub.behaviour().requests_to("/token")[0]["subject_token"], "subject");
}

#[test]
fn an_exchange_says_what_it_lacks() {
    let world = World::new();
    for (flags, says) in [
        (&["--grant-type=token-exchange"][..], "--oidc-subject-token-file"),
        (&["--oidc-subject-token-file=~/nowhere"], "--oidc-subject-token-file: "),
        (&["--oidc-subject-token-file=a", "--oidc-subject-token-command=b"], "one token is exchanged"),
        (&["--oidc-subject-token-file=a", "--oidc-subject-token-type=magic"], "--oidc-subject-token-type"),
    ] {
        assert!(world.get_token(flags).error().contains(says), "{flags:?}");
    }
}
