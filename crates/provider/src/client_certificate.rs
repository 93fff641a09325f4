//! The certificate by which a client is known, and to which its tokens may be bound (RFC 8705).

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::request::Parts;
use kubesso_directory::CertificateNames;
use serde_json::Value;
use url::Url;

/// The member of `cnf`, and of what is stored with a grant, that names a certificate (§3.1).
pub(crate) const CONFIRMED_CERTIFICATE: &str = "x5t#S256";

/// How certificates come, if they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutualTls {
    /// Where clients with certificates find the endpoints, if that is another origin than the base URL
    /// (`mtls_endpoint_aliases`, §5): browsers would ask people for a certificate at one that asks.
    pub base_url: Option<Url>,
    /// Whether there are authorities that vouch for certificates (`tls_client_auth`).
    pub has_authorities: bool,
}

impl MutualTls {
    /// The other origin, without a slash at its end.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.base_url.as_ref().map(|url| url.as_str().trim_end_matches('/'))
    }
}

/// A certificate whose private key whoever sends the request has, as a request extension. Whoever accepts the connections
/// sets it, and knows whether a proxy stands before them; the provider believes no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Arc<[u8]>,
    vouched: Option<Arc<CertificateNames>>,
}

impl ClientCertificate {
    /// A certificate of which nothing is known but who has its key.
    pub fn of_anybody(der: &[u8]) -> Self {
        Self { der: der.into(), vouched: None }
    }

    /// A certificate for whose `names` an authority vouches that is trusted to.
    pub fn vouched_for(der: &[u8], names: CertificateNames) -> Self {
        Self { der: der.into(), vouched: Some(Arc::new(names)) }
    }

    /// What an authority says of its owner.
    pub(crate) fn names(&self) -> Option<&CertificateNames> {
        self.vouched.as_deref()
    }

    /// The base64url SHA-256 of the certificate (§3.1).
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    /// Whether it is the certificate of one of the keys in `set`, a JWK set: the first of an `x5c` (RFC 7517 §4.7). Keys
    /// that the client has deactivated do not count.
    pub(crate) fn is_among(&self, set: &Value) -> bool {
        let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        let active = keys.filter(|key| key.get("status").is_none_or(|status| status != "INACTIVE"));
        let certificates = active.filter_map(|key| key.get("x5c")?.get(0)?.as_str());
        certificates.filter_map(|text| STANDARD.decode(text).ok()).any(|der| *der == *self.der)
    }
}

/// The certificate of a request, if it came with one.
#[derive(Clone, Debug)]
pub(crate) struct PresentedCertificate(pub(crate) Option<ClientCertificate>);

impl<S: Sync> FromRequestParts<S> for PresentedCertificate {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<ClientCertificate>().cloned()))
    }
}

/// No key of the client has the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotRegistered;

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client certificate is not the first in the x5c of one of the client's keys")
    }
}

/// The certificate to which a grant is bound, by what is stored with it.
pub(crate) fn confirmed_certificate(other: &Value) -> Option<&str> {
    other.get(CONFIRMED_CERTIFICATE).and_then(Value::as_str)
}
