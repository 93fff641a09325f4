//! What kubelogin's own tests assert of it, in their order and by their names: each line a behaviour, and the providers
//! on which the plugin is held to it.
//!
//! | column | provider | transport |
//! |---|---|---|
//! | `ours` | `kubesso up`, which never serves in the clear | TLS |
//! | `keycloak`, `keycloak_plain` | Keycloak | TLS, plain HTTP on loopback |
//! | `certified`, `certified_plain` | the certified `oidc-provider` | TLS, plain HTTP on loopback |
//! | `certified_without_challenges` | the same; its discovery document says nothing of PKCE | plain HTTP on loopback |
//!
//! kubelogin's tests move its clock; here an entry is made one that has ended, since tests of a process cannot. Where
//! a column is missing: Keycloak and ours always list S256 (14, 15), and ours takes no redirect by TLS to a port of the
//! moment (19). Of a refresh that brings no refresh token (7, 13, 26, 32), oidc-provider is the example.

use anyhow::Result;

use crate::stage::{Stage, tried_on};
use crate::{standalone, trials};

macro_rules! behaviours {
    ($($number:literal $name:literal $module:ident: $trial:path, [$($provider:ident),+];)+) => {
        tried_on! { $($module: $trial, [$($provider),+];)+ }

        /// Number and upstream's name of each line.
        const LINES: &[(u8, &str)] = &[$(($number, $name)),+];
    };
}

behaviours! {
    1 "TestClean"
        b01_clean: trials::clean, [ours, keycloak, certified];
    2 "TestCredentialPlugin/NoTLS/AuthCode"
        b02_plain_auth_code: trials::auth_code, [keycloak_plain, certified_plain];
    3 "TestCredentialPlugin/NoTLS/ROPC"
        b03_plain_ropc: trials::password, [keycloak_plain, certified_plain];
    4 "TestCredentialPlugin/NoTLS/TokenCacheLifecycle/NoCache"
        b04_plain_no_cache: trials::no_cache, [keycloak_plain, certified_plain];
    5 "TestCredentialPlugin/NoTLS/TokenCacheLifecycle/Valid"
        b05_plain_valid: trials::valid, [keycloak_plain, certified_plain];
    6 "TestCredentialPlugin/NoTLS/TokenCacheLifecycle/Refresh"
        b06_plain_refresh: trials::refresh, [keycloak_plain, certified_plain];
    7 "TestCredentialPlugin/NoTLS/TokenCacheLifecycle/RefreshAgain"
        b07_plain_refresh_again: trials::refresh_again, [keycloak_plain, certified_plain];
    8 "TestCredentialPlugin/TLS/AuthCode"
        b08_auth_code: trials::auth_code, [ours, keycloak, certified];
    9 "TestCredentialPlugin/TLS/ROPC"
        b09_ropc: trials::password, [ours, keycloak, certified];
    10 "TestCredentialPlugin/TLS/TokenCacheLifecycle/NoCache"
        b10_no_cache: trials::no_cache, [ours, keycloak, certified];
    11 "TestCredentialPlugin/TLS/TokenCacheLifecycle/Valid"
        b11_valid: trials::valid, [ours, keycloak, certified];
    12 "TestCredentialPlugin/TLS/TokenCacheLifecycle/Refresh"
        b12_refresh: trials::refresh, [ours, keycloak, certified];
    13 "TestCredentialPlugin/TLS/TokenCacheLifecycle/RefreshAgain"
        b13_refresh_again: trials::refresh_again, [ours, keycloak, certified];
    14 "TestCredentialPlugin/PKCE/Not supported by provider"
        b14_no_challenge: trials::no_challenge, [certified_without_challenges];
    15 "TestCredentialPlugin/PKCE/Enforce"
        b15_challenge_enforced: trials::challenge_enforced, [certified_without_challenges];
    16 "TestCredentialPlugin/TLSData"
        b16_tls_data: trials::tls_data, [ours, keycloak, certified];
    17 "TestCredentialPlugin/ExtraScopes"
        b17_extra_scopes: trials::extra_scopes, [ours, keycloak, certified];
    18 "TestCredentialPlugin/OpenURLAfterAuthentication"
        b18_open_url: trials::open_url_after_authentication, [ours, keycloak, certified];
    19 "TestCredentialPlugin/RedirectURLHTTPS"
        b19_redirect_by_tls: trials::redirect_by_tls, [keycloak, certified];
    20 "TestCredentialPlugin/ExtraParams"
        b20_extra_params: trials::extra_params, [ours, keycloak, certified];
    21 "TestStandalone/NoTLS/AuthCode"
        b21_root_plain_auth_code: standalone::auth_code, [keycloak_plain, certified_plain];
    22 "TestStandalone/NoTLS/ROPC"
        b22_root_plain_ropc: standalone::password, [keycloak_plain, certified_plain];
    23 "TestStandalone/NoTLS/TokenLifecycle/NoToken"
        b23_root_plain_no_token: standalone::no_token, [keycloak_plain, certified_plain];
    24 "TestStandalone/NoTLS/TokenLifecycle/Valid"
        b24_root_plain_valid: standalone::valid, [keycloak_plain, certified_plain];
    25 "TestStandalone/NoTLS/TokenLifecycle/Refresh"
        b25_root_plain_refresh: standalone::refresh, [keycloak_plain, certified_plain];
    26 "TestStandalone/NoTLS/TokenLifecycle/RefreshAgain"
        b26_root_plain_refresh_again: standalone::refresh_again, [keycloak_plain, certified_plain];
    27 "TestStandalone/TLS/AuthCode"
        b27_root_auth_code: standalone::auth_code, [ours, keycloak, certified];
    28 "TestStandalone/TLS/ROPC"
        b28_root_ropc: standalone::password, [ours, keycloak, certified];
    29 "TestStandalone/TLS/TokenLifecycle/NoToken"
        b29_root_no_token: standalone::no_token, [ours, keycloak, certified];
    30 "TestStandalone/TLS/TokenLifecycle/Valid"
        b30_root_valid: standalone::valid, [ours, keycloak, certified];
    31 "TestStandalone/TLS/TokenLifecycle/Refresh"
        b31_root_refresh: standalone::refresh, [ours, keycloak, certified];
    32 "TestStandalone/TLS/TokenLifecycle/RefreshAgain"
        b32_root_refresh_again: standalone::refresh_again, [ours, keycloak, certified];
    33 "TestStandalone/TLSData"
        b33_root_tls_data: standalone::tls_data, [ours, keycloak, certified];
    34 "TestStandalone/env_KUBECONFIG"
        b34_root_variable: standalone::variable, [ours, keycloak, certified];
    35 "TestStandalone/ExtraScopes"
        b35_root_extra_scopes: standalone::extra_scopes, [ours, keycloak, certified];
}

#[test]
fn no_behaviour_is_left_out() {
    let numbers: Vec<u8> = LINES.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=35).collect::<Vec<_>>(), "{LINES:?}");
}
