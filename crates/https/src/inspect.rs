//! What is wrong with a server's certificate, before anybody is shown it.

use jiff::{SignedDuration, Timestamp};
use rustls::server::ParsedCertificate;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{ClientAuthentication, Identity, ServerTls, TlsError};

/// How long before its end a certificate is worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Something that is wrong with a certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// It cannot be used at all: not PEM, or the key is another one's.
    #[error(transparent)]
    Unusable(#[from] TlsError),
    /// It is over.
    #[error("the certificate has expired at {0}: renew it")]
    Expired(Timestamp),
    /// It is nearly over.
    #[error("the certificate ends at {0}: renew it before")]
    EndsSoon(Timestamp),
    /// It has not begun.
    #[error("the certificate is not valid before {0}: check the clock of whoever made it, and this one's")]
    NotYetValid(Timestamp),
    /// Clients that call the server by its name refuse it.
    #[error("the certificate is not for {host}, only for {}: get one with that name in it", list(.names))]
    WrongName {
        /// What clients call the server.
        host: String,
        /// What the certificate says.
        names: Vec<String>,
    },
}

impl CertificateProblem {
    /// Whether clients refuse the certificate, now or at its end only.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::EndsSoon(_))
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

/// All that is wrong with `identity` for a server that clients call `host`. Whether they trust the issuer is for them to
/// say.
pub fn certificate_problems(identity: &Identity, host: &str, now: Timestamp) -> Vec<CertificateProblem> {
    if let Err(error) = ServerTls::new(identity, ClientAuthentication::None) {
        return vec![error.into()];
    }
    let unreadable = |e: &dyn std::error::Error| vec![TlsError::Chain(e.to_string()).into()];
    let leaf = match CertificateDer::from_pem_slice(identity.chain_pem().as_bytes()) {
        Ok(leaf) => leaf,
        Err(error) => return unreadable(&error),
    };
    let certificate = match X509Certificate::from_der(&leaf) {
        Ok((_, certificate)) => certificate,
        Err(error) => return unreadable(&error),
    };
    let mut problems = Vec::new();
    let moment = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let validity = certificate.validity();
    if let Some(begin) = moment(validity.not_before).filter(|begin| *begin > now) {
        problems.push(CertificateProblem::NotYetValid(begin));
    }
    match moment(validity.not_after) {
        Some(end) if end <= now => problems.push(CertificateProblem::Expired(end)),
        Some(end) if end.duration_since(now) < SOON => problems.push(CertificateProblem::EndsSoon(end)),
        _ => {}
    }
    if !is_for(&leaf, host) {
        problems.push(CertificateProblem::WrongName { host: host.to_owned(), names: names(&certificate) });
    }
    problems
}

fn is_for(leaf: &CertificateDer<'_>, host: &str) -> bool {
    let Ok(name) = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']')) else {
        return false;
    };
    ParsedCertificate::try_from(leaf)
        .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, &name).is_ok())
}

/// The names that it is for, as far as they can be written.
pub(crate) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    use std::net::IpAddr;
    use x509_parser::extensions::GeneralName;
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let written = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|it| IpAddr::from(it).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|it| IpAddr::from(it).to_string()),
        },
        _ => None,
    });
    written.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{CertificateAuthority, ServerNames};

    #[test]
    fn a_certificate_is_good_for_its_names_in_its_time_with_its_own_key() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let authority = CertificateAuthority::generate("test", now).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
        let said = |identity: &Identity, host: &str, now| {
            certificate_problems(identity, host, now).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(said(&identity, host, now), Vec::<String>::new(), "{host}");
        }
        let other = said(&identity, "sso.example.com", now);
        assert!(
            other[0].contains("is not for sso.example.com, only for localhost, 127.0.0.1, ::1"),
            "{other:?}"
        );
        let late = now + SignedDuration::from_hours(24 * 365 * 20);
        assert!(said(&identity, "localhost", late)[0].contains("has expired at"));
        let early = now - SignedDuration::from_hours(24 * 365);
        assert!(said(&identity, "localhost", early)[0].contains("is not valid before"));
        let another = authority.issue_server(&ServerNames::loopback(), now).unwrap();
        let mixed = Identity::new(identity.chain_pem().to_owned(), another.key_pem().to_owned());
        assert!(said(&mixed, "localhost", now)[0].contains("private key cannot be used"));
        assert!(!said(&Identity::new("x".into(), "y".into()), "localhost", now).is_empty());
    }
}
