//! Credentials become users, exactly as kube-apiserver 1.36 turns them.
//!
//! - [`OidcAuthenticator`]: ID tokens, by the `--oidc-*` flags ([`OidcOptions`]).
//! - [`X509Authenticator`]: client certificates, by `--client-ca-file`.
//! - [`RequestAuthenticator`]: what a request brings, in upstream's order, with its token cache and `system:authenticated`.
//!
//! The decision is upstream's for every input, surprises included, and so are the texts of the errors, which people search
//! for. They are for the log: the caller learns `Unauthorized` and nothing else.
//!
//! ```
//! use kubesso_authn::{OidcConfig, OidcOptions};
//!
//! let options = OidcOptions {
//!     issuer_url: "https://issuer.example".to_owned(),
//!     client_id: "kubernetes".to_owned(),
//!     groups_claim: Some("groups".to_owned()),
//!     ..OidcOptions::default()
//! };
//! let config = OidcConfig::new(options.clone())?;
//! assert_eq!(config.username_prefix(), "https://issuer.example#", "the claim `sub` gets a prefix");
//!
//! let wrong = OidcConfig::new(OidcOptions { issuer_url: "http://issuer.example".to_owned(), ..options });
//! assert_eq!(
//!     wrong.unwrap_err().to_string(),
//!     "invalid authentication configuration: jwt[0].issuer.url: \
//!      Invalid value: \"http://issuer.example\": URL scheme must be https"
//! );
//! # Ok::<(), kubesso_authn::OptionsError>(())
//! ```

mod fetch;
mod go;
mod oidc;
mod request;
mod token_cache;
mod x509;

pub use fetch::{Fetch, Fetched, HttpsFetch, MAX_BODY_LENGTH};
pub use oidc::{
    AuthnError, DistributedClaimsError, KeyError, OidcAuthenticator, OidcConfig, OidcOptions, OptionsError,
    VerifyError, parse_required_claim,
};
pub use request::{Anonymous, RequestAuthenticator, TokenAuthenticator, Unauthorized};
pub use x509::{X509Authenticator, X509Error};

/// Key of a user's extra that names the credential (`authentication.kubernetes.io/credential-id`).
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
