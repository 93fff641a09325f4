//! The name of a cache entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::arguments::PkceMethod;
use crate::options::{ClientProof, Grant, Options, RedirectUrl, TokenExchange};
use crate::secret::Secret;

/// What a token depends on, digested: two calls share an entry exactly when they would get the same kind of token
/// for the same person.
///
/// The digest is over canonical JSON: fields in a fixed order, maps and scopes sorted. (kubelogin's own key hashes
/// maps in random order, so that it sometimes misses its own entries.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey(String);

/// Changes whenever the meaning of the fields changes, so that old entries are never misread.
const VERSION: u8 = 1;

impl CacheKey {
    /// The name of the entry that a call with `options` uses.
    pub fn new(options: &Options) -> Self {
        #[derive(Serialize)]
        struct Canonical<'a> {
            version: u8,
            /// Left out where there is none, as before there were any.
            #[serde(skip_serializing_if = "Option::is_none")]
            profile: Option<&'a str>,
            issuer: &'a str,
            client_id: &'a str,
            client_secret: Option<&'a str>,
            redirect_url: Option<&'a str>,
            scopes: BTreeSet<&'a str>,
            use_access_token: bool,
            request_headers: &'a BTreeMap<String, String>,
            pkce: &'static str,
            trusted_files: &'a [PathBuf],
            trusted_data: &'a [String],
            skip_verify: bool,
            extra_parameters: &'a BTreeMap<String, String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_proof: Option<&'a ClientProof>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            no_refresh_token: bool,
            /// Whose token it is: an application's own is not a person's.
            subject: Subject<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Subject<'a> {
            Application,
            /// Whoever the exchanged token speaks of.
            Exchanged(&'a TokenExchange),
            /// By the browser, whichever person that is.
            Person,
            Named(&'a str),
        }

        let canonical = Canonical {
            version: VERSION,
            profile: options.profile.as_deref(),
            issuer: options.issuer.as_str(),
            client_id: &options.client_id,
            client_secret: options.client_secret.as_ref().map(Secret::expose),
            redirect_url: options.redirect_url.as_ref().map(RedirectUrl::as_str),
            scopes: options.scopes.extra().collect(),
            use_access_token: options.use_access_token,
            request_headers: &options.request_headers,
            pkce: match options.pkce {
                PkceMethod::Auto => "auto",
                PkceMethod::No => "no",
                PkceMethod::S256 => "S256",
            },
            trusted_files: &options.trust.files,
            trusted_data: &options.trust.data,
            skip_verify: options.trust.skip_verify,
            extra_parameters: &options.extra_parameters,
            client_proof: options.client_proof.as_ref(),
            no_refresh_token: options.no_refresh_token,
            subject: match &options.grant {
                Grant::ClientCredentials => Subject::Application,
                Grant::Password { username: Some(name), .. } => Subject::Named(name),
                Grant::TokenExchange(exchange) => Subject::Exchanged(exchange),
                _ => Subject::Person,
            },
        };
        // A path that is not Unicode cannot be written as JSON; its escaped form can.
        let text = serde_json::to_vec(&canonical).unwrap_or_else(|_| format!("{options:?}").into_bytes());
        Self(hex_digest(&zeroize::Zeroizing::new(text)))
    }
}

/// SHA-256 in lower-case hexadecimal digits.
pub fn hex_digest(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn key(flags: &[&str]) -> String {
        let arguments = testing::get_token(flags);
        let options = Options::new(
            &arguments.oidc_issuer_url,
            &arguments.oidc_client_id,
            &arguments.provider,
            &arguments.tls,
            &arguments.authentication,
            &testing::surroundings(),
        );
        CacheKey::new(&options.unwrap()).to_string()
    }

    #[test]
    fn the_key_of_a_plain_call_never_changes() {
        // A change here signs every user in again: raise VERSION when it is meant.
        insta::assert_snapshot!(key(&[]), @"7aeb6c13a1f8a547099f813745e1284b4c2174f9387314e0015d0621db07e9d8");
    }

    #[test]
    fn what_changes_the_token_changes_the_key_and_nothing_else_does() {
        for flag in [
            "--oidc-client-secret=s",
            "--oidc-client-secret-file=/s",
            "--oidc-client-secret-command=pass kubernetes",
            "--oidc-client-assertion-key=/key.pem",
            "--oidc-client-assertion-file=/var/run/token",
            "--no-refresh-token",
            "--oidc-subject-token-file=/var/run/token",
            "--oidc-redirect-url=http://localhost:8000/cb",
            "--oidc-extra-scope=email",
            "--oidc-use-access-token",
            "--oidc-request-header=a=b",
            "--oidc-pkce-method=no",
            "--certificate-authority=/ca.pem",
            "--certificate-authority-data=YQ==",
            "--insecure-skip-tls-verify",
            "--oidc-auth-request-extra-params=login_hint=dev",
            "--username=dev",
            "--grant-type=client-credentials",
            "--profile=work",
        ] {
            assert_ne!(key(&[flag]), key(&[]), "{flag}");
        }
        for flag in [
            "--listen-address=127.0.0.1:0",
            "--skip-open-browser",
            "--browser-command=firefox",
            "--authentication-timeout-sec=5",
            "--grant-type=device-code",
            "--grant-type=authcode-keyboard",
            "--oidc-extra-scope=openid",
            "--force-refresh",
            "--profile=",
            "--token-cache-dir=/elsewhere",
        ] {
            assert_eq!(key(&[flag]), key(&[]), "{flag}");
        }
    }

    proptest! {
        #[test]
        fn order_and_spelling_do_not_matter(
            (pairs, shuffled) in proptest::collection::btree_map("[a-z]{1,6}", "[a-z0-9]{0,6}", 2..6)
                .prop_map(|map| map.into_iter().collect::<Vec<_>>())
                .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle())),
        ) {
            let flags = |pairs: &[(String, String)]| -> Vec<String> {
                pairs
                    .iter()
                    .flat_map(|(k, v)| [
                        format!("--oidc-auth-request-extra-params={k}={v}"),
                        format!("--oidc-request-header={k}={v}"),
                        format!("--oidc-extra-scope={k}"),
                    ])
                    .collect()
            };
            let as_key = |flags: Vec<String>| key(&flags.iter().map(String::as_str).collect::<Vec<_>>());
            let joined = |pairs: &[(String, String)]| -> Vec<String> {
                let list = |sep| pairs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(sep);
                let scopes = pairs.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>().join(" ");
                vec![
                    format!("--oidc-auth-request-extra-params={}", list(",")),
                    format!("--oidc-request-header={}", list(",")),
                    format!("--oidc-extra-scope={scopes}"),
                ]
            };
            prop_assert_eq!(as_key(flags(&pairs)), as_key(flags(&shuffled)));
            prop_assert_eq!(as_key(flags(&pairs)), as_key(joined(&shuffled)));
        }
    }
}
