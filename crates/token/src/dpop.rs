//! Proofs that whoever uses a token has the key it was given to (DPoP, RFC 9449).

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::claim::{MalformedClaim, text, time};
use crate::jws::{Parts, read_header};
use crate::{Jwk, TokenError, base64url, strict_json};

/// How old a proof may be.
pub const DPOP_MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// How far the client's clock may be ahead.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// A proof holds a public key and five short claims; RSA with 8192 bits makes it about 4 kB.
const LONGEST_PROOF: usize = 16 * 1024;

/// A `jti` is remembered; nobody needs a longer one.
const LONGEST_JTI: usize = 512;

/// What a proof must say (RFC 9449 §4.3). `now` comes from the caller's clock.
#[derive(Clone, Copy, Debug)]
pub struct DpopExpectations<'a> {
    /// The request's method: `htm`.
    pub method: &'a str,
    /// The addresses by which the request's target may be known; `htu` must be one of them, compared without query and
    /// fragment, scheme and host without regard to case.
    pub urls: &'a [String],
    /// The nonces of ours that are good; `None`: none is asked for.
    pub nonces: Option<&'a [String]>,
    /// The access token that comes with the proof; its hash must be `ath`.
    pub access_token: Option<&'a str>,
    /// The thumbprint of the key to which the access token is bound (`cnf.jkt`, §6.1).
    pub thumbprint: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
}

/// A proof that was checked. Whether it was used before was not: remember `jti` until `expires`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDpop {
    /// The RFC 7638 thumbprint of its key, base64url.
    pub jkt: String,
    /// `jti`.
    pub jti: String,
    /// The first moment at which the proof is no longer accepted.
    pub expires: Timestamp,
}

/// Why a proof was refused. No variant carries the proof, nor the access token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// `ath` is not the hash of the access token.
    #[error("the DPoP proof is for another access token (ath)")]
    AccessToken,
    /// `iat` is too long ago, or yet to come.
    #[error("the DPoP proof was made at {0}, which is not now; check the client's clock")]
    Age(Timestamp),
    /// A required claim is missing or is not of its type.
    #[error("claim {0:?} of the DPoP proof is missing or malformed")]
    Claim(&'static str),
    /// The header has no `jwk`.
    #[error("the header of the DPoP proof has no public key (jwk)")]
    NoKey,
    /// `nonce` is none of ours that is still good. The answer must bring another (§8).
    #[error("the DPoP proof needs the nonce of the header DPoP-Nonce")]
    Nonce,
    /// The access token is bound to another key.
    #[error("the DPoP proof is by another key than the one that the access token is bound to")]
    OtherKey,
    /// `htm` or `htu` is not that of the request.
    #[error("the DPoP proof is for another request ({0})")]
    Request(&'static str),
    /// It is not a JWS, or not by the key that it brings.
    #[error("the DPoP proof cannot be verified: {0}")]
    Signature(#[from] TokenError),
    /// `typ` is not `dpop+jwt`.
    #[error("the DPoP proof is not one: its type (typ) must be dpop+jwt")]
    Type,
}

impl DpopError {
    /// The `error` of the answer (RFC 9449 §5, §8).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Nonce => "use_dpop_nonce",
            _ => "invalid_dpop_proof",
        }
    }
}

/// Why the proof of a request is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is none.
    #[error("the header DPoP is missing")]
    Missing,
    /// More than one header, or none that is a text (RFC 9449 §4.3, rule 1).
    #[error("send one header DPoP")]
    Unreadable,
    /// It came before (§11.1). Whoever remembers proofs says so.
    #[error("this DPoP proof was used before: make one for each request")]
    Used,
    /// The proof itself.
    #[error("{0}")]
    Wrong(#[from] DpopError),
}

impl ProofError {
    /// The `error` of the answer (RFC 9449 §5, §8).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wrong(error) => error.code(),
            Self::Missing | Self::Unreadable | Self::Used => "invalid_dpop_proof",
        }
    }
}

impl From<MalformedClaim> for DpopError {
    fn from(MalformedClaim(name): MalformedClaim) -> Self {
        Self::Claim(name)
    }
}

/// The reader of DPoP proofs.
#[derive(Clone, Copy, Debug)]
pub struct DpopProof;

impl DpopProof {
    /// Checks the proof of a request by all values of its headers `DPoP`, as [`verify`](Self::verify) does.
    ///
    /// # Errors
    /// [`ProofError`], but for [`ProofError::Used`].
    pub fn of_request<'a>(
        headers: impl IntoIterator<Item = &'a [u8]>,
        expected: &DpopExpectations<'_>,
    ) -> Result<VerifiedDpop, ProofError> {
        let mut values = headers.into_iter();
        let proof = match (values.next(), values.next()) {
            (None, _) => return Err(ProofError::Missing),
            (Some(value), None) => str::from_utf8(value).map_err(|_| ProofError::Unreadable)?,
            (Some(_), Some(_)) => return Err(ProofError::Unreadable),
        };
        Ok(Self::verify(proof, expected)?)
    }

    /// Checks the value of a `DPoP` header by the rules of RFC 9449 §4.3 (that there is only one such header, the caller
    /// knows): `typ`, an asymmetric `alg`, the signature by the public key in `jwk`, `jti`, `htm`, `htu`, `iat` at most
    /// [`DPOP_MAX_AGE`] ago and 60 s ahead, and, as far as they are expected, key, `ath` and `nonce`. The nonce comes
    /// last: whoever is told to use one knows that the rest is right.
    ///
    /// # Errors
    /// [`DpopError`]: the first rule that is broken.
    pub fn verify(header_value: &str, expected: &DpopExpectations<'_>) -> Result<VerifiedDpop, DpopError> {
        if header_value.len() > LONGEST_PROOF {
            return Err(TokenError::Malformed("it is longer than 16 KiB").into());
        }
        let (key, payload) = verify_signature(header_value)?;
        let jti = text(&payload, "jti")?
            .filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_JTI)
            .ok_or(DpopError::Claim("jti"))?;
        if text(&payload, "htm")?.ok_or(DpopError::Claim("htm"))? != expected.method {
            return Err(DpopError::Request("htm"));
        }
        let target = text(&payload, "htu")?.and_then(normalised).ok_or(DpopError::Claim("htu"))?;
        if !expected.urls.iter().any(|url| normalised(url).as_ref() == Some(&target)) {
            return Err(DpopError::Request("htu"));
        }
        let made = time(&payload, "iat")?.ok_or(DpopError::Claim("iat"))?;
        let age = expected.now.duration_since(made);
        if age >= DPOP_MAX_AGE || age < -SKEW {
            return Err(DpopError::Age(made));
        }
        let expires = made.saturating_add(DPOP_MAX_AGE).map_err(|_| DpopError::Claim("iat"))?;
        let jkt = key.thumbprint().as_str().to_owned();
        if expected.thumbprint.is_some_and(|thumbprint| thumbprint != jkt) {
            return Err(DpopError::OtherKey);
        }
        if let Some(token) = expected.access_token {
            let hash = base64url::encode(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
            if text(&payload, "ath")?.ok_or(DpopError::Claim("ath"))? != hash {
                return Err(DpopError::AccessToken);
            }
        }
        let nonce = text(&payload, "nonce")?;
        if let Some(good) = expected.nonces
            && !nonce.is_some_and(|nonce| good.iter().any(|good| good == nonce))
        {
            return Err(DpopError::Nonce);
        }
        Ok(VerifiedDpop { jkt, jti: jti.to_owned(), expires })
    }

    /// The nonce that a proof says, unchecked, for a server whose nonces are not a list but can be recognised.
    pub fn unverified_nonce(header_value: &str) -> Option<String> {
        if header_value.len() > LONGEST_PROOF {
            return None;
        }
        let payload = crate::decode_unverified_payload(header_value).ok()?;
        payload.get("nonce").and_then(Value::as_str).map(str::to_owned)
    }
}

/// The key that the proof brings, and the claims that it signed.
fn verify_signature(proof: &str) -> Result<(Jwk, Map<String, Value>), DpopError> {
    let parts = Parts::split(proof)?;
    let header = parts.decode(parts.header, "the header is not canonical base64url")?;
    let members = strict_json::object(&header).map_err(TokenError::Header)?;
    let header = read_header(&members)?;
    if header.typ.as_deref() != Some("dpop+jwt") {
        return Err(DpopError::Type);
    }
    let Some(Value::Object(jwk)) = members.get("jwk") else { return Err(DpopError::NoKey) };
    let key = Jwk::from_members(jwk)?;
    let signature = parts.decode(parts.signature, "the signature is not canonical base64url")?;
    if !key.admits(header.algorithm) {
        return Err(TokenError::BadSignature.into());
    }
    key.key().verify(header.algorithm, parts.signing_input.as_bytes(), &signature)?;
    let payload = parts.decode(parts.payload, "the payload is not canonical base64url")?;
    Ok((key, strict_json::object(&payload).map_err(TokenError::Payload)?))
}

/// An http address as it is compared (RFC 3986 §6.2.2.1 and §6.2.3): scheme and host in lower case, no default port, a
/// path that is never empty, neither query nor fragment. `None` if it is none.
fn normalised(url: &str) -> Option<String> {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let path = if path.is_empty() { "/" } else { path };
    Some(format!("{scheme}://{authority}{path}"))
}

#[cfg(test)]
mod tests;
