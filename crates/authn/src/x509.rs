//! Client certificates become users (Kubernetes `apiserver/pkg/authentication/request/x509`).

mod chain;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use kubesso_ambient::Clock;
use kubesso_k8s_types::UserInfo;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::oid_registry::Oid;
use x509_parser::oid_registry::asn1_rs::{Tag, oid};
use x509_parser::x509::AttributeTypeAndValue;

use self::chain::{Certificate, Search};
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
    /// The chain, the purpose or the validity; the text is upstream's.
    #[error("verifying certificate {identifier} failed: {error}")]
    Verification {
        /// `SN=…, SKID=…, AKID=…`.
        identifier: String,
        /// Go's text.
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
}

/// Authenticates certificates that chain to the authorities of `--client-ca-file`.
#[derive(Debug)]
pub struct X509Authenticator {
    /// DER.
    roots: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    clock: Arc<dyn Clock>,
}

impl X509Authenticator {
    /// Trusts the certificates in `client_ca_pem` as roots.
    ///
    /// # Errors
    /// [`X509Error::Authority`] if there is none, or something that is no certificate.
    pub fn new(client_ca_pem: &str, clock: Arc<dyn Clock>) -> Result<Self, X509Error> {
        let unusable = |error: &dyn std::fmt::Display| X509Error::Authority(error.to_string());
        let roots = CertificateDer::pem_slice_iter(client_ca_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(&error))?;
        if roots.is_empty() {
            return Err(unusable(&"it holds no PEM certificate"));
        }
        if parse(&roots).is_none() {
            return Err(unusable(&"it holds a malformed certificate"));
        }
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        Ok(Self { roots, algorithms, clock })
    }

    /// Whom the presented chain (leaf first) belongs to: the common name, with the organizations as groups. `None` if there
    /// is no certificate, or one without a common name.
    ///
    /// # Errors
    /// [`X509Error`] for the log.
    pub fn authenticate(&self, presented: &[CertificateDer<'_>]) -> Result<Option<UserInfo>, X509Error> {
        let presented = parse(presented).ok_or(X509Error::Malformed)?;
        let Some((leaf, intermediates)) = presented.split_first() else { return Ok(None) };
        let roots = parse(&self.roots).ok_or(X509Error::Malformed)?;
        Search { roots: &roots, intermediates, algorithms: &self.algorithms, now: self.clock.now() }
            .verify(leaf)
            .map_err(|error| {
                let (key_id, authority) = (colon_hex(leaf.key_id()), colon_hex(leaf.authority_key_id()));
                let identifier = format!("SN={}, SKID={key_id}, AKID={authority}", leaf.parsed.serial);
                X509Error::Verification { identifier, error }
            })?;
        user(leaf)
    }
}

/// `None` if one of them cannot be read.
fn parse<'a>(certificates: &'a [CertificateDer<'_>]) -> Option<Vec<Certificate<'a>>> {
    certificates.iter().map(|der| Certificate::parse(der)).collect()
}

fn user(leaf: &Certificate<'_>) -> Result<Option<UserInfo>, X509Error> {
    let subject = leaf.parsed.subject();
    // To Go a subject with a value that is no text is no certificate.
    let is_unreadable = |attribute: &AttributeTypeAndValue<'_>| text(attribute).is_none();
    if subject.iter_attributes().any(is_unreadable) {
        return Err(X509Error::Malformed);
    }
    // Of several common names Go keeps the last.
    let username = subject.iter_common_name().filter_map(text).last();
    let Some(username) = username.filter(|name| !name.is_empty()) else { return Ok(None) };
    let groups = subject.iter_organization().filter_map(text).collect();
    let mut uids: Vec<String> = subject.iter_by_oid(&UID).filter_map(text).collect();
    if uids.len() > 1 {
        return Err(X509Error::SeveralUids(format!("[{}]", uids.join(" "))));
    }
    let uid = uids.pop();
    if uid.as_deref() == Some("") {
        return Err(X509Error::EmptyUid);
    }
    let hash = colon_hex(digest::digest(&digest::SHA256, leaf.der).as_ref()).replace(':', "");
    let credential = format!("X509SHA256={}", hash.to_lowercase());
    let extra = BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![credential])]);
    Ok(Some(UserInfo { username, uid: uid.unwrap_or_default(), groups, extra }))
}

/// A value of a name in one of the string types that Go reads.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            std::str::from_utf8(value.data).ok().map(str::to_owned)
        }
        // One byte, one character.
        Tag::T61String => Some(value.data.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units = value.data.chunks(2).map(|pair| match pair {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

fn colon_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests;
