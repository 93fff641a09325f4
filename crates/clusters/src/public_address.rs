//! Whether an address can be one of the public internet, as far as its name says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// Endings that no public name has: RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`, and Kubernetes' own.
const PRIVATE_ENDINGS: [&str; 8] =
    [".internal", ".local", ".localhost", ".test", ".invalid", ".home.arpa", ".lan", ".svc"];

/// Whether `host` may be public. A name says little: one that resolves to a private address looks public.
pub(crate) fn is_public_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name.contains('.') && !PRIVATE_ENDINGS.iter().any(|ending| name.ends_with(ending))
        }
        Host::Ipv4(address) => is_public_ip(&IpAddr::V4(*address)),
        Host::Ipv6(address) => is_public_ip(&IpAddr::V6(*address)),
    }
}

fn is_public_ip(address: &IpAddr) -> bool {
    let is_shared = |v4: &Ipv4Addr| v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
    let is_local = |v6: &Ipv6Addr| v6.segments()[0] & 0xfe00 == 0xfc00 || v6.segments()[0] & 0xffc0 == 0xfe80;
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || is_shared(v4))
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unspecified() || is_local(v6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_and_addresses_are_known() {
        for (text, expected) in [
            ("sso.example.com", true),
            ("8.8.8.8", true),
            ("localhost", false),
            ("kubesso", false),
            ("sso.corp.internal", false),
            ("dex.default.svc", false),
            ("dex.default.svc.cluster.local", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("[::1]", false),
            ("[fd00::1]", false),
        ] {
            let host = Host::parse(text).unwrap();
            let host = match &host {
                Host::Domain(name) => Host::Domain(name.as_str()),
                Host::Ipv4(address) => Host::Ipv4(*address),
                Host::Ipv6(address) => Host::Ipv6(*address),
            };
            assert_eq!(is_public_host(&host), expected, "{text}");
        }
    }
}
