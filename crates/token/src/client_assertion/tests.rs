use serde_json::json;

use super::*;
use crate::{Jwk, SigningKey, base64url};

const CLIENT: &str = "0oaService";
const ENDPOINT: &str = "https://sso.example/oauth2/v1/token";

fn now() -> Timestamp {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> i64 {
    now().as_second() + seconds
}

/// Good claims with `changes`; `null` removes.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": ENDPOINT, "iat": at(0), "exp": at(3600), "jti": "j-1"
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| base64url::encode(&serde_json::to_vec(part).unwrap()));
    let input = format!("{header}.{claims}");
    let signature = base64url::encode(&key.sign_bytes(input.as_bytes()).unwrap());
    format!("{input}.{signature}")
}

fn verify(text: &str, keys: &JwkSet, require_jti: bool) -> Result<VerifiedAssertion, AssertionError> {
    let audiences = [ENDPOINT.to_owned(), "https://sso.example".to_owned()];
    let expected = AssertionExpectations {
        client_id: CLIENT,
        audiences: Audiences::Among(&audiences),
        now: now(),
        require_jti,
    };
    ClientAssertion::verify(text, keys, &expected)
}

#[test]
fn an_assertion_by_any_of_the_clients_keys_is_taken_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let bystander = SigningKey::generate(Algorithm::Es256).unwrap();
        let unnamed: Jwk = {
            let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
            jwk.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "kid" | "alg" | "use"));
            serde_json::from_value(jwk).unwrap()
        };
        let named = JwkSet::new(vec![bystander.public_jwk(), key.public_jwk()]);
        let unnamed = JwkSet::new(vec![bystander.public_jwk(), unnamed]);
        let with_kid = json!({ "alg": algorithm, "kid": key.kid(), "typ": "JWT" });
        let without_kid = json!({ "alg": algorithm });
        for (header, keys) in [(&with_kid, &named), (&without_kid, &named), (&without_kid, &unnamed)] {
            let text = signed(&key, header, &claims(&json!({})));
            assert_eq!(ClientAssertion::unverified_client_id(&text).unwrap(), CLIENT);
            let verified = verify(&text, keys, true).unwrap();
            assert_eq!(verified.jti.as_deref(), Some("j-1"), "{algorithm}");
            assert_eq!(verified.expires.as_second(), at(3660), "{algorithm}");
        }
        assert!(
            verify(&signed(&key, &with_kid, &claims(&json!({}))), &unnamed, true).is_err(),
            "unknown kid"
        );
    }
}

#[test]
fn every_claim_is_held_to_its_rule() {
    let ok = "";
    let cases = [
        (json!({ "jti": null }), false, ok),
        (json!({ "iat": null }), true, ok),
        (json!({ "aud": ["https://other.example", "https://sso.example"] }), true, ok),
        (json!({ "exp": at(3660) }), true, ok),
        (json!({ "exp": at(-59), "iat": at(-3659) }), true, ok),
        (json!({ "nbf": at(60), "iat": at(60) }), true, ok),
        (json!({ "jti": null }), true, "claim \"jti\""),
        (json!({ "jti": "" }), false, "claim \"jti\""),
        (json!({ "jti": "j".repeat(513) }), false, "claim \"jti\""),
        (json!({ "jti": 1 }), false, "claim \"jti\""),
        (json!({ "exp": null }), true, "claim \"exp\""),
        (json!({ "exp": "soon" }), true, "claim \"exp\""),
        (json!({ "exp": at(3661) }), true, "valid for too long"),
        (json!({ "exp": at(-60) }), true, "expired at 2026-11-22T07:59:00Z"),
        (json!({ "nbf": at(61) }), true, "not valid before"),
        (json!({ "iat": at(61) }), true, "not valid before"),
        (json!({ "iss": "0oaOther" }), true, "another client"),
        (json!({ "sub": "0oaOther" }), true, "another client"),
        (json!({ "iss": "0oaOther", "sub": "0oaOther" }), true, "another client"),
        (json!({ "sub": null }), true, "claim \"sub\""),
        (json!({ "aud": null }), true, "claim \"aud\""),
        (json!({ "aud": [1] }), true, "claim \"aud\""),
        (json!({ "aud": [] }), true, "another audience"),
        (json!({ "aud": "https://sso.example/" }), true, "another audience"),
    ];
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = JwkSet::new(vec![key.public_jwk()]);
    for (changes, require_jti, expected) in cases {
        let text = key.sign("JWT", &claims(&changes)).unwrap();
        let says =
            verify(&text, &keys, require_jti).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(says.is_empty(), expected.is_empty(), "{changes}: {says}");
        assert!(says.contains(expected), "{changes}: {says}");
    }
}

#[test]
fn a_signature_that_is_not_by_the_clients_key_proves_nothing() {
    let (own, other) =
        (SigningKey::generate(Algorithm::Es256).unwrap(), SigningKey::generate(Algorithm::Es256).unwrap());
    let keys = JwkSet::new(vec![own.public_jwk()]);
    let claims = claims(&json!({}));
    let brings_its_own = json!({ "alg": "ES256", "jwk": other.public_jwk() });
    for text in [
        signed(&other, &json!({ "alg": "ES256" }), &claims),
        signed(&other, &json!({ "alg": "ES256", "kid": own.kid() }), &claims),
        signed(&other, &brings_its_own, &claims),
        signed(&own, &json!({ "alg": "HS256" }), &claims),
        signed(&own, &json!({ "alg": "none" }), &claims),
        signed(&own, &json!({ "alg": "ES256", "crit": ["exp"] }), &claims),
        String::new(),
        "a.b.c".to_owned(),
        "a".repeat(20_000),
    ] {
        assert!(matches!(verify(&text, &keys, true), Err(AssertionError::Signature(_))), "{text}");
    }
    let none = JwkSet::default();
    assert!(verify(&own.sign("JWT", &claims).unwrap(), &none, true).is_err(), "a client without keys");
}

#[test]
fn the_client_is_named_only_by_iss_and_sub_together() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    for changes in [json!({ "iss": "a" }), json!({ "iss": null }), json!({ "sub": 1 })] {
        let text = key.sign("JWT", &claims(&changes)).unwrap();
        assert!(ClientAssertion::unverified_client_id(&text).is_err(), "{changes}");
    }
}

#[test]
fn for_the_issuer_alone_neither_an_endpoint_nor_a_list_will_do() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = JwkSet::new(vec![key.public_jwk()]);
    let issuer = "https://sso.example";
    for (aud, is_taken) in [
        (json!(issuer), true),
        (json!("https://sso.example/"), false),
        (json!(ENDPOINT), false),
        (json!([issuer]), false),
        (json!([issuer, ENDPOINT]), false),
        (Value::Null, false),
    ] {
        let text = signed(&key, &json!({ "alg": "ES256" }), &claims(&json!({ "aud": aud })));
        let expected = AssertionExpectations {
            client_id: CLIENT,
            audiences: Audiences::Only(issuer),
            now: now(),
            require_jti: true,
        };
        let verified = ClientAssertion::verify(&text, &keys, &expected);
        let expected = if is_taken { None } else { Some(AssertionError::NotOnlyForIssuer) };
        assert_eq!(verified.err(), expected, "{aud}");
    }
}
