//! What the payload may say.

use kubesso_authn::OidcOptions;

use crate::table::{
    Case, HEADER, ISSUER, NOW_SECONDS, Token, claims, options, ordinary_provider, signed, with_claims,
};

pub(crate) fn cases() -> Vec<Case> {
    let case = |name: &str, options: OidcOptions, tokens: Vec<Token>| {
        Case::new(name, options, ordinary_provider(), tokens)
    };
    let email = OidcOptions { username_claim: "email".to_owned(), ..options() };
    vec![
        case("issuer and subject", options(), issuer_and_subject()),
        case("audience", options(), audience()),
        case("times", options(), times()),
        case("groups and credential id", options(), groups_and_credential_id()),
        case("claim names and sources", options(), claim_sources()),
        case(
            "claim names and sources without a groups claim",
            OidcOptions { groups_claim: None, ..options() },
            claim_sources(),
        ),
        case("payloads that are no claims", options(), payloads()),
        case("email", email.clone(), email_tokens()),
        case(
            "email with a prefix",
            OidcOptions { username_prefix: Some("oidc:".to_owned()), ..email },
            email_tokens(),
        ),
        case("prefixes", prefixed("user:", "group:"), few()),
        case("no prefixes", prefixed("-", ""), few()),
        case("odd prefixes", prefixed("", "-"), few()),
        case("another username claim", another_username_claim(), few()),
        case("required claims", required_claims(), required_claim_tokens()),
    ]
}

fn changed(changes: &[(&str, &str)]) -> Vec<Token> {
    changes.iter().map(|change| with_claims(&[*change])).collect()
}

fn issuer_and_subject() -> Vec<Token> {
    let mut tokens = changed(&[
        ("azp", "\"another\""),
        ("iss", "null"),
        ("iss", "1"),
        ("iss", "[]"),
        ("iss", "\"\""),
        ("iss", ""),
        ("iss", "\"https://issuer.example/\""),
        ("iss", "\"HTTPS://issuer.example\""),
        ("iss", "\"https://another.example\""),
        ("iss", r#""https:\/\/issuer.ex\u0061mple""#),
        ("ISS", "\"https://another.example\""),
        ("sub", ""),
        ("sub", "null"),
        ("sub", "\"\""),
        ("sub", "1"),
        ("sub", "true"),
        ("sub", "{}"),
        ("sub", "[\"alice\"]"),
        ("sub", "\"\\ud83d\\ude00 \\u00e9 \\ud800\""),
        ("sub", "\"system:masters\""),
        ("SUB", "\"bob\""),
        ("SUB", "1"),
        ("\u{17f}ub", "1"),
        ("nonce", "1"),
        ("nonce", "null"),
        ("NONCE", "{}"),
        ("at_hash", "[]"),
        ("at_hash", "\"x\""),
        ("unknown", "{\"a\":1,\"a\":2}"),
    ]);
    tokens.push(with_claims(&[("iss", ""), ("ISS", &format!("\"{ISSUER}\""))]));
    tokens.push(with_claims(&[("iss", ""), ("i\u{17f}\u{17f}", &format!("\"{ISSUER}\""))]));
    tokens.push(with_claims(&[("sub", ""), ("SUB", "\"alice\"")]));
    tokens.push(with_claims(&[("sub", "1"), ("exp", "null")]));
    tokens.push(with_claims(&[("sub", "1"), ("nonce", "[]"), ("aud", "{}")]));
    for (name, extra) in [
        ("another issuer first", r#"{"iss":"https://another.example","#),
        ("another subject first", r#"{"sub":"bob","#),
        ("a wrong type first", r#"{"iss":1,"#),
        ("a subject of a wrong type first", r#"{"sub":1,"#),
    ] {
        tokens.push(Token::new(name, signed(HEADER, claims(&[]).replacen('{', extra, 1))));
    }
    for (name, extra) in [
        ("another issuer last", r#","iss":"https://another.example"}"#),
        ("another subject last", r#","sub":"bob"}"#),
        ("null as the last issuer", r#","iss":null}"#),
        ("null as the last subject", r#","sub":null}"#),
        ("another audience last", r#","aud":"another"}"#),
        ("null as the last audience", r#","aud":null}"#),
        ("an expiry last", r#","exp":1}"#),
    ] {
        let text = claims(&[]);
        tokens.push(Token::new(name, signed(HEADER, format!("{}{extra}", text.strip_suffix('}').unwrap()))));
    }
    tokens
}

fn audience() -> Vec<Token> {
    let mut tokens = changed(&[
        ("aud", "[\"k8s\"]"),
        ("aud", "[\"another\",\"k8s\"]"),
        ("aud", "[null,\"k8s\"]"),
        ("aud", "\"another\""),
        ("aud", "[\"another\",\"a \\\"quoted\\\" one\"]"),
        ("aud", "\"\""),
        ("aud", "[]"),
        ("aud", "null"),
        ("aud", "[null]"),
        ("aud", "1"),
        ("aud", "[1]"),
        ("aud", "[\"k8s\",1]"),
        ("aud", "[[\"k8s\"]]"),
        ("aud", "{\"k8s\":1}"),
        ("aud", "true"),
        ("aud", ""),
        ("aud", "\"K8S\""),
        ("aud", "\"k8s \""),
        ("Aud", "\"another\""),
        ("Aud", "1"),
    ]);
    tokens.push(with_claims(&[("aud", ""), ("AUD", "\"k8s\"")]));
    tokens
}

fn times() -> Vec<Token> {
    let at = |seconds: i64| (NOW_SECONDS + seconds).to_string();
    let mut tokens = Vec::new();
    for seconds in [0, 1, -1, -3_600] {
        tokens.push(with_claims(&[("exp", &at(seconds))]));
    }
    for seconds in [0, 59, 60, 61, 3_600, -3_600] {
        tokens.push(with_claims(&[("nbf", &at(seconds))]));
    }
    for claim in ["exp", "nbf", "iat"] {
        tokens.extend(changed(&[
            (claim, ""),
            (claim, "null"),
            (claim, "true"),
            (claim, "\"junk\""),
            (claim, "\"\""),
            (claim, "\"1795338000\""),
            (claim, "\" 1795338000\""),
            (claim, "\"01795338000\""),
            (claim, "\"1.795338e9\""),
            (claim, "\"null\""),
            (claim, "[]"),
            (claim, "[1795338000]"),
            (claim, "{}"),
            (claim, "1.795338e9"),
            (claim, "1795338000.999"),
            (claim, "1795334399.999"),
            (claim, "1e11"),
            (claim, "1e18"),
            (claim, "1e30"),
            (claim, "-1e30"),
            (claim, "1e400"),
            (claim, "\"1e400\""),
            (claim, "-0"),
            (claim, "0"),
            (claim, "-1"),
            (claim, "253402300800"),
            (claim, "9223371974719179007"),
            (claim, "9223371974719179008"),
            (claim, "9223372036854775807"),
            (claim, "9223372036854775808"),
            (claim, "-9223372036854775808"),
            (claim, "-9223372036854775809"),
        ]));
    }
    tokens.push(with_claims(&[("exp", ""), ("EXP", &at(60))]));
    tokens
}

fn groups_and_credential_id() -> Vec<Token> {
    let mut tokens = changed(&[
        ("groups", "\"admins\""),
        ("groups", "\"\""),
        ("groups", "[]"),
        ("groups", "null"),
        ("groups", ""),
        ("groups", "[null,\"a\",\"a\",\"\"]"),
        ("groups", "[1]"),
        ("groups", "[\"a\",[\"b\"]]"),
        ("groups", "{}"),
        ("groups", "{\"a\":\"b\"}"),
        ("groups", "1"),
        ("groups", "true"),
        ("groups", "\"a,b\""),
        ("Groups", "[1]"),
        ("jti", "\"id-1\""),
        ("jti", "\"\""),
        ("jti", "null"),
        ("jti", "1"),
        ("jti", "[\"id-1\"]"),
        ("JTI", "\"id-1\""),
    ]);
    let text = claims(&[]);
    let twice = format!("{},\"groups\":[\"last\"]}}", text.strip_suffix('}').unwrap());
    tokens.push(Token::new("groups twice", signed(HEADER, twice)));
    tokens
}

fn claim_sources() -> Vec<Token> {
    let source = r#"{"s":{"endpoint":"https://issuer.example/none"}}"#;
    let mut tokens = changed(&[
        ("_claim_names", "null"),
        ("_claim_names", "{}"),
        ("_claim_names", "[]"),
        ("_claim_names", "1"),
        ("_claim_names", "{\"x\":\"s\"}"),
        ("_claim_names", "{\"x\":\"\"}"),
        ("_claim_names", "{\"x\":null}"),
        ("_claim_names", "{\"x\":1}"),
        ("_CLAIM_NAMES", "{\"x\":\"s\"}"),
        ("_claim_sources", "null"),
        ("_claim_sources", "{}"),
        ("_claim_sources", "[]"),
        ("_claim_sources", "\"s\""),
        ("_claim_sources", "{\"s\":1}"),
        ("_claim_sources", "{\"s\":null}"),
        ("_claim_sources", "{\"s\":{\"endpoint\":1}}"),
        ("_claim_sources", "{\"s\":{\"Access_Token\":[]}}"),
        ("_claim_sources", "{\"s\":{\"JWT\":1}}"),
    ]);
    for names in ["{\"x\":\"s\"}", "{\"x\":\"t\"}", "{\"x\":\"S\"}"] {
        tokens.push(with_claims(&[("_claim_names", names), ("_claim_sources", source)]));
    }
    tokens.push(with_claims(&[("_claim_names", "{\"x\":\"s\"}"), ("_claim_sources", "{\"s\":null}")]));
    tokens.push(with_claims(&[("_claim_names", "{\"x\":\"s\"}"), ("_Claim_Sources", source)]));
    tokens
}

fn payloads() -> Vec<Token> {
    let ordinary = claims(&[]);
    let deep = format!("{}{}", "[".repeat(9_000), "]".repeat(9_000));
    let too_deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut tokens: Vec<Token> = ["", " ", "{}", "[]", "null", "\"x\"", "1", "{", "nul", "{\"iss\":}"]
        .into_iter()
        .map(|payload| Token::new(format!("payload {payload:?}"), signed(HEADER, payload)))
        .collect();
    tokens.push(Token::new("white space around", signed(HEADER, format!(" \n\t{ordinary}\r\n "))));
    tokens.push(Token::new("something after", signed(HEADER, format!("{ordinary}x"))));
    tokens.push(Token::new("a NUL after", signed(HEADER, format!("{ordinary}\0"))));
    tokens.push(Token::new("a byte order mark", signed(HEADER, format!("\u{feff}{ordinary}"))));
    tokens.push(with_claims(&[("deep", &deep)]));
    tokens.push(with_claims(&[("deep", &too_deep)]));
    for (name, bytes) in
        [("a lone byte", &b"\xff"[..]), ("a cut character", b"\xe2\x82"), ("a surrogate", b"\xed\xa0\x80")]
    {
        let mut payload = claims(&[("sub", "\"x?x\"")]).into_bytes();
        let at = payload.windows(3).position(|window| window == b"x?x").unwrap() + 1;
        payload.splice(at..=at, bytes.iter().copied());
        tokens.push(Token::new(format!("invalid UTF-8: {name}"), signed(HEADER, payload)));
    }
    tokens
}

fn email_tokens() -> Vec<Token> {
    let email = ("email", "\"alice@example.com\"");
    let mut tokens = vec![with_claims(&[email])];
    for verified in ["true", "false", "null", "\"true\"", "\"\"", "1", "[]", "{}"] {
        tokens.push(with_claims(&[email, ("email_verified", verified)]));
    }
    tokens.push(with_claims(&[email, ("EMAIL_VERIFIED", "false")]));
    tokens.extend(changed(&[
        ("email", "null"),
        ("email", "[]"),
        ("Email", "\"x\""),
        ("email_verified", "false"),
    ]));
    tokens
}

fn prefixed(username: &str, groups: &str) -> OidcOptions {
    OidcOptions {
        username_prefix: Some(username.to_owned()),
        groups_prefix: Some(groups.to_owned()),
        ..options()
    }
}

fn few() -> Vec<Token> {
    changed(&[
        ("unchanged", "1"),
        ("sub", "\"\""),
        ("groups", "\"\""),
        ("groups", ""),
        ("groups", "[null]"),
        ("name", "\"Alice\""),
        ("name", "{}"),
        ("email_verified", "false"),
    ])
}

fn another_username_claim() -> OidcOptions {
    OidcOptions { username_claim: "name".to_owned(), ..options() }
}

fn required_claims() -> OidcOptions {
    let required = [("hd", "example.com"), ("tier", "")];
    let required_claims = required.map(|(claim, value)| (claim.to_owned(), value.to_owned())).into();
    OidcOptions { required_claims, ..options() }
}

/// Never two wrong at once: which one upstream names is random.
fn required_claim_tokens() -> Vec<Token> {
    let mut tokens = Vec::new();
    for hd in ["\"example.com\"", "\"Example.com\"", "\"\"", "null", "1", "[\"example.com\"]", "true", ""] {
        tokens.push(with_claims(&[("hd", hd), ("tier", "\"\"")]));
    }
    for tier in ["null", "\"x\"", "{}", ""] {
        tokens.push(with_claims(&[("hd", "\"example.com\""), ("tier", tier)]));
    }
    tokens
}
