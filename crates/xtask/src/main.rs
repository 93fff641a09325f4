//! The developers' own commands: `cargo xtask test` is what CI runs, `cargo xtask peers` makes the real
//! programs that the tests talk to. Synchronous, and with nothing of kubesso's own linked in, so that it
//! builds in seconds and can judge a workspace that does not compile.

mod architecture;
mod bench;
mod budget;
mod environment;
mod fuzz;
mod house_rules;
mod measure;
mod metadata;
mod peers;
mod plugin;
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
    /// Build the small plugin binary as releases carry it, and say where it is
    Plugin,
    /// Measure
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Fuzz what strangers reach, guided by coverage; needs a nightly toolchain and cargo-fuzz
    Fuzz {
        /// Only this target (a name in fuzz/Cargo.toml)
        target: Option<String>,
        /// How many seconds each
        #[arg(long, default_value_t = 120)]
        seconds: u32,
    },
    /// Kill kubesso, and PostgreSQL, at random under load, and see that whatever was answered is there, once
    Soak {
        /// On which database; both, if none is named
        #[arg(long, value_enum)]
        database: Option<bench::Database>,
        /// How many rounds
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        /// How many seconds the load lasts in each; about ten kills are in a round
        #[arg(long, default_value_t = 120)]
        seconds: u32,
    },
    /// Make the real peers (kube-apiserver, etcd, Keycloak, the oracles …) that are missing, and say where they are
    Peers,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// A cache hit of the kubectl plugin: the small binary, the link to kubesso, and kubelogin where it is on PATH
    Signin {
        /// How often each is run
        #[arg(long, default_value_t = 200)]
        runs: u32,
    },
    /// The management API over a large directory: pages, searches, memberships, and an apply of Terraform; exit non-zero
    /// when a median is over its budget
    Directory {
        /// How many people; there are a tenth as many groups
        #[arg(long, default_value_t = 100_000)]
        users: u32,
        /// How often each request is made
        #[arg(long, default_value_t = 200)]
        rounds: u32,
    },
    /// The provider under load from a process beside it: refreshes, code flows, introspections, JWK sets; its memory, and
    /// what its signatures alone cost
    Provider {
        /// How many seconds each is measured
        #[arg(long, default_value_t = 5)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test { only, skip_peers } => suites::test(&Selection { only, skip_peers }),
        Command::Plugin => plugin::build().map(|program| {
            println!("{}", program.display());
            ExitCode::SUCCESS
        }),
        Command::Bench { what: Bench::Signin { runs } } => bench::signin(runs).map(|()| ExitCode::SUCCESS),
        Command::Bench { what: Bench::Directory { users, rounds } } => bench::directory(users, rounds),
        Command::Bench { what: Bench::Provider { seconds } } => bench::provider(seconds),
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Command::Soak { database, rounds, seconds } => bench::soak(database, rounds, seconds),
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
