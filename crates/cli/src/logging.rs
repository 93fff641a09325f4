//! The log on standard error.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::LogFormat;

/// Starts logging: our rooms at `level`, libraries at most at `warn`.
pub(crate) fn start(format: LogFormat, level: Level) {
    let filter = Targets::new()
        .with_default(LevelFilter::from_level(level.min(Level::WARN)))
        .with_target("kubesso", LevelFilter::from_level(level));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Text => registry
            .with(fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()))
            .try_init(),
    };
    // An error says that logging is on already, which is what was wanted.
    drop(started);
}
