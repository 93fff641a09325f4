//! Texts as Go prints them, for messages that users and tests compare byte by byte with upstream's.

pub mod url;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

/// What Go's `encoding/json` calls the kind of a value in its errors.
///
/// ```
/// assert_eq!(kubesso_k8s_types::go::json_kind(&serde_json::json!([1])), "array");
/// ```
pub fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Quotes as `fmt`'s `%q` (`strconv.Quote`) does: printable characters stay, the rest is escaped.
///
/// "Printable" follows Rust's Unicode tables, which are two versions newer than Go 1.26's; a character
/// assigned since Unicode 15 therefore stays where Go would write `\u`.
///
/// ```
/// assert_eq!(kubesso_k8s_types::go::quote("a \"b\"\n\u{200b}é"), r#""a \"b\"\n\u200bé""#);
/// ```
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// Appends what [`quote`] makes, for texts that are put together on a hot path.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    // Most names are plain ASCII.
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
        out.push_str(text);
    } else {
        push_escaped(out, text);
    }
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if is_print(c) => out.push(c),
            c if c < ' ' || c == '\u{7f}' => push_hex(out, 'x', 2, c),
            c if c < '\u{10000}' => push_hex(out, 'u', 4, c),
            c => push_hex(out, 'U', 8, c),
        }
    }
}

/// Quotes every text and joins them as `%q` prints a `[]string`: `["a" "b"]`.
pub fn quote_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(" "))
}

/// The text of a Go aggregate error (`k8s.io/apimachinery/pkg/util/errors`): one message bare, several
/// distinct ones as `[a, b]`, equal ones once; `None` when there is none.
pub fn aggregate<I: IntoIterator<Item = String>>(messages: I) -> Option<String> {
    let mut distinct: Vec<String> = Vec::new();
    for message in messages {
        if !distinct.contains(&message) {
            distinct.push(message);
        }
    }
    match distinct.len() {
        0 => None,
        1 => distinct.pop(),
        _ => Some(format!("[{}]", distinct.join(", "))),
    }
}

/// Compact JSON as `encoding/json` writes it: `<`, `>`, `&`, U+2028 and U+2029 are escaped.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string(value)?;
    if !plain.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return Ok(plain);
    }
    let mut out = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => push_hex(&mut out, 'u', 4, c),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// `strconv.IsPrint`. Rust's own notion is only reachable through `escape_debug`, which additionally
/// escapes combining marks at the beginning of a text; hence the leading letter.
fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..'\u{7f}').contains(&c);
    }
    let mut pair = String::with_capacity(5);
    pair.push('x');
    pair.push(c);
    pair.escape_debug().nth(1) == Some(c)
}

fn push_hex(out: &mut String, kind: char, digits: usize, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\{kind}{:0digits$x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_strconv_quote() {
        for (text, quoted) in [
            ("", r#""""#),
            ("plain", r#""plain""#),
            ("tab\tbell\u{7}vt\u{b}nul\0del\u{7f}", r#""tab\tbell\avt\vnul\x00del\x7f""#),
            ("back\\slash 'single'", r#""back\\slash 'single'""#),
            ("nbsp\u{a0}soft\u{ad}", r#""nbsp\u00a0soft\u00ad""#),
            ("\u{301}mark é ü 世界 🙂", "\"\u{301}mark é ü 世界 🙂\""),
            ("private\u{e000}tag\u{e0001}", r#""private\ue000tag\U000e0001""#),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn json_escapes_what_html_would_read() {
        assert_eq!(json(&"<a&b>\u{2028}").unwrap(), r#""\u003ca\u0026b\u003e\u2028""#);
    }

    #[test]
    fn aggregates_print_like_upstream() {
        let texts = |list: &[&str]| aggregate(list.iter().map(ToString::to_string));
        assert_eq!(texts(&[]), None);
        assert_eq!(texts(&["a", "a"]).as_deref(), Some("a"));
        assert_eq!(texts(&["a", "b", "a"]).as_deref(), Some("[a, b]"));
    }
}
