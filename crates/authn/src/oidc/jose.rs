//! The compact JWS as go-jose v2.6.3 reads it, which is more generous than RFC 7515 in places and odd in others.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_k8s_types::go::quote;
use kubesso_token::Algorithm;

use super::jwk::{self, Key};
use crate::go::base64::{Encoding, decode};
use crate::go::json::{self, Json, Kind};

/// A parsed token. Nothing of it is verified.
pub(crate) struct Jws {
    /// `alg`; empty if there is none.
    pub(crate) algorithm: String,
    /// `kid`; empty if there is none.
    pub(crate) key_id: String,
    pub(crate) payload: Vec<u8>,
    header: Vec<u8>,
    signature: Vec<u8>,
    extensions: Extensions,
}

/// What `crit` and `b64` (RFC 7797) ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extensions {
    /// The payload is signed as base64url, the ordinary way.
    None,
    /// `b64: false`: the payload is signed as it is.
    RawPayload,
    /// `crit` is not a list of strings or names something else than `b64`.
    Unsupported,
}

impl Jws {
    /// Reads three parts. White space anywhere is ignored, and base64url need not be canonical.
    pub(crate) fn parse(token: &str) -> Result<Self, String> {
        let token: String = token.chars().filter(|c| !c.is_whitespace()).collect();
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err("go-jose/go-jose: compact JWS format must have three parts".to_owned());
        };
        let header = decode(Encoding::RawUrl, header)?;
        let payload = decode(Encoding::RawUrl, payload)?;
        let signature = decode(Encoding::RawUrl, signature)?;
        let mut jws = Self {
            algorithm: String::new(),
            key_id: String::new(),
            payload,
            header,
            signature,
            extensions: Extensions::None,
        };
        if !jws.header.is_empty() {
            let header = std::mem::take(&mut jws.header);
            jws.read_header(&header)?;
            jws.header = header;
        }
        Ok(jws)
    }

    /// Whether `key` made the signature. The signing input is encoded anew from the decoded parts, so that other spellings
    /// of the same bytes verify too.
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        let (Some(key), Ok(algorithm)) = (key.verifying(), self.algorithm.parse::<Algorithm>()) else {
            return false;
        };
        let mut input = URL_SAFE_NO_PAD.encode(&self.header).into_bytes();
        input.push(b'.');
        match self.extensions {
            Extensions::None => input.extend_from_slice(URL_SAFE_NO_PAD.encode(&self.payload).as_bytes()),
            Extensions::RawPayload => input.extend_from_slice(&self.payload),
            Extensions::Unsupported => return false,
        }
        key.verify_as_go_jose(algorithm, &input, &self.signature).is_ok()
    }

    /// Names are case-sensitive here and may not repeat; null is absent.
    fn read_header(&mut self, header: &[u8]) -> Result<(), String> {
        let header = Json::parse(header)?;
        match header.kind() {
            Kind::Object => {}
            Kind::Null => return Ok(()),
            _ => return Err(json::wrong_type(header, "jose.rawHeader")),
        }
        let mut seen = HashSet::new();
        let members: Vec<(String, Json<'_>)> = header.members().collect();
        for (name, _) in &members {
            if !seen.insert(name) {
                return Err(duplicate(name));
            }
        }
        let mut raw_payload = false;
        let mut unsupported = false;
        for (name, value) in members {
            if value.kind() == Kind::Null {
                continue;
            }
            let wrapped = |what: &str, error: String| {
                format!("failed to unmarshal {what}: {error}: {}", quote(&value.text()))
            };
            match name.as_str() {
                "jwk" => {
                    let key = jwk::parse(value).map_err(|error| wrapped("JWK", error))?;
                    if !key.is_valid_public() {
                        return Err("go-jose/go-jose: invalid embedded jwk, must be public key".to_owned());
                    }
                }
                "kid" => self.key_id = json::to_string(value).map_err(|error| wrapped("key ID", error))?,
                "alg" => {
                    self.algorithm = json::to_string(value).map_err(|error| wrapped("algorithm", error))?;
                }
                "nonce" => {
                    json::to_string(value).map_err(|error| wrapped("nonce", error))?;
                }
                "x5c" => {
                    let chain = json::to_strings(value).and_then(|chain| jwk::parse_chain(&chain));
                    chain.map_err(|error| wrapped("x5c header", error))?;
                }
                _ => {
                    check_value(value).map_err(|error| wrapped("value", error))?;
                    if name == "b64" {
                        raw_payload = value.kind() == Kind::Bool(false);
                    } else if name == "crit" {
                        unsupported = json::to_strings(value)
                            .map_or(true, |critical| critical.iter().any(|name| name != "b64"));
                    }
                }
            }
        }
        self.extensions = match (unsupported, raw_payload) {
            (true, _) => Extensions::Unsupported,
            (false, true) => Extensions::RawPayload,
            (false, false) => Extensions::None,
        };
        Ok(())
    }
}

pub(crate) fn duplicate(name: &str) -> String {
    format!("json: duplicate key '{name}' in object")
}

/// What go-jose's JSON refuses in a value that it reads as `interface{}`: a member twice in one object, at any depth, and
/// numbers beyond float64.
fn check_value(value: Json<'_>) -> Result<(), String> {
    let mut out_of_range = Ok(());
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value.kind() {
            Kind::Number if value.text().parse::<f64>().is_ok_and(f64::is_infinite) => {
                out_of_range = Err(format!(
                    "json: cannot unmarshal number {} into Go value of type float64",
                    value.text()
                ));
            }
            Kind::Array => pending.extend(value.elements()),
            Kind::Object => {
                let mut seen = HashSet::new();
                for (name, value) in value.members() {
                    if seen.contains(&name) {
                        return Err(duplicate(&name));
                    }
                    seen.insert(name);
                    pending.push(value);
                }
            }
            _ => {}
        }
    }
    out_of_range
}
