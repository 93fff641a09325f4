//! Nothing that is a key leaves the doctor: texts are redacted when they come in, before anything looks at them.
//!
//! What is redacted: JSON Web Tokens, whole or cut off; what stands behind `Authorization` and `Bearer`; the values of
//! names that carry secrets in forms, JSON, YAML and flags; names and passwords in URLs; private keys; and any long run
//! of letters and digits that looks drawn at random. Ids in lower-case hexadecimal (UIDs, hashes) stay: they are no
//! keys, and a reader needs them.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::{Captures, Regex};

const REDACTED: &str = "[redacted]";

/// The longest line that is looked at; the rest is dropped. A line of a log is a few hundred bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Takes lines one after the other, because a private key has many.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    inside_key: bool,
}

impl Redactor {
    /// The line without colours, without escapes before quotes, and without secrets.
    pub(crate) fn line(&mut self, line: &str) -> String {
        let line = plain(cut(line));
        let (keep, rest) = self.without_keys(&line);
        if !keep {
            return REDACTED.to_owned();
        }
        redact(&rest)
    }

    /// Whether anything of the line is to be kept, and that.
    fn without_keys<'a>(&mut self, line: &'a str) -> (bool, Cow<'a, str>) {
        let begins = line.contains("-----BEGIN") && line.contains("PRIVATE KEY");
        let ends = line.contains("-----END");
        if self.inside_key {
            self.inside_key = !ends;
            return (false, Cow::Borrowed(""));
        }
        if !begins {
            return (true, Cow::Borrowed(line));
        }
        self.inside_key = !ends;
        let before = line.split("-----BEGIN").next().unwrap_or_default();
        (true, Cow::Owned(format!("{before}{REDACTED}")))
    }
}

fn cut(line: &str) -> &str {
    let mut end = line.len().min(LONGEST_LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// Without terminal colours, and with `\"` as `"`: logs in JSON escape once or twice, and it is the same text.
fn plain(line: &str) -> String {
    static COLOURS: OnceLock<Option<Regex>> = OnceLock::new();
    static ESCAPES: OnceLock<Option<Regex>> = OnceLock::new();
    let colours = COLOURS.get_or_init(|| Regex::new(r"\x1b\[[0-9;]*[A-Za-z]").ok());
    let escapes = ESCAPES.get_or_init(|| Regex::new(r#"\\+(["'])|\\u0026"#).ok());
    let text = colours.as_ref().map_or(Cow::Borrowed(line), |colours| colours.replace_all(line, ""));
    let text: String = text.chars().filter(|char| *char == '\t' || !char.is_control()).collect();
    let unescaped = |found: &Captures<'_>| found.get(1).map_or("&", |quote| quote.as_str()).to_owned();
    escapes.as_ref().map_or(text.clone(), |escapes| escapes.replace_all(&text, unescaped).into_owned())
}

/// Names whose value is a secret wherever they stand.
const NAMES: &str = r"(?:access|refresh|id|device|subject|actor|registration|session|bearer|api)[_-]?token|client[_-]?secret|client[_-]?assertion|assertion|code[_-]?verifier|device[_-]?code|user[_-]?code|password|passwd|passphrase|api[_-]?key|client[_-]key[_-]data|token[_-]secret|cookie|session[_-]?id|sid";

/// `text` without its secrets. A text that is one line long.
fn redact(text: &str) -> String {
    let mut text = text.to_owned();
    for rule in rules() {
        text = match rule {
            (regex, Rule::All) => regex.replace_all(&text, REDACTED).into_owned(),
            (regex, Rule::Behind) => regex
                .replace_all(&text, |found: &Captures<'_>| format!("{}{REDACTED}", &found[1]))
                .into_owned(),
            (regex, Rule::BehindIf(is_secret)) => regex
                .replace_all(&text, |found: &Captures<'_>| {
                    let (head, value) = (&found[1], &found[2]);
                    format!("{head}{}", if is_secret(value) { REDACTED } else { value })
                })
                .into_owned(),
        };
    }
    text
}

#[derive(Clone, Copy)]
enum Rule {
    /// All that matched goes.
    All,
    /// All but the first group goes.
    Behind,
    /// The second group goes, if it is a secret.
    BehindIf(fn(&str) -> bool),
}

fn rules() -> &'static [(Regex, Rule)] {
    static RULES: OnceLock<Vec<(Regex, Rule)>> = OnceLock::new();
    RULES.get_or_init(|| {
        patterns()
            .into_iter()
            .filter_map(|(pattern, rule)| Some((Regex::new(&pattern).ok()?, rule)))
            .collect()
    })
}

/// In the order in which they are applied: what is sure first.
fn patterns() -> Vec<(String, Rule)> {
    vec![
        // `eyJ` is `{"` in base64url: how the header of every JSON Web Token begins. Cut-off ones too.
        (r"eyJ[A-Za-z0-9_=-]{6,}(?:(?:\.|%2[eE])[A-Za-z0-9_=-]*)*".to_owned(), Rule::All),
        (
            r#"(?i)((?:proxy-)?authorization["']?\s*[:=]\s*["'\[]*(?:(?:bearer|basic|ssws|dpop|negotiate)\s+)?)[^\s"',;\]]+"#
                .to_owned(),
            Rule::Behind,
        ),
        (r"(?i)\b((?:bearer|ssws|dpop)\s+)([A-Za-z0-9._~+/=-]{8,})".to_owned(), Rule::BehindIf(is_no_word)),
        (format!(r#"(?i)((?:{NAMES})["']?\s*[=:]\s*["']?)[^\s"'&,;<>}}\])]+"#), Rule::Behind),
        (format!(r#"(?i)(["'](?:{NAMES}|token|secret|code|state|nonce)["']\s*:\s*["'])[^"']+"#), Rule::Behind),
        (r#"(?i)((?:^|[?&\s"'])(?:token|code|state|nonce|secret|code_challenge)=)([^\s"'&]+)"#.to_owned(), Rule::BehindIf(is_no_number)),
        (r#"(?i)(--(?:token|password|[a-z-]*secret)[= ]["']?)[^\s"']+"#.to_owned(), Rule::Behind),
        (r"(?i)(^\s*(?:-\s+)?token:\s+)(\S+)".to_owned(), Rule::BehindIf(|value| !value.starts_with("oidc"))),
        // Up to the last `@` before the path: passwords may have one in them.
        (r#"(://)[^\s"'/#?]*@"#.to_owned(), Rule::Behind),
        // Bootstrap tokens, and what looks drawn at random.
        (r"()\b([a-z0-9]{6}\.[a-z0-9]{16})\b".to_owned(), Rule::BehindIf(has_digits_on_both_sides)),
        (r"()([A-Za-z0-9_-]{32,})".to_owned(), Rule::BehindIf(is_random)),
    ]
}

/// `invalid bearer authentication` is a sentence; a token has digits, or no end.
fn is_no_word(value: &str) -> bool {
    value.len() >= 20 || value.bytes().any(|byte| byte.is_ascii_digit())
}

/// `code=401` is a status.
fn is_no_number(value: &str) -> bool {
    value.len() > 4 || value.bytes().any(|byte| !byte.is_ascii_digit())
}

fn has_digits_on_both_sides(value: &str) -> bool {
    value.split('.').all(|half| half.bytes().any(|byte| byte.is_ascii_digit()))
}

fn is_random(value: &str) -> bool {
    let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
    has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> String {
        Redactor::default().line(text)
    }

    #[test]
    fn every_rule_is_a_regular_expression() {
        assert_eq!(rules().len(), patterns().len());
    }

    #[test]
    fn secrets_go_and_the_sentence_around_them_stays() {
        for (text, expected) in [
            ("Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
            (r#"-H "authorization: bearer a.b.c" x"#, r#"-H "authorization: bearer [redacted]" x"#),
            ("Bearer 12345678", "Bearer [redacted]"),
            (
                "GET /callback?code=SplxlOBeZQ&state=af0ifjsl HTTP/1.1",
                "GET /callback?code=[redacted]&state=[redacted] HTTP/1.1",
            ),
            (r#"{\"refresh_token\": \"tGzv3\", \"x\": 1}"#, r#"{"refresh_token": "[redacted]", "x": 1}"#),
            ("--oidc-client-secret=hunter2 --x", "--oidc-client-secret=[redacted] --x"),
            ("    token: abcdef", "    token: [redacted]"),
            ("postgres://jo:p@ss@db/kubesso", "postgres://[redacted]db/kubesso"),
            ("SSWS 00aBcD1234567890", "SSWS [redacted]"),
            ("kubeadm join --token abcde1.0123456789abcdef", "kubeadm join --token [redacted]"),
            ("key -----BEGIN EC PRIVATE KEY-----MHc-----END EC PRIVATE KEY-----", "key [redacted]"),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            r#"err="[invalid bearer token, oidc: verify token: oidc: expected audience "kubernetes" got ["headlamp"]]""#,
            r#"User "https://sso.example.com/oauth2/aus1#jo@example.com" cannot list resource "pods""#,
            "the provided Authorization header contains extra space before the bearer token, and is ignored",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "6dae42f8-4368-4678-94ff-3960e28e3630",
            "exec: executable kubectl failed with exit code 1",
            "code=401 verb=GET",
            "token: oidc: token is expired (Token Expiry: 2026-11-28 12:00:00 +0000 UTC)",
            "oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got \"ES256\"",
        ] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn a_private_key_of_many_lines_goes_whole() {
        let mut redactor = Redactor::default();
        let lines = [
            "a",
            "-----BEGIN PRIVATE KEY-----",
            "MIIEvQIBADANBgkq",
            "hkiG9w0",
            "-----END PRIVATE KEY-----",
            "b",
        ];
        let seen: Vec<_> = lines.iter().map(|text| redactor.line(text)).collect();
        assert_eq!(seen, ["a", REDACTED, REDACTED, REDACTED, REDACTED, "b"]);
    }

    #[test]
    fn colours_and_escapes_go() {
        assert_eq!(line("\x1b[31merror\x1b[0m \\\"x\\\" \\\\\\\"y\\\\\\\""), "error \"x\" \"y\"");
    }

    proptest! {
        #[test]
        fn a_token_is_not_seen_wherever_it_stands(
            payload in "[A-Za-z0-9_-]{20,60}",
            signature in "[A-Za-z0-9_-]{20,90}",
            before in ".{0,40}",
            carrier in prop::sample::select(vec![
                "{}", "Bearer {}", "id_token={}", "\"token\":\"{}\"", "\\\"id-token\\\":\\\"{}\\\"", "--token={}", "token: {}",
                "got [\"{}\"]", "https://x/?id_token_hint={}&a=b", "Authorization: Bearer {}",
            ]),
        ) {
            let token = format!("eyJhbGciOiJSUzI1NiJ9.eyJ{payload}.{signature}");
            let seen = line(&format!("{before}{}", carrier.replace("{}", &token)));
            prop_assert!(!seen.contains(&payload) && !seen.contains(&signature), "{seen}");
        }

        #[test]
        fn a_redacted_line_is_redacted(text in ".{0,200}") {
            let once = line(&text);
            prop_assert_eq!(line(&once), once);
        }
    }
}
