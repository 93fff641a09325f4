//! JSON Web Keys and sets of them (RFC 7517), public signature keys only.

use std::fmt;

use aws_lc_rs::digest;
use serde::de::{Deserializer, Error as _};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::strict_json::{self, Strict};
use crate::verifying_key::Material;
use crate::{Algorithm, Curve, TokenError, VerifyingKey, base64url};

/// The name of a key (`kid`), an opaque, case-sensitive text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kid(String);

impl Kid {
    /// A name as somebody else chose it.
    pub fn new(kid: impl Into<String>) -> Self {
        Self(kid.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public signature key with its name.
///
/// It serialises to its public members and nothing else: `kty`, `use` (always `sig`), `alg` and `kid` if known, and
/// `n`, `e` or `crv`, `x`, `y`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    kid: Option<Kid>,
    algorithm: Option<Algorithm>,
    key: VerifyingKey,
}

impl Jwk {
    /// Reads one key.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] if it is not a public RSA (2048 to 8192 bits) or EC key for signatures: wrong types,
    /// non-canonical base64url, a private member, `use` other than `sig`, `key_ops` without `verify`, an `alg` that is unknown
    /// or does not fit the key, a point off its curve. [`TokenError::Set`] if it is not a JSON object with distinct names.
    pub fn parse(json: &[u8]) -> Result<Self, TokenError> {
        Self::from_members(&strict_json::object(json).map_err(TokenError::Set)?)
    }

    /// The key's name, if it has one.
    pub fn kid(&self) -> Option<&Kid> {
        self.kid.as_ref()
    }

    /// The only algorithm that the key may be used with, if it says so.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The public key itself.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The RFC 7638 SHA-256 thumbprint.
    pub fn thumbprint(&self) -> Kid {
        // The required members in lexicographic order without white space; none of the values needs escaping.
        let canonical = match self.key.material() {
            Material::Ec { curve, point } => {
                let (x, y) = coordinates(*curve, point);
                format!(r#"{{"crv":"{}","kty":"EC","x":"{x}","y":"{y}"}}"#, curve.as_str())
            }
            Material::Rsa { modulus, exponent } => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                base64url::encode(exponent),
                base64url::encode(modulus)
            ),
        };
        Kid(base64url::encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()))
    }

    pub(crate) fn named(self, kid: Kid) -> Self {
        Self { kid: Some(kid), ..self }
    }

    /// Whether a token signed with `algorithm` may be checked with this key.
    pub(crate) fn admits(&self, algorithm: Algorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    pub(crate) fn for_signing(key: VerifyingKey, algorithm: Algorithm) -> Self {
        let mut jwk = Self { kid: None, algorithm: Some(algorithm), key };
        jwk.kid = Some(jwk.thumbprint());
        jwk
    }

    pub(crate) fn from_members(members: &Map<String, Value>) -> Result<Self, TokenError> {
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(TokenError::InvalidKey("it is a private key, and was published"));
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(TokenError::InvalidKey("a member has the wrong type")),
        };
        let bytes = |name: &str| {
            let text = text(name)?.ok_or(TokenError::InvalidKey("a required member is missing"))?;
            base64url::decode(text).ok_or(TokenError::InvalidKey("a member is not canonical base64url"))
        };
        if text("use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(TokenError::InvalidKey("it is not for signatures"));
        }
        match members.get("key_ops") {
            None => {}
            Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
            Some(_) => return Err(TokenError::InvalidKey("it is not for verification")),
        }
        let key = match text("kty")? {
            Some("RSA") => {
                let key = VerifyingKey::rsa(&bytes("n")?, &bytes("e")?)?;
                if key.rsa_bits().is_some_and(|bits| !(2048..=8192).contains(&bits)) {
                    return Err(TokenError::InvalidKey("an RSA key needs 2048 to 8192 bits"));
                }
                key
            }
            Some("EC") => {
                VerifyingKey::ec(text("crv")?.unwrap_or_default().parse()?, &bytes("x")?, &bytes("y")?)?
            }
            _ => return Err(TokenError::InvalidKey("its type is neither RSA nor EC")),
        };
        let algorithm = text("alg")?.map(str::parse::<Algorithm>).transpose();
        let algorithm = algorithm.map_err(|_| TokenError::InvalidKey("its algorithm is not supported"))?;
        if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
            return Err(TokenError::InvalidKey("its algorithm does not fit its type or curve"));
        }
        Ok(Self { kid: text("kid")?.map(Kid::new), algorithm, key })
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        let kty = match self.key.material() {
            Material::Ec { .. } => "EC",
            Material::Rsa { .. } => "RSA",
        };
        members.serialize_entry("kty", kty)?;
        members.serialize_entry("use", "sig")?;
        if let Some(algorithm) = self.algorithm {
            members.serialize_entry("alg", &algorithm)?;
        }
        if let Some(kid) = &self.kid {
            members.serialize_entry("kid", kid)?;
        }
        match self.key.material() {
            Material::Ec { curve, point } => {
                let (x, y) = coordinates(*curve, point);
                members.serialize_entry("crv", curve.as_str())?;
                members.serialize_entry("x", &x)?;
                members.serialize_entry("y", &y)?;
            }
            Material::Rsa { modulus, exponent } => {
                members.serialize_entry("n", &base64url::encode(modulus))?;
                members.serialize_entry("e", &base64url::encode(exponent))?;
            }
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Strict::deserialize(deserializer)? {
            Strict(Value::Object(members)) => Self::from_members(&members).map_err(D::Error::custom),
            Strict(_) => Err(D::Error::custom("a JWK is an object")),
        }
    }
}

/// The keys that an issuer publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys, in this order.
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// Reads a set as an issuer publishes it. Keys that cannot verify our algorithms (another type, another use, too
    /// small, missing members) are left out, as RFC 7517 §5 asks.
    ///
    /// # Errors
    /// [`TokenError::Set`] if it is not an object with distinct names whose `keys` is a list of objects, or if it holds a
    /// private key.
    pub fn parse(json: &[u8]) -> Result<Self, TokenError> {
        Self::from_members(&strict_json::object(json).map_err(TokenError::Set)?)
    }

    /// The usable keys, in the order of the document.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    fn from_members(members: &Map<String, Value>) -> Result<Self, TokenError> {
        let Some(Value::Array(listed)) = members.get("keys") else {
            return Err(TokenError::Set("`keys` is not a list".to_owned()));
        };
        let mut keys = Vec::with_capacity(listed.len());
        for jwk in listed {
            let Value::Object(members) = jwk else {
                return Err(TokenError::Set("a key is not an object".to_owned()));
            };
            if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
                return Err(TokenError::Set(
                    "it publishes a private key; its issuer must replace that key".to_owned(),
                ));
            }
            keys.extend(Jwk::from_members(members));
        }
        Ok(Self { keys })
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Strict::deserialize(deserializer)? {
            Strict(Value::Object(members)) => Self::from_members(&members).map_err(D::Error::custom),
            Strict(_) => Err(D::Error::custom("a JWK set is an object")),
        }
    }
}

/// What RFC 7518 §6.2.2, §6.3.2 and §6.4.1 keep secret.
pub(crate) const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// `x` and `y` in base64url, from the uncompressed point.
fn coordinates(curve: Curve, point: &[u8]) -> (String, String) {
    let (x, y) =
        point.get(1..).unwrap_or_default().split_at_checked(curve.coordinate_length()).unwrap_or_default();
    (base64url::encode(x), base64url::encode(y))
}

#[cfg(test)]
mod tests;
