//! Moments as Kubernetes writes them: RFC 3339 in UTC, with seconds (`Time`) or microseconds (`MicroTime`).
//!
//! Source of the rules and texts: apimachinery `meta/v1/time.go` and `micro_time.go`, and Go's `time.Parse`.

use jiff::{Timestamp, ToSpan as _};

/// How much of a second is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Microseconds,
    Seconds,
}

impl Precision {
    fn layout(self) -> &'static str {
        match self {
            Self::Microseconds => "2006-01-02T15:04:05.000000Z07:00",
            Self::Seconds => "2006-01-02T15:04:05Z07:00",
        }
    }
}

/// The moment in UTC, cut to the precision; else the sentence of Go's parser.
pub(super) fn canonical(text: &str, precision: Precision) -> Result<String, String> {
    let bad = |rest: &str, element: &str| {
        let quote = kubesso_k8s_types::go::quote;
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(text),
            quote(precision.layout()),
            quote(rest),
            quote(element)
        )
    };
    let mut rest = text;
    for (element, digits) in [
        ("2006", 4),
        ("-", 0),
        ("01", 2),
        ("-", 0),
        ("02", 2),
        ("T", 0),
        ("15", 2),
        (":", 0),
        ("04", 2),
        (":", 0),
        ("05", 2),
    ] {
        let taken = if digits == 0 {
            rest.strip_prefix(element)
        } else {
            rest.split_at_checked(digits)
                .filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()))
                .map(|(_, rest)| rest)
        };
        rest = taken.ok_or_else(|| bad(rest, element))?;
    }
    let fraction =
        rest.strip_prefix('.').map_or(0, |digits| digits.bytes().take_while(u8::is_ascii_digit).count() + 1);
    if precision == Precision::Microseconds && fraction != 7 {
        return Err(bad(rest, ".000000"));
    }
    let zone = if fraction > 1 { &rest[fraction..] } else { rest };
    if zone != "Z" && !is_offset(zone) {
        return Err(bad(zone, "Z07:00"));
    }
    let moment: Timestamp = text
        .parse()
        .map_err(|_| format!("parsing time {}: day out of range", kubesso_k8s_types::go::quote(text)))?;
    Ok(match precision {
        Precision::Microseconds => moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        Precision::Seconds => moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}

fn is_offset(zone: &str) -> bool {
    matches!(zone.as_bytes(), [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()))
}

/// A moment from the seconds and nanoseconds of protobuf's `Time`.
pub(super) fn from_parts(seconds: i64, nanoseconds: i32, precision: Precision) -> Option<String> {
    let moment =
        Timestamp::from_second(seconds).ok()?.checked_add(i64::from(nanoseconds).nanoseconds()).ok()?;
    canonical(&moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), precision).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        for (given, written) in [
            ("2026-11-22T08:00:54Z", "2026-11-22T08:00:54Z"),
            ("2026-11-22T09:00:54+01:00", "2026-11-22T08:00:54Z"),
            ("2026-11-22T08:00:54.987Z", "2026-11-22T08:00:54Z"),
        ] {
            assert_eq!(canonical(given, Precision::Seconds).as_deref(), Ok(written), "{given}");
        }
        let micro = canonical("2026-11-22T09:00:54.000012+01:00", Precision::Microseconds);
        assert_eq!(micro.as_deref(), Ok("2026-11-22T08:00:54.000012Z"));
    }

    #[test]
    fn what_is_no_moment_is_refused_in_gos_words() {
        let says = |text| canonical(text, Precision::Seconds).unwrap_err();
        assert_eq!(
            says("yesterday"),
            r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#
        );
        assert_eq!(
            says("2026-11-22"),
            r#"parsing time "2026-11-22" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#
        );
        assert_eq!(
            says("2026-11-22T08:00:54"),
            r#"parsing time "2026-11-22T08:00:54" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#
        );
        assert_eq!(says("2026-02-30T08:00:54Z"), r#"parsing time "2026-02-30T08:00:54Z": day out of range"#);
    }
}
