use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Plugin::command().debug_assert();
}

#[test]
fn verbosity_is_given_behind_the_command_too() {
    let line = ["kubelogin", "get-token", "--oidc-issuer-url=https://x", "--oidc-client-id=x", "-v1"];
    assert_eq!(Plugin::try_parse_from(line).unwrap().oidc_login.verbosity, 1);
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
