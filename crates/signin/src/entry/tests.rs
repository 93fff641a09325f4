use std::path::PathBuf;

use kubesso_k8s_types::kubeconfig::InteractiveMode;
use kubesso_kubeconfig::{Document, Entry};

use super::*;
use crate::testing;

/// The user `a` of a kubeconfig.
fn user(yaml: &str) -> Entry<User> {
    let text = format!("users:\n- name: a\n  user:\n{yaml}");
    let value = Document::parse(text).unwrap().config().unwrap().user("a").unwrap().clone();
    Entry { name: "a".to_owned(), file: PathBuf::from("/home/me/.kube/config"), value }
}

fn plugin_user(command: &str, words: &[&str]) -> Entry<User> {
    let exec = ExecConfig::new(command, words.iter().map(|word| (*word).to_owned()).collect());
    let value = User { exec: Some(exec), ..User::default() };
    Entry { name: "a".to_owned(), file: PathBuf::from("/home/me/.kube/config"), value }
}

fn migrated(user: &Entry<User>) -> Migration {
    match migrate(user, &PluginProgram::OnPath, &testing::environment()) {
        Migrated::To(migration) => *migration,
        other => panic!("{other:?}"),
    }
}

const ISSUER: &str = "--oidc-issuer-url=https://idp.example";
const CLIENT: &str = "--oidc-client-id=k8s";

#[test]
fn an_auth_provider_becomes_a_call_and_its_secrets_are_told_and_not_in_it() {
    let old = user(concat!(
        "    auth-provider:\n      name: oidc\n      config:\n",
        "        idp-issuer-url: https://idp.example\n        client-id: k8s\n        client-secret: s3cret\n",
        "        extra-scopes: groups, email\n        idp-certificate-authority: pki/ca.pem\n",
        "        id-token: t0ken\n        refresh-token: t0ken\n",
    ));
    let new = migrated(&old);
    assert_eq!(
        new.exec.args,
        [
            "get-token",
            ISSUER,
            CLIENT,
            "--oidc-extra-scope=groups",
            "--oidc-extra-scope=email",
            "--certificate-authority=/home/me/.kube/pki/ca.pem",
        ]
    );
    assert_eq!(new.exec.interactive_mode, Some(InteractiveMode::IfAvailable));
    assert_eq!(new.client_secret.unwrap().expose(), "s3cret");
    assert_eq!(new.tokens, ["id-token", "refresh-token"]);
    assert_eq!(new.notes, [""; 0]);
}

#[test]
fn an_auth_provider_without_scopes_asks_for_the_usual_ones_and_says_so() {
    let old = user(
        "    auth-provider: {name: oidc, config: {idp-issuer-url: 'https://idp.example', client-id: k8s}}\n",
    );
    let new = migrated(&old);
    assert_eq!(new.exec.args[3..], USUAL_SCOPES.map(|scope| format!("--oidc-extra-scope={scope}")));
    assert!(new.notes[0].contains("names no scopes"), "{:?}", new.notes);
}

#[test]
fn what_is_no_sign_in_of_ours_stays_and_what_lacks_something_is_refused() {
    let environment = testing::environment();
    let become_ = |user: &Entry<User>| match migrate(user, &PluginProgram::OnPath, &environment) {
        Migrated::Other(what) => format!("other: {what}"),
        Migrated::Impossible(why) => format!("impossible: {why}"),
        other => panic!("{other:?}"),
    };
    let cases = [
        (user("    token: x\n"), "other: a token"),
        (user("    auth-provider: {name: gcp}\n"), "other: the auth provider gcp"),
        (
            user("    auth-provider: {name: oidc, config: {client-id: k8s}}\n"),
            "impossible: its auth provider has no idp-issuer-url",
        ),
        (
            // Azure's program has the same name.
            plugin_user("kubelogin", &["get-token", "--server-id", "x", "--environment", "AzurePublicCloud"]),
            "other: kubelogin get-token --server-id x --environment AzurePublicCloud",
        ),
        (plugin_user("aws", &["eks", "get-token"]), "other: aws eks get-token"),
        (
            plugin_user("/opt/wrapper", &["get-token", ISSUER, CLIENT]),
            "other: /opt/wrapper get-token --oidc-issuer-url=https://idp.example --oidc-client-id=k8s",
        ),
        (
            plugin_user("kubelogin", &["-v1", "get-token", ISSUER, CLIENT]),
            "impossible: \"-v1\" stands before get-token; put it behind, or leave it away",
        ),
    ];
    for (user, expected) in cases {
        assert_eq!(become_(&user), expected);
    }
    let refused = become_(&plugin_user("kubelogin", &["get-token", ISSUER, CLIENT, "--no-such-flag"]));
    assert!(
        refused.contains("the plugin would refuse its call") && refused.contains("--no-such-flag"),
        "{refused}"
    );
}

#[test]
fn a_call_of_kubelogin_keeps_its_flags_and_old_ones_get_their_present_form() {
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&["--oidc-use-pkce", "-v1"], &["-v1", "--oidc-pkce-method=S256"], ""),
        (&["--oidc-use-pkce=false"], &[], ""),
        (
            &["--listen-port", "8000", "--listen-port=18000"],
            &["--listen-address=127.0.0.1:8000", "--listen-address=127.0.0.1:18000"],
            "",
        ),
        (&["--oidc-redirect-url-hostname=localhost"], &[], "has no effect any more"),
        (&["--tls-renegotiation-once"], &[], "has no effect and is gone"),
        (&["--no-keyring"], &["--token-cache-storage=disk"], ""),
        // As `--exec-arg=--oidc-extra-scope=email,groups` comes out of `kubectl config set-credentials`.
        (
            &["--oidc-extra-scope=email", "groups", "profile", "-v1"],
            &["--oidc-extra-scope=email,groups,profile", "-v1"],
            "come apart",
        ),
        (
            &["--oidc-extra-scope", "email", "groups", "-v1"],
            &["--oidc-extra-scope", "email,groups", "-v1"],
            "come apart",
        ),
        (&["--exec-arg=--skip-open-browser"], &["--skip-open-browser"], "--exec-arg= stood"),
        (
            &["--username=me", "--password=s3cret", "--grant-type=password"],
            &["--username=me", "--password=s3cret", "--grant-type=password"],
            "--password",
        ),
    ];
    for (old, new, note) in cases {
        fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
            [&["get-token", ISSUER, CLIENT], more].concat()
        }
        let migration = migrated(&plugin_user("/usr/local/bin/kubelogin", &flags(old)));
        assert_eq!(migration.exec.args, flags(new), "{old:?}");
        let said = migration.notes.join("\n");
        assert!(if note.is_empty() { said.is_empty() } else { said.contains(note) }, "{old:?}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn the_secret_of_a_call_is_taken_out_and_the_rest_of_the_entry_stays() {
    let old = user(concat!(
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: kubectl\n      args:\n",
        "      - oidc-login\n      - get-token\n      - --oidc-issuer-url=https://idp.example\n",
        "      - --oidc-client-id=k8s\n      - --oidc-client-secret=s3cret\n",
        "      env: [{name: HTTPS_PROXY, value: 'http://proxy'}]\n      interactiveMode: Never\n      future: 1\n",
    ));
    let new = migrated(&old);
    assert_eq!(new.exec.api_version, "client.authentication.k8s.io/v1");
    assert_eq!(new.exec.args, ["get-token", ISSUER, CLIENT]);
    assert_eq!(new.exec.interactive_mode, Some(InteractiveMode::Never));
    assert_eq!(new.exec.env.len(), 1);
    assert!(new.exec.other.0.contains_key("future"));
    assert_eq!(new.client_secret.as_ref().unwrap().expose(), "s3cret");
    assert!(!format!("{new:?}").contains("s3cret"));

    // A second time there is nothing to do.
    let mut again = old.clone();
    again.value.exec = Some(new.exec);
    let outcome = migrate(&again, &PluginProgram::OnPath, &testing::environment());
    assert!(matches!(outcome, Migrated::Already), "{outcome:?}");
}

#[test]
fn what_is_shown_of_a_call_has_no_secret() {
    let words =
        ["get-token", "--oidc-client-secret=s3cret", "--password", "s3cret", "--x y", "--username=me"];
    let exec = ExecConfig::new("kubelogin", words.map(str::to_owned).to_vec());
    assert_eq!(shown(&exec), "kubelogin get-token --oidc-client-secret=… --password … '--x y' --username=me");
}

#[test]
fn a_call_for_others_names_the_plugin_without_a_path_and_holds_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, "PEM").unwrap();
    let ca_flag = format!("--certificate-authority={}", ca.display());
    let words =
        ["get-token", ISSUER, CLIENT, &ca_flag, "--browser-command", "firefox", "--oidc-extra-scope=email"];
    let one = plugin_user("/home/me/bin/kubectl-oidc_login", &words).value.exec.unwrap();
    let (made, left_out) = for_others(&one, &PluginProgram::OnPath, &testing::environment()).unwrap();
    assert_eq!(made.command, "kubectl-oidc_login");
    assert_eq!(
        made.args,
        ["get-token", ISSUER, CLIENT, "--oidc-extra-scope=email", "--certificate-authority-data=UEVN"]
    );
    assert_eq!(left_out, ["--browser-command"]);
    for flag in ["--oidc-client-secret-file=/f", "--oidc-client-assertion-key=/k", "--profile=x"] {
        let one = plugin_user("kubelogin", &["get-token", ISSUER, CLIENT, flag]).value.exec.unwrap();
        let refused = for_others(&one, &PluginProgram::OnPath, &testing::environment()).unwrap_err();
        assert!(refused.to_string().contains(flag.split('=').next().unwrap()), "{refused}");
    }
}
