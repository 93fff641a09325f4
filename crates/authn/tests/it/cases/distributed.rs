//! Groups that are kept elsewhere.

use std::collections::BTreeMap;

use kubesso_token::Algorithm;
use serde_json::json;

use crate::table::{
    Case, Compared, HEADER, Response, Token, claims, jwk, key, options, ordinary_provider, signed,
    with_claims,
};

const ENDPOINT: &str = "https://elsewhere.example/groups";

pub(crate) fn cases() -> Vec<Case> {
    let names = ("_claim_names", r#"{"groups":"s"}"#);
    let source = format!(r#"{{"s":{{"endpoint":"{ENDPOINT}","access_token":"secret"}}}}"#);
    let token = with_claims(&[("groups", ""), names, ("_claim_sources", &source)]);
    let elsewhere = |changes: &[(&str, &str)]| signed(HEADER, claims(changes));
    let another = ("iss", "\"https://elsewhere.example\"");
    let answers = [
        ("from the same issuer", elsewhere(&[("groups", r#"["far","away"]"#)])),
        ("from another issuer", elsewhere(&[another, ("groups", r#"["far","away"]"#)])),
        ("one group", elsewhere(&[("groups", "\"far\"")])),
        ("no groups", elsewhere(&[("groups", "")])),
        ("null", elsewhere(&[("groups", "null")])),
        ("of a wrong type", elsewhere(&[("groups", "7")])),
        ("expired", elsewhere(&[("exp", "1")])),
        ("for another audience", elsewhere(&[("aud", "\"another\"")])),
        ("with a line feed", format!("{}\n", elsewhere(&[]))),
        ("not a token", "nothing".to_owned()),
        ("not base64", "a.!.c".to_owned()),
        ("not JSON", "a.AAAA.c".to_owned()),
        ("not an object", format!("a.{}.c", crate::table::encode("[]"))),
        ("issuer of a wrong type", format!("a.{}.c", crate::table::encode(r#"{"iss":1}"#))),
        ("JSON serialization", "{}".to_owned()),
        ("badly signed", format!("{}AAAA", elsewhere(&[]))),
        ("with an unlisted algorithm", signed(r#"{"alg":"PS256"}"#, claims(&[]))),
    ];
    let mut cases: Vec<Case> = answers
        .into_iter()
        .map(|(name, answer)| {
            case(name, Some(Response::text(200, &answer)), vec![Token::new(name, token.text.clone())])
        })
        .collect();
    for (status, name) in
        [(204, "no content"), (226, "used"), (300, "choices"), (401, "unauthorized"), (500, "broken")]
    {
        let answer = Response::text(status, &elsewhere(&[]));
        cases.push(case(name, Some(answer), vec![Token::new(name, token.text.clone())]));
    }
    cases.push(case("nobody there", None, vec![Token::new("nobody there", token.text)]));
    cases.push(case("sources", Some(Response::text(200, &elsewhere(&[]))), sources(&source)));
    cases
}

fn sources(source: &str) -> Vec<Token> {
    let names = ("_claim_names", r#"{"groups":"s"}"#);
    let mut tokens = vec![
        with_claims(&[names, ("_claim_sources", source)]),
        with_claims(&[("groups", "null"), names, ("_claim_sources", source)]),
        with_claims(&[("groups", ""), ("_claim_names", "{}")]),
        with_claims(&[("groups", ""), ("_claim_names", "null")]),
        with_claims(&[("groups", ""), ("_claim_names", "{}"), ("_claim_sources", source)]),
        with_claims(&[("groups", ""), ("_claim_names", r#"{"Groups":"s"}"#), ("_claim_sources", source)]),
        with_claims(&[("groups", ""), ("_Claim_Names", r#"{"groups":"s"}"#), ("_claim_sources", source)]),
        with_claims(&[("groups", ""), names, ("_Claim_Sources", source)]),
    ];
    for source in [
        r#"{"s":{}}"#,
        r#"{"s":null}"#,
        r#"{"s":{"JWT":"a.b.c"}}"#,
        r#"{"s":{"JWT":1}}"#,
        r#"{"s":{"jwt":[]}}"#,
        r#"{"s":{"endpoint":""}}"#,
        r#"{"t":{"endpoint":"x"}}"#,
        r#"{"s":{"ENDPOINT":"https://elsewhere.example/groups"}}"#,
    ] {
        tokens.push(with_claims(&[("groups", ""), names, ("_claim_sources", source)]));
    }
    tokens
}

fn case(name: &str, answer: Option<Response>, tokens: Vec<Token>) -> Case {
    let mut provider = ordinary_provider();
    let discovery =
        json!({"issuer": "https://elsewhere.example", "jwks_uri": "https://elsewhere.example/keys"});
    let keys = json!({"keys": [jwk(key(Algorithm::Rs256), "k1")]});
    provider.extend(BTreeMap::from([
        ("https://elsewhere.example/.well-known/openid-configuration".to_owned(), Response::json(discovery)),
        ("https://elsewhere.example/keys".to_owned(), Response::json(keys)),
    ]));
    provider.extend(answer.map(|answer| (ENDPOINT.to_owned(), answer)));
    let mut case = Case::new(format!("distributed groups: {name}"), options(), provider, tokens);
    case.compared = Compared::AllButFetches;
    case
}
