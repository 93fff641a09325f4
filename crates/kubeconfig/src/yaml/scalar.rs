//! What a scalar means (YAML 1.1 as go.yaml.in/yaml v2 has it), and whether a text may be written without quotes.

use serde_json::{Number, Value};

const PREFIX: &str = "tag:yaml.org,2002:";

/// The value of a scalar.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Value, &'static str> {
    let untagged = || if plain { implicit(text) } else { Ok(Value::String(text.to_owned())) };
    let Some(tag) = tag else { return untagged() };
    let Some(name) = tag.strip_prefix(PREFIX) else {
        // `!` alone and everybody's own tags leave a text.
        return Ok(Value::String(text.to_owned()));
    };
    let value = match name {
        "binary" => return Err("kubectl cannot read `!!binary`"),
        "bool" | "int" | "float" | "null" => implicit(text)?,
        _ => return Ok(Value::String(text.to_owned())),
    };
    let fits = match &value {
        Value::Bool(_) => name == "bool",
        Value::Null => name == "null",
        Value::Number(number) => name == "float" || (name == "int" && !number.is_f64()),
        Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if fits { Ok(value) } else { Err("the value is not what its tag says") }
}

/// A scalar without quotes and tag.
fn implicit(text: &str) -> Result<Value, &'static str> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return Err("JSON, and so kubectl, has no such number"),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if first == b'.' {
        return float(text);
    }
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-')) {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits).or_else(|| float(&digits))
}

/// Go's `ParseInt(…, 0, 64)`, else `ParseUint`: the prefix says the base, and a leading zero is octal.
fn integer(text: &str) -> Option<Number> {
    let (sign, magnitude) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let lower = magnitude.to_ascii_lowercase();
    let (base, digits) = match (lower.as_bytes(), lower.len()) {
        ([b'0', b'x', ..], _) => (16, &lower[2..]),
        ([b'0', b'o', ..], _) => (8, &lower[2..]),
        ([b'0', b'b', ..], _) => (2, &lower[2..]),
        ([b'0', ..], 2..) => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    match i64::from_str_radix(&format!("{sign}{digits}"), base) {
        Ok(number) => Some(number.into()),
        Err(_) if sign.is_empty() => u64::from_str_radix(digits, base).ok().map(Number::from),
        Err(_) => None,
    }
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let well_formed = digits(whole)
        && fraction.is_none_or(digits)
        && !(whole.is_empty() && fraction.is_none_or(str::is_empty))
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        });
    if !well_formed {
        return None;
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    // On its way through JSON a whole number loses its point.
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    let whole = (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
    whole.map(Number::from).or_else(|| Number::from_f64(number))
}

/// 2^53: whole numbers below it are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether every YAML reader takes the text for itself when it stands without quotes in a block.
pub(crate) fn is_plain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+~()^$;<>!?&*| ".contains(c);
    let begins = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
    let bytes = text.as_bytes();
    text.starts_with(begins)
        && text.chars().all(allowed)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.starts_with("- ")
        && text != "-"
        && !text.starts_with("---")
        && !text.starts_with("...")
        && matches!(implicit(text), Ok(Value::String(_)))
        && !looks_like_a_number(bytes)
}

/// Dates, times and sexagesimal numbers, which YAML 1.1 readers other than Go's take for such.
fn looks_like_a_number(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| !matches!(byte, b'+' | b'-' | b'.'));
    first.is_some_and(u8::is_ascii_digit)
        && text.iter().all(|byte| byte.is_ascii_hexdigit() || b"+-.:_xXoOtTzZ ".contains(byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_mean_what_kubectl_takes_them_for() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!(true)),
            ("True", json!(true)),
            ("tRue", json!("tRue")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("1_000", json!(1000)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("017", json!(15)),
            ("-0b11", json!(-3)),
            ("08", json!(8)),
            ("1e3", json!(1000)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("-.5", json!(-0.5)),
            ("1.", json!(1)),
            (".", json!(".")),
            ("-", json!("-")),
            ("+-1", json!("+-1")),
            ("1e", json!("1e")),
            ("1e999", json!("1e999")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("12:30:45", json!("12:30:45")),
            ("2026-11-22", json!("2026-11-22")),
            ("0x", json!("0x")),
            ("https://k:6443", json!("https://k:6443")),
        ];
        for (text, value) in cases {
            assert_eq!(resolve(text, true, None).unwrap(), value, "{text}");
            assert_eq!(resolve(text, false, None).unwrap(), json!(text), "quoted {text}");
        }
    }

    #[test]
    fn a_tag_is_obeyed_or_refused() {
        let tag = |name: &str| format!("{PREFIX}{name}");
        assert_eq!(resolve("12", true, Some(&tag("str"))), Ok(json!("12")));
        assert_eq!(resolve("12", false, Some(&tag("int"))), Ok(json!(12)));
        assert_eq!(resolve("x", true, Some("!own")), Ok(json!("x")));
        assert!(resolve("x", true, Some(&tag("int"))).is_err());
        assert!(resolve("QUI=", true, Some(&tag("binary"))).is_err());
        assert!(resolve(".inf", true, None).is_err());
    }

    #[test]
    fn only_what_no_reader_mistakes_goes_without_quotes() {
        for text in
            ["oidc", "--oidc-issuer-url=https://a/b", "/usr/bin/kubectl", "a b", "v1.2-x", "C:/x", "x?y&z"]
        {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "",
            " a",
            "a ",
            "a: b",
            "a:",
            "a #b",
            "yes",
            "12",
            "1e3",
            "12:30",
            "2026-11-22",
            "-",
            "- a",
            "---",
            "#a",
            "&a",
            "*a",
            "{",
            "[a]",
            "a, b",
            "ä",
            "a\nb",
            "null",
            "~",
            "0x1F",
            "\"a\"",
            "'a'",
            "@a",
            "%a",
            "!a",
            "1_0",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
