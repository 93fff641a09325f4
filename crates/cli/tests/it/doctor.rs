//! `kubesso doctor list` and `explain`: what comes in, what goes out, and with which exit code.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::{kubesso, text};

/// `kubesso doctor …` with something on standard input.
fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_error_is_explained_as_an_argument_and_by_a_pipe() {
    let home = tempfile::tempdir().unwrap();
    let error = r#"oidc: parse username claims "email": claim not present"#;
    let by_argument = kubesso(home.path(), &["doctor", "explain", error]);
    assert_eq!(by_argument.status.code(), Some(0), "{}", text(&by_argument.stderr));
    let said = text(&by_argument.stdout);
    assert!(said.starts_with("KS017: "), "the verdict is first: {said}");
    assert!(said.contains("--oidc-extra-scope=email"), "{said}");
    for arguments in [&["doctor", "explain", "-"][..], &["doctor", "explain"]] {
        let by_pipe = piped(arguments, error.as_bytes());
        assert_eq!((by_pipe.status.code(), text(&by_pipe.stdout)), (Some(0), said.clone()));
    }
}

#[test]
fn words_need_no_quotes_and_a_check_is_known_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    let words = kubesso(home.path(), &["doctor", "explain", "oidc:", "email", "not", "verified"]);
    assert!(text(&words.stdout).starts_with("KS018: "), "{words:?}");
    let check = kubesso(home.path(), &["doctor", "explain", "ks18", "--target", "rke2"]);
    let said = text(&check.stdout);
    assert!(said.starts_with("KS018: ") && said.contains("/etc/rancher/rke2/config.yaml"), "{said}");
}

#[test]
fn the_exit_code_says_whether_something_was_recognised() {
    let home = tempfile::tempdir().unwrap();
    for (argument, code) in [
        ("error: You must be logged in to the server (Unauthorized)", 0),
        ("the coffee is cold", 1),
        ("KS067", 2),
    ] {
        let ended = kubesso(home.path(), &["doctor", "explain", argument]);
        assert_eq!(ended.status.code(), Some(code), "{argument}: {ended:?}");
    }
    let empty = piped(&["doctor", "explain", "-"], b"");
    assert_eq!(empty.status.code(), Some(1));
}

#[test]
fn scripts_get_json() {
    let input = b"\xff\xfe noise\nE1128 1 a.go:1] err=\"[invalid bearer token, oidc: verify token: oidc: expected audience \\\"a\\\" got [\\\"b\\\"]]\"\n";
    let ended = piped(&["doctor", "explain", "-", "-o=json"], input);
    let json: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(json["findings"][0]["id"], "KS009");
    assert_eq!(json["findings"][0]["pair"]["got"]["value"], "b");
    assert_eq!(json["findings"][0]["line"], 2);
}

#[test]
fn the_list_has_all_and_a_token_never_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let list = kubesso(home.path(), &["doctor", "list"]);
    assert_eq!(text(&list.stdout).lines().count(), 67, "a heading and 66 rows");
    let secret = "c2lnbmF0dXJlLW9mLWEtdG9rZW4";
    let pasted =
        format!("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJqbyJ9.{secret}\nUnauthorized\n");
    for format in ["table", "json", "yaml"] {
        let ended = piped(&["doctor", "explain", "-o", format], pasted.as_bytes());
        assert!(!text(&ended.stdout).contains(secret) && !text(&ended.stderr).contains(secret), "{ended:?}");
    }
}

#[test]
fn whoever_reads_the_first_line_only_gets_it_without_a_complaint() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(["doctor", "list"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(0), String::new()));
}
