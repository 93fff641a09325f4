//! What can be wrong with a key, a key set or a token.

use crate::{Algorithm, Kid};

/// Why a key or a token was refused. No variant carries a secret: neither the token nor its payload is printed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The signature does not belong to the header and payload under any key that fits.
    #[error("the token's signature does not verify with the issuer's keys")]
    BadSignature,
    /// The algorithm is known, but the caller does not accept it here.
    #[error("the token is signed with {0}, which is not accepted here")]
    AlgorithmNotAllowed(Algorithm),
    /// The claims cannot be written as a JSON object.
    #[error("the claims cannot be signed: {0}")]
    Claims(String),
    /// The cryptography library could not make or use a key.
    #[error("the cryptography library failed to {0}")]
    Crypto(&'static str),
    /// A header that is not what RFC 7515 §4 asks for.
    #[error("the token's header is malformed: {0}")]
    Header(String),
    /// A key that cannot be used, and why.
    #[error("the key cannot be used: {0}")]
    InvalidKey(&'static str),
    /// Not a compact JWS at all.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// A payload that is not a JSON object with distinct member names.
    #[error("the token's payload is not a JSON object: {0}")]
    Payload(String),
    /// A key set that is not what RFC 7517 §5 asks for.
    #[error("the JWK set is malformed: {0}")]
    Set(String),
    /// The header names a key that is not in the set.
    #[error("the token is signed with key {:?}, which the issuer does not publish", .0.as_str())]
    UnknownKey(Kid),
    /// `none`, an HMAC or anything else that is not one of ours.
    #[error("signature algorithm {0:?} is not supported; use one of RS, PS or ES with 256, 384 or 512")]
    UnsupportedAlgorithm(String),
}
