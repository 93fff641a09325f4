//! What the provider may publish as its keys, and when they are asked for again.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesso_authn::OidcOptions;
use kubesso_token::Algorithm;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use crate::table::{
    Case, HEADER, ISSUER, Response, Token, claims, encode, jwk, key, options, provider, publishing, signed,
    signed_by, with_claims,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = documents();
    cases.extend(neighbours());
    cases.extend(refetching());
    cases.extend(foreign_tokens());
    cases
}

/// Ordinary tokens, with and without the name of the key.
fn tokens() -> Vec<Token> {
    vec![
        with_claims(&[]),
        Token::new("without a kid", signed(r#"{"alg":"RS256"}"#, claims(&[]))),
        Token::new("with another kid", signed(r#"{"alg":"RS256","kid":"k2"}"#, claims(&[]))),
    ]
}

/// The document as a whole.
fn documents() -> Vec<Case> {
    let good = jwk(key(Algorithm::Rs256), "k1");
    let other = jwk(key(Algorithm::Rs384), "k1");
    let set = json!({ "keys": [&good] }).to_string();
    let keys = |value: Value| Response::json(json!({ "keys": value }));
    [
        ("good", Response::json(set.as_str())),
        ("good as text", Response::text(200, &set)),
        ("not found", Response::text(404, "nope")),
        ("moved nowhere", Response::text(302, "")),
        ("no content", Response::text(204, "")),
        ("empty", Response::text(200, "")),
        ("HTML", Response::text(200, "<html>").with_header("Content-Type", "text/html")),
        ("HTML called JSON", Response::json("<html>")),
        ("null", Response::json("null")),
        ("list", Response::json(json!([&good]))),
        ("text", Response::json("\"x\"")),
        ("no keys", Response::json("{}")),
        ("keys null", keys(Value::Null)),
        ("keys empty", keys(json!([]))),
        ("keys of a wrong type", keys(json!({}))),
        ("keys of a number", keys(json!(1))),
        ("KEYS", Response::json(json!({ "KEYS": [&good] }))),
        ("keyſ", Response::json(json!({ "key\u{17f}": [&good] }))),
        ("keys twice, good last", Response::json(format!(r#"{{"keys":[{other}],"keys":[{good}]}}"#))),
        ("keys twice, good first", Response::json(format!(r#"{{"keys":[{good}],"keys":[{other}]}}"#))),
        ("keys twice, null last", Response::json(format!(r#"{{"keys":[{good}],"keys":null}}"#))),
        ("keys twice, a wrong type last", Response::json(format!(r#"{{"keys":[{good}],"keys":1}}"#))),
        ("something after", Response::json(format!("{set} x"))),
        ("cut", Response::json(&set[..set.len() - 1])),
        ("the same name twice", keys(json!([&other, &good]))),
        ("a key without a name", keys(json!([without(&good, "kid")]))),
        ("several keys without a name", keys(json!([without(&other, "kid"), without(&good, "kid")]))),
        ("a key of name null", keys(json!([with(&good, "kid", Value::Null)]))),
    ]
    .into_iter()
    .map(|(name, document)| Case::new(format!("key set: {name}"), options(), provider(document), tokens()))
    .collect()
}

/// The good key beside one that is odd: it spoils the set or it does not.
fn neighbours() -> Vec<Case> {
    let good = jwk(key(Algorithm::Rs256), "k1");
    odd_keys()
        .into_iter()
        .map(|(name, odd)| {
            let document = Response::json(format!(r#"{{"keys":[{good},{odd}]}}"#));
            Case::new(format!("beside a key: {name}"), options(), provider(document), vec![with_claims(&[])])
        })
        .collect()
}

fn odd_keys() -> Vec<(String, String)> {
    let rsa = jwk(key(Algorithm::Rs384), "k2");
    let p256 = jwk(key(Algorithm::Es256), "k2");
    let p521 = jwk(key(Algorithm::Es512), "k2");
    let (chain, certified) = certificate();
    let mut keys: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, key: &dyn ToString| keys.push((name.to_owned(), key.to_string()));

    for not_a_key in ["null", "1", "true", "\"x\"", "[]", "{}"] {
        add(not_a_key, &not_a_key);
    }
    for kty in ["\"oct\"", "\"OKP\"", "\"rsa\"", "\"AKP\"", "\"\"", "null", "1", "true"] {
        add(&format!("kty {kty}"), &format!(r#"{{"kty":{kty}}}"#));
    }
    for (name, key) in [("RSA", &rsa), ("EC", &p256)] {
        for (member, value) in [
            ("use", json!("enc")),
            ("use", json!(1)),
            ("use", json!(["sig"])),
            ("alg", json!("none")),
            ("alg", json!(true)),
            ("alg", json!(1)),
            ("key_ops", json!(1)),
            ("kid", json!(1)),
            ("kid", json!({})),
            ("kid", json!(null)),
            ("KTY", json!(1)),
            ("x5u", json!("https://issuer.example/chain")),
            ("x5u", json!(null)),
            ("x5u", json!(1)),
            ("x5u", json!(true)),
            ("x5u", json!({"Scheme": "https", "User": {}, "ForceQuery": true, "other": 1})),
            ("x5u", json!({"Scheme": 1})),
            ("x5u", json!({"Host": [], "Path": 1})),
            ("x5u", json!({"OmitHost": "true"})),
            ("x5u", json!({"User": "x"})),
            ("x5c", json!([])),
            ("x5c", json!(null)),
            ("x5c", json!("AAAA")),
            ("x5c", json!(1)),
            ("x5c", json!([1])),
            ("x5c", json!([true])),
            ("x5c", json!(["="])),
            ("x5c", json!([chain])),
            ("x5t", json!("")),
            ("x5t", json!("AAAA")),
            ("x5t", json!("AA=")),
            ("x5t", json!(encode([7; 20]))),
            ("x5t", json!(encode("07".repeat(20)))),
            ("x5t", json!(encode("zz".repeat(20)))),
            ("x5t", json!(1)),
            ("x5t#S256", json!(encode([7; 32]))),
            ("x5t#S256", json!(encode([7; 20]))),
            ("x5t#S256", json!(encode("0A".repeat(32)))),
            ("x5t#S256", json!("+")),
            ("d", json!("")),
            ("d", json!("AQAB")),
            ("d", json!(null)),
            ("d", json!(1)),
            ("p", json!("AQAB")),
            ("p", json!("=")),
            ("k", json!(1)),
        ] {
            add(&format!("{name} with {member} {value}"), &with(key, member, value));
        }
    }
    for (member, value) in [
        ("n", json!("")),
        ("n", json!("AA")),
        ("n", json!("AQ==")),
        ("n", json!("A")),
        ("n", json!(null)),
        ("n", json!(1)),
        ("n", json!([])),
        ("n", json!(true)),
        ("e", json!("")),
        ("e", json!("AA")),
        ("e", json!("AQ")),
        ("e", json!("AQABAQABAQAB")),
        ("e", json!("AQAB=")),
        ("e", json!(null)),
        ("e", json!(65537)),
    ] {
        add(&format!("RSA with {member} {value}"), &with(&rsa, member, value));
    }
    for (member, value) in [
        ("crv", json!("P-384")),
        ("crv", json!("p-256")),
        ("crv", json!("secp256k1")),
        ("crv", json!(null)),
        ("crv", json!(1)),
        ("x", json!("")),
        ("x", json!(null)),
        ("x", json!("AAAA")),
        ("x", json!(encode([0; 32]))),
        ("x", json!(encode([0xff; 32]))),
        ("y", json!(encode([1; 32]))),
        ("y", json!(encode([1; 33]))),
        ("y", json!(true)),
        ("d", json!(encode([1; 32]))),
        ("d", json!(encode([1; 31]))),
    ] {
        add(&format!("EC with {member} {value}"), &with(&p256, member, value));
    }
    add("P-521 with leading zeros dropped", &with(&p521, "x", json!(encode([1; 65]))));
    for (member, value) in [
        ("x", json!("AAAA")),
        ("x", json!("")),
        ("x", json!(null)),
        ("d", json!("AAAA")),
        ("crv", json!("Ed448")),
        ("crv", json!("X25519")),
    ] {
        let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": encode([3; 32])});
        add(&format!("OKP with {member} {value}"), &with(&ed25519, member, value));
    }
    for oct in [
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "oct", "k": ""}),
        json!({"kty": "oct", "k": "AAAA", "x5c": [chain]}),
    ] {
        add(&format!("symmetric {oct}"), &oct);
    }
    add("certified", &with(&certified, "x5c", json!([chain])));
    add("certified with another beside", &with(&certified, "x5c", json!([chain, chain])));
    add("duplicate members", &rsa.to_string().replacen('{', r#"{"kty":"RSA","#, 1));
    add("duplicate unknown members", &rsa.to_string().replacen('{', r#"{"a":1,"a":2,"#, 1));
    add("duplicates within an unknown member", &rsa.to_string().replacen('{', r#"{"a":{"b":1,"b":2},"#, 1));
    add("duplicates in the chain's address", &rsa.to_string().replacen('{', r#"{"x5u":{"a":1,"a":2},"#, 1));
    add("two wrong types", &r#"{"kty":true,"kid":[]}"#);
    add("a wrong type, then a number", &r#"{"kty":true,"kid":1}"#);
    add("a wrong type, then bad base64", &r#"{"kty":true,"n":"="}"#);
    add("private RSA without its primes", &with(&rsa, "d", json!("AQAB")));
    keys
}

/// How often the key set is asked for, by what its answer says about its age.
fn refetching() -> Vec<Case> {
    let set = json!({ "keys": [jwk(key(Algorithm::Rs256), "k1")] });
    let headers = [
        None,
        Some(("Cache-Control", "max-age=3600")),
        Some(("Cache-Control", "max-age=31")),
        Some(("Cache-Control", "max-age=1")),
        Some(("Cache-Control", "no-store")),
        Some(("Cache-Control", "no-store, max-age=3600")),
        Some(("Cache-Control", "max-age=3600, s-maxage=0")),
        Some(("Cache-Control", "max-age=junk")),
        Some(("Cache-Control", "public, max-age=\"3600\"")),
        Some(("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")),
        Some(("Expires", "0")),
        Some(("Last-Modified", "Fri, 01 Jan 2010 00:00:00 GMT")),
        Some(("Last-Modified", "junk")),
    ];
    let unknown = |number: i32| {
        let header = format!(r#"{{"alg":"RS256","kid":"unknown-{number}"}}"#);
        Token::new(format!("unknown key {number}"), signed(&header, claims(&[])))
    };
    headers
        .into_iter()
        .map(|header| {
            let document = Response::json(set.clone());
            let document = match header {
                Some((name, value)) => document.with_header(name, value),
                None => document,
            };
            let forged = signed_by(key(Algorithm::Rs384), HEADER, claims(&[]));
            let tokens = vec![
                unknown(1),
                with_claims(&[]),
                unknown(2),
                Token::new("forged", forged),
                with_claims(&[]),
                with_claims(&[("exp", "1")]),
                Token::new("unlisted", signed(r#"{"alg":"ES256"}"#, claims(&[]))),
                Token::new("another issuer's", signed(HEADER, claims(&[("iss", "\"x\"")]))),
            ];
            Case::new(format!("fetched with {header:?}"), options(), provider(document), tokens)
        })
        .collect()
}

/// Tokens that this room's own library cannot make: short keys, other salts, keys on another curve than the algorithm's.
/// Made with Go 1.26.8.
fn foreign_tokens() -> Vec<Case> {
    let tokens: Vec<Value> = serde_json::from_str(include_str!("../foreign_tokens.json")).unwrap();
    let refused = "oidc: verify token: failed to verify signature: failed to verify id token signature";
    tokens
        .iter()
        .map(|made| {
            let name = made["what"].as_str().unwrap();
            let mut token = Token::new(name, made["token"].as_str().unwrap());
            if UNVERIFIABLE.contains(&name) {
                token.we_say = Some(refused);
            }
            let signing_algs = vec![made["alg"].as_str().unwrap().to_owned()];
            let options = OidcOptions { signing_algs, ..options() };
            assert!(ISSUER.contains("issuer.example"));
            let mut case = Case::new(
                format!("foreign: {name}"),
                options,
                publishing(&[made["key"].clone()]),
                vec![token],
            );
            if UNVERIFIABLE.contains(&name) {
                case.compared = crate::table::Compared::AllButFetches;
            }
            case
        })
        .collect()
}

/// What upstream accepts and the cryptography library cannot check (see `VerifyingKey::verify_as_go_jose`).
const UNVERIFIABLE: [&str; 4] = [
    "PS256 by RSA 1024, salt of the hash",
    "RS384 by RSA 1024",
    "PS384 by RSA 1024, salt of the hash",
    "PS256 by RSA 2048, salt 33",
];

fn with(key: &Value, member: &str, value: Value) -> Value {
    let mut key = key.clone();
    key[member] = value;
    key
}

fn without(key: &Value, member: &str) -> Value {
    let mut key = key.clone();
    key.as_object_mut().unwrap().remove(member);
    key
}

/// A self-signed certificate in standard base64, and its key.
pub(crate) fn certificate() -> (String, Value) {
    static CERTIFICATE: LazyLock<(String, Value)> = LazyLock::new(|| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let point = key.der_bytes();
        let (x, y) = point[1..].split_at(32);
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "k2", "x": encode(x), "y": encode(y)});
        (STANDARD.encode(certificate.der()), jwk)
    });
    CERTIFICATE.clone()
}
