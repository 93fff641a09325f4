//! The one place where TLS is set up: certificates of our own, serving, fetching.
//!
//! - [`pki`]: a certificate authority for an installation without one, and what it issues.
//! - [`serve`]: an axum router over TLS (HTTP/1.1 and HTTP/2), with time limits on everything that a stranger
//!   can make slow, and an orderly end.
//! - [`Proxies`]: whose word is taken for where a request comes from.
//! - [`client_as`] and [`shown_certificate`]: looking at a server that may be anything.
//! - [`ServerClient`]: a client of one server, through its proxy and under its name ([`Route`]).
//! - [`client`]: the HTTP client for discovery documents, key sets and token requests; it trusts either the
//!   system or exactly what it is given.
//!
//! It installs the process' only crypto provider ([`install_crypto_provider`]); no other room names one.
//!
//! ```
//! use kubesso_https::pki::{CertificateAuthority, ServerNames};
//!
//! let now = "2026-11-22T08:00:00Z".parse()?;
//! let authority = CertificateAuthority::generate("kubesso example", now)?;
//! let identity = authority.issue_server(&ServerNames::loopback(), now)?;
//! assert!(identity.chain_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod client_certificate;
mod dial;
mod hop;
mod inspect;
pub mod pki;
mod proxies;
mod public;
#[cfg(unix)]
mod relay;
mod route;
mod server;
mod server_client;
mod tls;

pub use client::{
    ClientError, Timeouts, Trust, client, client_through, client_with_redirects, direct_client,
};
pub use client_certificate::{ClientAuthorities, NamesInCertificate, names_in_certificate};
pub use hop::{Shown, client_as, shown_certificate, subjects};
pub use inspect::{CertificateProblem, certificate_problems};
pub use proxies::{Network, Proxies, ProxyHeader};
pub use public::{names_public_host, public_client};
pub use route::{Link, Route, RouteError};
pub use server::{ClientCertificates, Limits, PeerAddress, serve, serve_dangerously_without_tls};
pub use server_client::{Connections, ServerClient};
pub use tls::{ClientAuthentication, Identity, ServerTls, TlsError};

/// Makes aws-lc-rs the process' crypto provider. Call it first thing in `main`; further calls do nothing.
///
/// [`client`] and [`ServerTls`] call it too, so that tests need not think of it.
pub fn install_crypto_provider() {
    // An error says that one is installed already; only this function installs any, so it is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
