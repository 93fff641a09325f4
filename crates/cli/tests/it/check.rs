//! `kubesso serve --check`, and where its settings come from.

use std::net::TcpListener;
use std::process::Command;

use crate::served::Site;
use crate::text;

/// What `kubesso serve --check` with `variables` says, and its exit code.
fn check(site: &Site, variables: &[(&str, &str)], more: &[&str]) -> (Option<i32>, String) {
    let config = site.config();
    let ended = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(["serve", "--check"])
        .args(more)
        .env_clear()
        .env("HOME", site.home.path())
        .env("KUBESSO_CONFIG", config)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    (ended.status.code(), text(&ended.stdout) + &text(&ended.stderr))
}

#[test]
fn a_check_says_what_is_wrong_and_leaves_nothing_behind() {
    let site = Site::new("");
    let (code, said) = check(&site, &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("it can serve https://localhost") && said.contains("it will be made"), "{said}");
    assert!(!site.data().exists());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let key = site.home.path().join("other.key");
    std::fs::write(&key, "no key").unwrap();
    for (setting, value, expected) in [
        ("KUBESSO_BASE_URL", "https://sso.example.com", "is not for sso.example.com, only for localhost"),
        ("KUBESSO_TLS_KEY", key.to_str().unwrap(), "private key cannot be used"),
        ("KUBESSO_TLS_CERTIFICATE", "/nonexistent.crt", "/nonexistent.crt cannot be read"),
        ("KUBESSO_LISTEN", "127.0.0.1:1, 127.0.0.1:x", "listen[1]: invalid socket address"),
        ("KUBESSO_AUDIT_LOG", "/nonexistent/audit.jsonl", "name a file in a directory that exists"),
        ("KUBESSO_DRAIN_SECONDS", "many", "drain_seconds: invalid type"),
        ("KUBESSO_TRUSTED_PROXIES", "10.0.0.0/99", "is no network"),
        ("KUBESSO_DATA_DIR", key.to_str().unwrap(), "other.key"),
        ("KUBESSO_DATABASE_URL_FILE", "/nonexistent", "the database's URL in /nonexistent cannot be read"),
        (
            "KUBESSO_DATABASE",
            "postgres://kubesso:hunter2@127.0.0.1:1/kubesso",
            "cannot connect to the database",
        ),
    ] {
        let (code, said) = check(&site, &[(setting, value)], &[]);
        assert_eq!(code, Some(1), "{setting}: {said}");
        assert!(said.contains(expected), "{setting}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!said.contains("no key"), "what is in a key file is not said: {said}");
    }
    let _held = TcpListener::bind(taken);
    let (code, said) = check(&site, &[], &["--listen", "127.0.0.1:65001", "--listen", "127.0.0.1:65001"]);
    assert!(code == Some(1) && said.contains("cannot listen on 127.0.0.1:65001"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_server_the_addresses_are_left_out_and_flags_come_before_variables() {
    let site = Site::new("");
    let _serving = site.serve().await;
    let (code, said) = check(&site, &[("KUBESSO_BASEURL", "x")], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is in use by another kubesso (process"), "{said}");
    assert!(said.contains("the variable KUBESSO_BASEURL is not one of kubesso's"), "{said}");
    let base_url = [("KUBESSO_BASE_URL", "https://sso.example.com")];
    let (code, said) = check(&site, &base_url, &["--base-url", "https://localhost:1"]);
    assert!(code == Some(0) && said.contains("it can serve https://localhost:1/"), "{said}");
}

#[test]
fn every_weakening_is_named() {
    let site = Site::new("");
    for (setting, variable, value) in [
        ("danger_plain_http", "KUBESSO_DANGER_PLAIN_HTTP", "127.0.0.1:65002"),
        ("danger_open_registration", "KUBESSO_DANGER_OPEN_REGISTRATION", "true"),
        (
            "danger_backchannel_logout_to_private_addresses",
            "KUBESSO_DANGER_BACKCHANNEL_LOGOUT_TO_PRIVATE_ADDRESSES",
            "true",
        ),
        ("danger_fetch_from_private_addresses", "KUBESSO_DANGER_FETCH_FROM_PRIVATE_ADDRESSES", "true"),
        ("password.danger_min_length", "KUBESSO_PASSWORD_DANGER_MIN_LENGTH", "6"),
        ("password.danger_allow_common", "KUBESSO_PASSWORD_DANGER_ALLOW_COMMON", "true"),
    ] {
        let (code, said) = check(&site, &[(variable, value)], &[]);
        let named = said.lines().any(|line| line.contains("DANGER") && line.contains(setting));
        assert!(code == Some(0) && named, "{setting}: {said}");
        let (_, said) = check(&site, &[], &[]);
        assert!(!said.contains("DANGER"), "{said}");
    }
}
