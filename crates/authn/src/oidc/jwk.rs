//! JSON Web Keys as go-jose v2.6.3 reads them. One that it refuses spoils the whole set.

use aws_lc_rs::digest;
use kubesso_token::{Curve, VerifyingKey};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::jose::duplicate;
use crate::go::base64::{Encoding, decode};
use crate::go::json::{self, Json, Kind};

/// A key of a set.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// `kid`; empty if there is none.
    pub(crate) id: String,
    material: KeyMaterial,
}

#[derive(Clone, Debug)]
enum KeyMaterial {
    /// A public key that can verify.
    Verifying(VerifyingKey),
    /// A public key that cannot verify any algorithm of ours: Ed25519, or RSA with impossible numbers.
    OtherPublic,
    /// RSA with the exponent zero, which go-jose reads in a set but does not call valid.
    Invalid,
    /// A private or symmetric key; Go's verifier does not take those.
    Secret,
}

impl Key {
    pub(crate) fn verifying(&self) -> Option<&VerifyingKey> {
        match &self.material {
            KeyMaterial::Verifying(key) => Some(key),
            KeyMaterial::OtherPublic | KeyMaterial::Invalid | KeyMaterial::Secret => None,
        }
    }

    /// Whether a token's header may bring it.
    pub(crate) fn is_valid_public(&self) -> bool {
        matches!(self.material, KeyMaterial::Verifying(_) | KeyMaterial::OtherPublic)
    }
}

/// `{"keys": [...]}` as `encoding/json` reads it into go-jose's set: the name in any case, null as no keys, the last of
/// several lists.
pub(crate) fn parse_set(document: &[u8]) -> Result<Vec<Key>, String> {
    let document = Json::parse(document)?;
    match document.kind() {
        Kind::Object => {}
        Kind::Null => return Ok(Vec::new()),
        _ => return Err(json::wrong_type(document, "jose.JSONWebKeySet")),
    }
    let mut keys = Vec::new();
    let mut saved = Ok(());
    for (_, value) in document.members().filter(|(name, _)| json::names_field(name, "keys")) {
        match value.kind() {
            Kind::Null => keys.clear(),
            Kind::Array => keys = value.elements().map(parse).collect::<Result<_, _>>()?,
            _ if saved.is_ok() => {
                saved = Err(json::wrong_field_type(value, "JSONWebKeySet.keys", "[]jose.JSONWebKey"));
            }
            _ => {}
        }
    }
    saved.map(|()| keys)
}

/// One key (go-jose's `JSONWebKey.UnmarshalJSON`).
pub(crate) fn parse(value: Json<'_>) -> Result<Key, String> {
    let raw = RawJwk::read(value)?;
    let certificates = parse_chain(&raw.x5c)
        .map_err(|error| format!("go-jose/go-jose: failed to unmarshal x5c field: {error}"))?;
    let material = raw.material(!certificates.is_empty())?;
    if let (Some(leaf), true) = (certificates.first(), !matches!(material, KeyMaterial::Secret))
        && !raw.is_key_of(leaf)
    {
        return Err("go-jose/go-jose: invalid JWK, public keys in key and x5c fields to not match".to_owned());
    }
    raw.check_thumbprints(certificates.first())?;
    Ok(Key { id: raw.kid, material })
}

/// Certificates in standard base64, as DER.
pub(crate) fn parse_chain(chain: &[String]) -> Result<Vec<Vec<u8>>, String> {
    chain
        .iter()
        .map(|certificate| {
            let der = decode(Encoding::Std, certificate)?;
            match X509Certificate::from_der(&der) {
                Ok(([], _)) => Ok(der),
                Ok(_) => Err("x509: trailing data".to_owned()),
                Err(_) => Err("x509: malformed certificate".to_owned()),
            }
        })
        .collect()
}

/// The members as written. A number is decoded if present; `Some(empty)` comes from an empty string.
#[derive(Default)]
struct RawJwk {
    kty: String,
    kid: String,
    crv: String,
    k: Option<Vec<u8>>,
    x: Option<Vec<u8>>,
    y: Option<Vec<u8>>,
    n: Option<Vec<u8>>,
    e: Option<Vec<u8>>,
    d: Option<Vec<u8>>,
    p: Option<Vec<u8>>,
    q: Option<Vec<u8>>,
    x5c: Vec<String>,
    x5t: String,
    x5t_s256: String,
}

impl RawJwk {
    /// Names are case-sensitive and may not repeat. A wrong type is reported at the end, unless something worse comes; a
    /// number where there must be none is worse.
    fn read(value: Json<'_>) -> Result<Self, String> {
        let mut raw = Self::default();
        match value.kind() {
            Kind::Object => {}
            Kind::Null => return Ok(raw),
            _ => return Err(json::wrong_type(value, "jose.rawJSONWebKey")),
        }
        let mut seen = Vec::new();
        let mut saved = Ok(());
        for (name, value) in value.members() {
            if seen.contains(&name) {
                return Err(duplicate(&name));
            }
            let outcome = match name.as_str() {
                "use" | "alg" => json::to_string(value).map(drop),
                "kty" => json::to_string(value).map(|text| raw.kty = text),
                "kid" => json::to_string(value).map(|text| raw.kid = text),
                "crv" => json::to_string(value).map(|text| raw.crv = text),
                "x5t" => json::to_string(value).map(|text| raw.x5t = text),
                "x5t#S256" => json::to_string(value).map(|text| raw.x5t_s256 = text),
                "k" => read_bytes(value, &mut raw.k),
                "x" => read_bytes(value, &mut raw.x),
                "y" => read_bytes(value, &mut raw.y),
                "n" => read_bytes(value, &mut raw.n),
                "e" => read_bytes(value, &mut raw.e),
                "d" => read_bytes(value, &mut raw.d),
                "p" => read_bytes(value, &mut raw.p),
                "q" => read_bytes(value, &mut raw.q),
                "dp" | "dq" | "qi" => read_bytes(value, &mut None),
                "x5c" => json::to_strings(value).map(|chain| raw.x5c = chain),
                "x5u" => check_url(value)?,
                _ => Ok(()),
            };
            let is_bytes = BYTES.contains(&name.as_str());
            seen.push(name);
            if outcome.is_err() && (is_bytes || value.kind() == Kind::Number) {
                return outcome.map(|()| raw);
            }
            saved = saved.and(outcome);
        }
        saved.map(|()| raw)
    }

    fn material(&self, has_certificates: bool) -> Result<KeyMaterial, String> {
        let refused = |why: &str| Err(format!("go-jose/go-jose: {why}"));
        match (self.kty.as_str(), &self.d) {
            ("EC", d) => {
                let Ok(curve) = self.crv.parse::<Curve>() else {
                    return refused(&format!("unsupported elliptic curve '{}'", self.crv));
                };
                let (private, members) = match d {
                    Some(_) => (true, "private key, missing x/y/d values"),
                    None => (false, "key, missing x/y values"),
                };
                let (Some(x), Some(y)) = (&self.x, &self.y) else {
                    return refused(&format!("invalid EC {members}"));
                };
                let kind = if private { "private" } else { "public" };
                for (name, number) in [("x", Some(x)), ("y", Some(y)), ("d", d.as_ref())] {
                    if number.is_some_and(|number| number.len() != curve.coordinate_length()) {
                        return refused(&format!("invalid EC {kind} key, wrong length for {name}"));
                    }
                }
                match VerifyingKey::ec(curve, x, y) {
                    Err(_) => refused("invalid EC key, X/Y are not on declared curve"),
                    Ok(_) if private => Ok(KeyMaterial::Secret),
                    Ok(key) => Ok(KeyMaterial::Verifying(key)),
                }
            }
            ("RSA", None) => {
                let (Some(n), Some(e)) = (&self.n, &self.e) else {
                    return refused("invalid RSA key, missing n/e values");
                };
                Ok(rsa(n, e))
            }
            ("RSA", Some(_)) => {
                let members =
                    [("N", &self.n), ("E", &self.e), ("D", &self.d), ("P", &self.p), ("Q", &self.q)];
                // Whether the numbers belong together is not checked; upstream refuses the set if they do not.
                match members.iter().find(|(_, number)| number.is_none()) {
                    None => Ok(KeyMaterial::Secret),
                    Some((name, _)) => refused(&format!("invalid RSA private key, missing {name} value(s)")),
                }
            }
            ("oct", _) if has_certificates => {
                refused("invalid JWK, found 'oct' (symmetric) key with cert chain")
            }
            ("oct", _) if self.k.is_none() => refused("invalid OCT (symmetric) key, missing k value"),
            ("oct", _) => Ok(KeyMaterial::Secret),
            ("OKP", None) if self.crv == "Ed25519" && self.x.is_some() => Ok(KeyMaterial::OtherPublic),
            ("OKP", Some(_)) if self.crv == "Ed25519" && self.x.is_some() => Ok(KeyMaterial::Secret),
            ("OKP", _) => refused(&format!("unknown curve {}'", self.crv)),
            (kty, _) => refused(&format!("unknown json web key type '{kty}'")),
        }
    }

    fn is_key_of(&self, certificate: &[u8]) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
        let stripped = |number: &[u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number.get(zeros..).unwrap_or_default().to_vec()
        };
        let empty = Vec::new();
        let number = |number: &Option<Vec<u8>>| number.as_ref().unwrap_or(&empty).clone();
        match certificate.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => {
                self.kty == "RSA"
                    && stripped(key.modulus) == stripped(&number(&self.n))
                    && stripped(key.exponent) == stripped(&number(&self.e))
            }
            Ok(PublicKey::EC(point)) => {
                self.kty == "EC" && point.data() == [&[4], &number(&self.x)[..], &number(&self.y)].concat()
            }
            _ => {
                self.kty == "OKP"
                    && certificate.public_key().subject_public_key.data.as_ref() == number(&self.x)
            }
        }
    }

    /// `x5t` and `x5t#S256`: base64url of the hash or of its hexadecimal text, and those of the first certificate.
    fn check_thumbprints(&self, leaf: Option<&Vec<u8>>) -> Result<(), String> {
        let thumbprints = [
            ("x5t", &self.x5t, &digest::SHA1_FOR_LEGACY_USE_ONLY, 20),
            ("x5t#S256", &self.x5t_s256, &digest::SHA256, 32),
        ];
        let mut read = Vec::new();
        for (name, text, algorithm, length) in thumbprints {
            let mut thumbprint = decode(Encoding::RawUrl, text)
                .map_err(|_| format!("go-jose/go-jose: invalid JWK, {name} header has invalid encoding"))?;
            if thumbprint.len() == 2 * length {
                thumbprint = from_hex(&thumbprint).map_err(|error| {
                    format!("go-jose/go-jose: invalid JWK, unable to hex decode {name}: {error}")
                })?;
            }
            read.push((name, thumbprint, algorithm, length));
        }
        for (name, thumbprint, _, length) in &read {
            if !thumbprint.is_empty() && thumbprint.len() != *length {
                return Err(format!("go-jose/go-jose: invalid JWK, {name} header is of incorrect size"));
            }
        }
        for (name, thumbprint, algorithm, _) in &read {
            if let Some(leaf) = leaf
                && !thumbprint.is_empty()
                && digest::digest(algorithm, leaf).as_ref() != thumbprint
            {
                return Err(format!(
                    "go-jose/go-jose: invalid JWK, x5c thumbprint does not match {name} value"
                ));
            }
        }
        Ok(())
    }
}

/// Members that hold base64url; what is wrong with one of them ends the reading of the key at once.
const BYTES: [&str; 11] = ["k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi"];

/// A number in base64url; null is absent.
fn read_bytes(value: Json<'_>, target: &mut Option<Vec<u8>>) -> Result<(), String> {
    if value.kind() != Kind::Null {
        *target = Some(decode(Encoding::RawUrl, &json::to_string(value)?)?);
    }
    Ok(())
}

/// An RSA key as Go's crypto/rsa would use it: the exponent is cut to 64 bits when it is read, and must be an odd number of
/// at least 3 and below 2^31 when it is used; the modulus must have 1024 bits or more.
fn rsa(modulus: &[u8], exponent: &[u8]) -> KeyMaterial {
    let low = exponent.get(exponent.len().saturating_sub(8)..).unwrap_or_default();
    let exponent = low.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    if exponent == 0 {
        return KeyMaterial::Invalid;
    }
    let usable = exponent % 2 == 1 && (3..1 << 31).contains(&exponent);
    VerifyingKey::rsa(modulus, &exponent.to_be_bytes())
        .ok()
        .filter(|key| usable && key.rsa_bits().is_some_and(|bits| bits >= 1024))
        .map_or(KeyMaterial::OtherPublic, KeyMaterial::Verifying)
}

/// `x5u` as `url.URL`. That is a struct to Go, so that the text that RFC 7517 §4.6 asks for is the wrong type, and an object
/// is read field by field. What may wait is in the inner result.
fn check_url(value: Json<'_>) -> Result<Result<(), String>, String> {
    if !matches!(value.kind(), Kind::Null | Kind::Object) {
        return Ok(Err(json::wrong_type(value, "url.URL")));
    }
    let mut seen = Vec::new();
    let mut saved = Ok(());
    for (name, value) in value.members() {
        if seen.contains(&name) {
            return Err(duplicate(&name));
        }
        let outcome = match name.as_str() {
            "Scheme" | "Opaque" | "Host" | "Path" | "Fragment" | "RawQuery" | "RawPath" | "RawFragment" => {
                json::to_string(value).map(drop)
            }
            "ForceQuery" | "OmitHost" => json::to_bool(value).map(drop),
            "User" if !matches!(value.kind(), Kind::Null | Kind::Object) => {
                Err(json::wrong_type(value, "url.Userinfo"))
            }
            _ => Ok(()),
        };
        if value.kind() == Kind::Number {
            outcome.clone()?;
        }
        saved = saved.and(outcome);
        seen.push(name);
    }
    Ok(saved)
}

fn from_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| {
        char::from(byte).to_digit(16).ok_or_else(|| {
            let shown = kubesso_k8s_types::go::quote(&char::from(byte).to_string()).replace('"', "'");
            format!("encoding/hex: invalid byte: U+{byte:04X} {shown}")
        })
    };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks_exact(2) {
        let [high, low] = pair else { continue };
        let byte = digit(*high)? << 4 | digit(*low)?;
        bytes.extend(u8::try_from(byte));
    }
    Ok(bytes)
}
