//! How the three parts may be written.

use kubesso_token::Algorithm;

use crate::table::{Case, HEADER, ISSUER, Token, claims, encode, key, options, ordinary_provider, signed};

pub(crate) fn cases() -> Vec<Case> {
    let payload = padded_claims();
    let good = signed(HEADER, &payload);
    let parts: Vec<&str> = good.split('.').collect();
    let [header, body, signature] = parts.as_slice() else { panic!("a token has three parts") };
    let in_the_middle = |part: &str, what: &str| format!("{}{what}{}", &part[..8], &part[8..]);
    let join = |parts: [&str; 3]| parts.join(".");
    let replace_last = |part: &str, with: char| format!("{}{with}", &part[..part.len() - 1]);

    let mut tokens = vec![
        Token::new("good", good.clone()),
        Token::new("empty", ""),
        Token::new("one part", "abc"),
        Token::new("two parts", format!("{header}.{body}")),
        Token::new("four parts", format!("{good}.")),
        Token::new("five parts", format!("{header}.{body}.{signature}.{body}.{signature}")),
        Token::new("a leading dot", format!(".{header}.{body}")),
        Token::new("three empty parts", ".."),
        Token::new("no header", format!(".{body}.{signature}")),
        Token::new("no signature", format!("{header}.{body}.")),
        Token::new("unsecured", format!("{}.{body}.", encode(r#"{"alg":"none"}"#))),
        Token::new("JSON serialization", json_serialization(header, body, signature)),
        Token::new(
            "JSON serialization after white space",
            format!(" \n{}", json_serialization(header, body, signature)),
        ),
        Token::new("white space first", format!(" \t\n{good}")),
        Token::new("white space last", format!("{good} \r\n\u{85}\u{a0}\u{2028}")),
        Token::new("a BOM first", format!("\u{feff}{good}")),
        Token::new("truncated by one", good[..good.len() - 1].to_owned()),
        Token::new("truncated by four", good[..good.len() - 4].to_owned()),
        Token::new("four characters more", format!("{good}AAAA")),
        Token::new("the signature of another", {
            let other = signed(HEADER, claims(&[("sub", "\"bob\"")]));
            format!("{header}.{body}.{}", other.rsplit('.').next().unwrap())
        }),
        Token::new("the payload of another", {
            format!("{header}.{}.{signature}", encode(claims(&[("sub", "\"bob\"")])))
        }),
        Token::new("the header of another", format!("{}.{body}.{signature}", encode(r#"{"alg":"RS256"}"#))),
        Token::new("payload signed without a dot", {
            let signature = key(Algorithm::Rs256).sign_bytes(format!("{header}{body}").as_bytes()).unwrap();
            join([header, body, &encode(signature)])
        }),
    ];
    let spaces = [
        " ", "\n", "\r\n", "\t", "\u{b}", "\u{c}", "\u{85}", "\u{a0}", "\u{2028}", "\u{3000}", "\u{200b}",
        "\u{180e}",
    ];
    for what in spaces.into_iter().chain(["=", "+", "/", "-", "A", "\0", "é", "%"]) {
        tokens.push(Token::new(
            format!("{what:?} in the header"),
            join([&in_the_middle(header, what), body, signature]),
        ));
        tokens.push(Token::new(
            format!("{what:?} in the payload"),
            join([header, &in_the_middle(body, what), signature]),
        ));
        tokens.push(Token::new(
            format!("{what:?} in the signature"),
            join([header, body, &in_the_middle(signature, what)]),
        ));
    }
    for padding in ["=", "=="] {
        tokens.push(Token::new("padded header", join([&format!("{header}{padding}"), body, signature])));
        tokens.push(Token::new("padded payload", join([header, &format!("{body}{padding}"), signature])));
        tokens.push(Token::new("padded signature", format!("{good}{padding}")));
    }
    // The last characters of the payload and of the signature carry bits that are dropped.
    for with in ['A', 'B', 'C', 'D', 'E', 'Q', 'R', 'f', 'g', 'w', 'x', '8', '9', '-', '_'] {
        tokens.push(Token::new(
            format!("last of the payload {with}"),
            join([header, &replace_last(body, with), signature]),
        ));
        tokens.push(Token::new(
            format!("last of the signature {with}"),
            join([header, body, &replace_last(signature, with)]),
        ));
    }
    for at in [0, 1, 7, 60, 200, 340] {
        let mut flipped = signature.as_bytes().to_vec();
        flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
        tokens.push(Token::new(
            format!("signature flipped at {at}"),
            join([header, body, std::str::from_utf8(&flipped).unwrap()]),
        ));
    }
    vec![Case::new("forms", options(), ordinary_provider(), tokens)]
}

/// Claims of a length that leaves spare bits in the last character of their base64url.
fn padded_claims() -> String {
    (0..3)
        .map(|spaces| format!("{}{}", claims(&[]), " ".repeat(spaces)))
        .find(|claims| claims.len() % 3 == 1)
        .unwrap()
}

fn json_serialization(header: &str, body: &str, signature: &str) -> String {
    assert!(claims(&[]).contains(ISSUER));
    format!(r#"{{"protected":"{header}","payload":"{body}","signature":"{signature}"}}"#)
}
