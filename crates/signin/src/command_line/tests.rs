use std::collections::BTreeMap;

use kubesso_token_cache::Surroundings;

use super::*;
use crate::testing::{self, Recording};

fn run(words: &[&str], variables: &[(&str, &str)]) -> (u8, Recording) {
    let (mut environment, recording) = testing::recording_environment();
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    environment.surroundings = Surroundings::of(variables, None);
    let line = ["kubectl-oidc_login"].iter().chain(words).map(OsString::from);
    (run_plugin(line, environment), recording)
}

fn parsed(words: &[&str], variables: &[(&str, &str)]) -> (Plugin, Vec<String>) {
    let mut environment = testing::environment();
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    environment.surroundings = Surroundings::of(variables, Some("/nowhere".into()));
    match parse("kubelogin".into(), words.iter().map(OsString::from), &environment) {
        Ok(call) => call,
        Err(Answer::Help(text) | Answer::Mistake(text, _)) => panic!("{text}"),
    }
}

fn get_token(words: &[&str], variables: &[(&str, &str)]) -> kubesso_token_cache::GetTokenArguments {
    let words = ["--oidc-issuer-url=https://x", "--oidc-client-id", "x", "get-token"].iter().chain(words);
    let Some(Command::GetToken(arguments)) = parsed(&words.copied().collect::<Vec<_>>(), variables).0.command
    else {
        panic!("not get-token")
    };
    *arguments
}

#[test]
fn every_mistake_is_one_line_that_says_what_to_do() {
    let lines: Vec<_> = [
        &["get-token"][..],
        &["get-token", "--oidc-issuer-url=https://x"],
        &["get-token", "--oidc-issuer-url=idp", "--oidc-client-id=x"],
        &["get-token", "--grant-type=magic"],
        &["get-token", "--authentication-timeout-sec=soon"],
        &["get-token", "--skip-open-browser=maybe"],
        &["get-token", "--oidc-client-id"],
        &["get-token", "--forcerefresh"],
        &["clean", "extra"],
        &["frobnicate"],
    ]
    .into_iter()
    .map(|words| {
        let (code, recording) = run(words, &[]);
        assert_eq!((code, &*recording.stdout()), (1, ""), "{words:?}");
        recording.stderr()
    })
    .collect();
    insta::assert_snapshot!(lines.concat(), @"
    error: the following required arguments were not provided: --oidc-issuer-url <URL>, --oidc-client-id <ID>
    error: the following required arguments were not provided: --oidc-client-id <ID>
    error: invalid value 'idp' for '--oidc-issuer-url <URL>': it is not a URL (relative URL without a base); write it in full, like https://login.example.com
    error: invalid value 'magic' for '--grant-type <TYPE>' [possible values: auto, authcode, authcode-keyboard, password, device-code, client-credentials, token-exchange]
    error: invalid value 'soon' for '--authentication-timeout-sec <SECONDS>': invalid digit found in string
    error: invalid value 'maybe' for '--skip-open-browser[=<BOOL>]': use true or false
    error: a value is required for '--oidc-client-id <ID>' but none was supplied
    error: unexpected argument '--forcerefresh' found; a similar argument exists: '--force-refresh'
    error: unexpected argument 'extra' found
    error: unrecognized subcommand 'frobnicate'
    ");
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let (code, recording) = run(&["version", "-v1"], &[("KUBELOGIN_V", "much")]);
    assert_eq!(code, 0, "the command line wins: {}", recording.stderr());
    let (code, recording) = run(&["version"], &[("KUBELOGIN_V", "much")]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(recording.stderr(), @"error: invalid value 'much' for '--v <LEVEL>': invalid digit found in string (set by KUBELOGIN_V)");
}

/// The misspelt name is why the flag is missing.
#[test]
fn a_name_that_no_flag_has_is_told_beside_a_mistake() {
    let variables = [("KUBELOGIN_OIDC_ISUER_URL", "https://x"), ("KUBELOGIN_OIDC_CLIENT_ID", "x")];
    let (code, recording) = run(&["get-token"], &variables);
    assert_eq!(code, 1);
    insta::assert_snapshot!(recording.stderr(), @r"
    warning: no flag is called --oidc-isuer-url, so the variable KUBELOGIN_OIDC_ISUER_URL has no effect; is KUBELOGIN_OIDC_ISSUER_URL meant?
    error: the following required arguments were not provided: --oidc-issuer-url <URL>
    ");
}

#[test]
fn a_configuration_that_is_not_yaml_is_named_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("oidc-login.yaml");
    for text in [
        "defaults:\n  oidc-client-secret: \"hunter2\nx: [",
        "defaults: [hunter2",
        "profiles:\n  work:\n    password: {hunter2: *hunter2",
    ] {
        std::fs::write(&path, text).unwrap();
        let (code, recording) = run(&["version"], &[("KUBELOGIN_CONFIG", path.to_str().unwrap())]);
        let said = recording.stderr();
        assert_eq!((code, said.lines().count()), (1, 1), "{text:?}: {said}");
        assert!(said.contains("oidc-login.yaml") && said.contains("line "), "{said}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for words in
        [&["--help"][..], &["get-token", "-h"], &["help", "setup"], &["--version"], &["--help", "clean"]]
    {
        let (code, recording) = run(words, &[]);
        assert_eq!((code, &*recording.stderr()), (0, ""), "{words:?}");
        assert!(!recording.stdout().is_empty(), "{words:?}");
    }
}

#[test]
fn flags_may_be_repeated_and_stand_before_the_command() {
    let arguments = get_token(
        &[
            "--grant-type",
            "password",
            "--grant-type=device-code",
            "--username",
            "-x",
            "--oidc-extra-scope",
            "a",
        ],
        &[],
    );
    assert_eq!(arguments.oidc_client_id, "x");
    assert_eq!(arguments.authentication.grant_type, kubesso_token_cache::GrantType::DeviceCode);
    assert_eq!(arguments.authentication.username.as_deref(), Some("-x"));
    for words in
        [&["-v1", "version"][..], &["-v", "1", "version"], &["version", "-v=1"], &["version", "--v=0", "-v1"]]
    {
        assert_eq!(parsed(words, &[]).0.log.verbosity, 1, "{words:?}");
    }
}

#[test]
fn a_variable_sets_a_flag_and_the_command_line_wins() {
    let variables = [("KUBELOGIN_OIDC_CLIENT_SECRET", "s3cret"), ("KUBELOGIN_OIDC_CLIENT_ID", "y")];
    let arguments = get_token(&[], &variables);
    assert_eq!(arguments.provider.oidc_client_secret.unwrap().expose(), "s3cret");
    assert_eq!(arguments.oidc_client_id, "x");
}

#[test]
fn flags_of_the_log_are_taken_on_every_command_and_before_it() {
    let flags = [
        "--vmodule=a=1",
        "--logtostderr=true",
        "--alsologtostderr",
        "--alsologtostderrthreshold=ERROR",
        "--legacy_stderr_threshold_behavior=false",
        "--stderrthreshold=INFO",
        "--log_dir=/tmp",
        "--log_file=/tmp/x",
        "--log_file_max_size=1",
        "--log_backtrace_at=:0",
        "--add_dir_header",
        "--skip_headers",
        "--skip_log_headers",
        "--one_output",
    ];
    for command in [&["version"][..], &["clean"], &["setup"]] {
        let (plugin, _) = parsed(&[&flags, command].concat(), &[]);
        assert_eq!(
            plugin.log.without_effect(),
            ["--vmodule", "--log_dir", "--log_file", "--log_backtrace_at"]
        );
        assert_eq!(parsed(&[command, &flags].concat(), &[]).0.log.without_effect().len(), 4);
    }
    let (_, notices) = parsed(&["version", "--log_dir=/tmp", "--logtostderr=false"], &[]);
    assert_eq!(
        notices,
        ["--logtostderr=false, --log_dir: what is told goes to standard error, as much as -v says"]
    );
    assert!(parsed(&["version", "--stderrthreshold=INFO"], &[]).1.is_empty());
}
