//! What clients sign: JWK sets, JWS, assertions, proofs, request objects.
//!
//! Behind a signature that is wrong nothing is read. So the input is header and claims, each a line, and the target signs
//! them; `$JWK` stands for the public key. Only targets [`jws`] and [`jwk_set`] also take the bytes as they are.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kubesso_token::{
    Algorithm, AssertionExpectations, Audiences, ClientAssertion, DpopExpectations, DpopProof, Jwk, JwkSet,
    RequestObject, RequestObjectExpectations, SigningKey, decode_unverified_payload,
};
use serde_json::{Map, Value};

/// As the seeds say it.
const CLIENT: &str = "k8s";
const ISSUER: &str = "https://localhost:8443/oauth2/k8s-auth";
/// 2026-11-22T08:00:00Z, the moment of the seeds.
const NOW: i64 = 1_795_334_400;

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Es256).expect("a key"))
}

fn keys() -> &'static JwkSet {
    static KEYS: OnceLock<JwkSet> = OnceLock::new();
    KEYS.get_or_init(|| JwkSet::new(vec![key().public_jwk()]))
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a moment")
}

/// Header and claims, signed; and the claims as they were given.
fn signed(data: &[u8]) -> Option<(String, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let (header, claims) = (data.get(..end)?, data.get(end + 1..)?);
    let header = match std::str::from_utf8(header) {
        Ok(text) if text.contains("$JWK") => {
            let jwk = serde_json::to_string(&key().public_jwk()).expect("a key is JSON");
            text.replacen("$JWK", &jwk, 1).into_bytes()
        }
        _ => header.to_vec(),
    };
    let input =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let signature = key().sign_bytes(input.as_bytes()).expect("it signs");
    Some((format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)), claims))
}

/// What serde_json, which is not what reads tokens, makes of the claims.
fn read(claims: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(claims).expect("what was taken is a JSON object")
}

/// Text that nobody signed never verifies; signed text says what was signed.
pub(crate) fn jws(data: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(keys().verify(text, &Algorithm::ALL).is_err(), "nobody signed this");
        let _ = decode_unverified_payload(text);
    }
    let Some((token, claims)) = signed(data) else { return false };
    let Ok(verified) = keys().verify(&token, &Algorithm::ALL) else { return false };
    assert_eq!(verified.payload, read(claims), "other claims than were signed");
    assert_eq!(decode_unverified_payload(&token).as_ref(), Ok(&verified.payload));
    assert!(keys().verify(&token, &[Algorithm::Rs256]).is_err(), "an algorithm that is not allowed");
    true
}

/// An assertion that is taken speaks for its client, to us, now.
pub(crate) fn client_assertion(data: &[u8]) -> bool {
    let Some((token, claims)) = signed(data) else { return false };
    let unverified = ClientAssertion::unverified_client_id(&token);
    let audiences = [ISSUER.to_owned(), format!("{ISSUER}/v1/token")];
    let expected = AssertionExpectations {
        client_id: CLIENT,
        audiences: Audiences::Among(&audiences),
        now: now(),
        require_jti: true,
    };
    let Ok(taken) = ClientAssertion::verify(&token, keys(), &expected) else { return false };
    let claims = read(claims);
    assert_eq!(unverified.as_deref(), Ok(CLIENT));
    assert_eq!((&claims["iss"], &claims["sub"]), (&CLIENT.into(), &CLIENT.into()));
    assert!(names(&claims["aud"], |one| audiences.iter().any(|ours| ours == one)));
    assert!(taken.expires > now() && taken.jti.is_some_and(|jti| !jti.is_empty()));
    true
}

/// A proof that is taken is by the key that it brings, for this request, made now.
pub(crate) fn dpop_proof(data: &[u8]) -> bool {
    let Some((token, claims)) = signed(data) else { return false };
    let _ = DpopProof::unverified_nonce(&token);
    let urls = [format!("{ISSUER}/v1/token")];
    let expected = DpopExpectations {
        method: "POST",
        urls: &urls,
        nonces: None,
        access_token: None,
        thumbprint: None,
        now: now(),
    };
    let Ok(taken) = DpopProof::verify(&token, &expected) else { return false };
    let claims = read(claims);
    assert_eq!(claims["htm"], "POST");
    let target = claims["htu"].as_str().expect("htu");
    assert!(target.to_ascii_lowercase().starts_with("https://localhost"), "{target}");
    assert_eq!(taken.jkt, key().public_jwk().thumbprint().as_str());
    assert_eq!(claims["jti"], taken.jti.as_str());
    assert!(taken.expires > now());
    let bound = DpopExpectations { access_token: Some("token"), ..expected };
    assert!(DpopProof::verify(&token, &bound).is_err() || claims.contains_key("ath"));
    true
}

/// A request object that is taken is the client's, for us; what it says of itself is no parameter.
pub(crate) fn request_object(data: &[u8]) -> bool {
    let Some((token, claims)) = signed(data) else { return false };
    let expected = RequestObjectExpectations { client_id: CLIENT, issuer: ISSUER, now: now() };
    let Ok(parameters) = RequestObject::verify(&token, keys(), &expected) else { return false };
    let claims = read(claims);
    assert_eq!(claims["iss"], CLIENT);
    assert!(names(&claims["aud"], |one| one == ISSUER));
    for name in ["aud", "exp", "iat", "iss", "jti", "nbf", "sub", "request", "request_uri"] {
        assert!(!parameters.contains_key(name), "{name} is no parameter");
    }
    assert!(parameters.iter().all(|(name, value)| claims.get(name) == Some(value)));
    true
}

/// A JWK set that is read has public keys only, and is the same when it is written and read again.
pub(crate) fn jwk_set(data: &[u8]) -> bool {
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        let _ = JwkSet::of_client(&value);
    }
    let Ok(set) = JwkSet::parse(data) else { return false };
    let written = serde_json::to_string(&set).expect("a set is JSON");
    for private in ["\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\"", "\"k\""] {
        assert!(!written.contains(&format!("{private}:")), "{private} is not public");
    }
    let again = JwkSet::parse(written.as_bytes()).expect("what was written is read");
    let thumbprints = |set: &JwkSet| set.keys().iter().map(Jwk::thumbprint).collect::<Vec<_>>();
    assert_eq!(thumbprints(&set), thumbprints(&again));
    !set.keys().is_empty()
}

/// Whether one of the audiences is so.
fn names(audience: &Value, is_so: impl Fn(&str) -> bool) -> bool {
    match audience {
        Value::String(one) => is_so(one),
        Value::Array(all) => all.iter().filter_map(Value::as_str).any(is_so),
        _ => false,
    }
}
