//! `kubesso doctor`: what is wrong, why, and the line that mends it.

mod cluster;
mod examine;
mod explain;
mod here;
mod installation;
mod refresh;

use std::process::ExitCode;

use crate::args::{Doctor, DoctorCommand};
use crate::error::CommandError;

/// Runs `kubesso doctor …`.
pub(crate) async fn run(command: Doctor) -> Result<ExitCode, CommandError> {
    match command.command {
        Some(DoctorCommand::List { output }) => explain::list(output),
        Some(DoctorCommand::Explain(command)) => explain::run(&command),
        None if command.given.is_something() => Box::pin(examine::run(command)).await,
        None => installation::run(&command.data, command.output).await,
    }
}
