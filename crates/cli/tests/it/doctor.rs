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

/// A token without anybody's signature, good for the flags of the tests unless `audience` is another.
fn token(audience: &str) -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    // Until 2100: the doctor looks at the clock of this machine.
    let claims = serde_json::json!({
        "iss": "https://sso.example.com", "aud": audience, "sub": "00u1", "email": "jo@example.com", "groups": ["k8s-admins"],
        "iat": 1_700_000_000_i64, "exp": 4_102_444_800_i64,
    });
    format!("{}.{}.{SIGNATURE}", part(serde_json::json!({"alg": "RS256", "kid": "k"})), part(claims))
}

const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLWEtdG9rZW4";

fn written(folder: &std::path::Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_token_and_the_flags_of_an_api_server_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let flags = written(
        folder.path(),
        "config.yaml",
        "kube-apiserver-arg: [oidc-issuer-url=https://sso.example.com, oidc-client-id=kubernetes, oidc-username-claim=email, \
         oidc-groups-claim=groups]\n",
    );
    let bundle = folder.path().join("ticket.json");
    let bundle_flag = bundle.display().to_string();
    let arguments = ["doctor", "--offline", "--token", "-", "--flags", &flags, "--bundle", &bundle_flag];
    let ended = piped(&arguments, token("headlamp").as_bytes());
    let said = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(1), "{said}{}", text(&ended.stderr));
    assert!(said.starts_with("KS009: "), "{said}");
    assert!(said.contains("/etc/rancher/k3s/config.yaml"), "lines to change are k3s': {said}");
    let ticket = std::fs::read_to_string(&bundle).unwrap();
    assert!(
        ticket.contains("headlamp") && !ticket.contains(SIGNATURE) && !said.contains(SIGNATURE),
        "{ticket}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = piped(&arguments, token("headlamp").as_bytes());
    assert!(
        text(&again.stderr).contains("ticket.json cannot be written"),
        "a file that is there stays: {again:?}"
    );
}

#[test]
fn what_fits_ends_with_0_and_names_the_user_as_the_cluster_does() {
    let folder = tempfile::tempdir().unwrap();
    let flags = written(
        folder.path(),
        "flags",
        "--oidc-issuer-url=https://sso.example.com\n--oidc-client-id=kubernetes\n--oidc-username-claim=email\n--oidc-groups-claim=groups\n",
    );
    let kubeconfig = written(
        folder.path(),
        "kubeconfig",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://k'}}]\nusers: \
         [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /bin/sh, args: \
         [--oidc-client-id=kubernetes]}}}]\n",
    );
    let arguments =
        ["doctor", "--offline", "--token", "-", "--flags", &flags, "--kubeconfig", &kubeconfig, "-o", "json"];
    let ended = piped(&arguments, token("kubernetes").as_bytes());
    let json: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(json["identity"]["username"], "jo@example.com");
    // A token until the year 2100 is worth a warning, and nothing else is.
    let findings: Vec<_> =
        json["checks"].as_array().unwrap().iter().filter(|it| it["result"] == "finding").collect();
    assert_eq!((findings.len(), &findings[0]["id"]), (1, &serde_json::json!("KS065")), "{json:#}");
    assert_eq!(ended.status.code(), Some(1));
    let alone = piped(&["doctor", "--offline", "--flags", &flags, "--kubeconfig", &kubeconfig], b"");
    assert_eq!(alone.status.code(), Some(0), "{}", text(&alone.stdout));
    assert!(text(&alone.stdout).starts_with("All is well"), "{}", text(&alone.stdout));
}

#[test]
fn a_question_that_cannot_be_answered_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        "authn.yaml",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n",
    );
    let raw = token("kubernetes");
    for (arguments, code, expected) in [
        (&["doctor", "--token", raw.as_str()][..], 2, "pipe it"),
        (&["doctor", "--token", "-", "--data-dir", "/nonexistent"], 2, "cannot be used with"),
        (&["doctor", "--flags", &file], 1, "give it as --authentication-config"),
        (&["doctor", "--flags", "/nonexistent"], 1, "/nonexistent cannot be read"),
        (&["doctor", "--token", "-"], 1, "there is no token in -"),
        (&["doctor", "--kubeconfig", "/nonexistent"], 1, "the kubeconfig cannot be read"),
        (&["doctor", "--issuer", "https://sso.invalid", "--ca", &file], 1, "correct --ca"),
    ] {
        let ended = piped(arguments, b"");
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {said}{}", text(&ended.stdout));
        assert!(said.contains(expected) && !said.contains(SIGNATURE), "{arguments:?}: {said}");
    }
}
