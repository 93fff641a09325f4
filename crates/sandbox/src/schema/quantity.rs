//! Quantities (`100m`, `1Gi`, `12e6`): which texts are one, and the form in which the server writes them back.
//!
//! Source of the rules: apimachinery `pkg/api/resource/quantity.go`.

use serde_json::Value;

const WRONG_FORMAT: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_NUMBER: &str = "unable to parse numeric part of quantity";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";

/// The smallest part that is kept is 10⁻⁹.
const NANO: i128 = 1_000_000_000;
/// Upstream handles up to that many digits as machine integers, and then may keep the text as it was.
const FAST_DIGITS: usize = 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    BinarySi,
    DecimalExponent,
    DecimalSi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suffix {
    format: Format,
    /// Power of ten, or of two for [`Format::BinarySi`].
    exponent: i32,
}

struct Parts<'a> {
    negative: bool,
    /// Without leading zeros; `0` if nothing is left.
    numerator: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    suffix: Suffix,
}

/// Whether a JSON value is a quantity: a text or a number; else upstream's sentence.
pub(super) fn check(value: &Value) -> Result<(), String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err(WRONG_FORMAT.to_owned()),
    };
    parse(&text).map(|_| ())
}

/// The form in which the server writes a quantity: `1000m` → `1`, `0.5` → `500m`, `1024Mi` → `1Gi`.
/// `None` if the text is no quantity, or is one beyond 128 bits.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    let parts = parse(text).ok()?;
    if keeps_its_text(&parts) {
        return Some(text.to_owned());
    }
    let nanos = nanos(&parts)?;
    Some(write(nanos, parts.suffix.format))
}

fn parse(text: &str) -> Result<Parts<'_>, String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = unsigned.split_at(digits);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            rest.split_at(digits)
        }
        None => ("", rest),
    };
    if text.is_empty() {
        return Err(WRONG_FORMAT.to_owned());
    }
    let letters = rest.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
    let exponent = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if !exponent.chars().all(|c| c.is_ascii_digit()) {
        return Err(WRONG_FORMAT.to_owned());
    }
    let suffix = suffix(rest).ok_or_else(|| WRONG_SUFFIX.to_owned())?;
    if number.is_empty() && fraction.is_empty() && !rest.is_empty() {
        return Err(WRONG_NUMBER.to_owned());
    }
    let numerator = number.trim_start_matches('0');
    let numerator = if numerator.is_empty() { "0" } else { numerator };
    Ok(Parts { negative: text.starts_with('-'), numerator, fraction, suffix })
}

fn suffix(text: &str) -> Option<Suffix> {
    let decimal = |exponent| Some(Suffix { format: Format::DecimalSi, exponent });
    let binary = |exponent| Some(Suffix { format: Format::BinarySi, exponent });
    match text {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = text.strip_prefix(['e', 'E'])?.parse().ok()?;
            Some(Suffix { format: Format::DecimalExponent, exponent })
        }
    }
}

fn keeps_its_text(parts: &Parts<'_>) -> bool {
    let shifted = format!("{}{}", parts.numerator, parts.fraction);
    match parts.suffix.format {
        Format::BinarySi => {
            // 1Mi (2^20) holds about 6 decimal digits: the length that is left for the number.
            let room = 14 - parts.suffix.exponent * 3 / 10;
            parts.fraction.is_empty()
                && i32::try_from(shifted.len()).is_ok_and(|length| length <= room)
                && shifted.parse::<i64>().is_ok_and(|value| value & 7 != 0)
        }
        Format::DecimalExponent | Format::DecimalSi => {
            let scale = parts.suffix.exponent - i32::try_from(parts.fraction.len()).unwrap_or(i32::MAX);
            shifted.len() <= FAST_DIGITS
                && scale >= -9
                && scale % 3 == 0
                && !shifted.ends_with("000")
                && !shifted.starts_with('0')
        }
    }
}

/// The value in units of 10⁻⁹, a smaller part rounded away from zero.
fn nanos(parts: &Parts<'_>) -> Option<i128> {
    let digits: i128 = format!("{}{}", parts.numerator, parts.fraction).parse().ok()?;
    let mut scale = 9 - i32::try_from(parts.fraction.len()).ok()?;
    let mut amount = digits;
    match parts.suffix.format {
        Format::BinarySi => {
            amount = amount.checked_mul(1_i128.checked_shl(u32::try_from(parts.suffix.exponent).ok()?)?)?;
        }
        Format::DecimalExponent | Format::DecimalSi => scale = scale.checked_add(parts.suffix.exponent)?,
    }
    let amount = if scale >= 0 {
        amount.checked_mul(10_i128.checked_pow(u32::try_from(scale).ok()?)?)?
    } else {
        let divisor = u32::try_from(-scale).ok().and_then(|power| 10_i128.checked_pow(power));
        divisor
            .map_or(i128::from(amount != 0), |divisor| amount / divisor + i128::from(amount % divisor != 0))
    };
    Some(if parts.negative { -amount } else { amount })
}

fn write(nanos: i128, format: Format) -> String {
    if nanos == 0 {
        return "0".to_owned();
    }
    let whole = nanos / NANO;
    if format == Format::BinarySi && nanos % NANO == 0 && whole.abs() >= 1024 {
        let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        let (mut amount, mut times) = (whole, 0);
        while amount % 1024 == 0 && times + 1 < suffixes.len() {
            amount /= 1024;
            times += 1;
        }
        return format!("{amount}{}", suffixes[times]);
    }
    let (mut amount, mut exponent) = (nanos, -9);
    while amount % 1000 == 0 {
        amount /= 1000;
        exponent += 3;
    }
    if format == Format::DecimalExponent {
        return if exponent == 0 { amount.to_string() } else { format!("{amount}e{exponent}") };
    }
    let suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let index = usize::try_from((exponent + 9) / 3).unwrap_or_default();
    match suffixes.get(index) {
        Some(suffix) => format!("{amount}{suffix}"),
        None => format!("{amount}e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quantity_is_written_in_its_shortest_form() {
        for (given, written) in [
            ("0", "0"),
            ("0Mi", "0"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.500", "1.500"),
            ("100m", "100m"),
            ("1024Mi", "1Gi"),
            ("1025Ki", "1025Ki"),
            ("0.5Gi", "512Mi"),
            ("1.5Gi", "1536Mi"),
            ("512", "512"),
            ("1000", "1k"),
            ("128974848", "128974848"),
            ("129e6", "129e6"),
            ("129000e3", "129e6"),
            ("1e3", "1e3"),
            ("-5", "-5"),
            ("+5", "+5"),
            ("0.1n", "1n"),
            ("010", "010"),
            ("12000Ki", "12000Ki"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(written), "{given}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_in_upstreams_words() {
        for (given, error) in [
            ("", WRONG_FORMAT),
            ("abc", WRONG_FORMAT),
            ("1 Gi", WRONG_FORMAT),
            ("1Zi", WRONG_FORMAT),
            ("1mm", WRONG_SUFFIX),
            ("1i", WRONG_SUFFIX),
        ] {
            assert_eq!(check(&Value::from(given)), Err(error.to_owned()), "{given}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_stable(number in -100_000_i64..100_000, fraction in 0_u32..1000, suffix in "(n|u|m|k|M|G|T|Ki|Mi|Gi|e3|e-2|)") {
            let once = canonical(&format!("{number}.{fraction}{suffix}")).unwrap();
            prop_assert_eq!(canonical(&once), Some(once.clone()));
        }
    }
}
