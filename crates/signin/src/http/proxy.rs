//! Which proxy a request goes through, by the variables that Go's clients read too (golang.org/x/net/http/httpproxy).

use std::net::IpAddr;

use kubesso_token_cache::{Surroundings, is_loopback, values::printable};
use url::{Host, Url};

use crate::error::Error;

/// The proxies that the environment names.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// A proxy, and the variable that names it.
#[derive(Clone)]
struct Proxy {
    variable: &'static str,
    url: Url,
}

/// Whom no proxy is used for: one entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everybody,
    Domain { name: String, is_itself: bool, port: Option<u16> },
    Address { ip: IpAddr, port: Option<u16> },
    Network { ip: IpAddr, bits: u8 },
}

impl Proxies {
    /// Reads the variables, in upper or in lower case.
    pub(super) fn find(surroundings: &Surroundings) -> Result<Self, Error> {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                surroundings.variable(name).filter(|value| !value.is_empty()).map(|value| (*name, value))
            })
        };
        let proxy = |names: &[&'static str]| {
            first(names).map(|(variable, value)| Proxy::parse(variable, &value)).transpose()
        };
        let exceptions = first(&["NO_PROXY", "no_proxy"]).map(|(_, list)| list).unwrap_or_default();
        Ok(Self {
            http: proxy(&["HTTP_PROXY", "http_proxy"])?,
            https: proxy(&["HTTPS_PROXY", "https_proxy"])?,
            exceptions: exceptions.split(',').filter_map(Exception::parse).collect(),
        })
    }

    /// The proxy for `url`. This machine is never behind one.
    pub(super) fn for_url(&self, url: &Url) -> Option<Url> {
        self.proxy(url).map(|proxy| proxy.url.clone())
    }

    /// The proxy for `url` in words, without the password that it may hold.
    pub(super) fn describe(&self, url: &Url) -> Option<String> {
        self.proxy(url).map(|proxy| {
            let mut shown = proxy.url.clone();
            // These fail only for URLs without a host, which are no proxies.
            let _ = shown.set_username("");
            let _ = shown.set_password(None);
            format!("the proxy {} ({})", printable(shown.as_str()), proxy.variable)
        })
    }

    fn proxy(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }?;
        let is_direct = is_loopback(url) || self.exceptions.iter().any(|exception| exception.covers(url));
        (!is_direct).then_some(proxy)
    }
}

impl Proxy {
    /// A URL, or `host:port` as people write it.
    fn parse(variable: &'static str, value: &str) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::Flag { flag: variable, problem: problem.to_owned() };
        let url = match Url::parse(value) {
            Ok(url) if url.has_host() => Ok(url),
            _ => Url::parse(&format!("http://{value}")),
        };
        // The value may hold a password, so it is not shown.
        let url = url.map_err(|_| {
            wrong("it is not the URL of a proxy; write it like http://proxy.example.com:3128")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(
                "only http and https proxies are supported; write it like http://proxy.example.com:3128",
            ));
        }
        Ok(Self { variable, url })
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("variable", &self.variable).finish_non_exhaustive()
    }
}

impl Exception {
    /// `*`, a domain (`example.com`: itself and what is under it; `.example.com`: only what is under it), an address or a
    /// network (`10.0.0.0/8`). All but the network may have a port.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self::Everybody);
        }
        if let Some((ip, bits)) = entry.split_once('/') {
            return Some(Self::Network { ip: ip.parse().ok()?, bits: bits.parse().ok()? });
        }
        if let Ok(ip) = entry.trim_matches(['[', ']']).parse() {
            return Some(Self::Address { ip, port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port.parse().ok()?)),
            None => (entry, None),
        };
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Some(Self::Address { ip, port });
        }
        let under = host.strip_prefix('*').unwrap_or(&host);
        let name = under.trim_start_matches('.').to_owned();
        Some(Self::Domain { is_itself: !under.starts_with('.'), name, port })
    }

    fn covers(&self, url: &Url) -> bool {
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::from(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::from(ip)),
            _ => None,
        };
        let has_port = |port: &Option<u16>| port.is_none() || url.port_or_known_default() == *port;
        match self {
            Self::Everybody => true,
            Self::Address { ip: own, port } => ip == Some(*own) && has_port(port),
            Self::Network { ip: own, bits } => ip.is_some_and(|ip| is_in(ip, *own, *bits)),
            Self::Domain { name, is_itself, port } => {
                let host = url.host_str().unwrap_or_default().trim_end_matches('.');
                let is_under = host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
                (is_under || (*is_itself && host == name)) && has_port(port)
            }
        }
    }
}

fn is_in(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (ip, network, width) = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => (ip.to_bits().into(), network.to_bits().into(), 32),
        (IpAddr::V6(ip), IpAddr::V6(network)) => (ip.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let host_bits = 128_u32.min(width) - u32::from(bits).min(width);
    // Shifting by the whole width leaves nothing to compare.
    u128::checked_shr(ip ^ network, host_bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Proxies::find(&Surroundings::of(variables, None)).unwrap()
    }

    #[test]
    fn a_proxy_is_used_by_scheme_and_never_for_this_machine() {
        let both = proxies(&[("HTTPS_PROXY", "http://proxy:3128"), ("http_proxy", "other:80")]);
        for (url, expected) in [
            ("https://idp.example.com/", Some("http://proxy:3128/")),
            ("http://idp.example.com/", Some("http://other/")),
            ("https://localhost:8443/", None),
            ("https://127.0.0.1/", None),
            ("https://[::1]/", None),
        ] {
            let found = both.for_url(&url.parse().unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{url}");
        }
        assert!(proxies(&[]).for_url(&"https://idp.example.com/".parse().unwrap()).is_none());
    }

    #[test]
    fn exceptions_are_read_as_go_reads_them() {
        for (list, url, is_direct) in [
            ("example.com", "https://example.com/", true),
            ("example.com", "https://idp.EXAMPLE.com/", true),
            ("example.com", "https://badexample.com/", false),
            (".example.com", "https://example.com/", false),
            (".example.com", "https://idp.example.com/", true),
            ("*.example.com", "https://idp.example.com/", true),
            ("a, example.com:8443 ,b", "https://example.com:8443/", true),
            ("example.com:8443", "https://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("0.0.0.0/0", "https://11.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.3/", true),
            ("10.1.2.3:1", "https://10.1.2.3/", false),
            ("2001:db8::/32", "https://[2001:db8::1]/", true),
            ("[2001:db8::1]:443", "https://[2001:db8::1]/", true),
            ("*", "https://example.com/", true),
            ("", "https://example.com/", false),
            ("10.0.0.0/x", "https://10.1.2.3/", false),
        ] {
            let proxies = proxies(&[("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", list)]);
            assert_eq!(proxies.for_url(&url.parse().unwrap()).is_none(), is_direct, "{list} {url}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let with_password = proxies(&[("HTTPS_PROXY", "http://user:hunter2@proxy:3128")]);
        let shown = with_password.describe(&"https://idp.example.com/".parse().unwrap()).unwrap();
        assert_eq!(shown, "the proxy http://proxy:3128/ (HTTPS_PROXY)");
        assert!(!format!("{with_password:?}").contains("hunter2"));
        let variables = [("HTTPS_PROXY".to_owned(), "socks5://user:hunter2@proxy".to_owned())].into();
        let error = Proxies::find(&Surroundings::of(variables, None)).unwrap_err().to_string();
        assert!(error.starts_with("HTTPS_PROXY: only http") && !error.contains("hunter2"), "{error}");
    }
}
