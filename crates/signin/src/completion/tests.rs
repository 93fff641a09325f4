use std::collections::BTreeMap;

use kubesso_token_cache::Surroundings;

use super::*;
use crate::testing;

/// The candidates for the last word, one a line, and what the last line says.
fn complete(question: &str, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let text =
        "contexts: [{name: dev, context: {}}, {name: prod, context: {}}]\nusers: [{name: me, user: {}}]\n";
    std::fs::write(&kubeconfig, text).unwrap();
    let configuration = folder.path().join("oidc-login.yaml");
    std::fs::write(&configuration, "profiles: {work: {}, home: {}}").unwrap();
    let variables = [("KUBECONFIG", &kubeconfig), ("KUBELOGIN_CONFIG", &configuration)];
    let variables: BTreeMap<_, _> =
        variables.map(|(name, path)| (name.to_owned(), path.to_str().unwrap().to_owned())).into();
    let (mut environment, recording) = testing::recording_environment();
    environment.surroundings = Surroundings::of(variables, None);
    let line = ["kubectl-oidc_login", question].into_iter().chain(words.iter().copied()).map(OsString::from);
    assert_eq!(crate::run_plugin(line, environment), 0);
    assert_eq!(recording.stderr(), "");
    recording.stdout()
}

#[test]
fn commands_flags_and_values_are_offered() {
    for (words, candidates) in [
        (&["get-t"][..], "get-token\n:4\n"),
        (&["--v", "1", "get-t"], "get-token\n:4\n"),
        (&["get-token", "--grant-type", "device"], "device-code\n:4\n"),
        (&["get-token", "--grant-type=authcode-"], "authcode-keyboard\n:4\n"),
        (&["get-token", "--oidc-pkce-method", ""], "auto\nno\nS256\n:4\n"),
        (&["get-token", "--skip-open-browser="], "true\nfalse\n:4\n"),
        (&["get-token", "--force-"], "--force-refresh\n:4\n"),
        (&["get-token", "--force-refresh", "--force-"], ":4\n"),
        (&["get-token", "--oidc-extra-scope=a", "--oidc-extra-s"], "--oidc-extra-scope\n:4\n"),
        (&["get-token", "--oidc-use-pk"], ":4\n"),
        (&["get-token", "--certificate-authority", "/e"], ":0\n"),
        (&["get-token", "--oidc-issuer-url", ""], ":4\n"),
        (&["get-token", ""], ":4\n"),
        (&["get-token", "--profile="], "home\nwork\n:4\n"),
        (&["--context", ""], "dev\nprod\n:4\n"),
        (&["setup", "--context=p"], "prod\n:4\n"),
        (&["--user", ""], "me\n:4\n"),
        (&["--user", "me", "--kubeconfig=/absent", "--context", ""], ":4\n"),
        (&["completion", "po"], "powershell\n:4\n"),
        (&["help", "cl"], "clean\n:4\n"),
        (&["frobnicate", ""], ":4\n"),
    ] {
        assert_eq!(complete("__completeNoDesc", words), candidates, "{words:?}");
    }
    assert!(complete("__complete", &["vers"]).starts_with("version\tPrint the version"));
    assert_eq!(
        complete("__completeMarked", &["completion", "_f"]).lines().next(),
        Some("fish\tPut it into fish's directory of completions")
    );
    assert!(complete("__completeMarked", &["_"]).contains("get-token\t"));
}

#[test]
fn bash_completes_a_line_by_its_script() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kubectl-oidc_login");
    // It tells what it was asked.
    std::fs::write(&program, "#!/bin/sh\nfor word; do printf '%s\\n' \"[$word]\"; done\necho :4\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let asked = |words: &str, at: usize| {
        let script = format!(
            "{}\nCOMP_WORDS=({} {words}); COMP_CWORD={at}; _kubectl_oidc_login; printf '%s' \"${{COMPREPLY[*]}}\"",
            Shell::Bash.script(),
            program.display()
        );
        let output = std::process::Command::new("bash").arg("-c").arg(script).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(asked("get-token --grant", 2), "[__completeNoDesc] [get-token] [--grant]");
    assert_eq!(asked("get-token --grant-type = dev", 4), "[__completeNoDesc] [get-token] [--grant-type=dev]");
    assert_eq!(asked("get-token --grant-type =", 3), "[__completeNoDesc] [get-token] [--grant-type=]");
    assert_eq!(asked("get-token ''", 2), "[__completeNoDesc] [get-token] []");
    assert_eq!(asked("--v = 1 get-token ''", 5), "[__completeNoDesc] [--v=1] [get-token] []");
}
