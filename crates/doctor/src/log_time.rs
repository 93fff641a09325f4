//! How long before a line of a log something was.

use jiff::SignedDuration;
use jiff::civil::{DateTime, Time};

/// How long before the line was written the moment `at` was (`2026-11-28 11:00:00 +0000 UTC`, as Go prints it), if the line
/// has klog's head (`E1128 12:00:00.123456`) of the same day. A log's clock is taken for UTC, as kube-apiserver's is.
pub(crate) fn before(line: &str, at: &str) -> Option<SignedDuration> {
    let at: DateTime = at.get(..19)?.parse().ok()?;
    let (day, time) = head(line)?;
    if day != (at.month(), at.day()) {
        return None;
    }
    let passed = time.duration_since(at.time());
    (!passed.is_negative()).then_some(passed)
}

/// Month, day and time of a line, wherever klog's head stands in it: before it may be what a runtime or journald adds.
fn head(line: &str) -> Option<((i8, i8), Time)> {
    let words: Vec<_> = line.split_whitespace().take(12).collect();
    words.windows(2).find_map(|pair| {
        let [day, time] = pair else { return None };
        let digits = day.strip_prefix(['I', 'W', 'E', 'F']).filter(|digits| digits.len() == 4)?;
        let month = digits.get(..2)?.parse().ok()?;
        Some(((month, digits.get(2..)?.parse().ok()?), time.get(..8)?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_is_known_for_a_line_of_the_same_day() {
        let line =
            "2026-11-28T12:00:03Z stderr F E1128 12:00:03.123456       1 authentication.go:75] \"Unable\"";
        for (at, expected) in [
            ("2026-11-28 12:00:00 +0000 UTC", Some(3)),
            ("2026-11-28 11:00:00 +0000 UTC", Some(3603)),
            ("2026-11-27 12:00:00 +0000 UTC", None),
            ("2026-11-28 13:00:00 +0000 UTC", None),
            ("nonsense", None),
        ] {
            assert_eq!(before(line, at).map(|it| it.as_secs()), expected, "{at}");
        }
        assert_eq!(before("no head", "2026-11-28 12:00:00 +0000 UTC"), None);
    }
}
