//! Times as Okta writes them.

use jiff::Timestamp;
use serde_json::Value;

/// `2026-11-22T05:41:50.000Z`.
pub(crate) fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The same or null.
pub(crate) fn or_null(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| text(time).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_of_a_second_and_a_z() {
        assert_eq!(text("2026-11-22T05:41:50Z".parse().unwrap()), "2026-11-22T05:41:50.000Z");
        assert_eq!(text("2026-11-22T05:41:50.123456Z".parse().unwrap()), "2026-11-22T05:41:50.123Z");
        assert_eq!(or_null(None), Value::Null);
    }
}
