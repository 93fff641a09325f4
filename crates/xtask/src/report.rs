//! What a run of the suites came to: one table for people, one closing line for programs.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// Tests that passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

/// How a suite ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// It was left out, by choice or because something is missing here. In CI this is a failure.
    Skipped,
    /// It cannot run in this environment, which the house accepts (see [`crate::suites`]).
    Unavailable,
}

/// One suite's line in the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) suite: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) counts: Counts,
    pub(crate) time: Duration,
    /// What was skipped and why, or what is wrong, a short sentence each.
    pub(crate) notes: Vec<String>,
}

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) Vec<Row>);

impl Report {
    /// Whether everything that was asked for ran and passed. `strict` (CI) lets nothing be skipped.
    pub(crate) fn is_good(&self, strict: bool) -> bool {
        self.0.iter().all(|row| match row.verdict {
            Verdict::Passed => row.counts.failed == 0 && (!strict || row.counts.skipped == 0),
            Verdict::Unavailable => true,
            Verdict::Skipped => !strict,
            Verdict::Failed => false,
        })
    }

    fn total(&self) -> Counts {
        self.0.iter().fold(Counts::default(), |sum, row| Counts {
            passed: sum.passed + row.counts.passed,
            failed: sum.failed + row.counts.failed,
            skipped: sum.skipped + row.counts.skipped,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
            Self::Unavailable => "unavailable",
        })
    }
}

impl fmt::Display for Report {
    /// The table, an empty line, and alone on the last line `N passed, N failed, N skipped`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = format!("{:<14} {:>6} {:>8}  {:<12} NOTES\n", "SUITE", "TESTS", "TIME", "RESULT");
        for row in &self.0 {
            let tests = row.counts.passed + row.counts.failed;
            let time = format!("{:.1}s", row.time.as_secs_f64());
            let first = row.notes.first().map_or("", String::as_str);
            let line = format!("{:<14} {tests:>6} {time:>8}  {:<12} {first}", row.suite, row.verdict);
            writeln!(table, "{}", line.trim_end())?;
            for note in row.notes.iter().skip(1) {
                writeln!(table, "{:44}{note}", "")?;
            }
        }
        let Counts { passed, failed, skipped } = self.total();
        write!(f, "{table}\n{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, counts: (u32, u32, u32), notes: &[&str]) -> Row {
        let (passed, failed, skipped) = counts;
        Row {
            suite: "unit",
            verdict,
            counts: Counts { passed, failed, skipped },
            time: Duration::from_millis(1234),
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        }
    }

    #[test]
    fn the_last_line_stands_alone_with_the_sums() {
        let report = Report(vec![
            row(Verdict::Failed, (3, 1, 0), &["first", "second"]),
            row(Verdict::Skipped, (0, 0, 1), &["no go"]),
        ]);
        assert_eq!(
            report.to_string(),
            "SUITE           TESTS     TIME  RESULT       NOTES\n\
             unit                4     1.2s  FAILED       first\n\
             \x20                                           second\n\
             unit                0     1.2s  skipped      no go\n\
             \n\
             3 passed, 1 failed, 1 skipped"
        );
    }

    #[test]
    fn only_ci_holds_a_skip_against_the_run() {
        let cases = [
            (row(Verdict::Passed, (1, 0, 0), &[]), true, true),
            (row(Verdict::Passed, (1, 0, 1), &[]), true, false),
            (row(Verdict::Skipped, (0, 0, 1), &[]), true, false),
            (row(Verdict::Unavailable, (0, 0, 1), &[]), true, true),
            (row(Verdict::Failed, (0, 1, 0), &[]), false, false),
        ];
        for (row, at_home, in_ci) in cases {
            let report = Report(vec![row]);
            assert_eq!((report.is_good(false), report.is_good(true)), (at_home, in_ci), "{report}");
        }
    }
}
