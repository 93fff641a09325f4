//! Where a request comes from, for counting attempts and for the log.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, header};
use kubesso_directory::SessionOrigin;

/// The address of whoever sends a request, as a request extension. Whoever accepts the connections sets it,
/// and knows whether a proxy stands before them; the provider believes no header. Without it, attempts are
/// counted for each login only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// Where a session is from that begins with a request from here with `headers`.
    pub(crate) fn origin(self, headers: &HeaderMap) -> SessionOrigin {
        let user_agent =
            headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        SessionOrigin::new(self.0, user_agent.as_deref())
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let connected = || parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let set = parts.extensions.get::<Self>().copied();
        Ok(set.unwrap_or_else(|| Self(connected())))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}
