//! `kubesso up`: everything on one machine, from nothing to the first `kubectl get pods`.

mod facts;
pub(crate) mod installation;
mod kubeconfig;
mod late_authenticator;
mod organization;
pub(crate) mod people;
mod ports;
mod registration;
mod start;

use std::io::Write as _;
use std::process::ExitCode;

pub use facts::{Colour, Facts, Person};
pub use organization::Organization;
pub use ports::PortChoice;
pub use registration::Registration;
pub use start::{Options, Running, start};

use crate::args::{OutputFormat, Up};
use crate::environment;
use crate::error::CommandError;
use crate::interrupts::Interrupts;
use crate::tour;

/// Runs `kubesso up …` until Ctrl-C, or until the tour is over.
pub(crate) async fn run(command: Up) -> Result<ExitCode, CommandError> {
    let choice = |port: u16| if port == 0 { PortChoice::AnyFree } else { PortChoice::Exactly(port) };
    let mut options = Options::new(environment::data_dir(&command.data)?);
    options.provider_port = command.provider_port.map(choice);
    options.cluster_port = command.cluster_port.map(choice);
    options.people_only = command.for_terraform;
    options.listens_for_organization = !command.tour;
    options.danger_plain_http_port = command.danger_plain_http_port;
    // Ctrl-C from here on, also while things start.
    let mut interrupts = Interrupts::begin();
    let running = tokio::select! {
        started = start(options) => started?,
        () = interrupts.next() => return Ok(ExitCode::SUCCESS),
    };
    let default_data_dir = environment::default_data_dir();
    let format = command.output.format;
    if command.tour {
        let ended = tokio::select! {
            ended = tour::run(&running, format) => ended,
            () = interrupts.next() => Ok(ExitCode::FAILURE),
        };
        running.stop().await;
        return ended;
    }
    crate::output::print(format, running.facts(), || {
        running.facts().screen(environment::colour(), default_data_dir.as_deref())
    })?;
    // Scripts wait for this line.
    let _ = std::io::stdout().flush();
    interrupts.next().await;
    if format == OutputFormat::Table {
        eprintln!("ending; everything is kept in {}", running.facts().data_dir.display());
    }
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}
