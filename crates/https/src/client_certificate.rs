//! What a client's certificate says, and whether an authority says it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::asn1_rs::Tag;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::TlsError;

/// Authorities whose word on clients is taken. Chains are checked by the rules of TLS on the web (webpki): signatures,
/// times, name constraints, and that the certificate is for clients. Revocation lists are not asked.
#[derive(Clone)]
pub struct ClientAuthorities(Arc<dyn ClientCertVerifier>);

impl ClientAuthorities {
    /// Those in `pem`, and no others.
    ///
    /// # Errors
    /// [`TlsError::Authorities`] if there is none, or one that cannot be an authority.
    pub fn from_pem(pem: &str) -> Result<Self, TlsError> {
        crate::install_crypto_provider();
        let unusable = |error: &dyn fmt::Display| TlsError::Authorities(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
        }
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
        verifier.map(Self).map_err(|error| unusable(&error))
    }

    /// Whether `chain`, the leaf first, leads to one of them at `now`; otherwise why not.
    ///
    /// # Errors
    /// For the log.
    pub fn check(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), rustls::Error> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let since = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(since));
        self.0.verify_client_cert(leaf, intermediates, now).map(drop)
    }
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthorities").finish_non_exhaustive()
    }
}

/// The names in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesInCertificate {
    /// The subject: relative names in the order of the encoding, each of object identifiers with values. `None`: there is
    /// a value in it that is no text.
    pub subject: Option<Vec<Vec<(String, String)>>>,
    /// `dNSName`s.
    pub dns: Vec<String>,
    /// `uniformResourceIdentifier`s.
    pub uris: Vec<String>,
    /// `iPAddress`es.
    pub addresses: Vec<IpAddr>,
    /// `rfc822Name`s.
    pub emails: Vec<String>,
}

/// The names in `certificate`; `None` if it cannot be read.
pub fn names_in_certificate(certificate: &CertificateDer<'_>) -> Option<NamesInCertificate> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let subject = parsed.subject().iter_rdn().map(|name| {
        let value = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            let value = attribute.attr_value();
            let is_text = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String, Tag::NumericString]
                .contains(&value.tag());
            let text = std::str::from_utf8(value.data).ok().filter(|_| is_text)?;
            Some((attribute.attr_type().to_id_string(), text.to_owned()))
        };
        name.iter().map(value).collect::<Option<Vec<_>>>()
    });
    let mut names = NamesInCertificate { subject: subject.collect(), ..NamesInCertificate::default() };
    let alternatives = parsed.subject_alternative_name().ok()?;
    for name in alternatives.iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
            GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
            GeneralName::RFC822Name(address) => names.emails.push((*address).to_owned()),
            GeneralName::IPAddress(bytes) => {
                let four = <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from);
                let sixteen = || <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from);
                names.addresses.extend(four.or_else(sixteen));
            }
            _ => {}
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};

    use super::*;
    use crate::pki::CertificateAuthority;

    fn now() -> Timestamp {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    fn first(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    #[test]
    fn an_authority_vouches_for_what_it_issued_to_clients_in_its_time() {
        let [ours, other] =
            ["ours", "other"].map(|name| CertificateAuthority::generate(name, now()).unwrap());
        let authorities = ClientAuthorities::from_pem(ours.certificate_pem()).unwrap();
        let client = |authority: &CertificateAuthority| {
            first(authority.issue_client("app", "team", now()).unwrap().chain_pem())
        };
        let server = ours.issue_server(&crate::pki::ServerNames::loopback(), now()).unwrap();
        let late = now() + jiff::SignedDuration::from_hours(24 * 365 * 30);
        let early = now() - jiff::SignedDuration::from_hours(24 * 365);
        assert_eq!(authorities.check(&[client(&ours)], now()), Ok(()));
        for (chain, at) in [
            (vec![client(&other)], now()),
            (vec![client(&ours)], late),
            (vec![client(&ours)], early),
            (vec![first(server.chain_pem())], now()),
            (vec![CertificateDer::from(vec![1, 2, 3])], now()),
            (Vec::new(), now()),
        ] {
            assert!(authorities.check(&chain, at).is_err(), "{} {at}", chain.len());
        }
        for pem in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(ClientAuthorities::from_pem(pem).is_err(), "{pem}");
        }
    }

    #[test]
    fn all_names_of_a_certificate_are_found() {
        let mut parameters =
            CertificateParams::new(vec!["app.example.com".to_owned(), "192.0.2.1".to_owned()]).unwrap();
        let name = |text: &str| text.to_owned().try_into().unwrap();
        parameters.subject_alt_names.push(SanType::URI(name("spiffe://example.com/app")));
        parameters.subject_alt_names.push(SanType::Rfc822Name(name("jo@example.com")));
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "Example, Inc");
        parameters.distinguished_name.push(DnType::CommonName, "app");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let names = names_in_certificate(certificate.der()).unwrap();
        let pair = |identifier: &str, value: &str| vec![(identifier.to_owned(), value.to_owned())];
        assert_eq!(names.subject, Some(vec![pair("2.5.4.10", "Example, Inc"), pair("2.5.4.3", "app")]));
        assert_eq!(names.dns, ["app.example.com"]);
        assert_eq!(names.uris, ["spiffe://example.com/app"]);
        assert_eq!(names.emails, ["jo@example.com"]);
        assert_eq!(names.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        let mut long = certificate.der().to_vec();
        long.push(0);
        for der in [Vec::new(), vec![0x30, 0x80], long] {
            assert_eq!(names_in_certificate(&CertificateDer::from(der)), None);
        }
    }
}
