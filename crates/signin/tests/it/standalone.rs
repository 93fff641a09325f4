//! The plugin without a command: tokens in the kubeconfig.

use std::fs;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde_json::Value;

use crate::world::{Recording, Run, World};

/// A kubeconfig with comments, whose user `dev` has these settings.
fn kubeconfig(world: &World, settings: &[(&str, &str)]) -> PathBuf {
    let path = world.home.path().join("kubeconfig");
    let mut text = format!(
        "# mine\ncurrent-context: here\ncontexts:\n- name: here # the only one\n  context: {{user: dev, cluster: c}}\n\
         users:\n- name: dev\n  user:\n    auth-provider:\n      name: oidc\n      config: # kept by hand\n        \
         idp-issuer-url: {}\n        client-id: kubernetes\n",
        world.stub.issuer
    );
    text.extend(settings.iter().map(|(name, value)| format!("        {name}: {value}\n")));
    fs::write(&path, text).unwrap();
    path
}

fn login(world: &World, flags: &[&str]) -> Run {
    let mut line = vec!["kubelogin".to_owned(), "--listen-address=127.0.0.1:0".to_owned()];
    line.extend(flags.iter().map(|flag| (*flag).to_owned()));
    world.run_line(line, &Recording::default())
}

/// The setting of the user `dev` in a file.
fn setting(path: &PathBuf, name: &str) -> Option<String> {
    let config: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let users = config["users"].as_array().unwrap();
    let user = users.iter().find(|user| user["name"] == "dev").unwrap();
    user["user"]["auth-provider"]["config"][name].as_str().map(str::to_owned)
}

fn with_and_without_tls(check: impl Fn(&World, &[(&str, &str)])) {
    check(&World::new(), &[]);
    let world = World::with_tls();
    let ca = world.home.path().join("ca.pem");
    fs::write(&ca, world.stub.ca.clone().unwrap()).unwrap();
    check(&world, &[("idp-certificate-authority", ca.to_str().unwrap())]);
}

#[test]
fn a_sign_in_by_the_browser_writes_both_tokens_and_keeps_the_rest_of_the_file() {
    with_and_without_tls(|world, settings| {
        let path = kubeconfig(world, settings);
        let before = fs::read_to_string(&path).unwrap();
        let run = login(world, &["--kubeconfig", path.to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
        assert!(run.stderr.ends_with("The token is valid until 2020-01-01 01:00:00 +0000 UTC\n"), "{run:?}");
        assert_eq!(setting(&path, "refresh-token").as_deref(), Some("REFRESH_TOKEN_1"));
        assert_eq!(setting(&path, "id-token").unwrap().split('.').count(), 3);
        let after = fs::read_to_string(&path).unwrap();
        for line in before.lines() {
            assert!(after.contains(line), "{line:?} is gone from\n{after}");
        }
        let behaviour = world.stub.behaviour();
        let asked = behaviour.requests_to("/auth")[0].clone();
        assert_eq!((&*asked["scope"], &*asked["code_challenge_method"]), ("openid", "S256"));
    });
}

#[test]
fn a_sign_in_by_password_opens_no_browser() {
    with_and_without_tls(|world, settings| {
        let path = kubeconfig(world, settings);
        let file = path.to_str().unwrap();
        let run = login(world, &["--kubeconfig", file, "--username=dev", "--password=correct horse"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(setting(&path, "id-token").is_some());
        assert_eq!(world.browser.openings(), 0);
    });
}

#[test]
fn tokens_live_as_long_as_they_say_and_are_refreshed_then() {
    with_and_without_tls(|world, settings| {
        let path = kubeconfig(world, settings);
        let flag = format!("--kubeconfig={}", path.display());
        assert_eq!(login(world, &[&flag]).code, 0);
        let first = fs::read(&path).unwrap();
        let run = login(world, &[&flag]);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "a valid token");
        assert_eq!(fs::read(&path).unwrap(), first);

        world.clock.advance(SignedDuration::from_hours(2));
        let token = setting(&path, "id-token");
        assert_eq!(login(world, &[&flag]).code, 0);
        assert_ne!(setting(&path, "id-token"), token);
        assert_eq!(setting(&path, "refresh-token").as_deref(), Some("REFRESH_TOKEN_2"));

        world.clock.advance(SignedDuration::from_hours(2));
        world.stub.behaviour().token_answer.insert("refresh_token".into(), Value::Null);
        assert_eq!(login(world, &[&flag]).code, 0);
        assert_eq!(setting(&path, "refresh-token").as_deref(), Some("REFRESH_TOKEN_2"), "it is kept");
        assert_eq!(world.browser.openings(), 1);
    });
}

#[test]
fn a_refresh_token_that_has_ended_leads_to_a_sign_in_and_a_fault_does_not() {
    let world = World::new();
    let path = kubeconfig(&world, &[]);
    let flag = format!("--kubeconfig={}", path.display());
    login(&world, &[&flag]);
    world.clock.advance(SignedDuration::from_hours(2));
    for _ in 0..3 {
        world.stub.behaviour().answer_next("/token", 503, "text/plain", "");
    }
    assert!(login(&world, &[&flag]).error().starts_with("error: login: "), "the provider has a fault");
    assert_eq!(world.browser.openings(), 1);
    world.stub.behaviour().answer_next("/token", 400, "application/json", r#"{"error":"invalid_grant"}"#);
    assert_eq!(login(&world, &[&flag]).code, 0);
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_certificate_authority_may_stand_in_the_kubeconfig_itself() {
    use base64::Engine;

    let world = World::with_tls();
    let data = base64::engine::general_purpose::STANDARD.encode(world.stub.ca.clone().unwrap());
    let path = kubeconfig(&world, &[("idp-certificate-authority-data", &data)]);
    assert_eq!(login(&world, &["--kubeconfig", path.to_str().unwrap()]).code, 0);
}

#[test]
fn the_file_that_has_the_user_is_changed_among_several() {
    let mut world = World::new();
    let path = kubeconfig(&world, &[]);
    let other = world.home.path().join("other");
    fs::write(&other, "current-context: here\n").unwrap();
    let list = std::env::join_paths([&other, &path]).unwrap();
    world.variables.insert("KUBECONFIG", list.into_string().unwrap());
    assert_eq!(login(&world, &[]).code, 0);
    assert!(setting(&path, "id-token").is_some());
    assert_eq!(fs::read_to_string(&other).unwrap(), "current-context: here\n");
}

#[test]
fn scopes_of_the_kubeconfig_are_asked_for_before_openid() {
    let world = World::new();
    let path = kubeconfig(&world, &[("extra-scopes", "profile,groups")]);
    assert_eq!(login(&world, &["--kubeconfig", path.to_str().unwrap()]).code, 0);
    assert_eq!(world.stub.behaviour().requests_to("/auth")[0]["scope"], "profile groups openid");
}

#[test]
fn the_user_is_the_named_one_else_the_contexts() {
    let world = World::new();
    let path = kubeconfig(&world, &[]);
    let flag = format!("--kubeconfig={}", path.display());
    assert_eq!(login(&world, &[&flag, "--user=dev", "--context=absent"]).code, 0);
    assert_eq!(login(&world, &["--kubeconfig=~/kubeconfig"]).code, 0);
    for (flags, says) in [(&["--user=nobody"][..], "nobody"), (&["--context=absent"], "absent")] {
        let run = login(&world, &[&[flag.as_str()], flags].concat());
        assert!(run.error().starts_with("error: login: ") && run.error().contains(says), "{run:?}");
    }
}

#[test]
fn without_a_user_of_that_kind_there_is_a_hint_and_an_error() {
    let world = World::new();
    let path = world.home.path().join("kubeconfig");
    for (text, says) in [
        ("", "no current context"),
        (
            "users: [{name: dev, user: {token: x}}]\ncontexts: [{name: a, context: {user: dev}}]\ncurrent-context: a\n",
            "auth provider oidc",
        ),
        (
            "users: [{name: dev, user: {auth-provider: {name: oidc, config: {client-id: x}}}}]\n\
             contexts: [{name: a, context: {user: dev}}]\ncurrent-context: a\n",
            "idp-issuer-url",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let run = login(&world, &["--kubeconfig", path.to_str().unwrap()]);
        assert!(run.error().contains(says), "{run:?}");
        assert_eq!(run.stderr.contains("set the credential plugin up"), says != "idp-issuer-url", "{run:?}");
    }
    let run = login(&World::new(), &[]);
    assert!(run.error().contains("no current context"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_stays_so_and_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    let path = kubeconfig(&world, &[]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let run = login(&world, &["--kubeconfig", path.to_str().unwrap()]);
    assert!(run.stderr.contains("warning: ") && run.stderr.contains("chmod 600"), "{run:?}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}
