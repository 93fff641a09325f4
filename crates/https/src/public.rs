//! A client for addresses that others name: it reaches the public internet and nothing behind it (server-side request
//! forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Url, redirect};

use crate::client::{ClientError, Timeouts, Trust, build};

/// A client that speaks https only, follows no redirect, goes through no proxy, and connects to no name whose addresses are
/// not public. The addresses that are checked are those that are connected to. An address that stands in the URL itself
/// is not resolved: ask [`names_public_host`] first.
///
/// # Errors
/// [`ClientError`] if it cannot be set up.
pub fn public_client(trust: &Trust, timeouts: Timeouts) -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder().no_proxy().https_only(true).dns_resolver(Arc::new(PublicOnly));
    build(builder, trust, timeouts, redirect::Policy::none())
}

/// Whether `url` names a host by a name, or by an address that is public.
pub fn names_public_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    !host.is_empty() && bare.parse().map_or(true, is_public)
}

struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!("{host} has no address on the public internet").into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet (the IANA special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

/// Of IPv6 only global unicast; not what leads to IPv4 or is for tests and protocols.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = (0x2000..0x4000).contains(&first);
    let is_special = (first == 0x2001 && (second < 0x200 || second == 0xdb8))
        || first == 0x2002
        || (first == 0x3fff && second < 0x1000);
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let cases = [
            ("https://app.example.com/", true),
            ("https://93.184.216.34/", true),
            ("https://[2606:2800:220:1::1]/", true),
            ("https://127.0.0.1/", false),
            ("https://2130706433/", false),
            ("https://0x7f.1/", false),
            ("https://0.0.0.0/", false),
            ("https://10.0.0.1/", false),
            ("https://100.64.0.1/", false),
            ("https://169.254.169.254/", false),
            ("https://172.16.0.1/", false),
            ("https://172.32.0.1/", true),
            ("https://192.168.1.1/", false),
            ("https://224.0.0.1/", false),
            ("https://[::1]/", false),
            ("https://[::ffff:10.0.0.1]/", false),
            ("https://[64:ff9b::a00:1]/", false),
            ("https://[2002:a00:1::]/", false),
            ("https://[2001:db8::1]/", false),
            ("https://[fd00::1]/", false),
            ("https://[fe80::1]/", false),
        ];
        for (url, expected) in cases {
            assert_eq!(names_public_host(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let client = public_client(&Trust::DangerouslyAnybody, Timeouts::default()).unwrap();
        let error = client.get("https://localhost:1/").send().await.unwrap_err();
        let mut text = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            text.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(text.contains("no address on the public internet"), "{text}");
    }
}
