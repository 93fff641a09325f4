//! Whatever nobody thought of: headers, claims, forms and keys changed at random, from a fixed seed.

use kubesso_ambient::{Entropy as _, SeededEntropy};
use kubesso_authn::OidcOptions;
use kubesso_token::Algorithm;
use serde_json::Value;

use crate::table::{
    Case, ISSUER, NOW_SECONDS, Response, Token, jwk, key, options, provider, publishing, signed_by,
};

const TOKENS: usize = 2_000;
const KEY_SETS: usize = 300;

pub(crate) fn cases() -> Vec<Case> {
    let mut chance = Chance(SeededEntropy::new(20_261_122));
    let es256 = || OidcOptions { signing_algs: vec!["ES256".to_owned()], ..options() };
    let tokens = (0..TOKENS)
        .map(|number| {
            let text = chance.token();
            Token::new(format!("token {number}: {text:?}"), text)
        })
        .collect();
    let good = jwk(key(Algorithm::Es256), "k1");
    let mut cases =
        vec![Case::new("mutated tokens", es256(), publishing(std::slice::from_ref(&good)), tokens)];
    for number in 0..KEY_SETS {
        let set = chance.key_set(&good);
        let token = signed_by(key(Algorithm::Es256), r#"{"alg":"ES256"}"#, members_text(&claims()));
        let document = Response::json(set.as_str());
        let tokens = vec![Token::new("ordinary", token)];
        cases.push(Case::new(
            format!("mutated key set {number}: {set}"),
            es256(),
            provider(document),
            tokens,
        ));
    }
    cases
}

type Members = Vec<(String, String)>;

struct Chance(SeededEntropy);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes) as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn token(&mut self) -> String {
        let mut header =
            vec![("alg".to_owned(), "\"ES256\"".to_owned()), ("kid".to_owned(), "\"k1\"".to_owned())];
        let mut claims = claims();
        // One change of the header at most: which of two faults Go names there is random.
        if self.one_in(3) {
            self.change(&mut header, &HEADER_NAMES, &HEADER_VALUES);
        }
        for _ in 0..self.below(4) {
            self.change(&mut claims, &CLAIM_NAMES, &CLAIM_VALUES);
        }
        let header = members_text(&header);
        let mut payload = members_text(&claims);
        if self.one_in(8) {
            payload = self.scratch(&payload, &JSON_CHARACTERS);
        }
        let token = signed_by(key(Algorithm::Es256), &header, payload);
        if self.one_in(4) { self.scratch(&token, &TOKEN_CHARACTERS) } else { token }
    }

    fn key_set(&mut self, good: &Value) -> String {
        let algorithm = Algorithm::ALL[self.below(Algorithm::ALL.len())];
        let key = jwk(key(algorithm), "k2");
        let mut members: Members = key
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        self.change(&mut members, &KEY_NAMES, &KEY_VALUES);
        let odd = members_text(&members);
        let set = if self.one_in(2) {
            format!("{{\"keys\":[{odd},{good}]}}")
        } else {
            format!("{{\"keys\":[{good},{odd}]}}")
        };
        if self.one_in(6) { self.scratch(&set, &JSON_CHARACTERS) } else { set }
    }

    /// Replaces, adds, doubles, renames or takes away a member.
    fn change(&mut self, members: &mut Members, names: &[&str], values: &[&str]) {
        let at = self.below(members.len().max(1));
        let (name, value) = (self.pick(names).to_owned(), self.pick(values).to_owned());
        match self.below(5) {
            0 if at < members.len() => members[at].1 = value,
            1 if at < members.len() => members[at].0 = name,
            2 if at < members.len() => drop(members.remove(at)),
            3 => members.insert(at.min(members.len()), (name, value)),
            _ => members.push((name, value)),
        }
    }

    /// Changes a few characters.
    fn scratch(&mut self, text: &str, with: &[&str]) -> String {
        let mut characters: Vec<String> = text.chars().map(String::from).collect();
        for _ in 0..=self.below(2) {
            let at = self.below(characters.len());
            let with = self.pick(with).to_owned();
            match self.below(3) {
                0 => characters[at] = with,
                1 => characters.insert(at, with),
                _ => drop(characters.remove(at)),
            }
        }
        characters.concat()
    }
}

fn claims() -> Members {
    [
        ("iss", format!("\"{ISSUER}\"")),
        ("sub", "\"alice\"".to_owned()),
        ("aud", "\"k8s\"".to_owned()),
        ("exp", (NOW_SECONDS + 3_600).to_string()),
        ("groups", "[\"a\",\"b\"]".to_owned()),
        ("jti", "\"id-1\"".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn members_text(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

const HEADER_NAMES: [&str; 12] =
    ["alg", "ALG", "kid", "Kid", "typ", "nonce", "crit", "b64", "x5c", "x5t", "jwk", "x"];
const HEADER_VALUES: [&str; 22] = [
    "null",
    "true",
    "false",
    "0",
    "1e999",
    "\"\"",
    "\"ES256\"",
    "\"ES384\"",
    "\"RS256\"",
    "\"none\"",
    "\"k1\"",
    "\"k2\"",
    "[]",
    "[\"b64\"]",
    "[\"exp\"]",
    "[null]",
    "[1]",
    "{}",
    "{\"kty\":\"oct\",\"k\":\"AA\"}",
    "{\"a\":1,\"a\":1}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
    "\"\\ud800\"",
];
const CLAIM_NAMES: [&str; 24] = [
    "iss",
    "ISS",
    "i\u{17f}s",
    "sub",
    "SUB",
    "aud",
    "Aud",
    "exp",
    "EXP",
    "iat",
    "nbf",
    "NBF",
    "nonce",
    "at_hash",
    "groups",
    "Groups",
    "jti",
    "email",
    "_claim_names",
    "_claim_sources",
    "_CLAIM_NAMES",
    "a.b",
    "\\u0073ub",
    "",
];
const CLAIM_VALUES: [&str; 38] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "1.5",
    "1e3",
    "1e11",
    "1e19",
    "1e308",
    "1e309",
    "-1e19",
    "1795334400",
    "1795334399",
    "1795334460",
    "1795334461",
    "9223372036854775807",
    "9223372036854775808",
    "\"\"",
    "\"x\"",
    "\"k8s\"",
    "\"1795338000\"",
    "\"1e11\"",
    "\"https://issuer.example\"",
    "\"https://issuer.example/\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\udead\"",
    "[]",
    "[\"k8s\"]",
    "[\"x\",null]",
    "[1]",
    "[[]]",
    "{}",
    "{\"x\":\"y\"}",
    "{\"x\":1}",
    "{\"y\":{\"endpoint\":\"z\"}}",
];
const KEY_NAMES: [&str; 26] = [
    "kty", "Kty", "kid", "use", "alg", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "k",
    "x5c", "x5t", "x5t#S256", "x5u", "key_ops", "oth", "a", "KID", "",
];
const KEY_VALUES: [&str; 26] = [
    "null",
    "true",
    "1",
    "1e999",
    "\"\"",
    "\"AQAB\"",
    "\"AQAB=\"",
    "\"A\"",
    "\"A+\"",
    "\"AQ\\nAB\"",
    "\"EC\"",
    "\"RSA\"",
    "\"OKP\"",
    "\"oct\"",
    "\"P-256\"",
    "\"P-384\"",
    "\"P-521\"",
    "\"Ed25519\"",
    "\"sig\"",
    "\"enc\"",
    "[]",
    "[\"AAAA\"]",
    "[1]",
    "[null]",
    "{}",
    "{\"a\":1,\"a\":2}",
];
const JSON_CHARACTERS: [&str; 26] = [
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "0", "1", "-", "+", ".", "e", "t", "null", "true", " ",
    "\n", "\0", "\u{1}", "é", "'", "/", "\u{ffff}",
];
const TOKEN_CHARACTERS: [&str; 18] = [
    ".", "..", " ", "\n", "\r\n", "\t", "\u{a0}", "\u{2003}", "\u{200b}", "=", "+", "/", "-", "_", "A", "z",
    "é", "{",
];

#[test]
fn the_same_seed_gives_the_same_tables() {
    let claims = |seed| {
        let mut chance = Chance(SeededEntropy::new(seed));
        let mut claims = claims();
        for _ in 0..10 {
            chance.change(&mut claims, &CLAIM_NAMES, &CLAIM_VALUES);
        }
        members_text(&claims)
    };
    assert_eq!(claims(1), claims(1));
    assert_ne!(claims(1), claims(2));
}
