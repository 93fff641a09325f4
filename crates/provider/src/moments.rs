//! Moments as the pages write them: people read how long ago something was, and machines when.

use jiff::{SignedDuration, Timestamp};

/// A moment on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// `2026-11-22T08:00:00Z`, for the `datetime` attribute.
    pub(crate) exact: String,
    /// `22 November 2026, 08:00 UTC`. The pages know no time zone but this one: browsers do not say theirs.
    pub(crate) date: String,
    /// `5 minutes ago`.
    pub(crate) ago: String,
}

impl Moment {
    /// `at`, seen from `now`.
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            exact: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            date: at.strftime("%-d %B %Y, %H:%M UTC").to_string(),
            ago: ago(now.duration_since(at)),
        }
    }
}

/// In the greatest unit of which there is a whole one.
fn ago(since: SignedDuration) -> String {
    let minutes = since.as_mins();
    let (number, unit) = match minutes {
        ..1 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago() {
        let cases = [
            (-5, "just now"),
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (1_000_000, "11 days ago"),
        ];
        let at: Timestamp = "2026-11-02T08:00:00.9Z".parse().unwrap();
        for (seconds, expected) in cases {
            let moment = Moment::new(at, at + SignedDuration::from_secs(seconds));
            assert_eq!(moment.ago, expected, "{seconds}");
            assert_eq!(moment.exact, "2026-11-02T08:00:00Z");
            assert_eq!(moment.date, "2 November 2026, 08:00 UTC");
        }
    }
}
