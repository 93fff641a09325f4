//! The log on standard error, and beside it whatever takes the spans of traces.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use crate::args::LogFormat;

/// How to log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logging {
    pub(crate) format: LogFormat,
    pub(crate) level: Level,
}

impl Logging {
    /// Starts logging: our rooms at the level, libraries at most at `warn`.
    pub(crate) fn start(self) {
        self.start_with(None::<Targets>);
    }

    /// As [`start`](Self::start), with `traces` beside the log.
    pub(crate) fn start_with(self, traces: Option<impl Layer<Registry> + Send + Sync>) {
        let filter = Targets::new()
            .with_default(LevelFilter::from_level(self.level.min(Level::WARN)))
            .with_target("kubesso", LevelFilter::from_level(self.level));
        let registry = tracing_subscriber::registry().with(traces);
        let log = fmt::layer().with_writer(std::io::stderr);
        let started = match self.format {
            LogFormat::Json => registry.with(log.json().flatten_event(true).with_filter(filter)).try_init(),
            LogFormat::Text => {
                registry.with(log.with_ansi(std::io::stderr().is_terminal()).with_filter(filter)).try_init()
            }
        };
        // An error says that logging is on already, which is what was wanted.
        drop(started);
    }
}
