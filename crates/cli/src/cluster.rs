//! `kubesso cluster …`: what a cluster needs to trust an issuer.

pub(crate) mod apply;
mod check;
mod cloud;
mod command;
mod config;
mod grant;
mod here;
mod host;
pub(crate) mod issuer;
mod journal;
mod kubeadm;
mod live;
mod on_machine;
pub(crate) mod place;
mod proof;
mod rollback;
pub(crate) mod side;
pub(crate) mod whom;

use std::process::ExitCode;

use kubesso_clusters::Target;

use crate::args::Cluster;
use crate::error::CommandError;
use crate::output;

pub(crate) use host::Machine;

/// Runs `kubesso cluster …`.
pub(crate) async fn run(command: Cluster) -> Result<ExitCode, CommandError> {
    match command {
        Cluster::Config(command) => config::run(&command).await,
        Cluster::Check(command) => check::run(&command).await,
        Cluster::Apply(command) => apply::run(&command).await,
        Cluster::Rollback(command) => rollback::run(&command).await,
        Cluster::Grant(command) => grant::run(command).await,
        Cluster::Targets { output } => {
            let rows = Target::ALL.iter().map(|target| vec![target.name().to_owned(), target.to_string()]);
            let names: Vec<_> = Target::ALL.iter().map(|target| target.name()).collect();
            output::print(output.format, &names, || output::table(&["TARGET", "WHAT"], rows))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// clap takes no other names.
fn target_of(name: &str) -> Result<Target, CommandError> {
    name.parse().map_err(|_| CommandError::usage("unknown target"))
}
