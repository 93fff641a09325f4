use std::process::Command;

use clap::{CommandFactory, Parser};
use kubesso_token_cache::shell;
use proptest::prelude::*;

use super::*;
use crate::arguments::Plugin;
use crate::testing;

fn printed_command(flags: &[String]) -> String {
    let always = ["kubelogin", "setup", "--oidc-issuer-url=https://idp.example.com", "--oidc-client-id=k8s"];
    let plugin =
        Plugin::try_parse_from(always.into_iter().map(str::to_owned).chain(flags.iter().cloned())).unwrap();
    let Some(crate::Command::Setup(arguments)) = plugin.command else { panic!("not setup") };
    let environment = testing::environment();
    let options = Options::new(
        arguments.oidc_issuer_url.as_ref().unwrap(),
        "k8s",
        &arguments.provider,
        &arguments.tls,
        &arguments.authentication,
        &environment.surroundings,
    );
    command::set_credentials(&arguments, &options.unwrap(), &environment)
}

/// What kubectl would put into the kubeconfig: the command read by a shell, then each `--exec-arg` as CSV.
fn exec_arguments(command: &str) -> Vec<String> {
    let script = format!("kubectl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
    let output =
        Command::new("sh").arg("-c").arg(script).env("OIDC_CLIENT_SECRET", "s3cret").output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    words
        .split('\0')
        .filter_map(|word| word.strip_prefix("--exec-arg="))
        .flat_map(kubesso_token_cache::values::csv_cells)
        .collect()
}

#[test]
fn the_command_says_every_flag_that_was_used() {
    let flags = [
        "--oidc-extra-scope=email offline_access",
        "--oidc-use-pkce",
        "--certificate-authority=~/ca.pem",
        "--listen-address=127.0.0.1:9000,127.0.0.1:9001",
        "--skip-open-browser=true",
        "--grant-type=authcode",
        "--oidc-auth-request-extra-params=prompt=login,acr=x=y",
        "--oidc-auth-request-extra-params=hint=a,b",
        "--browser-command=firefox -P \"it's $HOME\"",
        "--oidc-use-access-token=false",
    ];
    let command = printed_command(&flags.map(str::to_owned));
    insta::assert_snapshot!(command, @r#"
    kubectl config set-credentials oidc \
      --exec-api-version=client.authentication.k8s.io/v1 \
      --exec-interactive-mode=IfAvailable \
      --exec-command=kubectl \
      --exec-arg=oidc-login \
      --exec-arg=get-token \
      --exec-arg=--oidc-issuer-url=https://idp.example.com \
      --exec-arg=--oidc-client-id=k8s \
      --exec-arg=--oidc-extra-scope=email \
      --exec-arg=--oidc-extra-scope=offline_access \
      --exec-arg=--oidc-pkce-method=S256 \
      --exec-arg=--certificate-authority=/home/dev/ca.pem \
      --exec-arg=--grant-type=authcode \
      --exec-arg=--listen-address=127.0.0.1:9000 \
      --exec-arg=--listen-address=127.0.0.1:9001 \
      --exec-arg=--skip-open-browser \
      '--exec-arg="--browser-command=firefox -P ""it'\''s $HOME"""' \
      --exec-arg=--oidc-auth-request-extra-params=acr=x=y \
      '--exec-arg="--oidc-auth-request-extra-params=hint=a,b"' \
      --exec-arg=--oidc-auth-request-extra-params=prompt=login
    "#);
    insta::assert_snapshot!(exec_arguments(&command).join("\n"), @r#"
    oidc-login
    get-token
    --oidc-issuer-url=https://idp.example.com
    --oidc-client-id=k8s
    --oidc-extra-scope=email
    --oidc-extra-scope=offline_access
    --oidc-pkce-method=S256
    --certificate-authority=/home/dev/ca.pem
    --grant-type=authcode
    --listen-address=127.0.0.1:9000
    --listen-address=127.0.0.1:9001
    --skip-open-browser
    --browser-command=firefox -P "it's $HOME"
    --oidc-auth-request-extra-params=acr=x=y
    --oidc-auth-request-extra-params=hint=a,b
    --oidc-auth-request-extra-params=prompt=login
    "#);
}

#[test]
fn every_flag_that_both_commands_have_is_in_the_command() {
    // Asked for, another spelling of one that is printed, or without effect.
    const OTHERWISE: [&str; 11] = [
        "help",
        "listen-port",
        "oidc-client-secret",
        "oidc-redirect-url-authcode-keyboard",
        "oidc-redirect-url-hostname",
        "oidc-use-pkce",
        "password",
        "tls-renegotiation-freely",
        "tls-renegotiation-once",
        "v",
        "version",
    ];
    let mut plugin = Plugin::command();
    plugin.build();
    let of = |command| plugin.find_subcommand(command).unwrap().get_arguments();
    let shared = of("setup").filter(|flag| of("get-token").any(|other| other.get_id() == flag.get_id()));
    let mut count = 0;
    for flag in shared.filter(|flag| !flag.is_global_set()) {
        let name = flag.get_long().unwrap();
        if OTHERWISE.contains(&name) {
            continue;
        }
        let values = flag.get_possible_values();
        let value = match name {
            _ if flag.is_require_equals_set() => "true",
            // The last one needs a token to exchange.
            "grant-type" => "device-code",
            "oidc-subject-token-type" => "jwt",
            _ if !values.is_empty() => values.last().unwrap().get_name(),
            "authentication-timeout-sec" => "5",
            "oidc-issuer-url" => "https://idp.example.com",
            "oidc-client-id" => "k8s",
            "oidc-request-header" | "oidc-auth-request-extra-params" => "a=b",
            "oidc-redirect-url" => "http://localhost:1/cb",
            "certificate-authority-data" => "YQ==",
            _ => "/x",
        };
        let beside: &[&str] = match name {
            "local-server-cert" => &["--local-server-key=/x"],
            "local-server-key" => &["--local-server-cert=/x"],
            "oidc-audience" | "oidc-subject-token-type" => &["--oidc-subject-token-file=/x"],
            "oidc-client-assertion-key-id" => &["--oidc-client-assertion-key=/x"],
            _ => &[],
        };
        let flags: Vec<_> = std::iter::once(format!("--{name}={value}"))
            .chain(beside.iter().map(|word| (*word).to_owned()))
            .collect();
        let command = printed_command(&flags);
        assert!(command.contains(&format!("--exec-arg=--{name}")), "no --{name} in\n{command}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn secrets_are_not_printed_and_the_command_still_has_them() {
    let flags = ["--oidc-client-secret=s3cret", "--username=dev", "--password=hunter2"].map(str::to_owned);
    let command = printed_command(&flags);
    assert!(!command.contains("s3cret") && !command.contains("hunter2"), "{command}");
    let (preparation, command) = command.split_once('\n').unwrap();
    assert!(preparation.starts_with("read -rs OIDC_CLIENT_SECRET"));
    assert!(exec_arguments(command).contains(&"--oidc-client-secret=s3cret".to_owned()));
}

#[test]
fn a_relative_certificate_authority_becomes_absolute() {
    let command = printed_command(&["--certificate-authority=ca.pem".to_owned()]);
    let expected = std::path::absolute("ca.pem").unwrap();
    assert!(exec_arguments(&command).contains(&format!("--certificate-authority={}", expected.display())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_is_pasted_arrives_as_it_was_given(value in "[ -~é]{1,20}", header in "[a-z]{1,6}") {
        prop_assume!(!value.trim_matches('"').is_empty());
        let flags = [
            format!("--browser-command={value}"),
            format!("--open-url-after-authentication={value}"),
            format!("--oidc-request-header={header}=x"),
        ];
        let arguments = exec_arguments(&printed_command(&flags));
        for flag in flags {
            prop_assert!(arguments.contains(&flag), "{:?} lacks {:?}", arguments, flag);
        }
        prop_assert_eq!(shell::words(&shell::quote(&value)), Some(vec![value]));
    }
}
