//! Single claims of a payload, read by their types (RFC 7519 §2, §4).

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The claim of that name is there and is not of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedClaim(pub(crate) &'static str);

/// A StringOrURI (RFC 7519 §2).
pub(crate) fn text<'a>(
    payload: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, MalformedClaim> {
    match payload.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(MalformedClaim(name)),
    }
}

/// A NumericDate (RFC 7519 §2): seconds, possibly with a fraction, which is dropped.
pub(crate) fn time(
    payload: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Timestamp>, MalformedClaim> {
    let Some(value) = payload.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        let float = value.as_f64().filter(|float| float.abs() < 1e15)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the fraction is dropped, and the range was checked"
        )]
        Some(float as i64)
    });
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).map(Some).ok_or(MalformedClaim(name))
}

/// Whether `aud`, one text or a list of them (RFC 7519 §4.1.3), names one `is_ours`.
pub(crate) fn is_for(
    payload: &Map<String, Value>,
    is_ours: impl Fn(&str) -> bool,
) -> Result<bool, MalformedClaim> {
    match payload.get("aud") {
        Some(Value::String(one)) => Ok(is_ours(one)),
        Some(Value::Array(several)) if several.iter().all(Value::is_string) => {
            Ok(several.iter().filter_map(Value::as_str).any(is_ours))
        }
        _ => Err(MalformedClaim("aud")),
    }
}
