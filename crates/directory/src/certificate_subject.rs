//! By which name of its certificate a client is known (`tls_client_auth`, RFC 8705 §2.1.2).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::distinguished_name::DistinguishedName;

/// The one name that is registered for a client; serialised by the name of its metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateSubject {
    /// The distinguished name of the subject.
    #[serde(rename = "tls_client_auth_subject_dn")]
    Dn(DistinguishedName),
    /// An alternative name, a `dNSName`; not a wildcard.
    #[serde(rename = "tls_client_auth_san_dns")]
    Dns(String),
    /// An alternative name, a `uniformResourceIdentifier` (a SPIFFE id, say), character by character.
    #[serde(rename = "tls_client_auth_san_uri")]
    Uri(String),
    /// An alternative name, an `iPAddress`.
    #[serde(rename = "tls_client_auth_san_ip")]
    Ip(IpAddr),
    /// An alternative name, an `rfc822Name`.
    #[serde(rename = "tls_client_auth_san_email")]
    Email(String),
}

/// What an authority says of whoever has a certificate's key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject; `None` if it has none, or one that cannot be read.
    pub subject: Option<DistinguishedName>,
    /// Alternative names.
    pub dns: Vec<String>,
    /// Alternative names.
    pub uris: Vec<String>,
    /// Alternative names.
    pub addresses: Vec<IpAddr>,
    /// Alternative names.
    pub emails: Vec<String>,
}

impl CertificateSubject {
    /// The names of the metadata.
    pub const MEMBERS: [&'static str; 5] = [
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ];

    /// What the metadata `member` says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(member: &str, text: &str) -> Result<Self, String> {
        let one = |what: &str, is_one: bool| {
            if is_one { Ok(text.to_owned()) } else { Err(format!("use {what}")) }
        };
        match member {
            "tls_client_auth_subject_dn" => {
                DistinguishedName::parse(text).map(Self::Dn).map_err(|error| error.to_string())
            }
            "tls_client_auth_san_dns" => {
                let is_label = |label: &str| {
                    !label.is_empty()
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                };
                let is_name = text.len() <= 253 && text.split('.').all(is_label);
                one("a DNS name, not a wildcard", is_name).map(|name| Self::Dns(name.to_ascii_lowercase()))
            }
            "tls_client_auth_san_uri" => {
                one("an absolute URI", text.len() <= 2048 && Url::parse(text).is_ok()).map(Self::Uri)
            }
            "tls_client_auth_san_ip" => {
                text.parse().map(Self::Ip).map_err(|_| "use an IPv4 or IPv6 address".to_owned())
            }
            "tls_client_auth_san_email" => {
                let is_address = text.len() <= 320
                    && text
                        .split_once('@')
                        .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
                one("an email address", is_address).map(Self::Email)
            }
            _ => Err("it is no name of a certificate".to_owned()),
        }
    }

    /// The name of the metadata that says it, and what it says.
    pub fn member(&self) -> (&'static str, String) {
        match self {
            Self::Dn(name) => ("tls_client_auth_subject_dn", name.to_string()),
            Self::Dns(name) => ("tls_client_auth_san_dns", name.clone()),
            Self::Uri(uri) => ("tls_client_auth_san_uri", uri.clone()),
            Self::Ip(address) => ("tls_client_auth_san_ip", address.to_string()),
            Self::Email(address) => ("tls_client_auth_san_email", address.clone()),
        }
    }

    /// Whether a certificate has this name. Of DNS names, and of the domains of email addresses, capitals do not count.
    pub fn is_among(&self, names: &CertificateNames) -> bool {
        match self {
            Self::Dn(name) => names.subject.as_ref() == Some(name),
            Self::Dns(name) => names.dns.iter().any(|one| one.eq_ignore_ascii_case(name)),
            Self::Uri(uri) => names.uris.contains(uri),
            Self::Ip(address) => names.addresses.contains(address),
            Self::Email(address) => names.emails.iter().any(|one| {
                let (name, domain) = one.rsplit_once('@').unwrap_or_default();
                let (ours, our_domain) = address.rsplit_once('@').unwrap_or_default();
                name == ours && domain.eq_ignore_ascii_case(our_domain)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_by_the_one_name_that_is_registered() {
        let names = CertificateNames {
            subject: DistinguishedName::parse("CN=app,O=Example").ok(),
            dns: vec!["App.example.com".to_owned(), "*.example.com".to_owned()],
            uris: vec!["spiffe://example.com/app".to_owned()],
            addresses: vec!["2001:db8::1".parse().unwrap()],
            emails: vec!["Jo@Example.com".to_owned()],
        };
        let [dn, dns, uri, ip, email] = CertificateSubject::MEMBERS;
        let cases = [
            (dn, "cn=app, o=Example", true),
            (dn, "O=Example,CN=app", false),
            (dn, "CN=App,O=Example", false),
            (dns, "app.EXAMPLE.com", true),
            (dns, "other.example.com", false),
            (uri, "spiffe://example.com/app", true),
            (uri, "spiffe://example.com/app/", false),
            (ip, "2001:db8:0::1", true),
            (ip, "192.0.2.1", false),
            (email, "Jo@example.com", true),
            (email, "jo@example.com", false),
        ];
        for (member, text, expected) in cases {
            let subject = CertificateSubject::parse(member, text).unwrap();
            assert_eq!(subject.is_among(&names), expected, "{member} {text}");
            assert!(!subject.is_among(&CertificateNames::default()), "{member} {text}");
            let (name, said) = subject.member();
            assert_eq!((name, CertificateSubject::parse(name, &said)), (member, Ok(subject.clone())));
            let json = serde_json::json!({ (name): said });
            assert_eq!(serde_json::to_value(&subject).unwrap(), json);
            assert_eq!(serde_json::from_value::<CertificateSubject>(json).unwrap(), subject);
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        let [dn, dns, uri, ip, email] = CertificateSubject::MEMBERS;
        for (member, text) in [
            (dn, "app"),
            (dns, "*.example.com"),
            (dns, ""),
            (dns, "a..b"),
            (uri, "example.com"),
            (ip, "10.0.0.0/8"),
            (email, "example.com"),
            (email, "@example.com"),
            ("tls_client_auth_san", "x"),
        ] {
            assert!(CertificateSubject::parse(member, text).is_err(), "{member} {text}");
        }
    }
}
