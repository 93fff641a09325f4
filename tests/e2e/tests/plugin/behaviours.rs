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
//! a column is missing: Keycloak and ours always list S256 (14, 15).

use anyhow::Result;

use crate::stage::Stage;
use crate::trials;

/// Each behaviour becomes a module, each provider a test in it.
macro_rules! behaviours {
    ($($number:literal $name:literal $module:ident: $trial:path, [$($provider:ident),+];)+) => {
        $(
            mod $module {
                use super::*;

                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $provider() -> Result<()> {
                        $trial(Stage::$provider().await?).await
                    }
                )+
            }
        )+

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
}

#[test]
fn no_behaviour_is_left_out() {
    let numbers: Vec<u8> = LINES.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "{LINES:?}");
}
