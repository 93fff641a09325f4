//! Client certificates become users (Kubernetes `apiserver/pkg/authentication/request/x509`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use kubesso_ambient::Clock;
use kubesso_k8s_types::UserInfo;
use rustls::CertificateError;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::Oid;
use x509_parser::oid_registry::asn1_rs::oid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::CREDENTIAL_ID;

/// The RDN that carries a user's UID (gate `AllowParsingUserUIDFromCertAuth`, on since 1.33).
const UID: Oid<'static> = oid!(1.3.6.1.4.1.57683.2);

/// Why a certificate is not accepted, or no authenticator can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum X509Error {
    /// The client CA file holds no usable certificate.
    #[error("the client certificate authority is not usable: {0}")]
    Authority(String),
    /// The chain, the purpose or the validity; the text begins as upstream's.
    #[error("verifying certificate {identifier} failed: {error}")]
    Verification {
        /// `SN=…, SKID=…, AKID=…`.
        identifier: String,
        /// Upstream's text for the usual causes.
        error: String,
    },
    /// Not an X.509 certificate that we can read.
    #[error("x509: malformed certificate")]
    Malformed,
    /// Several UIDs in the subject.
    #[error("expected 1 UID, but found multiple: {0}")]
    SeveralUids(String),
    /// A UID of no characters.
    #[error("UID cannot be an empty string")]
    EmptyUid,
    /// A UID that is not a string.
    #[error("unable to parse UID into a string")]
    UidNotText,
}

/// Authenticates certificates that chain to the authorities of `--client-ca-file`.
#[derive(Debug)]
pub struct X509Authenticator {
    verifier: Arc<dyn ClientCertVerifier>,
    clock: Arc<dyn Clock>,
}

impl X509Authenticator {
    /// Trusts the certificates in `client_ca_pem` as roots.
    ///
    /// # Errors
    /// [`X509Error::Authority`] if there is none, or one that cannot be a root.
    pub fn new(client_ca_pem: &str, clock: Arc<dyn Clock>) -> Result<Self, X509Error> {
        let unusable = |error: &dyn std::fmt::Display| X509Error::Authority(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(client_ca_pem.as_bytes()) {
            roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self { verifier, clock })
    }

    /// Whom the presented chain (leaf first) belongs to: the common name, with the organizations as groups. `None` if there
    /// is no certificate, or one without a common name.
    ///
    /// # Errors
    /// [`X509Error`] for the log.
    pub fn authenticate(&self, presented: &[CertificateDer<'_>]) -> Result<Option<UserInfo>, X509Error> {
        let Some((leaf, intermediates)) = presented.split_first() else { return Ok(None) };
        let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| X509Error::Malformed)?;
        let now = self.clock.now();
        let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
        self.verifier
            .verify_client_cert(leaf, intermediates, UnixTime::since_unix_epoch(since_1970))
            .map_err(|error| X509Error::Verification {
                identifier: identifier(&certificate),
                error: explain(&error, &certificate, now),
            })?;
        user(leaf, &certificate)
    }
}

fn user(der: &[u8], certificate: &X509Certificate<'_>) -> Result<Option<UserInfo>, X509Error> {
    let subject = certificate.subject();
    let texts = |attributes: &mut dyn Iterator<Item = &x509_parser::x509::AttributeTypeAndValue<'_>>| {
        attributes.filter_map(|attribute| attribute.as_str().ok().map(str::to_owned)).collect::<Vec<_>>()
    };
    // Of several common names Go keeps the last.
    let Some(username) = texts(&mut subject.iter_common_name()).pop().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let groups = texts(&mut subject.iter_organization());
    let mut uids = subject
        .iter_by_oid(&UID)
        .map(|attribute| attribute.as_str().map(str::to_owned).map_err(|_| X509Error::UidNotText))
        .collect::<Result<Vec<_>, _>>()?;
    if uids.len() > 1 {
        return Err(X509Error::SeveralUids(format!("[{}]", uids.join(" "))));
    }
    let uid = uids.pop();
    if uid.as_deref() == Some("") {
        return Err(X509Error::EmptyUid);
    }
    let mut credential = "X509SHA256=".to_owned();
    for byte in digest::digest(&digest::SHA256, der).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(credential, "{byte:02x}");
    }
    let extra = BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![credential])]);
    Ok(Some(UserInfo { username, uid: uid.unwrap_or_default(), groups, extra }))
}

/// `SN=123, SKID=0A:0B, AKID=`.
fn identifier(certificate: &X509Certificate<'_>) -> String {
    let mut subject_key = "";
    let mut authority_key = "";
    let (mut subject, mut authority);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => {
                subject = colon_hex(id.0);
                subject_key = &subject;
            }
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                authority = colon_hex(id.key_identifier.as_ref().map_or(&[], |id| id.0));
                authority_key = &authority;
            }
            _ => {}
        }
    }
    format!("SN={}, SKID={subject_key}, AKID={authority_key}", certificate.serial)
}

fn colon_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Go's text for what happens in practice, the library's for the rest.
fn explain(error: &rustls::Error, certificate: &X509Certificate<'_>, now: Timestamp) -> String {
    let validity = certificate.validity();
    let shown =
        |seconds: i64| Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default();
    let (now, seconds) = (shown(now.as_second()), now.as_second());
    let (begin, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let outside = "x509: certificate has expired or is not yet valid: current time";
    match error {
        _ if seconds < begin => format!("{outside} {now} is before {}", shown(begin)),
        _ if seconds > end => format!("{outside} {now} is after {}", shown(end)),
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "x509: certificate signed by unknown authority".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
        ) => "x509: certificate specifies an incompatible key usage".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
