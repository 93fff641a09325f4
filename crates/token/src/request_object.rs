//! Request objects: authorization requests that the client has signed (RFC 9101, OpenID Connect Core §6).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::claim::{MalformedClaim, is_for, text, time};
use crate::{Algorithm, JwkSet, TokenError};

/// How far the clocks of client and server may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How far ahead `exp` may be.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// As long as an address with it may be, and more than a request needs.
const LONGEST_OBJECT: usize = 32 * 1024;

/// Claims that are about the object, not of the request (RFC 9101 §4).
const OWN_CLAIMS: [&str; 7] = ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"];

/// What the object must say. `now` comes from the caller's clock.
#[derive(Clone, Copy, Debug)]
pub struct RequestObjectExpectations<'a> {
    /// Must equal `iss`, and `client_id` where that is there (RFC 9101 §4, §5).
    pub client_id: &'a str,
    /// Must be among `aud`, exactly.
    pub issuer: &'a str,
    /// The present.
    pub now: Timestamp,
}

/// Why a request object was refused. No variant carries the object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestObjectError {
    /// `aud` does not name the issuer.
    #[error("the request object is for another audience: set aud to the issuer")]
    Audience,
    /// A required claim is missing or is not of its type.
    #[error("claim {0:?} of the request object is missing or malformed")]
    Claim(&'static str),
    /// It is a JWE.
    #[error("encrypted request objects are not supported: sign it only")]
    Encrypted,
    /// `exp` has come.
    #[error("the request object expired at {0}; check the client's clock")]
    Expired(Timestamp),
    /// `iss` or `client_id` is another client's.
    #[error("the request object is another client's: iss and client_id must both be the client id")]
    Issuer,
    /// `exp` is too far away.
    #[error("the request object is valid for too long: set exp to an hour from now or earlier")]
    Lifetime,
    /// It refers to another request.
    #[error("the request object must not carry request or request_uri itself")]
    Nested,
    /// `nbf` or `iat` is yet to come.
    #[error("the request object is not valid before {0}; check the client's clock")]
    NotYetValid(Timestamp),
    /// It was made for something else.
    #[error(
        "the JWT is no request object: leave typ out, or set it to oauth-authz-req+jwt, and leave sub out"
    )]
    Purpose,
    /// It is not a JWS, or none by one of the client's keys.
    #[error("the request object cannot be verified: {0}")]
    Signature(#[from] TokenError),
}

impl From<MalformedClaim> for RequestObjectError {
    fn from(MalformedClaim(name): MalformedClaim) -> Self {
        Self::Claim(name)
    }
}

/// The reader of request objects.
#[derive(Clone, Copy, Debug)]
pub struct RequestObject;

impl RequestObject {
    /// The parameters of the request inside `object`, once it is known to be the client's: signed by one of its `keys`
    /// (never an HMAC, never `none`), with `iss`, `aud`, an `exp` at most an hour ahead, and `nbf` and `iat` if they are
    /// there. Clocks may differ by 60 s. A client assertion is no request object (RFC 9101 §10.8).
    ///
    /// # Errors
    /// [`RequestObjectError`]: the first rule that is broken.
    pub fn verify(
        object: &str,
        keys: &JwkSet,
        expected: &RequestObjectExpectations<'_>,
    ) -> Result<Map<String, Value>, RequestObjectError> {
        if object.len() > LONGEST_OBJECT {
            return Err(TokenError::Malformed("it is longer than 32 KiB").into());
        }
        // Header, key, vector, text, tag (RFC 7516 §7.1).
        if object.split('.').count() == 5 {
            return Err(RequestObjectError::Encrypted);
        }
        let verified = keys.verify(object, &Algorithm::ALL)?;
        let mut payload = verified.payload;
        let typ = verified.header.typ.as_deref();
        let is_known = |typ: &str| {
            ["jwt", "oauth-authz-req+jwt", "application/oauth-authz-req+jwt"]
                .iter()
                .any(|known| typ.eq_ignore_ascii_case(known))
        };
        if !typ.is_none_or(is_known) || text(&payload, "sub")? == Some(expected.client_id) {
            return Err(RequestObjectError::Purpose);
        }
        let issuer = text(&payload, "iss")?.ok_or(RequestObjectError::Claim("iss"))?;
        let client = text(&payload, "client_id")?;
        if issuer != expected.client_id || client.is_some_and(|client| client != expected.client_id) {
            return Err(RequestObjectError::Issuer);
        }
        if !is_for(&payload, |audience| audience == expected.issuer)? {
            return Err(RequestObjectError::Audience);
        }
        check_times(&payload, expected.now)?;
        if ["request", "request_uri"].iter().any(|name| payload.contains_key(*name)) {
            return Err(RequestObjectError::Nested);
        }
        payload.retain(|name, _| !OWN_CLAIMS.contains(&name.as_str()));
        Ok(payload)
    }
}

fn check_times(payload: &Map<String, Value>, now: Timestamp) -> Result<(), RequestObjectError> {
    let expiry = time(payload, "exp")?.ok_or(RequestObjectError::Claim("exp"))?;
    let left = expiry.duration_since(now);
    if left <= -SKEW {
        return Err(RequestObjectError::Expired(expiry));
    }
    if left > LONGEST + SKEW {
        return Err(RequestObjectError::Lifetime);
    }
    for name in ["nbf", "iat"] {
        if let Some(begin) = time(payload, name)?
            && begin.duration_since(now) > SKEW
        {
            return Err(RequestObjectError::NotYetValid(begin));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::SigningKey;

    const ISSUER: &str = "https://sso.example/oauth2/default";

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000).unwrap()
    }

    fn verify(
        key: &SigningKey,
        typ: &str,
        changes: &Value,
    ) -> Result<Map<String, Value>, RequestObjectError> {
        let mut claims = json!({
            "iss": "k8s", "aud": ISSUER, "exp": 1_000_300, "iat": 1_000_000, "client_id": "k8s", "scope": "openid"
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let object = key.sign(typ, &claims).unwrap();
        let keys = JwkSet::new(vec![key.public_jwk()]);
        let expected = RequestObjectExpectations { client_id: "k8s", issuer: ISSUER, now: now() };
        RequestObject::verify(&object, &keys, &expected)
    }

    #[test]
    fn what_the_client_signed_comes_out_without_what_is_about_the_object() {
        for algorithm in [Algorithm::Rs256, Algorithm::Ps384, Algorithm::Es256, Algorithm::Es512] {
            let key = SigningKey::generate(algorithm).unwrap();
            let changes =
                json!({ "jti": "1", "nbf": 1_000_060, "aud": ["https://x", ISSUER], "max_age": 60 });
            for typ in ["JWT", "oauth-authz-req+jwt"] {
                let request = Value::Object(verify(&key, typ, &changes).unwrap());
                assert_eq!(
                    request,
                    json!({ "client_id": "k8s", "scope": "openid", "max_age": 60 }),
                    "{algorithm}"
                );
            }
        }
    }

    #[test]
    fn the_first_rule_that_is_broken_is_said() {
        use RequestObjectError as Error;
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let cases = [
            ("at+jwt", json!({}), Error::Purpose),
            ("JWT", json!({ "sub": "k8s" }), Error::Purpose),
            ("JWT", json!({ "iss": null }), Error::Claim("iss")),
            ("JWT", json!({ "iss": "other" }), Error::Issuer),
            ("JWT", json!({ "client_id": "other" }), Error::Issuer),
            ("JWT", json!({ "client_id": 1 }), Error::Claim("client_id")),
            ("JWT", json!({ "aud": null }), Error::Claim("aud")),
            ("JWT", json!({ "aud": "https://other.example" }), Error::Audience),
            ("JWT", json!({ "exp": null }), Error::Claim("exp")),
            ("JWT", json!({ "exp": 999_940 }), Error::Expired(at(999_940))),
            ("JWT", json!({ "exp": 1_003_661 }), Error::Lifetime),
            ("JWT", json!({ "nbf": 1_000_061 }), Error::NotYetValid(at(1_000_061))),
            ("JWT", json!({ "request": "x" }), Error::Nested),
            ("JWT", json!({ "request_uri": "x" }), Error::Nested),
        ];
        for (typ, changes, expected) in cases {
            assert_eq!(verify(&key, typ, &changes).unwrap_err(), expected, "{typ} {changes}");
        }
    }

    #[test]
    fn what_is_not_signed_by_the_client_is_nothing() {
        let keys = JwkSet::new(vec![SigningKey::generate(Algorithm::Es256).unwrap().public_jwk()]);
        let expected = RequestObjectExpectations { client_id: "k8s", issuer: ISSUER, now: now() };
        let refused = |object: &str| RequestObject::verify(object, &keys, &expected).unwrap_err();
        assert_eq!(refused("a.b.c.d.e"), RequestObjectError::Encrypted);
        for (object, says) in [
            // {"alg":"none"} and {"alg":"HS256"} over {}
            ("eyJhbGciOiJub25lIn0.e30.", "\"none\" is not supported"),
            ("eyJhbGciOiJIUzI1NiJ9.e30.AA", "\"HS256\" is not supported"),
            ("junk", "malformed"),
            (&"a".repeat(LONGEST_OBJECT + 1), "32 KiB"),
        ] {
            let error = refused(object).to_string();
            assert!(error.contains(says), "{error}");
        }
        let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
        let object = stranger.sign("JWT", &json!({})).unwrap();
        assert!(matches!(refused(&object), RequestObjectError::Signature(_)));
    }
}
