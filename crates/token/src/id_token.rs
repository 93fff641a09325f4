//! What a relying party asks of an ID token's claims (OpenID Connect Core 1.0 §3.1.3.7).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::claim::{MalformedClaim, text, time};

/// What the token must say. `now` comes from the caller's clock.
#[derive(Clone, Copy, Debug)]
pub struct IdTokenExpectations<'a> {
    /// Must equal `iss` exactly.
    pub issuer: &'a str,
    /// Our client id; must be among `aud`.
    pub audience: &'a str,
    /// The nonce of the authentication request; `None` after a refresh, where the provider may leave it out (§12.2).
    pub nonce: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
}

/// The claims that every ID token has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdTokenClaims {
    /// `sub`: the person, for this issuer.
    pub subject: String,
    /// `exp`: the first moment at which the token is no longer accepted.
    pub expires_at: Timestamp,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
}

/// Which claim is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// `aud` does not name us.
    #[error("the ID token is for {found}, not for client {expected:?}; check the client id")]
    Audience {
        /// Our client id.
        expected: String,
        /// `aud` as JSON.
        found: String,
    },
    /// `exp` has come.
    #[error("the ID token expired at {0}; check this machine's clock")]
    Expired(Timestamp),
    /// `iss` is somebody else.
    #[error("the ID token is from issuer {found:?}, expected {expected:?}")]
    Issuer {
        /// The issuer we asked.
        expected: String,
        /// The issuer that it names.
        found: String,
    },
    /// A required claim is missing or is not of its type.
    #[error("claim {0:?} of the ID token is missing or has the wrong type")]
    Malformed(&'static str),
    /// `nonce` is not the one of our request.
    #[error("the ID token answers another sign-in (its nonce is not ours); sign in again")]
    Nonce,
    /// `nbf` is more than [`NOT_BEFORE_LEEWAY`] away.
    #[error("the ID token is not valid before {0}; check this machine's clock")]
    NotYetValid(Timestamp),
}

/// How far a laptop's clock may be behind the issuer's. A token that is used too early harms nobody; the cluster decides
/// with its own clock.
const NOT_BEFORE_LEEWAY: SignedDuration = SignedDuration::from_mins(5);

impl IdTokenExpectations<'_> {
    /// Checks `iss`, `aud`, `exp`, `nbf` and `nonce` of a payload whose signature was verified.
    ///
    /// # Errors
    /// The first claim that is not as expected, in that order.
    pub fn verify_claims(&self, payload: &Map<String, Value>) -> Result<IdTokenClaims, ClaimsError> {
        let issuer = text(payload, "iss")?.ok_or(ClaimsError::Malformed("iss"))?;
        if issuer != self.issuer {
            return Err(ClaimsError::Issuer { expected: self.issuer.to_owned(), found: issuer.to_owned() });
        }
        let audience = payload.get("aud").ok_or(ClaimsError::Malformed("aud"))?;
        let ours = match audience {
            Value::String(one) => one == self.audience,
            Value::Array(several) => {
                if !several.iter().all(Value::is_string) {
                    return Err(ClaimsError::Malformed("aud"));
                }
                several.iter().any(|one| one == self.audience)
            }
            _ => return Err(ClaimsError::Malformed("aud")),
        };
        if !ours {
            return Err(ClaimsError::Audience {
                expected: self.audience.to_owned(),
                found: audience.to_string(),
            });
        }
        let expires_at = time(payload, "exp")?.ok_or(ClaimsError::Malformed("exp"))?;
        if expires_at <= self.now {
            return Err(ClaimsError::Expired(expires_at));
        }
        if let Some(not_before) = time(payload, "nbf")?
            && not_before.duration_since(self.now) > NOT_BEFORE_LEEWAY
        {
            return Err(ClaimsError::NotYetValid(not_before));
        }
        if let Some(expected) = self.nonce
            && text(payload, "nonce")? != Some(expected)
        {
            return Err(ClaimsError::Nonce);
        }
        let subject = text(payload, "sub")?.filter(|subject| !subject.is_empty());
        Ok(IdTokenClaims {
            subject: subject.ok_or(ClaimsError::Malformed("sub"))?.to_owned(),
            expires_at,
            issued_at: time(payload, "iat")?,
        })
    }
}

impl From<MalformedClaim> for ClaimsError {
    fn from(MalformedClaim(name): MalformedClaim) -> Self {
        Self::Malformed(name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expectations() -> IdTokenExpectations<'static> {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        IdTokenExpectations { issuer: "https://issuer", audience: "kubernetes", nonce: Some("n-1"), now }
    }

    fn payload(change: impl FnOnce(&mut Map<String, Value>)) -> Map<String, Value> {
        let now = expectations().now.as_second();
        let claims = json!({
            "iss": "https://issuer", "sub": "alice", "aud": "kubernetes", "nonce": "n-1",
            "iat": now, "exp": now + 3600, "nbf": now
        });
        let Value::Object(mut claims) = claims else { unreachable!() };
        change(&mut claims);
        claims
    }

    #[test]
    fn a_token_as_expected_gives_its_person_and_its_end() {
        let claims = expectations().verify_claims(&payload(|_| ())).unwrap();
        assert_eq!(claims.subject, "alice");
        assert_eq!(claims.expires_at.to_string(), "2026-11-22T09:00:00Z");
        let accepted: [(&str, Value); 5] = [
            ("aud", json!(["other", "kubernetes"])),
            ("nbf", json!(expectations().now.as_second() + 300)),
            ("exp", json!(1_900_000_000.75)),
            ("exp", json!(expectations().now.as_second() + 1)),
            ("azp", json!("somebody")),
        ];
        for (name, value) in accepted {
            let changed = payload(|claims| drop(claims.insert(name.to_owned(), value.clone())));
            assert!(expectations().verify_claims(&changed).is_ok(), "{name} {value}");
        }
    }

    #[test]
    fn every_claim_that_is_not_as_expected_is_named() {
        let now = expectations().now.as_second();
        let cases: [(&str, Value, &str); 16] = [
            ("iss", json!("https://issuer/"), "issuer"),
            ("iss", json!(1), "claim \"iss\""),
            ("iss", Value::Null, "claim \"iss\""),
            ("aud", json!("other"), "not for client"),
            ("aud", json!([]), "not for client"),
            ("aud", json!(["kubernetes", 1]), "claim \"aud\""),
            ("aud", json!({}), "claim \"aud\""),
            ("exp", json!(now), "expired"),
            ("exp", json!("2030"), "claim \"exp\""),
            ("exp", json!(1e300), "claim \"exp\""),
            ("nbf", json!(now + 301), "not valid before"),
            ("nbf", json!(true), "claim \"nbf\""),
            ("nonce", json!("n-2"), "nonce"),
            ("nonce", json!(7), "claim \"nonce\""),
            ("sub", json!(""), "claim \"sub\""),
            ("iat", json!([]), "claim \"iat\""),
        ];
        for (name, value, says) in cases {
            let changed = payload(|claims| drop(claims.insert(name.to_owned(), value.clone())));
            let error = expectations().verify_claims(&changed).unwrap_err().to_string();
            assert!(error.contains(says), "{name} {value}: {error}");
        }
        for missing in ["iss", "aud", "exp", "nonce", "sub"] {
            let changed = payload(|claims| drop(claims.remove(missing)));
            assert!(expectations().verify_claims(&changed).is_err(), "{missing}");
        }
    }

    #[test]
    fn without_a_nonce_of_ours_the_tokens_nonce_does_not_matter() {
        let refreshed = IdTokenExpectations { nonce: None, ..expectations() };
        assert!(refreshed.verify_claims(&payload(|claims| drop(claims.remove("nonce")))).is_ok());
        assert!(refreshed.verify_claims(&payload(|_| ())).is_ok());
    }
}
