//! Tokens that must be refused, made from one that is good.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Map, Value, json};

/// The claims of a token, whoever signed it.
///
/// # Errors
/// It is no JWT.
pub fn claims(token: &str) -> Result<Map<String, Value>> {
    part(token, 1)
}

/// The header of a token.
///
/// # Errors
/// It is no JWT.
pub fn header(token: &str) -> Result<Map<String, Value>> {
    part(token, 0)
}

fn part(token: &str, number: usize) -> Result<Map<String, Value>> {
    let part = token.split('.').nth(number).context("not a JWT")?;
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part)?)?)
}

/// Other claims under the old signature.
///
/// # Errors
/// It is no JWT.
pub fn with_claim(token: &str, name: &str, value: Value) -> Result<String> {
    let mut claims = claims(token)?;
    claims.insert(name.to_owned(), value);
    replace(token, 1, &Value::Object(claims))
}

/// The same claims, `alg: none`, no signature.
///
/// # Errors
/// It is no JWT.
pub fn unsigned(token: &str) -> Result<String> {
    let header = json!({"alg": "none", "typ": "JWT"});
    let token = replace(token, 0, &header)?;
    let (signed, _) = token.rsplit_once('.').context("not a JWT")?;
    Ok(format!("{signed}."))
}

/// The same header and claims, with one claim changed, signed by a key that the provider does not have.
///
/// # Errors
/// It is no JWT, or the key cannot be made.
pub fn signed_by_a_stranger(token: &str, change: Option<(&str, Value)>) -> Result<String> {
    let mut claims = claims(token)?;
    if let Some((name, value)) = change {
        claims.insert(name.to_owned(), value);
    }
    let stranger = SigningKey::generate(Algorithm::Rs256)?;
    let token_header = header(token)?;
    let signing_input =
        format!("{}.{}", encode(&Value::Object(token_header)), encode(&Value::Object(claims)));
    let signature = stranger.sign_bytes(signing_input.as_bytes())?;
    Ok(format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// Another signature of the right length.
///
/// # Errors
/// It is no JWT.
pub fn with_a_flipped_signature(token: &str) -> Result<String> {
    let (signed, signature) = token.rsplit_once('.').context("not a JWT")?;
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature)?;
    let first = bytes.first_mut().context("an empty signature")?;
    *first ^= 1;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

fn replace(token: &str, number: usize, with: &Value) -> Result<String> {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    *parts.get_mut(number).context("not a JWT")? = encode(with);
    Ok(parts.join("."))
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> String {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        key.sign("JWT", &json!({"sub": "u1", "aud": "a"})).unwrap()
    }

    #[test]
    fn a_changed_claim_keeps_the_signature() {
        let good = token();
        let forged = with_claim(&good, "sub", json!("u2")).unwrap();
        assert_eq!(claims(&forged).unwrap()["sub"], "u2");
        assert_eq!(forged.rsplit('.').next(), good.rsplit('.').next());
    }

    #[test]
    fn an_unsigned_token_says_none_and_has_nothing_after_the_last_dot() {
        let forged = unsigned(&token()).unwrap();
        assert_eq!(header(&forged).unwrap()["alg"], "none");
        assert!(forged.ends_with('.'));
    }
}
