//! `logout`: here and at the provider.

use std::fs;

use serde_json::{Value, json};

use crate::stub::Form;
use crate::world::{Recording, Run, World};

/// A world whose provider can revoke tokens and end sessions, with somebody signed in.
fn signed_in(flags: &[&str]) -> (World, String) {
    let world = World::new();
    for (name, path) in [("revocation_endpoint", "/revoke"), ("end_session_endpoint", "/logout")] {
        let url = json!(format!("{}{path}", world.stub.issuer));
        world.stub.behaviour().discovery.insert(name.to_owned(), url);
    }
    let token = world.get_token(flags).token();
    (world, token)
}

fn answer(world: &World, path: &'static str, status: u16, body: &str) {
    let answer = (status, "application/json", body.to_owned());
    world.stub.behaviour().overrides.entry(path).or_default().push_back(answer);
}

fn asked(world: &World, path: &str) -> Vec<Form> {
    let requests = &world.stub.behaviour().requests;
    requests.iter().filter(|(asked, _)| asked == path).map(|(_, form)| form.clone()).collect()
}

fn logout(world: &World, flags: &[&str]) -> Run {
    let line = ["kubelogin", "logout"].iter().chain(flags).map(|word| (*word).to_owned()).collect();
    world.run_line(line, &Recording::default())
}

#[track_caller]
fn assert_signed_out(world: &World, run: &Run) {
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    assert_eq!(world.cache_files(".json"), Vec::<std::path::PathBuf>::new());
    assert_eq!(world.cache_files(".about"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn the_token_is_revoked_the_entry_deleted_and_the_session_ended_by_the_browser() {
    let (world, token) = signed_in(&[]);
    answer(&world, "/revoke", 200, "");
    answer(&world, "/logout", 200, "{}");
    let run = world.run("logout", &[]);
    assert_signed_out(&world, &run);
    let said = format!("Signed out dev@example.com of {} (client kubernetes)\n", world.stub.issuer);
    assert_eq!(run.stderr, said);
    let revoked = &asked(&world, "/revoke")[0];
    assert_eq!(
        (revoked["token"].as_str(), revoked["token_type_hint"].as_str(), revoked["client_id"].as_str()),
        ("REFRESH_TOKEN_1", "refresh_token", "kubernetes")
    );
    let page = world.browser.page(1);
    assert_eq!(page.status, 200);
    let ended = &asked(&world, "/logout")[0];
    assert_eq!(
        (ended["id_token_hint"].as_str(), ended["client_id"].as_str()),
        (token.as_str(), "kubernetes")
    );
    let (opened, _) = world.browser.opened.lock().unwrap()[1].clone();
    assert!(!opened.as_str().contains(&token), "the token is not in the process list: {opened}");
    assert_eq!(opened.host_str(), Some("localhost"));

    let again = world.run("logout", &[]);
    assert_eq!((again.code, again.stderr.as_str()), (0, "Nothing is kept here: signed out already\n"));
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 3, "the next call signs in");
}

#[test]
fn an_application_with_a_secret_revokes_with_it() {
    let (world, _) = signed_in(&["--oidc-client-secret=hunter2"]);
    answer(&world, "/revoke", 401, r#"{"error":"invalid_client"}"#);
    answer(&world, "/revoke", 200, "");
    let run = world.run("logout", &["--oidc-client-secret=hunter2"]);
    assert_signed_out(&world, &run);
    let forms = asked(&world, "/revoke");
    assert_eq!(forms.len(), 2);
    assert_eq!(forms[1]["client_secret"], "hunter2");
}

#[test]
fn only_this_machine_is_left_when_that_is_asked_for() {
    let (world, _) = signed_in(&[]);
    let before = world.stub.behaviour().requests.len();
    let run = world.run("logout", &["--local"]);
    assert_signed_out(&world, &run);
    assert!(run.stderr.contains("on this machine only"), "{}", run.stderr);
    assert_eq!(world.stub.behaviour().requests.len(), before);
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn what_the_provider_does_not_do_is_said_and_keeps_nothing_here() {
    for (failing, said) in [
        (&[("/revoke", 400, r#"{"error":"unsupported_token_type"}"#)][..], "the refresh token may live on"),
        (&[("/.well-known/openid-configuration", 404, "")], "may live on"),
    ] {
        let (world, _) = signed_in(&[]);
        for (path, status, body) in failing {
            answer(&world, path, *status, body);
        }
        let run = world.run("logout", &["--authentication-timeout-sec=1"]);
        assert_signed_out(&world, &run);
        assert!(run.stderr.starts_with("warning: ") && run.stderr.contains(said), "{}", run.stderr);
    }
    let (world, _) = signed_in(&[]);
    world.stub.stop();
    let run = world.run("logout", &[]);
    assert_signed_out(&world, &run);
    assert!(run.stderr.contains("the session there, and the refresh token, may live on"), "{}", run.stderr);

    let world = World::new();
    world.get_token(&[]).token();
    let run = world.run("logout", &[]);
    assert_signed_out(&world, &run);
    assert!(run.stderr.contains("the provider revokes no tokens"), "{}", run.stderr);
    assert_eq!(world.browser.openings(), 1, "a session that cannot be ended opens no browser");
}

#[test]
fn an_entry_is_named_by_the_beginning_of_its_id() {
    let (world, _) = signed_in(&[]);
    world.get_token(&["--oidc-extra-scope=email"]).token();
    let listed = world
        .run_line(["kubelogin", "list", "-o", "json"].map(str::to_owned).to_vec(), &Recording::default());
    let rows: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let id = rows[0]["id"].as_str().unwrap();
    for (prefix, count) in [("0000000000", "no entry"), ("", "no entry")] {
        let run = logout(&world, &[&format!("--entry={prefix}")]);
        assert!(run.error().contains(count), "{run:?}");
    }
    answer(&world, "/revoke", 200, "");
    answer(&world, "/logout", 200, "");
    let run = logout(&world, &[&format!("--entry={}", &id[..12])]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(asked(&world, "/revoke").len(), 1);
    assert_eq!(world.cache_files(".json").len(), 1, "the other stays");

    answer(&world, "/revoke", 200, "");
    answer(&world, "/logout", 200, "");
    let run = logout(&world, &["--all"]);
    assert_signed_out(&world, &run);
    assert_eq!(logout(&world, &["--all"]).stderr, "Nothing is kept here: signed out already\n");
}

#[test]
fn kubelogins_entry_of_the_same_call_goes_too() {
    let (world, token) = signed_in(&[]);
    let call = world.get_token(&["-v1", "--oidc-extra-scope=none"]);
    call.token();
    let theirs = world.cache_directory().join(kubelogins_name(&world));
    fs::write(&theirs, json!({"id_token": token, "refresh_token": "THEIRS"}).to_string()).unwrap();
    answer(&world, "/revoke", 200, "");
    answer(&world, "/revoke", 200, "");
    answer(&world, "/logout", 200, "");
    let run = world.run("logout", &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!theirs.exists());
    let revoked: Vec<_> = asked(&world, "/revoke").iter().map(|form| form["token"].clone()).collect();
    assert_eq!(revoked, ["REFRESH_TOKEN_1", "THEIRS"]);
}

/// What kubelogin calls the entry of a call without flags.
pub(crate) fn kubelogins_name(world: &World) -> String {
    use clap::Parser;
    use kubesso_token_cache::legacy::KubeloginKey;

    #[derive(Parser)]
    struct GetToken {
        #[command(flatten)]
        arguments: kubesso_token_cache::GetTokenArguments,
    }

    let issuer = format!("--oidc-issuer-url={}", world.stub.issuer);
    let call = GetToken::parse_from(["get-token", &issuer, "--oidc-client-id=kubernetes"]);
    let surroundings = kubesso_signin::Surroundings::of(std::collections::BTreeMap::new(), None);
    KubeloginKey::new(&call.arguments, &surroundings).unwrap().names(1).remove(0)
}

#[test]
fn without_a_word_the_current_contexts_user_is_signed_out() {
    let (mut world, _) = signed_in(&["--oidc-extra-scope=email"]);
    let kubeconfig = world.home.path().join("config");
    let user = |name: &str, exec: Value| json!({"name": name, "user": {"exec": exec}});
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "kubectl", "interactiveMode": "IfAvailable",
        "args": ["oidc-login", "get-token", format!("--oidc-issuer-url={}", world.stub.issuer), "--oidc-client-id=kubernetes"],
        "env": [{"name": "KUBELOGIN_OIDC_EXTRA_SCOPE", "value": "email"}],
    });
    let content = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "dev"}},
            {"name": "there", "context": {"cluster": "c", "user": "other"}},
        ],
        "users": [user("dev", exec), user("other", json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "args": ["eks"]}))],
    });
    fs::write(&kubeconfig, content.to_string()).unwrap();
    world.variables.insert("KUBECONFIG", kubeconfig.display().to_string());
    for flags in [&["--context=there"][..], &["--user=other"], &["--user=nobody"], &["--context=nowhere"]] {
        let run = logout(&world, flags);
        run.error();
        assert_eq!(world.cache_files(".json").len(), 1, "{flags:?}");
    }
    assert!(logout(&world, &["--user=other"]).error().contains("another credential plugin"));
    answer(&world, "/revoke", 200, "");
    answer(&world, "/logout", 200, "");
    let run = logout(&world, &[]);
    assert_signed_out(&world, &run);
    assert_eq!(asked(&world, "/revoke").len(), 1);
}

#[test]
fn a_browser_that_does_not_come_is_not_waited_for_longer_than_the_person_said() {
    let (mut world, _) = signed_in(&[]);
    world.variables.remove("DISPLAY");
    answer(&world, "/revoke", 200, "");
    let run = world.run("logout", &["--authentication-timeout-sec=0"]);
    assert_signed_out(&world, &run);
    assert!(run.stderr.contains("no browser came: the session at "), "{}", run.stderr);
}
