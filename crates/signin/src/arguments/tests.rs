use clap::CommandFactory;

use super::*;

fn get_token(flags: &[&str]) -> Result<Box<GetTokenArguments>, clap::Error> {
    let always =
        ["kubelogin", "get-token", "--oidc-issuer-url=https://idp.example.com", "--oidc-client-id=k8s"];
    let plugin = Plugin::try_parse_from(always.iter().chain(flags))?;
    let Command::GetToken(arguments) = plugin.oidc_login.command else { panic!("not get-token") };
    Ok(arguments)
}

#[test]
fn the_command_line_is_consistent() {
    Plugin::command().debug_assert();
}

#[test]
fn defaults_are_kubelogins() {
    let arguments = get_token(&[]).unwrap();
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
        assert_eq!(get_token(&[flag]).unwrap().authentication.skip_open_browser, value, "{flag}");
    }
    assert!(get_token(&["--skip-open-browser", "false"]).is_err(), "no positional arguments");
    assert!(get_token(&["--skip-open-browser=yes"]).is_err());
}

#[test]
fn values_may_follow_an_equals_sign_or_a_space() {
    let arguments = get_token(&[
        "--oidc-extra-scope",
        "email",
        "--oidc-extra-scope=profile",
        "--listen-address=127.0.0.1:1,127.0.0.1:2",
        "-v1",
        "--certificate-authority",
        "a.pem",
        "--certificate-authority=b,c.pem",
        "--tls-renegotiation-once",
        "--listen-port=8000",
    ])
    .unwrap();
    assert_eq!(arguments.provider.oidc_extra_scope, ["email", "profile"]);
    assert_eq!(arguments.authentication.listen_address, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(arguments.tls.certificate_authority.len(), 2, "file names may hold commas");
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
    assert!(get_token(&["--grant-type=magic"]).unwrap_err().to_string().contains("device-code"));
    assert!(get_token(&["--authentication-timeout-sec=soon"]).is_err());
}

#[test]
fn secrets_on_the_command_line_do_not_print() {
    let arguments = get_token(&["--oidc-client-secret=s3cret", "--password=hunter2"]).unwrap();
    let shown = format!("{arguments:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("hunter2"), "{shown}");
}
