//! What is typed and what comes back: streams and exit codes.

use crate::{kubesso, text};

#[test]
fn mistakes_end_with_2_and_answers_of_no_or_of_the_plugin_with_1() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, code, expected) in [
        (&["upp"][..], 2, "unrecognized subcommand 'upp'"),
        (&["up", "--provider-port", "http"], 2, "invalid value 'http'"),
        (&["serve"], 2, "--config <FILE>"),
        (
            &["serve", "--config", "/nonexistent.yaml"],
            1,
            "the configuration /nonexistent.yaml cannot be read",
        ),
        (&["user", "list"], 1, "there is no installation in"),
        (&["keys", "rotate"], 1, "start one with `kubesso up`"),
        (&["oidc-login", "get-token", "--oidc-issuer-url=https://sso.example"], 1, "--oidc-client-id"),
    ] {
        let ended = kubesso(home.path(), arguments);
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(ended.stdout.is_empty(), "{arguments:?}");
    }
    assert!(!home.path().join(".local").exists(), "a question leaves nothing behind");
}

#[test]
fn help_has_examples_and_completions_complete() {
    let home = tempfile::tempdir().unwrap();
    let help = text(&kubesso(home.path(), &["up", "--help"]).stdout);
    assert!(help.contains("Examples:") && help.contains("kubesso up --tour"), "{help}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&kubesso(home.path(), &["completion", shell]).stdout);
        assert!(script.contains("reset-password"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn started_by_the_plugins_name_it_is_the_plugin() {
    let home = tempfile::tempdir().unwrap();
    for name in ["kubectl-oidc_login", "kubelogin"] {
        let link = home.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubesso"), &link).unwrap();
        let ended = std::process::Command::new(&link).arg("version").env_clear().output().unwrap();
        assert!(ended.status.success());
        assert!(text(&ended.stderr).contains(env!("CARGO_PKG_VERSION")), "{ended:?}");
    }
}
