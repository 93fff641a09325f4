//! The issuer URL.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// An issuer (OpenID Connect Core 1.0, section 2): an `https` or `http` URL without query or fragment. Its text is
/// kept exactly as written, since issuers are compared as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerUrl {
    text: String,
    url: Url,
}

impl IssuerUrl {
    /// The issuer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the discovery document is (OpenID Connect Discovery 1.0, section 4.1): one trailing slash of the
    /// issuer does not count.
    pub fn discovery_url(&self) -> String {
        let base = self.text.strip_suffix('/').unwrap_or(&self.text);
        format!("{base}/.well-known/openid-configuration")
    }

    /// Whether tokens would travel readable for others: plain `http` to another machine.
    pub fn is_exposed(&self) -> bool {
        self.url.scheme() == "http" && !self.is_on_this_machine()
    }

    /// Whether the provider runs on this machine, where no proxy is in between.
    pub fn is_on_this_machine(&self) -> bool {
        is_loopback(&self.url)
    }
}

/// Whether `url` names this machine: `localhost`, a name under it, or a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// No URL at all.
    #[error("it is not a URL ({0}); write it in full, like https://login.example.com")]
    NotAUrl(#[from] url::ParseError),
    /// A query or a fragment.
    #[error("an issuer URL has no `?` or `#`; leave that part away")]
    QueryOrFragment,
    /// Another scheme.
    #[error("it must begin with https://")]
    Scheme,
}

impl FromStr for IssuerUrl {
    type Err = IssuerError;

    fn from_str(text: &str) -> Result<Self, IssuerError> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(IssuerError::Scheme);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(IssuerError::QueryOrFragment);
        }
        Ok(Self { text: text.to_owned(), url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_slash_is_dropped_for_discovery_and_the_text_stays() {
        for (issuer, discovery) in [
            ("https://idp.example.com", "https://idp.example.com/.well-known/openid-configuration"),
            ("https://idp.example.com/", "https://idp.example.com/.well-known/openid-configuration"),
            ("https://idp.example.com/t/", "https://idp.example.com/t/.well-known/openid-configuration"),
            ("https://idp.example.com/t//", "https://idp.example.com/t//.well-known/openid-configuration"),
        ] {
            let parsed: IssuerUrl = issuer.parse().unwrap();
            assert_eq!((parsed.as_str(), parsed.discovery_url().as_str()), (issuer, discovery));
        }
    }

    #[test]
    fn what_is_no_issuer_is_refused() {
        for text in
            ["", "idp.example.com", "ftp://idp.example.com", "https://a/?x=1", "https://a/#x", "https://"]
        {
            assert!(text.parse::<IssuerUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn plain_http_is_exposed_unless_it_stays_on_this_machine() {
        for (issuer, exposed) in [
            ("http://idp.example.com", true),
            ("http://10.0.0.1:8080", true),
            ("http://localhost.example.com", true),
            ("http://localhost:8080", false),
            ("http://127.0.0.9", false),
            ("http://[::1]:8080/x", false),
            ("https://idp.example.com", false),
        ] {
            assert_eq!(issuer.parse::<IssuerUrl>().unwrap().is_exposed(), exposed, "{issuer}");
        }
    }
}
