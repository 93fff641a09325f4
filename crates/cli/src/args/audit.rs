//! `kubesso audit …`: what can be asked.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{DataDir, Output};

const EXAMPLES: &str = "\
Examples:
  kubesso audit list --since 1d --user jo@example.com
  kubesso audit list --filter 'eventType eq \"user.session.start\" and outcome.result eq \"FAILURE\"'
  kubesso audit export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z > november.jsonl";

/// `kubesso audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the latest entries of the audit trail, the latest last.
    #[command(after_help = EXAMPLES)]
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Print all entries, the oldest first, each as one line of JSON.
    #[command(after_help = EXAMPLES)]
    Export {
        #[command(flatten)]
        which: Which,
        /// How they are printed.
        #[arg(long = "output", short = 'o', value_enum, default_value_t, value_name = "FORMAT")]
        format: ExportFormat,
        #[command(flatten)]
        data: DataDir,
    },
}

/// `--output` of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object a line.
    #[default]
    Jsonl,
}

/// Which entries.
#[derive(Args, Clone, Debug)]
pub(crate) struct Which {
    /// Not before: a moment (2026-11-22T08:00:00Z), or how long ago (90m, 7d).
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Before: a moment, or how long ago.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Those that it fits, in the management API's language: eventType, actor.id, target.id, outcome.result,
    /// displayMessage, published, uuid.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Those by this person or about it: a login, or an id.
    #[arg(long, value_name = "LOGIN")]
    pub user: Option<String>,
}

/// A moment, or so long ago.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Span),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        let ago = text.parse::<Span>().ok().filter(|span| !span.is_negative());
        ago.map(Self::Ago)
            .ok_or_else(|| "write a moment, 2026-11-22T08:00:00Z, or how long ago, 7d".to_owned())
    }
}

impl Moment {
    /// The moment; `None` if it is before all time.
    pub(crate) fn before(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Ago(span) => now.to_zoned(TimeZone::UTC).checked_sub(span).ok().map(|it| it.timestamp()),
        }
    }
}
