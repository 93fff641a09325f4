use serde_json::json;

use super::*;
use crate::SigningKey;

/// The key of RFC 7638 §3.1.
const RFC_7638: &str = r#"{"kty":"RSA","e":"AQAB","alg":"RS256","kid":"2011-04-29","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;

/// The key of RFC 7515 A.3.1, without its private member.
fn rfc_7515() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    })
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638() {
    let jwk = Jwk::parse(RFC_7638.as_bytes()).unwrap();
    assert_eq!(jwk.thumbprint().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(jwk.kid().unwrap().as_str(), "2011-04-29");
}

#[test]
fn a_published_key_has_its_public_members_and_no_others() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let written = serde_json::to_value(key.public_jwk()).unwrap();
        let mut names: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected: &[&str] = match algorithm.curve() {
            Some(_) => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            None => &["alg", "e", "kid", "kty", "n", "use"],
        };
        assert_eq!(names, expected);
        assert_eq!((&written["use"], &written["alg"]), (&json!("sig"), &json!(algorithm.as_str())));
        assert_eq!(written["kid"], json!(key.kid()));
        let read: Jwk = serde_json::from_value(written).unwrap();
        assert_eq!(read, key.public_jwk());
        assert_eq!(read.thumbprint(), *key.kid());
    }
}

#[test]
fn a_key_that_cannot_verify_our_tokens_is_refused_with_the_reason() {
    let rsa: Value = serde_json::from_str(RFC_7638).unwrap();
    let cases = [
        (rfc_7515(), "kty", json!("OKP"), "neither RSA nor EC"),
        (rfc_7515(), "kty", Value::Null, "wrong type"),
        (rfc_7515(), "crv", json!("P-384"), "wrong length"),
        (rfc_7515(), "crv", json!("secp256k1"), "curve is none of"),
        (rfc_7515(), "x", json!("AAAA"), "wrong length"),
        (rfc_7515(), "y", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), "not on its curve"),
        (rfc_7515(), "y", json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0="), "canonical base64url"),
        (rfc_7515(), "y", json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"), "canonical base64url"),
        (rfc_7515(), "d", json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "private"),
        (rfc_7515(), "k", json!("AAAA"), "private"),
        (rfc_7515(), "use", json!("enc"), "not for signatures"),
        (rfc_7515(), "key_ops", json!(["sign"]), "not for verification"),
        (rfc_7515(), "alg", json!("ES384"), "does not fit"),
        (rfc_7515(), "alg", json!("RS256"), "does not fit"),
        (rfc_7515(), "alg", json!("HS256"), "not supported"),
        (rfc_7515(), "kid", json!(7), "wrong type"),
        (rsa.clone(), "alg", json!("ES256"), "does not fit"),
        (rsa.clone(), "alg", json!("RSA-OAEP"), "not supported"),
        (rsa.clone(), "n", json!("0vx7agoebGcQSuuPiLJXZg"), "2048 to 8192 bits"),
        (rsa.clone(), "n", json!("AA"), "zero"),
        (rsa, "e", json!("AQ==AB"), "canonical base64url"),
    ];
    for (mut key, name, value, says) in cases {
        key[name] = value;
        let error = Jwk::parse(key.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
    assert!(matches!(Jwk::parse(br#"{"kty":"EC","kty":"EC"}"#), Err(TokenError::Set(_))));
}

#[test]
fn a_set_keeps_the_keys_it_can_use_in_their_order() {
    let mut named = rfc_7515();
    named["kid"] = json!("b");
    let document = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        named,
        {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
        serde_json::from_str::<Value>(RFC_7638).unwrap(),
        {}
    ], "more": 1});
    let set = JwkSet::parse(document.to_string().as_bytes()).unwrap();
    let kids: Vec<&str> = set.keys().iter().map(|key| key.kid().unwrap().as_str()).collect();
    assert_eq!(kids, ["b", "2011-04-29"]);
    assert_eq!(serde_json::from_value::<JwkSet>(serde_json::to_value(&set).unwrap()).unwrap(), set);
}

#[test]
fn what_is_no_set_is_refused_whole() {
    let mut private = rfc_7515();
    private["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    let private = json!({ "keys": [private] }).to_string();
    for (document, says) in [
        ("[]", "not an object"),
        ("{}", "not a list"),
        (r#"{"keys":null}"#, "not a list"),
        (r#"{"keys":[1]}"#, "not an object"),
        (r#"{"keys":[],"keys":[]}"#, "appears twice"),
        (r#"{"KEYS":[]}"#, "not a list"),
        ("<html>", "malformed"),
        (&private, "private key"),
    ] {
        let error = JwkSet::parse(document.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{document}: {error}");
    }
    assert_eq!(JwkSet::parse(br#"{"keys":[]}"#).unwrap(), JwkSet::default());
}
