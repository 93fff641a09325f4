//! Hashes that another provider made, as Okta's Users API takes them in (`credentials.password.hash`).
//!
//! They are kept as texts of their own forms and are good until the person signs in: then the password is known and is
//! hashed with Argon2id. Bounds keep a hash from taking seconds of a processor at every attempt.
//!
//! | algorithm | stored as |
//! |---|---|
//! | `BCRYPT` | `$2b$<work factor>$<salt><hash>` |
//! | `PBKDF2` | `$pbkdf2-sha256$i=<iterations>$<salt>$<hash>`, or `-sha512` |
//! | `SHA-1`, `SHA-256`, `SHA-512` | `$kubesso-sha1$<prefix or postfix>$<salt>$<hash>` |

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, pbkdf2};
use base64::Engine as _;
use base64::alphabet::{BCRYPT, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Password, PasswordHash};
use crate::secret::Secret;

/// Reads with and without padding, writes without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

const WORK_FACTORS: std::ops::RangeInclusive<u64> = 4..=15;
/// The least that Okta takes, and what takes about a second.
const ITERATIONS: std::ops::RangeInclusive<u64> = 4096..=1_000_000;
const KEY_SIZES: std::ops::RangeInclusive<usize> = 16..=64;
const LONGEST_SALT: usize = 256;
const ALGORITHMS: &str = "BCRYPT, PBKDF2, SHA-512, SHA-256 or SHA-1";

/// A hash of another provider's making.
pub struct ImportedHash(Kind);

enum Kind {
    /// The whole text; checked.
    Bcrypt(Secret),
    Pbkdf2 {
        digest: Digest,
        iterations: NonZeroU32,
        salt: Vec<u8>,
        hash: Zeroizing<Vec<u8>>,
    },
    Sha {
        digest: Digest,
        order: SaltOrder,
        /// Empty: none.
        salt: Vec<u8>,
        hash: Zeroizing<Vec<u8>>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// On which side of the password the salt was hashed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SaltOrder {
    Prefix,
    Postfix,
}

/// Why a hash is not taken in. What it says is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportedHashError {
    /// A member is missing or is something else.
    #[error("the password hash's `{field}` should be {expected}")]
    Field {
        /// The member of `credentials.password.hash`.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// MD5.
    #[error(
        "an MD5 password hash is not taken in, as passwords are guessed from it by the billion: create the user without \
         a password and let the person choose one"
    )]
    Md5,
}

impl ImportedHash {
    /// Reads Okta's `credentials.password.hash`: `algorithm`, `value`, and by algorithm `workFactor`, `salt`, `saltOrder`,
    /// `iterationCount`, `keySize` (in bytes), `digestAlgorithm`. Members that the algorithm does not use are not looked at.
    pub fn read(members: &Map<String, Value>) -> Result<PasswordHash, ImportedHashError> {
        let text = |field: &'static str, expected: &'static str| {
            members.get(field).and_then(Value::as_str).ok_or(ImportedHashError::Field { field, expected })
        };
        match text("algorithm", ALGORITHMS)? {
            "BCRYPT" => bcrypt(members, text),
            "PBKDF2" => pbkdf2(members, text),
            "SHA-1" => sha(Digest::Sha1, members, text),
            "SHA-256" => sha(Digest::Sha256, members, text),
            "SHA-512" => sha(Digest::Sha512, members, text),
            "MD5" => Err(ImportedHashError::Md5),
            _ => Err(ImportedHashError::Field { field: "algorithm", expected: ALGORITHMS }),
        }
        .map(|imported| PasswordHash(Secret::new(imported.to_text())))
    }

    /// Reads a stored text; `None` if it is none of these.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with("$2b$") {
            return Self::bcrypt(text.to_owned());
        }
        let mut parts = text.strip_prefix('$')?.split('$');
        let (name, parameter, salt, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (salt, hash) = (BASE64.decode(salt).ok()?, BASE64.decode(hash).ok()?);
        if let Some(digest) = name.strip_prefix("kubesso-").and_then(Digest::parse) {
            return Self::sha(digest, SaltOrder::parse(parameter)?, salt, hash);
        }
        let digest = name.strip_prefix("pbkdf2-").and_then(Digest::parse)?;
        Self::pbkdf2(digest, parameter.strip_prefix("i=")?.parse().ok()?, salt, hash)
    }

    fn bcrypt(text: String) -> Option<Self> {
        let parts: ::bcrypt::HashParts = text.parse().ok()?;
        WORK_FACTORS.contains(&u64::from(parts.get_cost())).then(|| Self(Kind::Bcrypt(Secret::new(text))))
    }

    fn pbkdf2(digest: Digest, iterations: u64, salt: Vec<u8>, hash: Vec<u8>) -> Option<Self> {
        let is_bounded = ITERATIONS.contains(&iterations)
            && (1..=LONGEST_SALT).contains(&salt.len())
            && KEY_SIZES.contains(&hash.len());
        let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new)?;
        let known = is_bounded && digest != Digest::Sha1;
        known.then(|| Self(Kind::Pbkdf2 { digest, iterations, salt, hash: Zeroizing::new(hash) }))
    }

    fn sha(digest: Digest, order: SaltOrder, salt: Vec<u8>, hash: Vec<u8>) -> Option<Self> {
        let fits = salt.len() <= LONGEST_SALT && hash.len() == digest.algorithm().output_len();
        fits.then(|| Self(Kind::Sha { digest, order, salt, hash: Zeroizing::new(hash) }))
    }

    /// What is stored.
    fn to_text(&self) -> String {
        let encode = |bytes: &[u8]| BASE64.encode(bytes);
        match &self.0 {
            Kind::Bcrypt(text) => text.expose().to_owned(),
            Kind::Pbkdf2 { digest, iterations, salt, hash } => {
                format!("$pbkdf2-{}$i={iterations}${}${}", digest.as_str(), encode(salt), encode(hash))
            }
            Kind::Sha { digest, order, salt, hash } => {
                format!("$kubesso-{}${}${}${}", digest.as_str(), order.as_str(), encode(salt), encode(hash))
            }
        }
    }

    /// Whether it is the hash of `password`; the comparison takes as long whatever differs. bcrypt looks at the first 72
    /// bytes, wherever it was made.
    pub(super) fn verifies(&self, password: &Password) -> bool {
        let password = password.expose().as_bytes();
        match &self.0 {
            Kind::Bcrypt(text) => ::bcrypt::verify(password, text.expose()).unwrap_or(false),
            Kind::Pbkdf2 { digest, iterations, salt, hash } => {
                let algorithm = match digest {
                    Digest::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
                    Digest::Sha256 | Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA256,
                };
                pbkdf2::verify(algorithm, *iterations, salt, password, hash).is_ok()
            }
            Kind::Sha { digest, order, salt, hash } => {
                let mut context = digest::Context::new(digest.algorithm());
                let (first, second) = match order {
                    SaltOrder::Prefix => (salt.as_slice(), password),
                    SaltOrder::Postfix => (password, salt.as_slice()),
                };
                context.update(first);
                context.update(second);
                verify_slices_are_equal(context.finish().as_ref(), hash).is_ok()
            }
        }
    }
}

impl fmt::Debug for ImportedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedHash([redacted])")
    }
}

impl Digest {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha512].into_iter().find(|digest| digest.as_str() == text)
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl SaltOrder {
    fn as_str(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Postfix => "postfix",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Prefix, Self::Postfix].into_iter().find(|order| order.as_str() == text)
    }
}

fn whole(
    members: &Map<String, Value>,
    field: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
    expected: &'static str,
) -> Result<u64, ImportedHashError> {
    let number = members.get(field).and_then(Value::as_u64).filter(|number| bounds.contains(number));
    number.ok_or(ImportedHashError::Field { field, expected })
}

fn bcrypt<'a>(
    members: &'a Map<String, Value>,
    text: impl Fn(&'static str, &'static str) -> Result<&'a str, ImportedHashError>,
) -> Result<ImportedHash, ImportedHashError> {
    const SALT: &str = "22 characters of bcrypt's base64";
    const VALUE: &str = "31 characters of bcrypt's base64, without salt and work factor";
    let factor = whole(members, "workFactor", WORK_FACTORS, "a number from 4 to 15")?;
    // Some make salts of 22 characters at random, of which bcrypt does not look at the last four bits.
    let checked = |field, expected, length| {
        let bytes = Some(text(field, expected)?).filter(|text| text.len() == length);
        let bytes = bytes.and_then(|text| BCRYPT_BASE64.decode(text).ok());
        bytes.map(|bytes| BCRYPT_BASE64.encode(bytes)).ok_or(ImportedHashError::Field { field, expected })
    };
    let (salt, value) = (checked("salt", SALT, 22)?, checked("value", VALUE, 31)?);
    ImportedHash::bcrypt(format!("$2b${factor:02}${salt}{value}"))
        .ok_or(ImportedHashError::Field { field: "value", expected: VALUE })
}

fn pbkdf2<'a>(
    members: &'a Map<String, Value>,
    text: impl Fn(&'static str, &'static str) -> Result<&'a str, ImportedHashError>,
) -> Result<ImportedHash, ImportedHashError> {
    const DIGEST: &str = "SHA256_HMAC or SHA512_HMAC";
    const SALT: &str = "1 to 256 bytes in base64";
    const VALUE: &str = "as many bytes in base64 as `keySize` says";
    let digest = match text("digestAlgorithm", DIGEST)? {
        "SHA256_HMAC" => Digest::Sha256,
        "SHA512_HMAC" => Digest::Sha512,
        _ => return Err(ImportedHashError::Field { field: "digestAlgorithm", expected: DIGEST }),
    };
    let iterations = whole(members, "iterationCount", ITERATIONS, "a number from 4096 to 1000000")?;
    let size = whole(members, "keySize", 16..=64, "a number of bytes from 16 to 64")?;
    let salt = decoded(text("salt", SALT)?).filter(|salt| (1..=LONGEST_SALT).contains(&salt.len()));
    let salt = salt.ok_or(ImportedHashError::Field { field: "salt", expected: SALT })?;
    decoded(text("value", VALUE)?)
        .filter(|hash| u64::try_from(hash.len()) == Ok(size))
        .and_then(|hash| ImportedHash::pbkdf2(digest, iterations, salt, hash))
        .ok_or(ImportedHashError::Field { field: "value", expected: VALUE })
}

fn sha<'a>(
    digest: Digest,
    members: &'a Map<String, Value>,
    text: impl Fn(&'static str, &'static str) -> Result<&'a str, ImportedHashError>,
) -> Result<ImportedHash, ImportedHashError> {
    const SALT: &str = "at most 256 bytes in base64";
    const ORDER: &str = "PREFIX or POSTFIX";
    const VALUE: &str = "a hash of the algorithm's length in base64";
    let salt = if members.get("salt").is_some_and(|salt| !salt.is_null()) { text("salt", SALT)? } else { "" };
    let salt = decoded(salt).filter(|salt| salt.len() <= LONGEST_SALT);
    let salt = salt.ok_or(ImportedHashError::Field { field: "salt", expected: SALT })?;
    let order = if salt.is_empty() {
        SaltOrder::Prefix
    } else {
        let order = text("saltOrder", ORDER)?.to_ascii_lowercase();
        SaltOrder::parse(&order).ok_or(ImportedHashError::Field { field: "saltOrder", expected: ORDER })?
    };
    decoded(text("value", VALUE)?)
        .and_then(|hash| ImportedHash::sha(digest, order, salt, hash))
        .ok_or(ImportedHashError::Field { field: "value", expected: VALUE })
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests;
