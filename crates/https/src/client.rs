//! The HTTP client for talking to providers.

use std::time::Duration;

use reqwest::redirect;

/// Whom a client believes.
#[derive(Clone, PartialEq, Eq)]
pub enum Trust {
    /// The machine's certificate authorities.
    System,
    /// These certificate authorities (PEM, one or several) and no others, as kube-apiserver's `--oidc-ca-file`
    /// and kubelogin's `--certificate-authority` mean it.
    Only(String),
    /// Whoever answers. Tokens can be stolen by anybody on the way.
    DangerouslyAnybody,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Only(pem) => write!(f, "Only({} bytes of PEM)", pem.len()),
            Self::DangerouslyAnybody => f.write_str("DangerouslyAnybody"),
        }
    }
}

/// How long a client waits. Every wait has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For the whole exchange, redirects included.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 5 s to connect, 10 s without a byte, 30 s in all (the last is kube-apiserver's for its provider).
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The PEM text holds no certificate, or something broken.
    #[error("the certificate authority is not usable: {0}")]
    CertificateAuthority(String),
    /// The library refuses.
    #[error("the HTTPS client cannot be set up: {0}")]
    Setup(#[source] reqwest::Error),
    /// The way to the server cannot be gone.
    #[error("{0}")]
    Route(String),
}

/// An HTTP client that believes `trust`, follows at most 10 redirects and obeys `HTTPS_PROXY` and its kin.
///
/// [`client_with_redirects`] makes one that treats redirects otherwise.
///
/// Making one reads the system's certificates (milliseconds): make it once, and not where a cached answer
/// would do.
pub fn client(trust: &Trust, timeouts: Timeouts) -> Result<reqwest::Client, ClientError> {
    client_with_redirects(trust, timeouts, redirect::Policy::limited(10))
}

/// As [`client`], with another treatment of redirects: a token request must not follow any.
pub fn client_with_redirects(
    trust: &Trust,
    timeouts: Timeouts,
    redirects: redirect::Policy,
) -> Result<reqwest::Client, ClientError> {
    build(reqwest::Client::builder(), trust, timeouts, redirects)
}

/// As [`client_with_redirects`], but through the proxy that `proxy_for` names, whatever the environment says.
pub fn client_through(
    trust: &Trust,
    timeouts: Timeouts,
    redirects: redirect::Policy,
    proxy_for: impl Fn(&reqwest::Url) -> Option<reqwest::Url> + Send + Sync + 'static,
) -> Result<reqwest::Client, ClientError> {
    let proxy = reqwest::Proxy::custom(move |url| proxy_for(url));
    build(reqwest::Client::builder().no_proxy().proxy(proxy), trust, timeouts, redirects)
}

/// As [`client_with_redirects`], but never through a proxy: for a peer on this machine, which no proxy can reach. (Go's
/// client, and so kubectl and kube-apiserver, decides the same from the peer's name.)
pub fn direct_client(
    trust: &Trust,
    timeouts: Timeouts,
    redirects: redirect::Policy,
) -> Result<reqwest::Client, ClientError> {
    build(reqwest::Client::builder().no_proxy(), trust, timeouts, redirects)
}

pub(crate) fn build(
    builder: reqwest::ClientBuilder,
    trust: &Trust,
    timeouts: Timeouts,
    redirects: redirect::Policy,
) -> Result<reqwest::Client, ClientError> {
    crate::install_crypto_provider();
    let builder = builder
        .user_agent(concat!("kubesso/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.read)
        .timeout(timeouts.total)
        .redirect(redirects);
    let builder = match trust {
        Trust::System => builder,
        Trust::Only(pem) => {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|e| ClientError::CertificateAuthority(e.to_string()))?;
            if certificates.is_empty() {
                return Err(ClientError::CertificateAuthority("it holds no PEM certificate".to_owned()));
            }
            builder.tls_certs_only(certificates)
        }
        Trust::DangerouslyAnybody => builder.tls_danger_accept_invalid_certs(true),
    };
    builder.build().map_err(ClientError::Setup)
}
