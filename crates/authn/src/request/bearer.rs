//! Where a bearer token stands in a request (Kubernetes `authentication/request/bearertoken` and `…/websocket`).

use http::HeaderMap;

use crate::go::base64::{Encoding, decode};

/// Said of a token that nobody knows.
pub(crate) const INVALID: &str = "invalid bearer token";

/// The token of the first `Authorization` header: the second word, if the first is `Bearer` in any case. More words are
/// ignored, and two spaces in a row make an empty token, which is none.
pub(crate) fn from_authorization(headers: &HeaderMap) -> Option<String> {
    let header = String::from_utf8_lossy(headers.get(http::header::AUTHORIZATION)?.as_bytes());
    let mut words = header.trim().split(' ');
    let scheme = words.next()?;
    let token = words.next().filter(|token| !token.is_empty())?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
}

/// The token that a WebSocket client offers as a subprotocol, for browsers cannot set headers. Another subprotocol must
/// stand beside it, to be answered with.
pub(crate) fn from_websocket_protocols(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    const PREFIX: &str = "base64url.bearer.authorization.k8s.io.";
    let header =
        |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
    let upgrades = header(http::header::CONNECTION).is_some_and(|connection| connection.contains("upgrade"));
    if !upgrades || header(http::header::UPGRADE).as_deref() != Some("websocket") {
        return Ok(None);
    }
    let mut token = None;
    let mut others = false;
    for value in headers.get_all(http::header::SEC_WEBSOCKET_PROTOCOL) {
        let value = String::from_utf8_lossy(value.as_bytes());
        for protocol in value.split(',').map(str::trim) {
            let Some(encoded) = protocol.strip_prefix(PREFIX) else {
                others = true;
                continue;
            };
            if token.is_some() {
                return Err("multiple base64.bearer.authorization tokens specified");
            }
            let decoded = decode(Encoding::RawUrl, encoded)
                .map_err(|_| "invalid base64.bearer.authorization token encoding")?;
            token =
                Some(String::from_utf8(decoded).map_err(|_| "invalid base64.bearer.authorization token")?);
        }
    }
    match token.filter(|token| !token.is_empty()) {
        Some(_) if !others => Err("missing additional subprotocol"),
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_authorization_header_is_split_at_single_spaces() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER abc", Some("abc")),
            ("  Bearer abc  ", Some("abc")),
            ("Bearer abc def", Some("abc")),
            ("Bearer  abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer\tabc", None),
            ("Basic abc", None),
            ("Bearerabc def", None),
            ("", None),
        ] {
            let headers =
                [(http::header::AUTHORIZATION, HeaderValue::from_static(header))].into_iter().collect();
            assert_eq!(from_authorization(&headers).as_deref(), token, "{header:?}");
        }
        let mut several = HeaderMap::new();
        several.append(http::header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
        several.append(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer y"));
        assert_eq!(from_authorization(&several), None, "only the first is read");
        assert_eq!(from_authorization(&HeaderMap::new()), None);
    }

    #[test]
    fn a_websocket_client_offers_its_token_beside_another_protocol() {
        let protocol = |token: &str| format!("base64url.bearer.authorization.k8s.io.{token}");
        let read = |protocols: &[String], upgrade: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
            headers.insert(http::header::UPGRADE, HeaderValue::from_static(upgrade));
            for protocol in protocols {
                headers
                    .append(http::header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(protocol).unwrap());
            }
            from_websocket_protocols(&headers).map(Option::unwrap_or_default).map_err(str::to_owned)
        };
        let other = "v5.channel.k8s.io".to_owned();
        let token = protocol("dG9rZW4");
        for (protocols, result) in [
            (vec![token.clone(), other.clone()], Ok("token")),
            (vec![format!("{other}, {token}")], Ok("token")),
            (vec![other.clone()], Ok("")),
            (vec![protocol(""), other.clone()], Ok("")),
            (vec![token.clone()], Err("missing additional subprotocol")),
            (
                vec![token.clone(), token.clone(), other.clone()],
                Err("multiple base64.bearer.authorization tokens specified"),
            ),
            (
                vec![protocol("dG9rZW4="), other.clone()],
                Err("invalid base64.bearer.authorization token encoding"),
            ),
            (vec![protocol("_w"), other.clone()], Err("invalid base64.bearer.authorization token")),
        ] {
            assert_eq!(
                read(&protocols, "WebSocket"),
                result.map(str::to_owned).map_err(str::to_owned),
                "{protocols:?}"
            );
        }
        assert_eq!(read(&[token, other], "h2c"), Ok(String::new()), "not a WebSocket");
    }
}
