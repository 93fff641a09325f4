//! A client of one server, by the way that leads there.

use std::sync::Arc;

use reqwest::header::{HOST, HeaderValue};
use reqwest::{Method, RequestBuilder, Url, redirect};

use crate::client::build;
use crate::{ClientError, Link, Timeouts};

/// Calls one server, with one identity. It follows no redirect: a token is for nobody else.
#[derive(Clone, Debug)]
pub struct ServerClient {
    http: reqwest::Client,
    /// What paths are put behind; under the name that the certificate has.
    base: String,
    /// What the server is called, where that is another.
    host: Option<HeaderValue>,
    #[cfg(unix)]
    relay: Option<Arc<crate::relay::Relay>>,
}

/// What becomes of a connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// It is kept for the next.
    Kept,
    /// It ends: each request has one of its own, which may be upgraded, and meets whichever server the address leads to.
    OneEach,
}

impl ServerClient {
    /// `identity` is PEM: certificates and key. With a route of its own it has to be made inside tokio's runtime.
    ///
    /// # Errors
    /// The authorities, the identity or the route are unusable.
    pub fn new(
        server: &Url,
        link: &Link,
        timeouts: Timeouts,
        identity: Option<&[u8]>,
        connections: Connections,
    ) -> Result<Self, ClientError> {
        crate::install_crypto_provider();
        let mut builder = reqwest::Client::builder();
        if let Some(pem) = identity {
            builder = builder.identity(reqwest::Identity::from_pem(pem).map_err(ClientError::Setup)?);
        }
        if connections == Connections::OneEach {
            builder = builder.http1_only().pool_max_idle_per_host(0);
        }
        let mut named = server.clone();
        let mut host = None;
        if let Some(name) = link.route.server_name() {
            let original = server.host_str().unwrap_or_default();
            let original =
                server.port().map_or_else(|| original.to_owned(), |port| format!("{original}:{port}"));
            host = HeaderValue::from_str(&original).ok();
            let unusable = || ClientError::Route(format!("tls-server-name {name:?} is no name of a server"));
            let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
            named.set_host(Some(&name)).map_err(|_| unusable())?;
            // HTTP/2 has one name for both.
            builder = builder.http1_only();
        }
        #[cfg(unix)]
        let relay = if link.route.is_special() {
            let to = crate::dial::bare(server.host_str().unwrap_or_default()).to_owned();
            let port = server.port_or_known_default().unwrap_or(443);
            let relay = crate::relay::Relay::begin(link.clone(), to, port, timeouts.connect);
            let relay = relay.map_err(|error| ClientError::Route(format!("no socket for it: {error}")))?;
            builder = builder.unix_socket(relay.socket());
            Some(Arc::new(relay))
        } else {
            None
        };
        #[cfg(not(unix))]
        if link.route.is_special() {
            let why = "proxy-url and tls-server-name are not done on this system; HTTPS_PROXY is";
            return Err(ClientError::Route(why.to_owned()));
        }
        let http = build(builder, &link.trust, timeouts, redirect::Policy::none())?;
        Ok(Self {
            http,
            base: named.as_str().trim_end_matches('/').to_owned(),
            host,
            #[cfg(unix)]
            relay,
        })
    }

    /// A request for a path, which begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.host {
            Some(host) => request.header(HOST, host),
            None => request,
        }
    }

    /// Why the way did not lead there the last time, where the client itself saw only that a connection was closed.
    pub fn obstacle(&self) -> Option<String> {
        #[cfg(unix)]
        return self.relay.as_ref().and_then(|relay| relay.obstacle());
        #[cfg(not(unix))]
        None
    }
}
