//! Assertions by which a client proves who it is (`private_key_jwt`: RFC 7523 §2.2 and §3, OpenID Connect Core §9).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::claim::{MalformedClaim, is_for, text, time};
use crate::{Algorithm, JwkSet, TokenError, decode_unverified_payload};

/// How far the clocks of client and server may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How far ahead `exp` may be: Okta's clients write an hour.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// A few short claims; RSA with 8192 bits makes it about 2 kB.
const LONGEST_ASSERTION: usize = 16 * 1024;

/// A `jti` is remembered; nobody needs a longer one.
const LONGEST_JTI: usize = 512;

/// What the assertion must say. `now` comes from the caller's clock.
#[derive(Clone, Copy, Debug)]
pub struct AssertionExpectations<'a> {
    /// Must equal both `iss` and `sub` (RFC 7523 §3).
    pub client_id: &'a str,
    /// What `aud` must say.
    pub audiences: Audiences<'a>,
    /// The present.
    pub now: Timestamp,
    /// Whether `jti` must be there, so that the assertion can be taken only once.
    pub require_jti: bool,
}

/// For whom an assertion must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audiences<'a> {
    /// One of them must be among `aud`, exactly: the token endpoint's address, the issuer (RFC 7523 §3).
    Among(&'a [String]),
    /// `aud` must be this issuer, as text and not as a list (FAPI 2.0 Security Profile §5.3.2.1 no. 8).
    Only(&'a str),
}

/// An assertion whose signature and claims were checked. Whether it was used before was not: remember `jti` until
/// `expires`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAssertion {
    /// `jti`.
    pub jti: Option<String>,
    /// The first moment at which the assertion is no longer accepted: `exp` and 60 s for clocks that differ.
    pub expires: Timestamp,
}

/// Why an assertion was refused. No variant carries the assertion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// `aud` names none of our addresses.
    #[error(
        "the client assertion is for another audience: set aud to the address of the token endpoint, or to the issuer"
    )]
    Audience,
    /// `aud` is not the issuer alone, where it must be.
    #[error(
        "the client assertion is not for the issuer alone: set aud to the issuer, as text, because this client pushes its \
         requests (FAPI 2.0)"
    )]
    NotOnlyForIssuer,
    /// A required claim is missing or is not of its type.
    #[error("claim {0:?} of the client assertion is missing or malformed")]
    Claim(&'static str),
    /// `exp` has come.
    #[error("the client assertion expired at {0}; check the client's clock")]
    Expired(Timestamp),
    /// `iss` and `sub` are not both the client's id.
    #[error("the client assertion speaks for another client: iss and sub must both be the client id")]
    Issuer,
    /// `exp` is too far away.
    #[error("the client assertion is valid for too long: set exp to an hour from now or earlier")]
    Lifetime,
    /// `nbf` or `iat` is yet to come.
    #[error("the client assertion is not valid before {0}; check the client's clock")]
    NotYetValid(Timestamp),
    /// It is not a JWS, or none by one of the client's keys.
    #[error("the client assertion cannot be verified: {0}")]
    Signature(#[from] TokenError),
}

impl From<MalformedClaim> for AssertionError {
    fn from(MalformedClaim(name): MalformedClaim) -> Self {
        Self::Claim(name)
    }
}

/// The reader of client assertions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAssertion;

impl ClientAssertion {
    /// The client for which an assertion claims to speak, so that its keys can be found. **Nothing is checked** but that
    /// `iss` and `sub` are the same; only [`ClientAssertion::verify`] tells whether it is true.
    ///
    /// # Errors
    /// [`AssertionError`] if it is not a JWT or says no client.
    pub fn unverified_client_id(text: &str) -> Result<String, AssertionError> {
        let payload = decode_unverified_payload(short(text)?)?;
        let (issuer, subject) = parties(&payload)?;
        if issuer != subject {
            return Err(AssertionError::Issuer);
        }
        Ok(subject.to_owned())
    }

    /// Checks an assertion by the rules of RFC 7523 §3: the signature by one of the client's `keys` (the one that the
    /// header's `kid` names, or any that fits the algorithm; never an HMAC, never `none`), `iss`, `sub`, `aud`, `exp` at
    /// most an hour ahead, and `nbf` and `iat` if they are there. Clocks may differ by 60 s.
    ///
    /// # Errors
    /// [`AssertionError`]: the first rule that is broken.
    pub fn verify(
        text: &str,
        keys: &JwkSet,
        expected: &AssertionExpectations<'_>,
    ) -> Result<VerifiedAssertion, AssertionError> {
        let payload = keys.verify(short(text)?, &Algorithm::ALL)?.payload;
        let (issuer, subject) = parties(&payload)?;
        if issuer != expected.client_id || subject != expected.client_id {
            return Err(AssertionError::Issuer);
        }
        match expected.audiences {
            Audiences::Among(ours)
                if !is_for(&payload, |audience| ours.iter().any(|one| one == audience))? =>
            {
                return Err(AssertionError::Audience);
            }
            Audiences::Only(issuer) if payload.get("aud").and_then(Value::as_str) != Some(issuer) => {
                return Err(AssertionError::NotOnlyForIssuer);
            }
            Audiences::Among(_) | Audiences::Only(_) => {}
        }
        let now = expected.now;
        let expiry = time(&payload, "exp")?.ok_or(AssertionError::Claim("exp"))?;
        let expires = expiry.saturating_add(SKEW).map_err(|_| AssertionError::Claim("exp"))?;
        if expires <= now {
            return Err(AssertionError::Expired(expiry));
        }
        if expiry.duration_since(now) > LONGEST + SKEW {
            return Err(AssertionError::Lifetime);
        }
        for name in ["nbf", "iat"] {
            if let Some(begin) = time(&payload, name)?
                && begin.duration_since(now) > SKEW
            {
                return Err(AssertionError::NotYetValid(begin));
            }
        }
        let jti = crate::claim::text(&payload, "jti")?;
        if jti.is_some_and(|jti| jti.is_empty() || jti.len() > LONGEST_JTI)
            || (jti.is_none() && expected.require_jti)
        {
            return Err(AssertionError::Claim("jti"));
        }
        Ok(VerifiedAssertion { jti: jti.map(str::to_owned), expires })
    }
}

fn short(text: &str) -> Result<&str, AssertionError> {
    if text.len() > LONGEST_ASSERTION {
        return Err(TokenError::Malformed("it is longer than 16 KiB").into());
    }
    Ok(text)
}

/// `iss` and `sub`.
fn parties(payload: &Map<String, Value>) -> Result<(&str, &str), AssertionError> {
    let issuer = text(payload, "iss")?.ok_or(AssertionError::Claim("iss"))?;
    let subject = text(payload, "sub")?.ok_or(AssertionError::Claim("sub"))?;
    Ok((issuer, subject))
}

#[cfg(test)]
mod tests;
