//! From a leaf to a root, by the rules of Go 1.26's `crypto/x509` (`Certificate.Verify`), which are not those of webpki: the
//! validity and the purposes of a root count, an authority's certificate may be used as a leaf, a listed certificate vouches
//! for itself, and `anyExtendedKeyUsage` is a purpose.
//!
//! Where this is stricter than Go, it refuses: name constraints in a chain whose certificates have alternative names, policy
//! constraints, and RSA keys of authorities under 2048 bits.

use jiff::Timestamp;
use kubesso_k8s_types::go::quote;
use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry as oids;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Signatures that one request may cost (Go's `maxChainSignatureChecks`).
const SIGNATURE_CHECKS: u32 = 100;

/// A certificate with what is asked of it again and again.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) der: &'a [u8],
    pub(super) parsed: X509Certificate<'a>,
    /// What is signed, header included.
    to_be_signed: &'a [u8],
    /// Content of the signature's AlgorithmIdentifier.
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
    /// Content of the key's AlgorithmIdentifier.
    key_algorithm: &'a [u8],
    key: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// `None` if it is no certificate that Go would take in a handshake.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let (content, _) = element(SEQUENCE, der)?;
        let (_, after) = element(SEQUENCE, content)?;
        let to_be_signed = content.get(..content.len() - after.len())?;
        let (signature_algorithm, after) = element(SEQUENCE, after)?;
        let (signature, _) = element(BIT_STRING, after)?;
        let (key_info, _) = element(SEQUENCE, parsed.tbs_certificate.subject_pki.raw)?;
        let (key_algorithm, after) = element(SEQUENCE, key_info)?;
        let (key, _) = element(BIT_STRING, after)?;
        let extensions = parsed.extensions();
        let repeats = extensions
            .iter()
            .enumerate()
            .any(|(at, one)| extensions.iter().skip(at + 1).any(|other| other.oid == one.oid));
        let consistent = rest.is_empty() && parsed.signature_algorithm == parsed.tbs_certificate.signature;
        let mut certificate =
            Self { der, parsed, to_be_signed, signature_algorithm, signature, key_algorithm, key };
        // The first octet of a bit string counts unused bits, of which there are none here.
        certificate.signature = certificate.signature.strip_prefix(&[0])?;
        certificate.key = certificate.key.strip_prefix(&[0])?;
        (consistent && !repeats).then_some(certificate)
    }

    /// Subject key identifier.
    pub(super) fn key_id(&self) -> &[u8] {
        self.find(|extension| match extension {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        })
        .unwrap_or_default()
    }

    /// Authority key identifier.
    pub(super) fn authority_key_id(&self) -> &[u8] {
        self.find(|extension| match extension {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
            _ => None,
        })
        .unwrap_or_default()
    }

    fn find<'s, T>(&'s self, wanted: impl Fn(&'s ParsedExtension<'a>) -> Option<T>) -> Option<T> {
        self.parsed.extensions().iter().find_map(|extension| wanted(extension.parsed_extension()))
    }

    fn has(&self, oid: &oids::Oid<'_>) -> bool {
        self.parsed.extensions().iter().any(|extension| extension.oid == *oid)
    }

    fn alternative_names(&self) -> Option<&[u8]> {
        let names = &oids::OID_X509_EXT_SUBJECT_ALT_NAME;
        self.parsed
            .extensions()
            .iter()
            .find(|extension| extension.oid == *names)
            .map(|extension| extension.value)
    }

    /// Whether it says that it is an authority, and how many others may follow it; `None` if it says nothing.
    fn basic_constraints(&self) -> Option<(bool, Option<u32>)> {
        self.find(|extension| match extension {
            ParsedExtension::BasicConstraints(basic) => Some((basic.ca, basic.path_len_constraint)),
            _ => None,
        })
    }

    fn may_sign(&self) -> bool {
        let usage = self.find(|extension| match extension {
            ParsedExtension::KeyUsage(usage) => Some(*usage),
            _ => None,
        });
        let basic = self.basic_constraints();
        let is_authority = match basic {
            Some((is_authority, _)) => is_authority,
            None => self.parsed.version != x509_parser::x509::X509Version::V3,
        };
        is_authority && usage.is_none_or(|usage| usage.flags == 0 || usage.key_cert_sign())
    }

    fn admits_clients(&self) -> bool {
        self.find(|extension| match extension {
            ParsedExtension::ExtendedKeyUsage(usage) => Some(usage.any || usage.client_auth),
            _ => None,
        })
        .unwrap_or(true)
    }

    /// The name in a message about an authority.
    fn display_name(&self) -> String {
        let subject = self.parsed.subject();
        let text = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| super::text(attribute);
        let common_name = subject.iter_common_name().filter_map(text).last().filter(|name| !name.is_empty());
        common_name
            .or_else(|| subject.iter_organization().find_map(text))
            .unwrap_or_else(|| format!("serial:{}", self.parsed.serial))
    }
}

/// What is known of the world while a chain is sought.
pub(super) struct Search<'s, 'a> {
    pub(super) roots: &'s [Certificate<'a>],
    pub(super) intermediates: &'s [Certificate<'a>],
    pub(super) algorithms: &'s WebPkiSupportedAlgorithms,
    pub(super) now: Timestamp,
}

type Chain<'s, 'a> = Vec<&'s Certificate<'a>>;

impl<'s, 'a> Search<'s, 'a> {
    /// Whether some chain from `leaf` to a root allows it to authenticate a client; the error is Go's text.
    pub(super) fn verify(&self, leaf: &'s Certificate<'a>) -> Result<(), String> {
        self.check(Role::Leaf, leaf, &[])?;
        let chains = if self.roots.iter().any(|root| root.der == leaf.der) {
            vec![vec![leaf]]
        } else {
            self.chains(&[leaf], &mut 0)?
        };
        let mut refusal = None;
        for chain in &chains {
            if chain.iter().any(|certificate| certificate.has(&oids::OID_X509_EXT_POLICY_CONSTRAINTS)) {
                refusal
                    .get_or_insert("x509: no valid chains built: 1 candidate chains with invalid policies");
            } else if !chain.iter().all(|certificate| certificate.admits_clients()) {
                refusal.get_or_insert("x509: certificate specifies an incompatible key usage");
            } else if chain.iter().any(|certificate| certificate.has(&oids::OID_X509_EXT_NAME_CONSTRAINTS))
                && chain.iter().any(|certificate| certificate.alternative_names().is_some())
            {
                refusal.get_or_insert(
                    "x509: a root or intermediate certificate is not authorized to sign for this name: \
                     name constraints are not evaluated here",
                );
            } else {
                return Ok(());
            }
        }
        Err(refusal.unwrap_or("x509: no valid chains built").to_owned())
    }

    /// All ways from the last of `so_far` to a root.
    fn chains(&self, so_far: &[&'s Certificate<'a>], checks: &mut u32) -> Result<Vec<Chain<'s, 'a>>, String> {
        let Some(child) = so_far.last() else { return Ok(Vec::new()) };
        let mut chains = Vec::new();
        let mut hint = None;
        let mut last_error = None;
        let candidates = parents(child, self.roots).map(|root| (Role::Root, root));
        let candidates =
            candidates.chain(parents(child, self.intermediates).map(|one| (Role::Intermediate, one)));
        for (role, candidate) in candidates {
            if so_far.iter().any(|certificate| is_same(certificate, candidate)) {
                continue;
            }
            *checks += 1;
            if *checks > SIGNATURE_CHECKS {
                last_error = Some(
                    "x509: signature check attempts limit reached while verifying certificate chain"
                        .to_owned(),
                );
                continue;
            }
            if let Err(error) = self.check_signature(child, candidate) {
                hint.get_or_insert((error.to_owned(), candidate));
                continue;
            }
            last_error = self.check(role, candidate, so_far).err();
            if let Some(error) = &last_error {
                hint.get_or_insert((error.clone(), candidate));
                continue;
            }
            let longer = [so_far, &[candidate]].concat();
            if role == Role::Root {
                chains.push(longer);
            } else {
                match self.chains(&longer, checks) {
                    Ok(found) => chains.extend(found),
                    Err(error) => last_error = Some(error),
                }
            }
        }
        if !chains.is_empty() {
            return Ok(chains);
        }
        Err(last_error.unwrap_or_else(|| {
            let because = hint.map(|(error, authority)| {
                let authority = quote(&authority.display_name());
                format!(
                    " (possibly because of {} while trying to verify candidate authority certificate {authority})",
                    quote(&error)
                )
            });
            format!("x509: certificate signed by unknown authority{}", because.unwrap_or_default())
        }))
    }

    /// What a certificate must be in its place, the ones below it given.
    fn check(
        &self,
        role: Role,
        certificate: &Certificate<'a>,
        below: &[&Certificate<'a>],
    ) -> Result<(), String> {
        let unknown = |extension: &&x509_parser::extensions::X509Extension<'_>| {
            extension.critical && !HANDLED.contains(&extension.oid)
        };
        if certificate.parsed.extensions().iter().find(unknown).is_some() {
            return Err("x509: unhandled critical extension".to_owned());
        }
        let validity = certificate.parsed.validity();
        let (begin, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        let seconds = self.now.as_second();
        let outside = |relation: &str, limit: i64| {
            let shown =
                |time: i64| Timestamp::from_second(time).map(|time| time.to_string()).unwrap_or_default();
            let (now, limit) = (shown(seconds), shown(limit));
            Err(format!(
                "x509: certificate has expired or is not yet valid: current time {now} is {relation} {limit}"
            ))
        };
        if seconds < begin {
            return outside("before", begin);
        }
        // The end is a whole second; a fraction after it is past it.
        if self.now.duration_since(Timestamp::from_second(end).unwrap_or(Timestamp::MAX)).is_positive() {
            return outside("after", end);
        }
        let basic = certificate.basic_constraints();
        if role == Role::Intermediate && !basic.is_some_and(|(is_authority, _)| is_authority) {
            return Err("x509: certificate is not authorized to sign other certificates".to_owned());
        }
        if let Some((_, Some(most))) = basic
            && below.len().saturating_sub(1) > most as usize
        {
            return Err("x509: too many intermediates for path length constraint".to_owned());
        }
        Ok(())
    }

    fn check_signature(&self, child: &Certificate<'a>, parent: &Certificate<'a>) -> Result<(), &'static str> {
        if !parent.may_sign() {
            return Err("x509: invalid signature: parent certificate cannot sign this kind of certificate");
        }
        let mut fitting = self
            .algorithms
            .all
            .iter()
            .filter(|algorithm| algorithm.signature_alg_id().as_ref() == child.signature_algorithm)
            .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == parent.key_algorithm)
            .peekable();
        if fitting.peek().is_none() {
            return Err("x509: cannot verify signature: algorithm unimplemented");
        }
        if fitting.any(|algorithm| {
            algorithm.verify_signature(parent.key, child.to_be_signed, child.signature).is_ok()
        }) {
            return Ok(());
        }
        let key_type = &parent.parsed.tbs_certificate.subject_pki.algorithm.algorithm;
        Err(if *key_type == oids::OID_PKCS1_RSAENCRYPTION {
            "crypto/rsa: verification error"
        } else if *key_type == oids::OID_SIG_ED25519 {
            "x509: Ed25519 verification failure"
        } else {
            "x509: ECDSA verification failure"
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leaf,
    Intermediate,
    Root,
}

/// Critical extensions that are understood, here or by leaving the work to [`Search::verify`].
const HANDLED: [oids::Oid<'static>; 10] = [
    oids::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    oids::OID_X509_EXT_KEY_USAGE,
    oids::OID_X509_EXT_SUBJECT_ALT_NAME,
    oids::OID_X509_EXT_BASIC_CONSTRAINTS,
    oids::OID_X509_EXT_NAME_CONSTRAINTS,
    oids::OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    oids::OID_X509_EXT_CERTIFICATE_POLICIES,
    oids::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    oids::OID_X509_EXT_POLICY_CONSTRAINTS,
    oids::OID_X509_EXT_EXTENDED_KEY_USAGE,
];

/// Those whose subject is the child's issuer, the likeliest by their key identifiers first.
fn parents<'s, 'a>(
    child: &Certificate<'a>,
    pool: &'s [Certificate<'a>],
) -> impl Iterator<Item = &'s Certificate<'a>> + use<'s, 'a> {
    let issuer = child.parsed.issuer().as_raw();
    let wanted = child.authority_key_id();
    let unlikeliness = |candidate: &Certificate<'a>| {
        let id = candidate.key_id();
        if id == wanted { 0 } else { 1 + u8::from(id.is_empty() == wanted.is_empty()) }
    };
    let mut found: Vec<_> =
        pool.iter().filter(|candidate| candidate.parsed.subject().as_raw() == issuer).collect();
    found.sort_by_key(|candidate| unlikeliness(candidate));
    found.into_iter()
}

/// Whether two certificates stand for the same entity, so that a chain with both would go in a circle.
fn is_same(one: &Certificate<'_>, other: &Certificate<'_>) -> bool {
    let key = |certificate: &Certificate<'_>| certificate.parsed.tbs_certificate.subject_pki.raw.to_vec();
    one.parsed.subject().as_raw() == other.parsed.subject().as_raw()
        && key(one) == key(other)
        && one.alternative_names() == other.alternative_names()
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The content of the DER element with this tag at the start, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if octets.len() > 4 {
            return None;
        }
        (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}
