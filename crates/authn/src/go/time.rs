//! `time.Time` of Go as far as ID tokens need it: 64-bit seconds that wrap, and its default text in UTC.

use std::fmt;

use jiff::Timestamp;

/// A moment in whole and thousand-millionth seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoTime {
    pub(crate) seconds: i64,
    nanoseconds: u32,
}

/// Seconds from the year 1 to 1970. Go counts from the year 1 and lets the sum wrap, so that seconds above
/// 9223371974719179007 lie in the far past.
const FROM_YEAR_ONE: i64 = 62_135_596_800;

impl GoTime {
    /// The zero value: the first second of the year 1.
    pub(crate) const ZERO: Self = Self::from_unix(-FROM_YEAR_ONE);

    /// `time.Unix(seconds, 0)`.
    pub(crate) const fn from_unix(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    pub(crate) fn is_before(self, other: Self) -> bool {
        let ordered = |time: Self| (time.seconds.wrapping_add(FROM_YEAR_ONE), time.nanoseconds);
        ordered(self) < ordered(other)
    }

    pub(crate) fn plus_seconds(self, seconds: i64) -> Self {
        Self { seconds: self.seconds.wrapping_add(seconds), ..self }
    }
}

impl From<Timestamp> for GoTime {
    fn from(timestamp: Timestamp) -> Self {
        let nanoseconds = timestamp.as_nanosecond();
        let second = 1_000_000_000;
        Self {
            // Both fit: a Timestamp ends with the year 9999.
            seconds: i64::try_from(nanoseconds.div_euclid(second)).unwrap_or_default(),
            nanoseconds: u32::try_from(nanoseconds.rem_euclid(second)).unwrap_or_default(),
        }
    }
}

impl fmt::Display for GoTime {
    /// `2006-01-02 15:04:05.999999999 +0000 UTC`, as `%v` prints a time in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days from 1 March of the year -292277022400, which is where Go's unsigned count begins (Go 1.26
        // src/time/time.go, `absoluteYears`); the division into eras of 400 years is the usual one for civil dates.
        const ABSOLUTE_YEARS: i128 = 292_277_022_400;
        const DAYS_OF_ERA: i128 = 146_097;
        const UNIX_FROM_MARCH_OF_YEAR_ZERO: i128 = 719_468;
        let wrapped = {
            let offset = (UNIX_FROM_MARCH_OF_YEAR_ZERO + ABSOLUTE_YEARS / 400 * DAYS_OF_ERA) * 86_400;
            (i128::from(self.seconds) + offset).rem_euclid(1 << 64)
        };
        let (days, second) = (wrapped / 86_400, wrapped % 86_400);
        let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 - ABSOLUTE_YEARS + i128::from(month <= 2);

        let sign = if year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{month:02}-{day:02}", year.abs())?;
        write!(f, " {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)?;
        if self.nanoseconds != 0 {
            let fraction = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str(" +0000 UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_go_prints() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 +0000 UTC"),
            (951_782_400, "2000-02-29 00:00:00 +0000 UTC"),
            (1_795_334_399, "2026-11-22 07:59:59 +0000 UTC"),
            (-62_135_596_800, "0001-01-01 00:00:00 +0000 UTC"),
            (-62_135_596_801, "0000-12-31 23:59:59 +0000 UTC"),
            (100_000_000_000, "5138-11-16 09:46:40 +0000 UTC"),
            (1_000_000_000_000, "33658-09-27 01:46:40 +0000 UTC"),
        ] {
            assert_eq!(GoTime::from_unix(seconds).to_string(), text);
        }
        let fraction: Timestamp = "2026-11-22T08:00:00.0405Z".parse().unwrap();
        assert_eq!(GoTime::from(fraction).to_string(), "2026-11-22 08:00:00.0405 +0000 UTC");
    }

    #[test]
    fn seconds_beyond_the_range_are_in_the_past() {
        let now = GoTime::from_unix(1_795_334_400);
        assert!(now.is_before(GoTime::from_unix(9_223_371_974_719_179_007)));
        assert!(GoTime::from_unix(9_223_371_974_719_179_008).is_before(now));
        assert!(GoTime::from_unix(i64::MAX).is_before(now));
    }
}
