use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Plugin::command().debug_assert();
}

/// A longer line is broken by the help without a backslash, and does not work when pasted.
#[test]
fn examples_fit_a_terminal_of_80_columns() {
    let plugin = Plugin::command();
    for command in plugin.get_subcommands().chain([&plugin]) {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in examples.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
        }
    }
}

#[test]
fn verbosity_is_given_behind_the_command_too() {
    let line = ["kubelogin", "get-token", "--oidc-issuer-url=https://x", "--oidc-client-id=x", "-v1"];
    assert_eq!(Plugin::try_parse_from(line).unwrap().log.verbosity, 1);
}

#[test]
fn mistakes_are_named() {
    let wrong = |line: &[&str]| Plugin::try_parse_from(line).unwrap_err().to_string();
    assert!(wrong(&["kubelogin", "get-token"]).contains("--oidc-issuer-url"));
    assert!(wrong(&["kubelogin", "get-token", "--oidc-issuer-url=https://x"]).contains("--oidc-client-id"));
    assert!(
        wrong(&["kubelogin", "get-token", "--oidc-issuer-url=idp", "--oidc-client-id=x"])
            .contains("https://")
    );
    assert!(wrong(&["kubelogin", "frobnicate"]).contains("frobnicate"));
    assert!(wrong(&["kubelogin", "clean", "extra"]).contains("extra"));
}

/// What kubelogin (v1.36) takes: the flag, its type in pflag, its default as pflag shows it, and the commands that
/// have it: r(oot), g(et-token), s(etup), c(lean).
const KUBELOGIN: &str = "\
oidc-issuer-url                 string          -       gs
oidc-client-id                  string          -       gs
oidc-client-secret              string          -       gs
oidc-redirect-url               string          -       gs
oidc-extra-scope                stringSlice     -       gs
oidc-use-access-token           bool            false   gs
oidc-request-header             stringToString  -       gs
oidc-pkce-method                string          auto    gs
oidc-use-pkce                   bool            false   gs
force-refresh                   bool            false   g
token-cache-dir                 string          -       gc
token-cache-storage             string          disk    g
certificate-authority           stringArray     -       gsr
certificate-authority-data      stringArray     -       gsr
insecure-skip-tls-verify        bool            false   gsr
tls-renegotiation-once          bool            false   gsr
tls-renegotiation-freely        bool            false   gsr
grant-type                      string          auto    gsr
listen-address                  stringSlice     -       gsr
skip-open-browser               bool            false   gsr
browser-command                 string          -       gsr
authentication-timeout-sec      int             180     gsr
local-server-cert               string          -       gsr
local-server-key                string          -       gsr
open-url-after-authentication   string          -       gsr
oidc-auth-request-extra-params  stringToString  -       gsr
username                        string          -       gsr
password                        string          -       gsr
kubeconfig                      string          -       r
context                         string          -       r
user                            string          -       r
v                               int             0       gscr
vmodule                         string          -       gscr
logtostderr                     bool            true    gscr
alsologtostderr                 bool            false   gscr
alsologtostderrthreshold        string          -       gscr
legacy_stderr_threshold_behavior bool           false   gscr
stderrthreshold                 string          -       gscr
log_dir                         string          -       gscr
log_file                        string          -       gscr
log_file_max_size               int             -       gscr
log_backtrace_at                string          -       gscr
add_dir_header                  bool            false   gscr
skip_headers                    bool            false   gscr
skip_log_headers                bool            false   gscr
one_output                      bool            false   gscr
listen-port                     intSlice        -       gsr
oidc-redirect-url-hostname      string          -       gs
oidc-redirect-url-authcode-keyboard string      -       gs
force-keyring                   bool            false   g
no-keyring                      bool            false   g";

#[test]
fn every_flag_of_kubelogin_is_there_with_its_type_and_default() {
    let mut plugin = Plugin::command();
    plugin.build();
    for line in KUBELOGIN.lines() {
        let [flag, kind, default, commands] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        for command in commands.chars() {
            let command = match command {
                'g' => plugin.find_subcommand("get-token").unwrap(),
                's' => plugin.find_subcommand("setup").unwrap(),
                'c' => plugin.find_subcommand("clean").unwrap(),
                _ => &plugin,
            };
            let found = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
            let argument = found.unwrap_or_else(|| panic!("{} has no --{flag}", command.get_name()));
            let is_switch = argument.is_require_equals_set();
            let is_list = matches!(argument.get_action(), ArgAction::Append);
            assert_eq!(is_switch, kind == "bool", "--{flag}");
            assert_eq!(
                is_list,
                ["stringSlice", "stringArray", "stringToString", "intSlice"].contains(&kind),
                "--{flag}"
            );
            let defaults: Vec<_> =
                argument.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(defaults, Vec::from_iter((default != "-").then_some(default)), "--{flag}");
        }
    }
}
