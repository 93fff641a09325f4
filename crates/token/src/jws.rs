//! The compact serialisation of RFC 7515, read strictly.

use serde_json::{Map, Value};

use crate::{Algorithm, JwkSet, Kid, TokenError, base64url, strict_json};

/// Longer texts are not read at all; an ID token with a thousand groups has about 40 kB.
pub const MAX_TOKEN_LENGTH: usize = 256 * 1024;

/// The members of a JOSE header that matter here. Keys that a token brings (`jwk`, `jku`, `x5c`, `x5u`) are not among
/// them: they are never looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<Kid>,
    /// `typ`, as written.
    pub typ: Option<String>,
}

/// A token whose signature was checked. Its claims were not: see [`crate::IdTokenExpectations`].
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The protected header.
    pub header: Header,
    /// The claims.
    pub payload: Map<String, Value>,
}

impl std::fmt::Debug for VerifiedToken {
    /// Names of the claims, not their values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let claims: Vec<&String> = self.payload.keys().collect();
        f.debug_struct("VerifiedToken").field("header", &self.header).field("claims", &claims).finish()
    }
}

impl JwkSet {
    /// Reads `token` and checks its signature with a key of this set: the keys that bear the header's `kid`, or, if the
    /// header has none, every key that fits the algorithm.
    ///
    /// # Errors
    /// Anything that is not a compact JWS signed with one of the `allowed` algorithms by one of these keys: see
    /// [`TokenError`].
    pub fn verify(&self, token: &str, allowed: &[Algorithm]) -> Result<VerifiedToken, TokenError> {
        let parts = Parts::split(token)?;
        let header = parse_header(&parts.decode(parts.header, "the header is not canonical base64url")?)?;
        if !allowed.contains(&header.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed(header.algorithm));
        }
        let signature = parts.decode(parts.signature, "the signature is not canonical base64url")?;
        let payload = parts.decode(parts.payload, "the payload is not canonical base64url")?;

        let named = |kid: &Kid| self.keys().iter().any(|jwk| jwk.kid() == Some(kid));
        if let Some(kid) = header.kid.as_ref().filter(|kid| !named(kid)) {
            return Err(TokenError::UnknownKey(kid.clone()));
        }
        self.keys()
            .iter()
            .filter(|jwk| header.kid.is_none() || jwk.kid() == header.kid.as_ref())
            .filter(|jwk| jwk.admits(header.algorithm))
            .find(|jwk| {
                jwk.key().verify(header.algorithm, parts.signing_input.as_bytes(), &signature).is_ok()
            })
            .ok_or(TokenError::BadSignature)?;
        Ok(VerifiedToken { header, payload: strict_json::object(&payload).map_err(TokenError::Payload)? })
    }
}

/// The claims of a token that was verified **before** (the plugin's cache), or is only shown to its owner. Nothing is
/// checked; never decide on these.
///
/// # Errors
/// [`TokenError::Malformed`] or [`TokenError::Payload`] if there is nothing to read.
pub fn decode_unverified_payload(token: &str) -> Result<Map<String, Value>, TokenError> {
    let parts = Parts::split(token)?;
    let payload = parts.decode(parts.payload, "the payload is not canonical base64url")?;
    strict_json::object(&payload).map_err(TokenError::Payload)
}

pub(crate) struct Parts<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// Header and payload with their dot, as signed.
    pub(crate) signing_input: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(TokenError::Malformed("it is longer than 256 KiB"));
        }
        let three = || TokenError::Malformed("it has not exactly three parts between dots");
        let (signing_input, signature) = token.rsplit_once('.').ok_or_else(three)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(three)?;
        if payload.contains('.') {
            return Err(three());
        }
        Ok(Self { header, payload, signature, signing_input })
    }

    #[expect(clippy::unused_self, reason = "reads as what it does: the parts decode one of themselves")]
    pub(crate) fn decode(&self, part: &str, otherwise: &'static str) -> Result<Vec<u8>, TokenError> {
        base64url::decode(part).ok_or(TokenError::Malformed(otherwise))
    }
}

fn parse_header(json: &[u8]) -> Result<Header, TokenError> {
    read_header(&strict_json::object(json).map_err(TokenError::Header)?)
}

pub(crate) fn read_header(members: &Map<String, Value>) -> Result<Header, TokenError> {
    for name in ["crit", "b64"] {
        if members.contains_key(name) {
            return Err(TokenError::Header(format!("member {name:?} is not supported")));
        }
    }
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::Header(format!("member {name:?} is not a string"))),
    };
    let algorithm = text("alg")?.ok_or_else(|| TokenError::Header("member \"alg\" is missing".to_owned()))?;
    Ok(Header { algorithm: algorithm.parse()?, kid: text("kid")?.map(Kid::new), typ: text("typ")? })
}

#[cfg(test)]
mod tests;
