//! The developers' own commands: `cargo xtask test` is what CI runs, `cargo xtask peers` makes the real
//! programs that the tests talk to. Synchronous, and with nothing of kubesso's own linked in, so that it
//! builds in seconds and can judge a workspace that does not compile.

mod architecture;
mod environment;
mod house_rules;
mod metadata;
mod peers;
mod report;
mod run;
mod suites;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::suites::{Selection, Suite};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The developers' own commands", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the suites in order and end with one table; exit non-zero when one fails
    Test {
        /// Only these suites, in the usual order
        #[arg(long, value_enum, num_args = 1..)]
        only: Vec<Suite>,
        /// For a quick look: do not make the peers, and leave out what needs them
        #[arg(long)]
        skip_peers: bool,
    },
    /// Make the real peers (kube-apiserver, etcd, Keycloak, the oracles …) that are missing, and say where they are
    Peers,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test { only, skip_peers } => suites::test(&Selection { only, skip_peers }),
        Command::Peers => peers::print(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
