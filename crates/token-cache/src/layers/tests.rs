use clap::{Args, Command};

use super::configuration::ConfigurationText;
use super::*;
use crate::arguments::GetTokenArguments;

const FILE: &str = r#"{
    "defaults": {
        "oidc-extra-scope": ["email", "groups"],
        "--skip-open-browser": true,
        "authentication-timeout-sec": 60,
        "browser-command": null
    },
    "profiles": {
        "work": {
            "oidc-extra-scope": "profile",
            "oidc-auth-request-extra-params": {"login_hint": "dev@example.com", "claims": "{\"a\":\"b=c,d\"}"}
        },
        "home": null
    }
}"#;

fn command() -> Command {
    GetTokenArguments::augment_args(Command::new("get-token"))
}

fn file(text: &str) -> Configuration {
    let file = ConfigurationText { path: "/etc/oidc-login.yaml".into(), text: text.to_owned() };
    Configuration::new(file, |text| serde_json::from_str(text).map_err(|e| e.to_string())).unwrap()
}

fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Surroundings::of(variables.collect(), Some("/home/dev".into()))
}

fn under(given: &[&str], variables: &[(&str, &str)], text: Option<&str>) -> Result<Added, Error> {
    let flags = Flags::of(&command());
    let line = CommandLine::read(given.iter().map(OsString::from), &flags);
    Layers::new(&surroundings(variables), text.map(file)).under(&line, &flags, &flags)
}

fn words_of(added: &Added) -> Vec<&str> {
    added.words.iter().map(|word| word.to_str().unwrap()).collect()
}

#[test]
fn the_command_line_wins_then_the_environment_the_profile_and_the_defaults() {
    let scope = ("KUBELOGIN_OIDC_EXTRA_SCOPE", "openid,x");
    for (given, variables, text, expected) in [
        (&["--oidc-extra-scope=a"][..], &[scope][..], Some(FILE), vec![]),
        (&["--oidc-extra-scope", "a"], &[scope], Some(FILE), vec![]),
        (&[], &[scope], Some(FILE), vec!["--oidc-extra-scope=openid,x"]),
        (&["--profile=work"], &[], Some(FILE), vec!["--oidc-extra-scope=profile"]),
        (&["--profile=home"], &[], Some(FILE), vec!["--oidc-extra-scope=email", "--oidc-extra-scope=groups"]),
        (&[], &[], Some(FILE), vec!["--oidc-extra-scope=email", "--oidc-extra-scope=groups"]),
        (&[], &[], None, vec![]),
        (&[], &[("KUBELOGIN_OIDC_EXTRA_SCOPE", "")], None, vec![]),
        (&[], &[("OIDC_EXTRA_SCOPE", "x")], None, vec![]),
    ] {
        let added = under(given, variables, text).unwrap();
        let scopes: Vec<_> =
            words_of(&added).into_iter().filter(|word| word.starts_with("--oidc-extra-scope")).collect();
        assert_eq!(scopes, expected, "{given:?} {variables:?}");
    }
}

#[test]
fn every_kind_of_value_arrives_as_its_flag_takes_it() {
    let added = under(&["--profile", "work"], &[], Some(FILE)).unwrap();
    assert_eq!(
        words_of(&added),
        [
            r#"--oidc-auth-request-extra-params="claims={""a"":""b=c,d""}""#,
            "--oidc-auth-request-extra-params=login_hint=dev@example.com",
            "--oidc-extra-scope=profile",
            "--authentication-timeout-sec=60",
            "--skip-open-browser=true",
        ]
    );
    assert_eq!(added.origins["oidc-extra-scope"], r#"profile "work" in /etc/oidc-login.yaml"#);
    assert_eq!(added.warnings, Vec::<String>::new());
    let line = CommandLine { words: added.words, ..CommandLine::default() };
    let always = ["--oidc-issuer-url=https://x", "--oidc-client-id=x"].map(OsString::from);
    let matches = command().try_get_matches_from(line.with("get-token".into(), always.to_vec())).unwrap();
    assert_eq!(matches.get_one::<bool>("skip_open_browser"), Some(&true));
}

#[test]
fn every_flag_can_be_set_by_a_variable() {
    for argument in command().get_arguments() {
        let name = argument.get_long().unwrap();
        let variable = variable_of(name);
        let added = under(&[], &[(&variable, "x")], None).unwrap();
        assert_eq!(words_of(&added), [format!("--{name}=x")], "{variable}");
        assert_eq!(added.origins[name], variable);
    }
}

#[test]
fn a_name_that_no_flag_has_is_warned_about_with_what_may_be_meant() {
    let text = r#"{"default": {}, "defaults": {"oidc-client-secrt": "x"}, "profiles": {"a": {"magic": 1}}}"#;
    let added =
        under(&[], &[("KUBELOGIN_OIDC_EXTRA_SCOPES", "x"), ("KUBELOGIN_MAGIC", "1")], Some(text)).unwrap();
    assert_eq!(words_of(&added), Vec::<&str>::new());
    insta::assert_snapshot!(added.warnings.join("\n"), @r#"
    no flag is called --magic, so the variable KUBELOGIN_MAGIC has no effect
    no flag is called --oidc-extra-scopes, so the variable KUBELOGIN_OIDC_EXTRA_SCOPES has no effect; is KUBELOGIN_OIDC_EXTRA_SCOPE meant?
    /etc/oidc-login.yaml has a member "default", which means nothing; flags go under defaults, or under profiles
    /etc/oidc-login.yaml sets "magic", and no flag is called --magic
    /etc/oidc-login.yaml sets "oidc-client-secrt", and no flag is called --oidc-client-secrt; is oidc-client-secret meant?
    "#);
}

#[test]
fn a_flag_of_another_command_is_neither_taken_nor_warned_about() {
    let of_command = Flags::of(&Command::new("clean"));
    let layers = Layers::new(&surroundings(&[("KUBELOGIN_OIDC_CLIENT_ID", "x")]), Some(file(FILE)));
    let added = layers.under(&CommandLine::default(), &of_command, &Flags::of(&command())).unwrap();
    assert_eq!(added, Added::default());
}

#[test]
fn a_flag_from_below_gives_way_to_one_that_it_cannot_be_beside() {
    let flags = Flags::of(
        &Command::new("x")
            .arg(clap::Arg::new("secret").long("secret").conflicts_with("file"))
            .arg(clap::Arg::new("file").long("file")),
    );
    let layers = Layers::new(&surroundings(&[("KUBELOGIN_SECRET", "x")]), None);
    let line = |given: &str| CommandLine::read([OsString::from(given)], &flags);
    assert!(layers.under(&line("--file=y"), &flags, &flags).unwrap().words.is_empty());
    assert_eq!(layers.under(&CommandLine::default(), &flags, &flags).unwrap().words, ["--secret=x"]);
    let layers = Layers::new(&surroundings(&[("KUBELOGIN_FILE", "x")]), None);
    assert!(layers.under(&line("--secret=y"), &flags, &flags).unwrap().words.is_empty());
}

#[test]
fn of_several_ways_to_say_one_thing_the_nearest_is_meant() {
    let secret = ("KUBELOGIN_OIDC_CLIENT_SECRET", "x");
    let added = under(&["--oidc-client-secret-file=y"], &[secret], None).unwrap();
    assert_eq!(words_of(&added), Vec::<&str>::new());
    let text = r#"{"defaults": {"oidc-client-secret-command": "pass show x"}}"#;
    assert_eq!(words_of(&under(&[], &[secret], Some(text)).unwrap()), ["--oidc-client-secret=x"]);
}

#[test]
fn the_profile_is_named_anywhere_but_must_be_one_of_the_file() {
    for (given, variables, text, scopes) in [
        (&["--profile=work"][..], &[][..], FILE, "profile"),
        (&[], &[("KUBELOGIN_PROFILE", "work")][..], FILE, "profile"),
        (&["--profile=b"], &[], r#"{"defaults": {"oidc-extra-scope": "x"}}"#, "x"),
        (&[], &[], r#"{"defaults": {"profile": "a"}, "profiles": {"a": {"oidc-extra-scope": "x"}}}"#, "x"),
    ] {
        let added = under(given, variables, Some(text)).unwrap();
        assert!(words_of(&added).contains(&&*format!("--oidc-extra-scope={scopes}")), "{added:?}");
    }
    let error = under(&["--profile=wrk"], &[], Some(FILE)).unwrap_err().to_string();
    assert_eq!(error, r#"--profile: /etc/oidc-login.yaml has no profile "wrk"; it has home, work"#);
    assert!(under(&["--profile=any"], &[], None).is_ok(), "a name alone keeps tokens apart");
}

#[test]
fn the_file_is_where_the_system_keeps_such_files_or_where_a_variable_says() {
    let home = tempfile::tempdir().unwrap();
    let read = |variables: &[(&str, &str)]| {
        let surroundings = surroundings(variables);
        ConfigurationText::read(&Surroundings { home: Some(home.path().to_owned()), ..surroundings })
    };
    assert!(read(&[]).unwrap().is_none());
    let xdg = home.path().join("xdg");
    std::fs::create_dir_all(xdg.join("kubesso")).unwrap();
    std::fs::write(xdg.join("kubesso/oidc-login.yaml"), "xdg").unwrap();
    std::fs::write(home.path().join("other.yaml"), "other").unwrap();
    let xdg = ("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    assert_eq!(read(&[xdg]).unwrap().unwrap().text, "xdg");
    assert_eq!(read(&[xdg, ("KUBELOGIN_CONFIG", "~/other.yaml")]).unwrap().unwrap().text, "other");
    let error = read(&[xdg, ("KUBELOGIN_CONFIG", "~/absent.yaml")]).unwrap_err().to_string();
    assert!(error.contains("absent.yaml"), "{error}");
}

#[test]
fn what_is_no_configuration_is_refused() {
    for (text, problem) in [
        ("[]", "defaults and profiles"),
        (r#"{"defaults": []}"#, "defaults must be a map"),
        (r#"{"profiles": {"a": 1}}"#, r#"the profile "a" must be a map"#),
        (r#"{"defaults": {"grant-type": {"a": [1]}}}"#, "grant-type in defaults"),
        ("{", "EOF"),
    ] {
        let file = ConfigurationText { path: "/f".into(), text: text.to_owned() };
        let read = |text: &str| serde_json::from_str(text).map_err(|e| e.to_string());
        let error = Configuration::new(file, read).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
    let empty = ConfigurationText { path: "/f".into(), text: String::new() };
    assert!(Configuration::new(empty, |_| Ok(serde_json::Value::Null)).is_ok());
}
