//! What the header may say.

use kubesso_authn::OidcOptions;
use kubesso_token::Algorithm;
use serde_json::{Value, json};

use super::keys::certificate;
use crate::table::{
    Case, Token, claims, encode, jwk, key, options, ordinary_provider, publishing, signed, signed_by,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut tokens: Vec<Token> = headers()
        .into_iter()
        .map(|header| Token::new(header.clone(), signed(&header, claims(&[]))))
        .collect();
    tokens.extend(raw_payloads());
    let mut cases = vec![Case::new("headers", options(), ordinary_provider(), tokens)];
    cases.extend(algorithms());
    cases
}

fn headers() -> Vec<String> {
    let public = jwk(key(Algorithm::Es256), "k1").to_string();
    let mut private = jwk(key(Algorithm::Es256), "k1");
    private["d"] = json!(encode([1; 32]));
    let (chain, _) = certificate();
    let mut headers: Vec<String> = [
        "null",
        "[]",
        "\"RS256\"",
        "1",
        "true",
        "{}",
        "{",
        "{}x",
        " {\"alg\":\"RS256\"} ",
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":null}"#,
        r#"{"alg":"RS256","kid":""}"#,
        r#"{"alg":"RS256","kid":"k2"}"#,
        r#"{"alg":"RS256","kid":"K1"}"#,
        r#"{"alg":"RS256","kid":"\u006b1"}"#,
        r#"{"alg":"RS256","KID":"k2"}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256","kid":true}"#,
        r#"{"alg":"RS256","kid":["k1"]}"#,
        r#"{"alg":"RS256","kid":{"a":1,"a":2}}"#,
        r#"{"alg":"RS256","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"RS256","alg":"RS256"}"#,
        r#"{"alg":"RS256","x":1,"x":1}"#,
        r#"{"alg":"RS256","x":1,"\u0078":1}"#,
        r#"{"alg":"RS256","x":{"a":1,"a":2}}"#,
        r#"{"alg":"RS256","x":[{"a":[{"b":1,"b":1}]}]}"#,
        r#"{"alg":"RS256","x":{"a":1,"A":2}}"#,
        r#"{"alg":"RS256","x":1e400}"#,
        r#"{"alg":"RS256","x":[-1e400]}"#,
        r#"{"alg":"RS256","x":1e-400}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"PS256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"rs256"}"#,
        r#"{"alg":"RS256 "}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"alg":1}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":"a \"quoted\" name"}"#,
        r#"{"ALG":"RS256"}"#,
        r#"{"ALG":"RS256","alg":"RS256"}"#,
        r#"{"alg":"RS256","typ":1,"cty":[],"jku":{},"x5u":null,"zip":"DEF","enc":7}"#,
        r#"{"alg":"RS256","nonce":"n"}"#,
        r#"{"alg":"RS256","nonce":null}"#,
        r#"{"alg":"RS256","nonce":1}"#,
        r#"{"alg":"RS256","nonce":{}}"#,
        r#"{"alg":"RS256","crit":null}"#,
        r#"{"alg":"RS256","crit":[]}"#,
        r#"{"alg":"RS256","crit":["b64"]}"#,
        r#"{"alg":"RS256","crit":["b64","b64"]}"#,
        r#"{"alg":"RS256","crit":["exp"]}"#,
        r#"{"alg":"RS256","crit":["b64","exp"]}"#,
        r#"{"alg":"RS256","crit":[null]}"#,
        r#"{"alg":"RS256","crit":[1]}"#,
        r#"{"alg":"RS256","crit":"b64"}"#,
        r#"{"alg":"RS256","crit":{}}"#,
        r#"{"alg":"RS256","b64":true}"#,
        r#"{"alg":"RS256","b64":"false"}"#,
        r#"{"alg":"RS256","b64":null}"#,
        r#"{"alg":"RS256","b64":0}"#,
        r#"{"alg":"RS256","b64":false}"#,
        r#"{"alg":"RS256","jwk":null}"#,
        r#"{"alg":"RS256","jwk":{}}"#,
        r#"{"alg":"RS256","jwk":"x"}"#,
        r#"{"alg":"RS256","jwk":1}"#,
        r#"{"alg":"RS256","jwk":[]}"#,
        r#"{"alg":"RS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
        r#"{"alg":"RS256","jwk":{"kty":"RSA","n":"AQAB","e":""}}"#,
        r#"{"alg":"RS256","jwk":{"kty":"RSA","n":"","e":"AQAB"}}"#,
        r#"{"alg":"RS256","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#,
        r#"{"alg":"RS256","jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}"#,
        r#"{"alg":"RS256","x5c":null}"#,
        r#"{"alg":"RS256","x5c":[]}"#,
        r#"{"alg":"RS256","x5c":["====",1]}"#,
        r#"{"alg":"RS256","x5c":["===="]}"#,
        r#"{"alg":"RS256","x5c":["AA-A"]}"#,
        r#"{"alg":"RS256","x5c":"AAAA"}"#,
        r#"{"alg":"RS256","x5c":{}}"#,
        r#"{"alg":"RS256","x5c":[{}]}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    headers.push(format!(r#"{{"alg":"RS256","jwk":{public}}}"#));
    headers.push(format!(r#"{{"alg":"RS256","jwk":{private}}}"#));
    headers.push(format!(r#"{{"alg":"RS256","x5c":["{chain}"]}}"#));
    headers
}

/// RFC 7797: the payload is signed as it is. In the compact form it is encoded for the way all the same.
fn raw_payloads() -> Vec<Token> {
    let payload = claims(&[]);
    [
        r#"{"alg":"RS256","b64":false}"#,
        r#"{"alg":"RS256","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"RS256","b64":false,"crit":["exp"]}"#,
        r#"{"alg":"RS256","b64":true}"#,
    ]
    .into_iter()
    .map(|header| {
        let input = format!("{}.{payload}", encode(header));
        let signature = key(Algorithm::Rs256).sign_bytes(input.as_bytes()).unwrap();
        let text = format!("{}.{}.{}", encode(header), encode(&payload), encode(signature));
        Token::new(format!("raw payload, {header}"), text)
    })
    .collect()
}

/// Every algorithm against a list with it, and a list without it.
fn algorithms() -> Vec<Case> {
    let keys: Vec<Value> =
        Algorithm::ALL.into_iter().map(|algorithm| jwk(key(algorithm), algorithm.as_str())).collect();
    let tokens = || -> Vec<Token> {
        let by = |algorithm: Algorithm, header: String| {
            Token::new(format!("{algorithm}, {header}"), signed_by(key(algorithm), &header, claims(&[])))
        };
        Algorithm::ALL
            .into_iter()
            .flat_map(|algorithm| {
                [
                    by(algorithm, format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#)),
                    by(algorithm, format!(r#"{{"alg":"{algorithm}"}}"#)),
                    by(algorithm, format!(r#"{{"alg":"{algorithm}","kid":"RS256"}}"#)),
                    by(algorithm, format!(r#"{{"alg":"RS256","kid":"{algorithm}"}}"#)),
                ]
            })
            .collect()
    };
    let with = |name: &str, algorithms: &[&str]| {
        let signing_algs = algorithms.iter().map(|name| (*name).to_owned()).collect();
        Case::new(name, OidcOptions { signing_algs, ..options() }, publishing(&keys), tokens())
    };
    vec![
        with("all algorithms", &Algorithm::ALL.map(Algorithm::as_str)),
        with("three algorithms", &["ES256", "PS384", "RS512"]),
        with("one twice", &["ES384", "ES384"]),
    ]
}
