//! Times as people read them: `5d3h`, `<unknown>`.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A span with two or three significant figures (apimachinery `pkg/util/duration`, `HumanDuration`).
/// A clock that is up to two seconds behind is forgiven.
pub(super) fn human(span: SignedDuration) -> String {
    let seconds = span.as_secs();
    match seconds {
        ..-1 => return "<invalid>".to_owned(),
        // Go cuts towards zero: what is less than a second in the future is now.
        -1 => return "0s".to_owned(),
        0..120 => return format!("{seconds}s"),
        _ => {}
    }
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let pair = |large: i64, unit: char, small: i64, part: char| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{part}") }
    };
    match (minutes, hours, days) {
        (..10, ..) => pair(minutes, 'm', seconds % 60, 's'),
        (..180, ..) => format!("{minutes}m"),
        (_, ..8, _) => pair(hours, 'h', minutes % 60, 'm'),
        (_, ..48, _) => format!("{hours}h"),
        (_, _, ..8) => pair(days, 'd', hours % 24, 'h'),
        (_, _, ..730) => format!("{days}d"),
        (_, _, ..2920) => pair(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

/// The moment in a field, if there is one.
pub(super) fn moment(value: Option<&Value>) -> Option<Timestamp> {
    value.and_then(Value::as_str).and_then(|text| text.parse().ok())
}

/// The time since a moment; `<unknown>` if there is none.
pub(super) fn since(moment: Option<Timestamp>, now: Timestamp) -> String {
    moment.map_or_else(|| "<unknown>".to_owned(), |moment| human(now.duration_since(moment)))
}

/// The age of an object.
pub(super) fn age(object: &Value, now: Timestamp) -> Value {
    since(moment(object.pointer("/metadata/creationTimestamp")), now).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_or_three_figures() {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (2 * MINUTE, "2m"),
            (2 * MINUTE + 1, "2m1s"),
            (10 * MINUTE - 1, "9m59s"),
            (10 * MINUTE + 59, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (7 * HOUR + 59 * MINUTE, "7h59m"),
            (8 * HOUR + 59 * MINUTE, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (7 * DAY + 23 * HOUR, "7d23h"),
            (8 * DAY + 23 * HOUR, "8d"),
            (730 * DAY - 1, "729d"),
            (730 * DAY, "2y"),
            (731 * DAY, "2y1d"),
            (8 * 365 * DAY + DAY, "8y"),
        ] {
            assert_eq!(human(SignedDuration::from_secs(seconds)), text, "{seconds} s");
        }
    }
}
