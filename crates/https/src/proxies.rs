//! Whose word is taken for where a request comes from: X-Forwarded-For (or Forwarded, RFC 7239) of known proxies only.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use serde::Deserialize;

/// The proxies that are believed, and which header they write.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Where they are.
    pub trusted: Vec<Network>,
    /// What they write.
    pub header: ProxyHeader,
}

/// The header that the proxies write. Only one is read: the other would be the client's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses between commas.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no network: write it as 10.0.0.0/8, 2001:db8::/32 or one address");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| wrong())?;
        if prefix > longest {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                ours.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                ours.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl Proxies {
    /// Who sent the request that came from `peer`: the last hop that is not a known proxy. What cannot be read, or was
    /// said by a stranger, counts for nothing.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = peer.to_canonical();
        if !self.trusts(known) {
            return peer;
        }
        let hops = match self.header {
            ProxyHeader::XForwardedFor => x_forwarded_for(headers),
            ProxyHeader::Forwarded => forwarded(headers),
        };
        for hop in hops.into_iter().rev() {
            let Some(hop) = hop else { break };
            known = hop.to_canonical();
            if !self.trusts(known) {
                break;
            }
        }
        known
    }

    /// Whether it is one of them; `address` in its canonical form.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

/// The hops in the order of the header's lines; `None`: one that is no address.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all("x-forwarded-for").iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',').map(hop).collect::<Vec<_>>()).collect()
}

/// The `for` of every hop.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all("forwarded").iter();
    let hops = lines.flat_map(|line| elements(line.to_str().unwrap_or("?")).map(node).collect::<Vec<_>>());
    hops.collect()
}

/// The elements of a line (RFC 7239 §4). Quotes are counted from the right end, which our proxy wrote: one that a stranger
/// left open to the left must not swallow what the proxy added.
fn elements(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let from_the_right = line.rsplit(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    from_the_right.collect::<Vec<_>>().into_iter().rev()
}

/// The address after `for` in an element.
fn node(element: &str) -> Option<IpAddr> {
    split(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| hop(value.trim().trim_matches('"')))?
    })
}

/// The parts of `text` between separators that are not in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// An address, perhaps in brackets, perhaps with a port.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let alone = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    alone.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ProxyHeader, trusted: &[&str], peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, line.parse().unwrap());
        }
        Proxies { trusted, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_rightmost_hop_that_is_no_known_proxy_is_the_client() {
        let xff = |trusted: &[&str], peer: &str, line: &str| {
            client(ProxyHeader::XForwardedFor, trusted, peer, &[("x-forwarded-for", line)])
        };
        let balancers = ["10.0.0.0/8", "2001:db8::/32"];
        for (peer, line, expected) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("10.1.2.3", "1.1.1.1, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
            ("::ffff:10.1.2.3", "198.51.100.1:5123", "198.51.100.1"),
            ("2001:db8::1", "[2001:db9::7]:443", "2001:db9::7"),
            ("10.1.2.3", "10.0.0.4, 10.0.0.5", "10.0.0.4"),
            ("10.1.2.3", "198.51.100.1, unknown", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.1, junk, 10.0.0.4", "10.0.0.4"),
            ("10.1.2.3", "", "10.1.2.3"),
            ("11.0.0.1", "198.51.100.1", "11.0.0.1"),
        ] {
            assert_eq!(xff(&balancers, peer, line), expected, "{peer} says {line}");
        }
        assert_eq!(
            xff(&[], "10.1.2.3", "198.51.100.1"),
            "10.1.2.3",
            "without the setting nobody is believed"
        );
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(client(ProxyHeader::XForwardedFor, &balancers, "10.0.0.1", &lines), "198.51.100.1");
    }

    #[test]
    fn of_the_two_headers_only_the_one_that_the_proxies_write_is_read() {
        let lines = [
            ("forwarded", r#"for=1.1.1.1;proto=https, For="[2001:db9::7]:4711";by=10.0.0.1"#),
            ("x-forwarded-for", "198.51.100.1"),
        ];
        assert_eq!(client(ProxyHeader::Forwarded, &["10.0.0.1"], "10.0.0.1", &lines), "2001:db9::7");
        assert_eq!(client(ProxyHeader::XForwardedFor, &["10.0.0.1"], "10.0.0.1", &lines), "198.51.100.1");
        let said =
            |line: &str| client(ProxyHeader::Forwarded, &["10.0.0.1"], "10.0.0.1", &[("forwarded", line)]);
        for line in ["for=_hidden", "for=unknown", "proto=https", r#"for="1.1.1.1,2.2.2.2""#] {
            assert_eq!(said(line), "10.0.0.1", "{line}");
        }
        assert_eq!(
            said(r#"for="1.1.1.1, for=198.51.100.1"#),
            "198.51.100.1",
            "a quote that a stranger left open"
        );
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        for text in ["10.0.0.0/33", "::/129", "10.0.0/8", "proxy", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().unwrap_err().contains("is no network"), "{text}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("9.9.9.9".parse().unwrap()));
    }
}
