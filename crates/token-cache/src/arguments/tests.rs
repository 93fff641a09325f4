use super::*;
use crate::testing::{get_token, try_get_token};

#[test]
fn defaults_are_kubelogins() {
    let arguments = get_token(&[]);
    assert_eq!(arguments.authentication.grant_type, GrantType::Auto);
    assert_eq!(arguments.authentication.authentication_timeout_sec, 180);
    assert_eq!(arguments.provider.oidc_pkce_method, PkceMethod::Auto);
    assert_eq!(arguments.cache.token_cache_storage, CacheStorage::Disk);
    assert!(!arguments.force_refresh && !arguments.authentication.skip_open_browser);
}

#[test]
fn booleans_take_a_value_only_behind_an_equals_sign() {
    for (flag, value) in [
        ("--skip-open-browser", true),
        ("--skip-open-browser=true", true),
        ("--skip-open-browser=1", true),
        ("--skip-open-browser=T", true),
        ("--skip-open-browser=false", false),
        ("--skip-open-browser=0", false),
    ] {
        assert_eq!(get_token(&[flag]).authentication.skip_open_browser, value, "{flag}");
    }
    assert!(try_get_token(&["--skip-open-browser", "false"]).is_err(), "no positional arguments");
    assert!(try_get_token(&["--skip-open-browser=yes"]).is_err());
}

#[test]
fn values_may_follow_an_equals_sign_or_a_space() {
    let arguments = get_token(&[
        "--oidc-extra-scope",
        "email",
        "--oidc-extra-scope=profile",
        "--listen-address=127.0.0.1:1,127.0.0.1:2",
        "--certificate-authority",
        "a.pem",
        "--certificate-authority=b,c.pem",
        "--tls-renegotiation-once",
        "--listen-port=8000",
    ]);
    assert_eq!(arguments.provider.oidc_extra_scope, ["email", "profile"]);
    assert_eq!(arguments.authentication.listen_address, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(arguments.tls.certificate_authority.len(), 2, "file names may hold commas");
}

#[test]
fn a_value_that_is_none_of_a_flags_is_refused() {
    assert!(try_get_token(&["--grant-type=magic"]).unwrap_err().to_string().contains("device-code"));
    assert!(try_get_token(&["--authentication-timeout-sec=soon"]).is_err());
}

#[test]
fn secrets_on_the_command_line_do_not_print() {
    let arguments = get_token(&["--oidc-client-secret=s3cret", "--password=hunter2"]);
    let shown = format!("{arguments:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("hunter2"), "{shown}");
}
