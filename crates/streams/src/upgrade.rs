//! The request that asks for a connection, and what was answered.

use std::fmt::{self, Write as _};

use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::{Method, StatusCode};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// SPDY's own header for what a WebSocket calls a subprotocol (k8s.io/streaming/pkg/httpstream).
const STREAM_PROTOCOL: &str = "x-stream-protocol-version";
const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";

/// What a connection is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 6455.
    WebSocket,
    /// SPDY/3.1.
    Spdy,
}

impl Protocol {
    /// As the header `Upgrade` has it.
    pub fn token(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Spdy => "SPDY/3.1",
        }
    }

    /// The method of the request. RBAC sees `get` or `create` by it.
    pub fn method(self) -> Method {
        match self {
            Self::WebSocket => Method::GET,
            Self::Spdy => Method::POST,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "WebSocket",
            Self::Spdy => "SPDY/3.1",
        })
    }
}

/// The version of the remote command protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocol {
    /// `v4.channel.k8s.io`: over a WebSocket, stdin cannot be closed.
    V4,
    /// `v5.channel.k8s.io`: a message closes stdin. WebSocket only.
    V5,
}

impl Subprotocol {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4.channel.k8s.io",
            Self::V5 => "v5.channel.k8s.io",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::V4, Self::V5].into_iter().find(|it| it.name() == name)
    }
}

/// Why an answer does not make the connection what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not 101.
    #[error("HTTP {0} instead of 101 Switching Protocols")]
    Status(StatusCode),
    /// 101, and to something else.
    #[error("101 Switching Protocols to {0:?}")]
    OtherProtocol(String),
    /// Whoever answered did not read the question (RFC 6455 section 4.2.2).
    #[error("101 Switching Protocols with a Sec-WebSocket-Accept that does not belong to the request")]
    Accept,
    /// None of the versions that were offered.
    #[error("101 Switching Protocols with the subprotocol {0:?}, which was not offered")]
    Subprotocol(String),
}

/// A request for an upgrade.
#[derive(Clone, Debug)]
pub struct Offer {
    protocol: Protocol,
    key: String,
}

impl Offer {
    /// With a key of its own.
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, key: generate_key() }
    }

    /// What is asked for.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The headers of the request, besides those of every request.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers =
            vec![("connection", "Upgrade".to_owned()), ("upgrade", self.protocol.token().to_owned())];
        match self.protocol {
            // kubectl offers v5 only, and falls back to SPDY. Other clients' v4 is taken too, so that old API servers are told
            // from proxies that are in the way.
            Protocol::WebSocket => headers.extend([
                ("sec-websocket-version", "13".to_owned()),
                ("sec-websocket-key", self.key.clone()),
                (WEBSOCKET_PROTOCOL, format!("{}, {}", Subprotocol::V5.name(), Subprotocol::V4.name())),
            ]),
            Protocol::Spdy => headers.push((STREAM_PROTOCOL, Subprotocol::V4.name().to_owned())),
        }
        headers
    }

    /// Which version both sides speak now.
    ///
    /// # Errors
    /// The connection did not become what was asked for.
    pub fn agreed(&self, status: StatusCode, headers: &HeaderMap) -> Result<Subprotocol, Refusal> {
        let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Refusal::Status(status));
        }
        let upgrade = text(UPGRADE.as_str()).unwrap_or_default();
        if !upgrade.eq_ignore_ascii_case(self.protocol.token()) || !headers.contains_key(CONNECTION) {
            return Err(Refusal::OtherProtocol(upgrade.into_owned()));
        }
        let chosen = match self.protocol {
            Protocol::WebSocket => {
                let accept = text("sec-websocket-accept").unwrap_or_default();
                if accept != derive_accept_key(self.key.as_bytes()) {
                    return Err(Refusal::Accept);
                }
                text(WEBSOCKET_PROTOCOL)
            }
            Protocol::Spdy => text(STREAM_PROTOCOL),
        };
        let chosen = chosen.unwrap_or_default();
        let offered = Subprotocol::named(&chosen)
            .filter(|it| self.protocol == Protocol::WebSocket || *it == Subprotocol::V4);
        offered.ok_or_else(|| Refusal::Subprotocol(chosen.into_owned()))
    }
}

/// Path and query of an exec without a terminal, with stdin, stdout and stderr.
pub fn exec_path(namespace: &str, pod: &str, container: Option<&str>, command: &[&str]) -> String {
    let mut path = format!("/api/v1/namespaces/{}/pods/{}/exec?", escaped(namespace), escaped(pod));
    if let Some(container) = container {
        let _ = write!(path, "container={}&", escaped(container));
    }
    for word in command {
        let _ = write!(path, "command={}&", escaped(word));
    }
    path.push_str("stdin=true&stdout=true&stderr=true");
    path
}

/// Percent-encoded, but for what no URL gives a meaning to (RFC 3986 section 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn an_answer_is_judged_by_what_was_asked_for() {
        const OK: StatusCode = StatusCode::SWITCHING_PROTOCOLS;
        let spdy = Offer::new(Protocol::Spdy);
        // RFC 6455 section 1.3.
        let websocket = Offer { protocol: Protocol::WebSocket, key: "dGhlIHNhbXBsZSBub25jZQ==".to_owned() };
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let other = |name: &str| Err(Refusal::OtherProtocol(name.to_owned()));
        for (offer, status, lines, expected) in [
            (
                &spdy,
                OK,
                &[
                    ("connection", "Upgrade"),
                    ("upgrade", "SPDY/3.1"),
                    ("x-stream-protocol-version", "v4.channel.k8s.io"),
                ][..],
                Ok(Subprotocol::V4),
            ),
            (
                &websocket,
                OK,
                &[
                    ("connection", "upgrade"),
                    ("upgrade", "WebSocket"),
                    ("sec-websocket-accept", accept),
                    ("sec-websocket-protocol", "v5.channel.k8s.io"),
                ],
                Ok(Subprotocol::V5),
            ),
            (&websocket, StatusCode::FORBIDDEN, &[], Err(Refusal::Status(StatusCode::FORBIDDEN))),
            (&websocket, OK, &[("connection", "upgrade"), ("upgrade", "SPDY/3.1")], other("SPDY/3.1")),
            (&websocket, OK, &[("upgrade", "websocket")], other("websocket")),
            (&spdy, OK, &[], other("")),
            (
                &websocket,
                OK,
                &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")],
                Err(Refusal::Accept),
            ),
            (
                &spdy,
                OK,
                &[
                    ("connection", "Upgrade"),
                    ("upgrade", "SPDY/3.1"),
                    ("x-stream-protocol-version", "v5.channel.k8s.io"),
                ],
                Err(Refusal::Subprotocol("v5.channel.k8s.io".to_owned())),
            ),
            (
                &spdy,
                OK,
                &[("connection", "Upgrade"), ("upgrade", "SPDY/3.1")],
                Err(Refusal::Subprotocol(String::new())),
            ),
        ] {
            assert_eq!(offer.agreed(status, &answer(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn each_offer_has_a_key_of_its_own() {
        assert_ne!(Offer::new(Protocol::WebSocket).key, Offer::new(Protocol::WebSocket).key);
    }

    #[test]
    fn a_name_cannot_change_the_request() {
        assert_eq!(
            exec_path("n", "p/../x?a", Some("c&d"), &["cat", "-"]),
            "/api/v1/namespaces/n/pods/p%2F..%2Fx%3Fa/exec?container=c%26d&command=cat&command=-&stdin=true&stdout=true&stderr=true"
        );
    }
}
