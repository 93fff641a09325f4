use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::{Algorithm, SigningKey};

const URL: &str = "https://sso.example/oauth2/v1/token";
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

fn now() -> Timestamp {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> i64 {
    now().as_second() + seconds
}

/// `members` with `changes`; `null` removes.
fn changed(mut members: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        members[name] = value.clone();
    }
    members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    members
}

fn proof(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let own = json!({ "typ": "dpop+jwt", "alg": key.algorithm(), "jwk": key.public_jwk() });
    let good = json!({ "jti": "j-1", "htm": "POST", "htu": URL, "iat": at(0), "nonce": "n-1" });
    let [header, claims] = [changed(own, header), changed(good, claims)]
        .map(|part| base64url::encode(&serde_json::to_vec(&part).unwrap()));
    let input = format!("{header}.{claims}");
    let signature = base64url::encode(&key.sign_bytes(input.as_bytes()).unwrap());
    format!("{input}.{signature}")
}

static URLS: LazyLock<[String; 2]> =
    LazyLock::new(|| ["https://10.0.0.1:8443/oauth2/v1/token".to_owned(), URL.to_owned()]);

fn verify<'a>(
    proof: &str,
    change: impl FnOnce(&mut DpopExpectations<'a>),
) -> Result<VerifiedDpop, DpopError> {
    let mut expected = DpopExpectations {
        method: "POST",
        urls: &*URLS,
        nonces: None,
        access_token: None,
        thumbprint: None,
        now: now(),
    };
    change(&mut expected);
    DpopProof::verify(proof, &expected)
}

#[test]
fn a_proof_by_any_key_that_it_brings_is_taken_and_names_the_key() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let text = proof(&key, &json!({}), &json!({}));
        let verified = verify(&text, |_| ()).unwrap();
        assert_eq!(verified.jkt, key.kid().as_str(), "{algorithm}");
        assert_eq!((verified.jti.as_str(), verified.expires.as_second()), ("j-1", at(300)));
        assert_eq!(DpopProof::unverified_nonce(&text).as_deref(), Some("n-1"));
    }
}

#[test]
fn the_proof_of_rfc_9449_is_verified() {
    // RFC 9449 §4.1, figure 2, and the thumbprint of §6.1.
    let text = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0\
                RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2\
                In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuI\
                iwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3\
                Lg";
    let urls = ["https://server.example.com/token".to_owned()];
    let verified = verify(text, |expected| {
        expected.now = Timestamp::from_second(1_562_262_618).unwrap();
        expected.urls = &urls;
    });
    let verified = verified.unwrap();
    assert_eq!(verified.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(verified.jti, "-BwC3ESc6acc2lTc");
}

#[test]
fn every_claim_is_held_to_its_rule() {
    let ok = "";
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let cases = [
        (json!({ "htu": "HTTPS://SSO.example:443/oauth2/v1/token?limit=1#top" }), ok),
        (json!({ "htu": "https://10.0.0.1:8443/oauth2/v1/token" }), ok),
        (json!({ "iat": at(-299) }), ok),
        (json!({ "iat": at(60) }), ok),
        (json!({ "jti": null }), "claim \"jti\""),
        (json!({ "jti": "" }), "claim \"jti\""),
        (json!({ "jti": "j".repeat(513) }), "claim \"jti\""),
        (json!({ "htm": null }), "claim \"htm\""),
        (json!({ "htm": "post" }), "another request (htm)"),
        (json!({ "htm": "GET" }), "another request (htm)"),
        (json!({ "htu": null }), "claim \"htu\""),
        (json!({ "htu": "/oauth2/v1/token" }), "claim \"htu\""),
        (json!({ "htu": "https://sso.example@evil.example/" }), "claim \"htu\""),
        (json!({ "htu": "http://sso.example/oauth2/v1/token" }), "another request (htu)"),
        (json!({ "htu": "https://sso.example:8443/oauth2/v1/token" }), "another request (htu)"),
        (json!({ "htu": "https://sso.example/OAUTH2/v1/token" }), "another request (htu)"),
        (json!({ "htu": "https://sso.example/oauth2/v1/token/" }), "another request (htu)"),
        (json!({ "htu": "https://sso.example" }), "another request (htu)"),
        (json!({ "iat": null }), "claim \"iat\""),
        (json!({ "iat": at(-300) }), "which is not now"),
        (json!({ "iat": at(61) }), "which is not now"),
    ];
    for (changes, expected) in cases {
        let says = verify(&proof(&key, &json!({}), &changes), |_| ())
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(says.is_empty(), expected.is_empty(), "{changes}: {says}");
        assert!(says.contains(expected), "{changes}: {says}");
    }
}

#[test]
fn a_header_that_is_not_a_proofs_is_refused() {
    let [key, other, rsa] = [Algorithm::Es256, Algorithm::Es256, Algorithm::Rs256]
        .map(|algorithm| SigningKey::generate(algorithm).unwrap());
    let with = |members: Value| changed(serde_json::to_value(key.public_jwk()).unwrap(), &members);
    let cases = [
        (json!({ "typ": "JWT" }), "must be dpop+jwt"),
        (json!({ "typ": null }), "must be dpop+jwt"),
        (json!({ "jwk": null }), "no public key"),
        (json!({ "jwk": "x" }), "no public key"),
        (json!({ "jwk": with(json!({ "d": "x" })) }), "private key"),
        (json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }), "private key"),
        (json!({ "jwk": with(json!({ "use": "enc" })) }), "not for signatures"),
        (json!({ "jwk": other.public_jwk() }), "does not verify"),
        (json!({ "jwk": rsa.public_jwk() }), "does not verify"),
        (json!({ "alg": "HS256" }), "not supported"),
        (json!({ "alg": "none" }), "not supported"),
        (json!({ "alg": "RS256" }), "does not verify"),
        (json!({ "crit": ["jwk"] }), "\"crit\" is not supported"),
    ];
    for (changes, expected) in cases {
        let error = verify(&proof(&key, &changes, &json!({})), |_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{changes}: {error}");
        assert_eq!(error.code(), "invalid_dpop_proof");
    }
    for text in [String::new(), "a.b.c".to_owned(), "a".repeat(20_000)] {
        assert_eq!(verify(&text, |_| ()).unwrap_err().code(), "invalid_dpop_proof");
    }
}

#[test]
fn key_token_and_nonce_are_compared_where_they_are_expected() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    // RFC 9449 §7.1, figure 12.
    let ath = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
    let text = proof(&key, &json!({}), &json!({ "ath": ath }));
    let nonces = ["n-0".to_owned(), "n-1".to_owned()];
    let jkt = key.kid().as_str();
    assert!(
        verify(&text, |expected| {
            expected.nonces = Some(&nonces);
            expected.access_token = Some(TOKEN);
            expected.thumbprint = Some(jkt);
        })
        .is_ok()
    );
    assert_eq!(verify(&text, |expected| expected.thumbprint = Some("x")), Err(DpopError::OtherKey));
    assert_eq!(verify(&text, |expected| expected.access_token = Some("x")), Err(DpopError::AccessToken));
    let without = proof(&key, &json!({}), &json!({ "nonce": null }));
    assert_eq!(
        verify(&without, |expected| expected.access_token = Some(TOKEN)),
        Err(DpopError::Claim("ath"))
    );
    for (text, good) in [(&text, &nonces[..1]), (&without, &nonces[..]), (&text, &[])] {
        let error = verify(text, |expected| expected.nonces = Some(good)).unwrap_err();
        assert_eq!((error.code(), &error), ("use_dpop_nonce", &DpopError::Nonce));
    }
}

#[test]
fn a_request_has_one_header_with_a_proof_in_it() {
    let expected = DpopExpectations {
        method: "GET",
        urls: &[],
        nonces: None,
        access_token: None,
        thumbprint: None,
        now: now(),
    };
    let read =
        |values: &[&'static [u8]]| DpopProof::of_request(values.iter().copied(), &expected).unwrap_err();
    assert_eq!(read(&[]), ProofError::Missing);
    assert_eq!(read(&[b"x", b"x"]), ProofError::Unreadable);
    assert_eq!(read(&[b"\xff"]), ProofError::Unreadable);
    let wrong = read(&[b"x"]);
    assert!(matches!(wrong, ProofError::Wrong(DpopError::Signature(_))), "{wrong:?}");
    assert_eq!(
        (wrong.code(), ProofError::Wrong(DpopError::Nonce).code()),
        ("invalid_dpop_proof", "use_dpop_nonce")
    );
}
