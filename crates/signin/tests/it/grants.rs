//! The other ways to sign in, and who the client says it is.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::json;

use crate::world::{Recording, World, redirected_to};

#[test]
fn a_user_name_means_the_password_grant_and_no_browser() {
    for with_tls in [false, true] {
        let world = if with_tls { World::with_tls() } else { World::new() };
        let mut flags = vec!["--username=dev", "--password=correct horse"];
        flags.extend(with_tls.then_some("--insecure-skip-tls-verify"));
        world.get_token(&flags).token();
        let behaviour = world.stub.behaviour();
        let form = behaviour.requests_to("/token")[0];
        assert_eq!((form["grant_type"].as_str(), form["username"].as_str()), ("password", "dev"));
        assert_eq!(form["scope"], "openid");
        assert_eq!(world.browser.openings(), 0);
    }
}

#[test]
fn user_name_and_password_are_asked_for() {
    let mut world = World::new();
    world.keyboard = vec!["dev".to_owned(), "correct horse".to_owned()];
    let run = world.get_token(&["--grant-type=password"]);
    run.token();
    assert_eq!(run.stderr, "Username: \nPassword: \n");
    world.keyboard = vec!["wrong".to_owned()];
    let run = world.get_token(&["--username=eve"]);
    assert!(run.error().ends_with("invalid_grant: wrong user name or password"), "{}", run.error());
    world.keyboard.clear();
    assert!(world.get_token(&["--username=eve"]).stderr.contains("standard input ended before the password"));
}

#[test]
fn an_answer_to_another_sign_in_is_not_taken() {
    let mut world = World::new();
    let flags = ["--grant-type=authcode-keyboard", "--oidc-redirect-url=http://127.0.0.1:9/done"];
    world.keyboard = vec!["http://127.0.0.1:9/done?code=code-1&state=foreign".to_owned()];
    assert!(world.get_token(&flags).error().contains("answers another sign-in"));
    assert!(world.stub.behaviour().requests_to("/token").is_empty());
    world.keyboard = vec!["made up".to_owned()];
    assert!(world.get_token(&flags).error().ends_with("invalid_grant: no such code"));
}

#[test]
fn the_device_flow_asks_until_the_code_is_entered() {
    let world = World::new();
    world.stub.behaviour().device_pending = 2;
    let slow = json!({"error": "slow_down"}).to_string();
    world.stub.behaviour().answer_next("/token", 400, "application/json", &slow);
    let run = world.get_token(&["--grant-type=device-code", "--oidc-extra-scope=email"]);
    run.token();
    assert!(run.stderr.contains("WDJB-MJHT"), "{}", run.stderr);
    assert!(world.browser.opened.lock().unwrap()[0].0.as_str().ends_with("/activate?user_code=WDJB-MJHT"));
    let behaviour = world.stub.behaviour();
    assert_eq!(behaviour.requests_to("/device")[0]["scope"], "email openid");
    assert!(behaviour.requests_to("/device")[0].contains_key("code_challenge"));
    let polls = behaviour.requests_to("/token");
    assert_eq!(polls.len(), 4);
    assert!(
        polls.iter().all(|form| form["device_code"] == "DEVICE_CODE" && form.contains_key("code_verifier"))
    );
}

#[test]
fn the_device_flow_ends_with_its_code_or_a_refusal() {
    let world = World::new();
    world.stub.behaviour().device_pending = u32::MAX;
    let short = json!({
        "device_code": "DEVICE_CODE", "user_code": "X", "verification_url": world.stub.issuer, "expires_in": 12,
    });
    world.stub.behaviour().answer_next("/device", 200, "application/json", &short.to_string());
    assert!(
        world
            .get_token(&["--grant-type=device-code"])
            .error()
            .contains("within the 12 seconds that it lasts")
    );
    let run = world.get_token(&["--grant-type=device-code", "--authentication-timeout-sec=11"]);
    assert!(run.error().contains("--authentication-timeout-sec"), "{}", run.error());
    let denied = json!({"error": "access_denied", "error_description": "no"}).to_string();
    world.stub.behaviour().answer_next("/token", 400, "application/json", &denied);
    assert!(world.get_token(&["--grant-type=device-code"]).error().ends_with("access_denied: no"));
    world.stub.behaviour().discovery.insert("device_authorization_endpoint".into(), json!(null));
    // Three sign-ins came to nothing, so there is a pause.
    world.clock.advance(SignedDuration::from_mins(1));
    assert!(world.get_token(&["--grant-type=device-code"]).error().contains("no device flow"));
}

#[test]
fn a_provider_starts_no_program_but_the_browser() {
    for (page, complete) in
        [("file:///etc/passwd", None), ("https://idp.example.com", Some("ssh://evil.example"))]
    {
        let world = World::new();
        let answer = json!({
            "device_code": "DEVICE_CODE", "user_code": "X",
            "verification_uri": page, "verification_uri_complete": complete,
        });
        world.stub.behaviour().answer_next("/device", 200, "application/json", &answer.to_string());
        let run = world.get_token(&["--grant-type=device-code"]);
        assert!(run.error().contains("not on the web"), "{}", run.error());
        assert_eq!(world.browser.openings(), 0);
    }
}

#[test]
fn an_application_signs_in_as_itself_and_apart_from_people() {
    let world = World::new();
    let secret = "--oidc-client-secret=s3cret";
    let person = world.get_token(&[secret]).token();
    let flags = [secret, "--grant-type=client-credentials", "--oidc-auth-request-extra-params=audience=api"];
    let application = world.get_token(&flags).token();
    assert_ne!(person, application);
    let behaviour = world.stub.behaviour();
    let form = behaviour.requests_to("/token")[1];
    assert_eq!((form["grant_type"].as_str(), form["audience"].as_str()), ("client_credentials", "api"));
}

#[test]
fn the_client_secret_goes_where_the_provider_wants_it() {
    let basic = format!("Basic {}", STANDARD.encode("kubernetes:p%40ss+word"));
    for (methods, header) in [
        (json!(null), Some(basic.as_str())),
        (json!(["client_secret_basic", "client_secret_post"]), Some(&basic)),
        (json!(["client_secret_post"]), None),
    ] {
        let world = World::new();
        world.stub.behaviour().discovery.insert("token_endpoint_auth_methods_supported".into(), methods);
        world.get_token(&["--oidc-client-secret=p@ss word"]).token();
        let behaviour = world.stub.behaviour();
        assert_eq!(behaviour.authorization.as_deref(), header);
        let form = behaviour.requests_to("/token")[0];
        assert_eq!(form.get("client_secret").map(String::as_str), header.is_none().then_some("p@ss word"));
    }
}

#[test]
fn an_unknown_client_tries_the_other_way_once() {
    let world = World::new();
    let unknown = json!({"error": "invalid_client"}).to_string();
    world.stub.behaviour().answer_next("/token", 401, "application/json", &unknown);
    world.get_token(&["--oidc-client-secret=s3cret"]).token();
    let behaviour = world.stub.behaviour();
    let forms = behaviour.requests_to("/token");
    assert_eq!(forms.len(), 2);
    assert!(!forms[0].contains_key("client_secret") && forms[1].contains_key("client_secret"));
    drop(behaviour);

    world.get_token(&["--oidc-client-secret=s3cret", "--force-refresh"]).token();
    let behaviour = world.stub.behaviour();
    let forms = behaviour.requests_to("/token");
    assert_eq!(forms.len(), 3, "the way that worked is remembered");
    assert!(forms[2].contains_key("client_secret"));
}

#[test]
fn the_access_token_can_be_used_even_if_it_is_opaque() {
    let world = World::new();
    let run = world.get_token(&["--oidc-use-access-token"]);
    assert_eq!(run.token(), "ACCESS_TOKEN_1");
    assert!(run.stdout.contains("2020-01-01T01:00:00Z"), "its end is from expires_in: {}", run.stdout);
    world.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(world.get_token(&["--oidc-use-access-token"]).token(), "ACCESS_TOKEN_2");
}

#[test]
fn request_headers_go_with_every_request() {
    let world = World::new();
    world.get_token(&["--oidc-request-header=authorization=chosen"]).token();
    assert_eq!(world.stub.behaviour().authorization.as_deref(), Some("chosen"));
}

#[test]
fn a_resource_is_named_in_the_token_request_too() {
    let world = World::new();
    world.get_token(&["--oidc-auth-request-extra-params=resource=https://api"]).token();
    world.get_token(&["--oidc-auth-request-extra-params=resource=https://api", "--force-refresh"]).token();
    let behaviour = world.stub.behaviour();
    assert!(behaviour.requests_to("/token").iter().all(|form| form["resource"] == "https://api"));
    assert_eq!(behaviour.requests_to("/auth")[0]["resource"], "https://api");
}

/// A person who opens the shown URL elsewhere and copies the address that the browser ends at.
#[test]
fn a_pasted_address_completes_the_sign_in() {
    for paste_all in [true, false] {
        let mut world = World::new();
        // Nothing listens there, so the browser ends at an error page with the address to copy.
        let flags = ["--grant-type=authcode-keyboard", "--oidc-redirect-url=http://127.0.0.1:9/done"];
        let recording = Recording::default();
        let (sender, keyboard) = std::sync::mpsc::channel();
        world.typed = Some(Arc::new(Mutex::new(keyboard)));
        let shown = recording.clone();
        let person = std::thread::spawn(move || {
            shown.wait_for("Enter code: ", 1);
            let text = shown.text();
            let url = text.lines().find_map(|line| line.split_once("browser: ")).unwrap().1.parse().unwrap();
            let address = redirected_to(&url);
            let code = address.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
            sender.send(if paste_all { format!(" {address} ") } else { code }).unwrap();
        });
        world.run_into("get-token", &flags, &recording).token();
        person.join().unwrap();
        assert_eq!(world.browser.openings(), 0);
    }
}
