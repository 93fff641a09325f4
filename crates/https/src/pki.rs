//! A certificate authority of our own, for installations that bring none.
//!
//! ECDSA P-256 throughout: keys are made in a millisecond, and every client of Kubernetes accepts them. The
//! authority lives for ten years; what it issues is short-lived and made anew by the process that serves it.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::Identity;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Clocks of two machines differ: what is issued now is valid from an hour ago.
const BACKDATING: SignedDuration = HOUR;
const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 3653);
/// How long an issued certificate lives. The process that serves it issues the next one well before.
pub const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The authority's certificate has ended.
    #[error(
        "the certificate authority's certificate ended at {ended}; make a new one and trust it in the clusters"
    )]
    AuthorityExpired {
        /// When it ended.
        ended: Timestamp,
    },
    /// The clock shows a time before the authority existed, so nothing it issued could be valid.
    #[error(
        "the clock shows {now}, before the certificate authority's certificate begins ({begins}); set the clock"
    )]
    AuthorityNotYetValid {
        /// The clock's time.
        now: Timestamp,
        /// When the certificate begins.
        begins: Timestamp,
    },
    /// The certificate and the key do not belong together, or one of them is not what its name says.
    #[error("the certificate authority cannot be read: {0}")]
    Malformed(String),
    /// The key is not what its name says.
    #[error("the certificate authority's key cannot be read: it is not a PKCS#8 private key in PEM")]
    MalformedKey,
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Issue(#[from] rcgen::Error),
    /// A time outside what X.509 can say.
    #[error("{0} cannot be written into a certificate")]
    Unrepresentable(Timestamp),
}

/// The names a server answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNames {
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl ServerNames {
    /// DNS names and IP addresses, as clients will write them.
    pub fn new(dns: Vec<String>, addresses: Vec<IpAddr>) -> Self {
        Self { dns, addresses }
    }

    /// `localhost`, 127.0.0.1 and ::1.
    pub fn loopback() -> Self {
        Self::new(
            vec!["localhost".to_owned()],
            vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])],
        )
    }

    /// And this address.
    #[must_use]
    pub fn and(mut self, address: IpAddr) -> Self {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        self
    }

    fn subject_alternative_names(&self) -> Result<Vec<SanType>, PkiError> {
        let dns = self.dns.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
        let addresses = self.addresses.iter().map(|address| Ok(SanType::IpAddress(*address)));
        dns.chain(addresses).collect()
    }

    fn first(&self) -> String {
        self.dns
            .first()
            .cloned()
            .or_else(|| self.addresses.first().map(IpAddr::to_string))
            .unwrap_or_default()
    }
}

/// A certificate authority: its certificate and its key.
pub struct CertificateAuthority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// A new authority named `common_name`, valid for ten years.
    pub fn generate(common_name: &str, now: Timestamp) -> Result<Self, PkiError> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, AUTHORITY_LIFETIME)?;
        let certificate_pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)?;
        Ok(Self { certificate_pem, issuer })
    }

    /// Reads an authority back, and refuses one that could issue nothing valid at `now`.
    pub fn load(certificate_pem: &str, key_pem: &str, now: Timestamp) -> Result<Self, PkiError> {
        let malformed = |problem: &dyn std::fmt::Display| PkiError::Malformed(problem.to_string());
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|e| malformed(&e))?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|e| malformed(&e))?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| PkiError::MalformedKey)?;
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(malformed(&"its certificate and its key do not belong together"));
        }
        let validity = certificate.validity();
        let begins = timestamp(validity.not_before.timestamp())?;
        let ended = timestamp(validity.not_after.timestamp())?;
        if now < begins {
            return Err(PkiError::AuthorityNotYetValid { now, begins });
        }
        if now > ended {
            return Err(PkiError::AuthorityExpired { ended });
        }
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key)?;
        Ok(Self { certificate_pem: certificate_pem.to_owned(), issuer })
    }

    /// The certificate, for those who are to trust it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key (PKCS#8 PEM), for storing it where only its owner can read.
    pub fn key_pem(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for a server that answers to `names`.
    pub fn issue_server(&self, names: &ServerNames, now: Timestamp) -> Result<Identity, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, names.first());
        params.subject_alt_names = names.subject_alternative_names()?;
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth, now)
    }

    /// A client certificate as kube-apiserver reads it: the common name is the user, the organization the group.
    pub fn issue_client(&self, user: &str, group: &str, now: Timestamp) -> Result<Identity, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        // A user of several groups would need several organizations, of which rcgen keeps only the last.
        params.distinguished_name.push(DnType::OrganizationName, group);
        self.issue(params, ExtendedKeyUsagePurpose::ClientAuth, now)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
        now: Timestamp,
    ) -> Result<Identity, PkiError> {
        let key = new_key()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, LEAF_LIFETIME)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity::new(certificate.pem(), key.serialize_pem()))
    }
}

fn new_key() -> Result<KeyPair, PkiError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

fn set_validity(
    params: &mut CertificateParams,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Result<(), PkiError> {
    params.not_before = offset_date_time(now, -BACKDATING)?;
    params.not_after = offset_date_time(now, lifetime)?;
    Ok(())
}

fn offset_date_time(now: Timestamp, offset: SignedDuration) -> Result<time::OffsetDateTime, PkiError> {
    let at = now.checked_add(offset).map_err(|_| PkiError::Unrepresentable(now))?;
    time::OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| PkiError::Unrepresentable(at))
}

fn timestamp(unix_seconds: i64) -> Result<Timestamp, PkiError> {
    Timestamp::from_second(unix_seconds).map_err(|e| PkiError::Malformed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    fn parsed<T>(identity: &Identity, read: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
        let der = CertificateDer::from_pem_slice(identity.chain_pem().as_bytes()).unwrap();
        read(&X509Certificate::from_der(&der).unwrap().1)
    }

    #[test]
    fn an_authority_comes_back_as_it_was_stored() {
        let made = CertificateAuthority::generate("test", now()).unwrap();
        let loaded = CertificateAuthority::load(made.certificate_pem(), &made.key_pem(), now()).unwrap();
        assert_eq!(loaded.certificate_pem(), made.certificate_pem());
    }

    #[test]
    fn an_authority_is_refused_when_nothing_it_issues_could_be_valid() {
        let made = CertificateAuthority::generate("test", now()).unwrap();
        let load_at = |at: &str| {
            CertificateAuthority::load(made.certificate_pem(), &made.key_pem(), at.parse().unwrap())
                .unwrap_err()
        };
        assert_eq!(
            load_at("2026-11-22T06:59:59Z").to_string(),
            "the clock shows 2026-11-22T06:59:59Z, before the certificate authority's certificate begins \
             (2026-11-22T07:00:00Z); set the clock"
        );
        assert!(matches!(load_at("2036-11-23T08:00:00Z"), PkiError::AuthorityExpired { .. }));
    }

    #[test]
    fn a_certificate_with_a_foreign_key_is_refused() {
        let one = CertificateAuthority::generate("one", now()).unwrap();
        let other = CertificateAuthority::generate("other", now()).unwrap();
        let mixed = CertificateAuthority::load(one.certificate_pem(), &other.key_pem(), now());
        assert!(matches!(mixed, Err(PkiError::Malformed(_))), "{mixed:?}");
    }

    #[test]
    fn a_client_certificate_names_the_user_and_the_group() {
        let authority = CertificateAuthority::generate("test", now()).unwrap();
        let identity = authority.issue_client("admin", "system:masters", now()).unwrap();
        parsed(&identity, |certificate| {
            let name = |c: &x509_parser::x509::AttributeTypeAndValue<'_>| c.as_str().unwrap().to_owned();
            let users: Vec<_> = certificate.subject().iter_common_name().map(name).collect();
            let groups: Vec<_> = certificate.subject().iter_organization().map(name).collect();
            assert_eq!((users, groups), (vec!["admin".into()], vec!["system:masters".into()]));
        });
    }

    #[test]
    fn what_is_issued_outlasts_its_renewal_and_tolerates_a_late_clock() {
        let authority = CertificateAuthority::generate("test", now()).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), now()).unwrap();
        parsed(&identity, |certificate| {
            let validity = certificate.validity();
            assert_eq!(validity.not_before.timestamp(), now().as_second() - 3600);
            assert_eq!(validity.not_after.timestamp(), now().as_second() + LEAF_LIFETIME.as_secs());
        });
    }

    #[test]
    fn debug_shows_no_private_key() {
        let authority = CertificateAuthority::generate("test", now()).unwrap();
        let identity = authority.issue_client("u", "g", now()).unwrap();
        assert!(!format!("{authority:?} {identity:?}").contains("PRIVATE"));
    }
}
