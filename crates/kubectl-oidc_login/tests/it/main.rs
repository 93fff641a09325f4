//! The small plugin from outside: a hit it answers, everything else goes to `kubesso` as it came.

#![cfg(test)]
#![cfg(unix)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::Parser;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock, OsEntropy, SystemClock};
use kubesso_token_cache::{Call, Entry, GetTokenArguments, Secret, Surroundings};
use tempfile::TempDir;

/// A folder with the plugin, a `kubesso` that writes down how it was called, and a home.
struct World {
    folder: TempDir,
}

#[derive(Debug, Parser)]
struct GetToken {
    #[command(flatten)]
    arguments: GetTokenArguments,
}

const CALL: [&str; 3] =
    ["get-token", "--oidc-issuer-url=https://login.example.com", "--oidc-client-id=kubernetes"];

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(world.path("bin")).unwrap();
        fs::create_dir_all(world.path("home")).unwrap();
        // A link would be followed: the program's own place is where the file is.
        fs::copy(env!("CARGO_BIN_EXE_kubectl-oidc_login"), world.plugin()).unwrap();
        world.script("bin/kubesso", "printf '%s|' \"$0\" \"$@\"; exit 7");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plugin(&self) -> PathBuf {
        self.path("bin/kubectl-oidc_login")
    }

    fn script(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{content}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Keeps a token for [`CALL`] with `flags`, which ends at `expires_at`.
    fn keep(&self, flags: &[&str], expires_at: Timestamp) {
        let call = GetToken::parse_from(CALL.iter().chain(flags));
        let surroundings = Surroundings::of(BTreeMap::new(), Some(self.path("home")));
        let entry = Entry {
            token: Secret::from("header.payload.signature".to_owned()),
            issued_at: None,
            expires_at,
            refresh_token: Some(Secret::from("refresh".to_owned())),
            scope: None,
        };
        let paths = Call::new(&call.arguments, &surroundings).unwrap().paths.unwrap();
        paths.save(&entry, &OsEntropy).unwrap();
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        self.run_with(&[], arguments)
    }

    fn run_with<S: AsRef<OsStr>>(&self, variables: &[(&str, &str)], arguments: &[S]) -> Output {
        let mut command = Command::new(self.plugin());
        command
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .env("HOME", self.path("home"))
            .env("PATH", "/usr/bin:/bin");
        command.output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn in_an_hour() -> Timestamp {
    SystemClock.now() + SignedDuration::from_hours(1)
}

#[test]
fn a_hit_is_the_line_for_kubectl_and_nothing_else() {
    let world = World::new();
    world.keep(&[], "2100-01-01T00:00:00Z".parse().unwrap());
    let output = world.run(&CALL);
    assert_eq!(
        text(&output.stdout),
        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\
         \"spec\":{\"interactive\":false},\"status\":{\"expirationTimestamp\":\"2100-01-01T00:00:00Z\",\
         \"token\":\"header.payload.signature\"}}\n"
    );
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn what_the_cache_does_not_answer_goes_to_kubesso_as_it_came() {
    let world = World::new();
    world.keep(&[], in_an_hour());
    world.keep(&["--oidc-extra-scope=ended"], SystemClock.now());
    let with = |flag| [&CALL[..], &[flag]].concat();
    for arguments in [
        vec![],
        vec!["setup", "--oidc-issuer-url=https://login.example.com"],
        vec!["--help"],
        vec!["clean"],
        vec!["get-token"],
        with("--oidc-extra-scope=another"),
        with("--oidc-extra-scope=ended"),
        with("--force-refresh"),
        with("--token-cache-storage=none"),
        with("--no-such-flag"),
        with("--oidc-auth-request-extra-params=no equals sign"),
        with("a word with spaces, 'quotes' and $dollars"),
    ] {
        let output = world.run(&arguments);
        let kubesso = world.path("bin/kubesso").canonicalize().unwrap();
        let call: Vec<_> = [kubesso.to_str().unwrap(), "oidc-login"].into_iter().chain(arguments).collect();
        assert_eq!(text(&output.stdout), format!("{}|", call.join("|")));
        assert_eq!(output.status.code(), Some(7), "kubesso's exit code is the plugin's");
    }
}

#[test]
fn a_token_near_its_end_is_printed_and_kubesso_is_sent_for_the_next() {
    let world = World::new();
    let call = world.path("call");
    // The pipe is read here, so the test waits for the helper and for nothing else.
    assert!(Command::new("mkfifo").arg(&call).status().unwrap().success());
    world.script("bin/kubesso", &format!("printf '%s|' \"$@\" > '{}'", call.display()));
    world.keep(&[], SystemClock.now() + SignedDuration::from_mins(2));
    let output = world.run(&CALL);
    assert!(output.status.success() && text(&output.stdout).contains("header.payload.signature"));
    let words = [&["oidc-login", "--detached=refresh"], &CALL[..]].concat();
    assert_eq!(fs::read_to_string(call).unwrap(), format!("{}|", words.join("|")));
}

#[test]
fn a_broken_entry_is_kubessos_to_mend() {
    let world = World::new();
    world.keep(&[], in_an_hour());
    let cache = world.path("home/.kube/cache/oidc-login");
    for file in fs::read_dir(cache).unwrap() {
        fs::write(file.unwrap().path(), "{\"version\":1,\"token\":\"a").unwrap();
    }
    assert_eq!(world.run(&CALL).status.code(), Some(7));
}

#[test]
fn without_kubesso_the_error_says_where_it_should_be() {
    let world = World::new();
    fs::remove_file(world.path("bin/kubesso")).unwrap();
    let output = world.run(&CALL);
    let line = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
    let bin = Path::new(&world.path("bin")).canonicalize().unwrap();
    assert!(line.contains(bin.join("kubesso").to_str().unwrap()) && line.contains("PATH"), "{line}");
}

#[test]
fn variables_set_flags_and_a_configuration_file_is_kubessos_to_read() {
    let world = World::new();
    world.keep(&["--oidc-extra-scope=email"], in_an_hour());
    let scope = ("KUBELOGIN_OIDC_EXTRA_SCOPE", "email");
    let is_hit = |output: &Output| output.status.success() && text(&output.stdout).contains("ExecCredential");
    assert!(is_hit(&world.run_with(&[scope], &CALL)));
    let whole = [
        scope,
        ("KUBELOGIN_OIDC_ISSUER_URL", "https://login.example.com"),
        ("KUBELOGIN_OIDC_CLIENT_ID", "kubernetes"),
        ("KUBELOGIN_OF_ANOTHER_TOOL", "1"),
    ];
    assert!(is_hit(&world.run_with(&whole, &["get-token"])));
    assert!(!is_hit(&world.run_with(&[], &CALL)), "another entry is meant");
    assert!(!is_hit(&world.run_with(&[scope], &[&CALL[..], &["--oidc-extra-scope=groups"]].concat())));
    assert!(!is_hit(&world.run_with(&[scope, ("KUBELOGIN_PROFILE", "work")], &CALL)));

    fs::create_dir_all(world.path("home/.config/kubesso")).unwrap();
    fs::write(world.path("home/.config/kubesso/oidc-login.yaml"), "defaults: {}").unwrap();
    assert_eq!(world.run_with(&[scope], &CALL).status.code(), Some(7));
}
