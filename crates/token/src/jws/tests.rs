use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Jwk, SigningKey};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());
static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Rs256).unwrap());

fn keys() -> JwkSet {
    JwkSet::new(vec![OTHER.public_jwk(), RSA.public_jwk(), KEY.public_jwk()])
}

/// A token with exactly this header and payload, truly signed by `key`.
fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
    format!("{input}.{}", base64url::encode(&key.sign_bytes(input.as_bytes()).unwrap()))
}

#[test]
fn a_token_of_ours_gives_its_header_and_its_claims() {
    let token = KEY.sign("at+jwt", &json!({"sub": "alice", "groups": ["a", "b"]})).unwrap();
    let verified = keys().verify(&token, &Algorithm::ALL).unwrap();
    assert_eq!(
        verified.header,
        Header { algorithm: Algorithm::Es256, kid: Some(KEY.kid().clone()), typ: Some("at+jwt".to_owned()) }
    );
    assert_eq!(Value::Object(verified.payload.clone()), json!({"sub": "alice", "groups": ["a", "b"]}));
    assert!(!format!("{verified:?}").contains("alice"));
    assert_eq!(decode_unverified_payload(&token).unwrap(), verified.payload);
}

/// RFC 7515 A.2 and A.3.
#[test]
fn the_tokens_of_rfc_7515_verify() {
    let set = JwkSet::parse(br#"{"keys":[
        {"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
        {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    ]}"#)
    .unwrap();
    let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (algorithm, header, signature) in [
        (
            Algorithm::Rs256,
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::Es256,
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ] {
        let verified = set.verify(&format!("{header}.{payload}.{signature}"), &[algorithm]).unwrap();
        assert_eq!(verified.payload["iss"], "joe");
    }
}

#[test]
fn whatever_is_not_a_plain_signed_token_is_refused() {
    let kid = KEY.kid();
    let good = KEY.sign("JWT", &json!({"sub": "alice"})).unwrap();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    let last = signature.chars().last().unwrap();
    // The last character of 64 bytes carries two bits; the other four must be zero.
    let loose = |character: char| if character == 'A' { 'B' } else { char::from(character as u8 + 1) };
    let jwk = serde_json::to_string(&OTHER.public_jwk()).unwrap();
    let none = base64url::encode(br#"{"alg":"none"}"#);

    let cases: Vec<(String, &str)> = vec![
        (String::new(), "three parts"),
        ("a.b".to_owned(), "three parts"),
        (format!("{good}."), "three parts"),
        (format!(".{good}"), "three parts"),
        (format!("{good}.{signature}"), "three parts"),
        (format!(" {good}"), "header is not canonical base64url"),
        (format!("{good}\n"), "signature is not canonical base64url"),
        (format!("{good}="), "signature is not canonical base64url"),
        (format!("{input}.{}{}", &signature[..signature.len() - 1], loose(last)), "signature"),
        (format!("{header}.{payload}\r\n.{signature}"), "payload is not canonical base64url"),
        (format!("{header}.{}.{signature}", payload.replace('e', "+")), "payload is not canonical base64url"),
        ("x".repeat(MAX_TOKEN_LENGTH + 1), "longer than"),
        (format!("{none}.{payload}."), "\"none\" is not supported"),
        (format!("{header}.{payload}."), "does not verify"),
        (signed(&KEY, "[]", "{}"), "header is malformed: not an object"),
        (signed(&KEY, "{", "{}"), "header is malformed"),
        (signed(&KEY, "{}", "{}"), "\"alg\" is missing"),
        (signed(&KEY, r#"{"alg":null}"#, "{}"), "\"alg\" is not a string"),
        (signed(&KEY, r#"{"ALG":"ES256"}"#, "{}"), "\"alg\" is missing"),
        (signed(&KEY, r#"{"alg":"es256"}"#, "{}"), "\"es256\" is not supported"),
        (signed(&KEY, r#"{"alg":"HS256"}"#, "{}"), "\"HS256\" is not supported"),
        (signed(&KEY, r#"{"alg":"ES256","alg":"ES256"}"#, "{}"), "appears twice"),
        (signed(&KEY, r#"{"alg":"ES256","x":{"y":1,"y":2}}"#, "{}"), "appears twice"),
        (signed(&KEY, r#"{"alg":"ES256","crit":[]}"#, "{}"), "\"crit\" is not supported"),
        (signed(&KEY, r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, "{}"), "\"crit\" is not supported"),
        (signed(&KEY, r#"{"alg":"ES256","b64":true}"#, "{}"), "\"b64\" is not supported"),
        (signed(&KEY, r#"{"alg":"ES256","kid":1}"#, "{}"), "\"kid\" is not a string"),
        (signed(&KEY, r#"{"alg":"ES256","typ":{}}"#, "{}"), "\"typ\" is not a string"),
        (
            signed(&KEY, r#"{"alg":"ES256","kid":"nobody"}"#, "{}"),
            "key \"nobody\", which the issuer does not",
        ),
        (signed(&KEY, r#"{"alg":"ES256","kid":""}"#, "{}"), "which the issuer does not publish"),
        (signed(&KEY, &format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), "{}"), "does not verify"),
        (signed(&KEY, &format!(r#"{{"alg":"ES512","kid":"{kid}"}}"#), "{}"), "does not verify"),
        (signed(&KEY, &format!(r#"{{"alg":"ES256","kid":"{}"}}"#, OTHER.kid()), "{}"), "does not verify"),
        (signed(&KEY, &format!(r#"{{"alg":"ES256","kid":"{}"}}"#, RSA.kid()), "{}"), "does not verify"),
        (signed(&KEY, r#"{"alg":"ES256"}"#, "[]"), "payload is not a JSON object"),
        (signed(&KEY, r#"{"alg":"ES256"}"#, ""), "payload is not a JSON object"),
        (signed(&KEY, r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#), "appears twice"),
        (signed(&KEY, r#"{"alg":"ES256"}"#, "{} x"), "payload is not a JSON object"),
    ];
    for (token, says) in cases {
        let error = keys().verify(&token, &Algorithm::ALL).unwrap_err().to_string();
        assert!(error.contains(says), "{error}; expected: {says}");
    }
    // The token's own key is never asked.
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let own = serde_json::to_string(&stranger.public_jwk()).unwrap();
    for header in [
        format!(r#"{{"alg":"ES256","jwk":{own}}}"#),
        format!(r#"{{"alg":"ES256","jwk":{jwk},"x5c":["AA"]}}"#),
    ] {
        assert_eq!(
            keys().verify(&signed(&stranger, &header, "{}"), &Algorithm::ALL),
            Err(TokenError::BadSignature)
        );
    }
}

#[test]
fn only_the_algorithms_that_the_caller_allows_are_accepted() {
    let token = KEY.sign("JWT", &json!({})).unwrap();
    assert!(keys().verify(&token, &[Algorithm::Rs256, Algorithm::Es256]).is_ok());
    for allowed in [&[][..], &[Algorithm::Rs256], &[Algorithm::Es384, Algorithm::Es512]] {
        assert_eq!(keys().verify(&token, allowed), Err(TokenError::AlgorithmNotAllowed(Algorithm::Es256)));
    }
}

#[test]
fn without_a_kid_every_key_that_fits_is_tried_and_with_one_only_that_key() {
    assert!(keys().verify(&signed(&KEY, r#"{"alg":"ES256"}"#, "{}"), &Algorithm::ALL).is_ok());
    let unnamed: Jwk = {
        let mut jwk = serde_json::to_value(KEY.public_jwk()).unwrap();
        jwk.as_object_mut().unwrap().remove("kid");
        serde_json::from_value(jwk).unwrap()
    };
    let set = JwkSet::new(vec![unnamed]);
    assert!(set.verify(&signed(&KEY, r#"{"alg":"ES256"}"#, "{}"), &Algorithm::ALL).is_ok());
    let named = signed(&KEY, r#"{"alg":"ES256","kid":"k"}"#, "{}");
    assert_eq!(set.verify(&named, &Algorithm::ALL), Err(TokenError::UnknownKey(Kid::new("k"))));
}

#[test]
fn a_key_that_names_its_algorithm_verifies_no_other() {
    let input = format!("{}.{}", base64url::encode(br#"{"alg":"PS256"}"#), base64url::encode(b"{}"));
    let same_key = SigningKey::from_pkcs8(Algorithm::Ps256, &RSA.to_pkcs8().unwrap()).unwrap();
    let token = format!("{input}.{}", base64url::encode(&same_key.sign_bytes(input.as_bytes()).unwrap()));
    assert!(JwkSet::new(vec![same_key.public_jwk()]).verify(&token, &Algorithm::ALL).is_ok());
    assert_eq!(
        JwkSet::new(vec![RSA.public_jwk()]).verify(&token, &Algorithm::ALL),
        Err(TokenError::BadSignature)
    );
}

proptest! {
    #[test]
    fn no_text_whatever_makes_it_panic_or_verify(text in "\\PC{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 1..5)) {
        for token in [text, parts.join(".")] {
            prop_assert!(keys().verify(&token, &Algorithm::ALL).is_err());
            let _ = decode_unverified_payload(&token);
        }
    }

    #[test]
    fn no_header_or_payload_makes_it_panic(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>(), json in "[\\[\\]{}:,\"a0 lgnu.E+-]{0,40}") {
        for bytes in [&header, &payload, &json.into_bytes()] {
            let token = format!("{}.{}.AAAA", base64url::encode(bytes), base64url::encode(&payload));
            prop_assert!(keys().verify(&token, &Algorithm::ALL).is_err());
            let _ = (Jwk::parse(bytes), JwkSet::parse(bytes), SigningKey::from_pkcs8(Algorithm::Es256, bytes));
        }
    }

    #[test]
    fn no_character_of_a_token_can_be_replaced(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
        let token = KEY.sign("JWT", &json!({"sub": "alice"})).unwrap();
        let at = at.index(token.len());
        let forged = format!("{}{with}{}", &token[..at], &token[at + 1..]);
        prop_assert_eq!(keys().verify(&forged, &Algorithm::ALL).is_ok(), forged == token);
    }
}
