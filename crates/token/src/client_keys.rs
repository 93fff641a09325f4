//! The keys that a client registers for itself (`jwks`, RFC 7591 §2), read when they are registered.

use serde_json::{Map, Value};

use crate::jwk::PRIVATE_MEMBERS;
use crate::{Jwk, JwkSet, TokenError};

/// Why a client's JWK set cannot be registered. Keys are named by their place in the list, from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// It is not `{"keys": […]}` with objects in the list.
    #[error("the JWK set is not an object whose member `keys` is a list of keys")]
    NotASet,
    /// A key that cannot verify a signature.
    #[error(
        "key {index} of the JWK set cannot be used: {reason}; register RSA keys of 2048 bits or more, or EC keys on P-256, P-384 or P-521"
    )]
    Key {
        /// Its place.
        index: usize,
        /// What is wrong with it.
        reason: TokenError,
    },
    /// A key with its private half, which the client must keep to itself.
    #[error(
        "key {index} of the JWK set is a private key (member `{member}`): register its public members only, and replace the key"
    )]
    Private {
        /// Its place.
        index: usize,
        /// The first private member found.
        member: &'static str,
    },
}

impl JwkSet {
    /// Reads the JWK set that a client registers for `private_key_jwt` (RFC 7591 §2, RFC 7517 §5). Unlike
    /// [`JwkSet::parse`], which reads what an issuer publishes, this refuses what it cannot use: whoever registers a key
    /// is told at once.
    ///
    /// Members that are `null` count as absent. Keys for encryption (`use: enc`) and keys whose `status` is `INACTIVE`
    /// (Okta's) are checked like the others, and then left out.
    ///
    /// # Errors
    /// [`JwkSetError`] for the first key that is not a public RSA key of 2048 to 8192 bits or EC key on P-256, P-384 or
    /// P-521.
    pub fn of_client(set: &Value) -> Result<Self, JwkSetError> {
        let Some(Value::Array(listed)) = set.get("keys") else { return Err(JwkSetError::NotASet) };
        let mut keys = Vec::with_capacity(listed.len());
        for (index, jwk) in listed.iter().enumerate() {
            let Value::Object(members) = jwk else { return Err(JwkSetError::NotASet) };
            let mut members: Map<_, _> = members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|name| members.contains_key(*name)) {
                return Err(JwkSetError::Private { index, member });
            }
            let is_for_encryption = members.get("use").is_some_and(|purpose| purpose == "enc");
            if is_for_encryption {
                // Its algorithm and operations are those of encryption, which nothing here judges.
                for name in ["use", "alg", "key_ops"] {
                    members.remove(name);
                }
            }
            let key = Jwk::from_members(&members).map_err(|reason| JwkSetError::Key { index, reason })?;
            if !is_for_encryption && members.get("status").is_none_or(|status| status != "INACTIVE") {
                keys.push(key);
            }
        }
        Ok(Self::new(keys))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Algorithm, SigningKey};

    fn jwk(algorithm: Algorithm, changes: &Value) -> Value {
        let mut jwk = serde_json::to_value(SigningKey::generate(algorithm).unwrap().public_jwk()).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    #[test]
    fn public_signature_keys_are_taken_and_the_others_left_out() {
        let cases = [
            (Algorithm::Rs256, json!({}), 1),
            (Algorithm::Es384, json!({}), 1),
            (Algorithm::Es512, json!({ "use": null, "alg": null, "kid": null, "d": null }), 1),
            (Algorithm::Es256, json!({ "status": "ACTIVE", "created": "2026-11-22T08:00:00Z" }), 1),
            (Algorithm::Es256, json!({ "status": "INACTIVE" }), 0),
            (Algorithm::Rs256, json!({ "use": "enc", "alg": "RSA-OAEP-256", "key_ops": ["encrypt"] }), 0),
        ];
        for (algorithm, changes, expected) in cases {
            let set = JwkSet::of_client(&json!({ "keys": [jwk(algorithm, &changes)] })).unwrap();
            assert_eq!(set.keys().len(), expected, "{algorithm} {changes}");
        }
        assert_eq!(JwkSet::of_client(&json!({ "keys": [] })).unwrap(), JwkSet::default());
    }

    #[test]
    fn whoever_registers_a_key_that_cannot_be_used_is_told_which_and_why() {
        let good = jwk(Algorithm::Es256, &json!({}));
        let short = jwk(Algorithm::Rs256, &json!({ "n": format!("{}w", "u".repeat(170)) }));
        let cases = [
            (json!([]), "not an object whose member `keys`"),
            (json!({ "keys": {} }), "not an object whose member `keys`"),
            (json!({ "keys": [1] }), "not an object whose member `keys`"),
            (
                json!({ "keys": [good, jwk(Algorithm::Es256, &json!({ "d": "x" }))] }),
                "key 1 of the JWK set is a private",
            ),
            (json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }), "is a private key (member `k`)"),
            (json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "x" }] }), "neither RSA nor EC"),
            (json!({ "keys": [short] }), "2048 to 8192 bits"),
            (
                json!({ "keys": [jwk(Algorithm::Es256, &json!({ "x": "AA" }))] }),
                "a coordinate has the wrong length",
            ),
            (
                json!({ "keys": [jwk(Algorithm::Es256, &json!({ "alg": "HS256" }))] }),
                "its algorithm is not supported",
            ),
            (
                json!({ "keys": [jwk(Algorithm::Es256, &json!({ "use": "enc", "y": null }))] }),
                "a required member",
            ),
        ];
        for (set, says) in cases {
            let error = JwkSet::of_client(&set).unwrap_err().to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
    }
}
