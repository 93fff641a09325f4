//! What the provider may answer to discovery.

use std::collections::BTreeMap;

use kubesso_authn::OidcOptions;
use kubesso_token::Algorithm;
use serde_json::json;

use crate::table::{
    Case, Compared, HEADER, ISSUER, Response, Token, claims, jwk, key, options, signed, with_claims,
};

pub(crate) fn cases() -> Vec<Case> {
    let good = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")}).to_string();
    let with = |extra: &str| Response::json(good.replacen('{', &format!("{{{extra},"), 1));
    let documents = vec![
        ("good", Response::json(good.as_str())),
        ("good, but not called JSON", Response::text(200, &good)),
        ("good as text", Response::text(200, &good).with_header("Content-Type", "text/plain")),
        ("not found", Response::text(404, "nothing here\n")),
        ("no content", Response::text(204, "")),
        ("created", Response::text(201, &good)),
        ("server error", Response::json(good.as_str()).with_status(500)),
        ("strange status", Response::text(499, "")),
        ("empty", Response::json("")),
        ("HTML", Response::text(200, "<html>").with_header("Content-Type", "text/html; charset=utf-8")),
        (
            "HTML called JSON",
            Response::json("<html>").with_header("Content-Type", "Application/JSON; charset=utf-8"),
        ),
        ("null", Response::json("null")),
        ("list", Response::json("[]")),
        ("list, not called JSON", Response::text(200, "[]")),
        ("no issuer", Response::json(json!({"jwks_uri": format!("{ISSUER}/keys")}))),
        ("another issuer", Response::json(json!({"issuer": "https://another.example", "jwks_uri": "x"}))),
        ("issuer with a slash", Response::json(json!({"issuer": format!("{ISSUER}/"), "jwks_uri": "x"}))),
        ("issuer of a wrong type", Response::json(json!({"issuer": 1, "jwks_uri": "x"}))),
        ("no keys", Response::json(json!({"issuer": ISSUER}))),
        ("keys null", Response::json(json!({"issuer": ISSUER, "jwks_uri": null}))),
        ("keys of a wrong type", Response::json(json!({"issuer": ISSUER, "jwks_uri": ["x"]}))),
        (
            "names in capitals",
            Response::json(json!({"ISSUER": ISSUER, "JWKS_URI": format!("{ISSUER}/keys")})),
        ),
        ("another issuer first", with(r#""issuer":"https://another.example""#)),
        ("a wrong type first", with(r#""issuer":[]"#)),
        ("endpoint of a wrong type", with(r#""token_endpoint":1"#)),
        ("Endpoint null", with(r#""Token_Endpoint":null"#)),
        ("algorithms that are not ours", with(r#""id_token_signing_alg_values_supported":["HS256"]"#)),
        ("algorithms of a wrong type", with(r#""id_token_signing_alg_values_supported":"RS256""#)),
        ("an algorithm of a wrong type", with(r#""id_token_signing_alg_values_supported":["RS256",1]"#)),
        ("something after", Response::json(format!("{good}{{}}"))),
        ("cut", Response::json(&good[..20])),
    ];
    let mut cases: Vec<Case> = documents
        .into_iter()
        .map(|(name, document)| {
            let provider = with_keys(ISSUER, document);
            Case::new(format!("discovery: {name}"), options(), provider, vec![with_claims(&[])])
        })
        .collect();
    let nobody = Case::new("discovery: nobody there", options(), BTreeMap::new(), vec![with_claims(&[])]);
    cases.push(nobody);
    cases.extend(
        [
            "https://issuer.example/",
            "https://issuer.example//",
            "https://issuer.example/a/b",
            "HTTPS://issuer.example",
        ]
        .map(issuer),
    );
    cases.push(google());
    cases
}

fn with_keys(issuer: &str, discovery: Response) -> BTreeMap<String, Response> {
    let keys = json!({"keys": [jwk(key(Algorithm::Rs256), "k1")]});
    BTreeMap::from([
        (
            format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer)),
            discovery,
        ),
        (format!("{ISSUER}/keys"), Response::json(keys)),
    ])
}

/// Issuers are texts: nothing is made equal.
fn issuer(url: &str) -> Case {
    let discovery = Response::json(json!({"issuer": url, "jwks_uri": format!("{ISSUER}/keys")}));
    let mut provider = with_keys(url, discovery.clone());
    // Go asks for the scheme in small letters.
    provider.insert(format!("{ISSUER}/.well-known/openid-configuration"), discovery);
    let tokens = [url, ISSUER].map(|issuer| with_claims(&[("iss", &format!("\"{issuer}\""))])).into();
    let options = OidcOptions { issuer_url: url.to_owned(), ..options() };
    let mut case = Case::new(format!("issuer {url}"), options, provider, tokens);
    if !url.starts_with("https") {
        case.compared = Compared::AllButFetches;
    }
    case
}

/// Google's tokens may leave out the scheme.
fn google() -> Case {
    let url = "https://accounts.google.com";
    let discovery = Response::json(json!({"issuer": url, "jwks_uri": format!("{ISSUER}/keys")}));
    let tokens = ["accounts.google.com", url, "http://accounts.google.com", "Accounts.google.com"]
        .map(|issuer| Token::new(issuer, signed(HEADER, claims(&[("iss", &format!("\"{issuer}\""))]))))
        .into();
    let options = OidcOptions { issuer_url: url.to_owned(), ..options() };
    Case::new("Google", options, with_keys(url, discovery), tokens)
}
