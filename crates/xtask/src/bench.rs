//! `cargo xtask bench signin`: what a person waits for when the token is there already. `cargo xtask bench directory`: the
//! management API over a large directory, which `crates/okta/benches/directory` measures. `cargo xtask bench provider`: the
//! provider under load (`tests/e2e/benches/provider`). `cargo xtask soak`: kills under load (`tests/e2e/benches/soak`).
//!
//! Of a sign-in, whole processes, from spawn to exit, interleaved, so that a busy moment hits all alike. `true` is the control:
//! what any process costs on this machine. kubelogin is measured beside ours where it is on the path or built as a peer.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::environment::{find_program, target, workspace};
use crate::{measure, plugin, tools};

/// A program and how it is called.
struct Contestant {
    name: &'static str,
    command: Command,
    file: PathBuf,
    times: Vec<Duration>,
}

/// Prints a table: minimum, median, range, instructions, memory and size of each program.
pub(crate) fn signin(runs: u32) -> Result<()> {
    ensure!(runs > 0, "no runs");
    tools::measuring()?;
    let home = plugin::home_with_token()?;
    let mut contestants = vec![
        contestant("true", Path::new("/bin/true"), &home),
        contestant("kubectl-oidc_login (small)", &plugin::build()?, &home),
        contestant("kubectl-oidc_login -> kubesso", &linked_kubesso(&home)?, &home),
    ];
    // The peer that the tests compare with is kubelogin too, where it has been built.
    let peer = Some(target().join("peers/kubelogin")).filter(|peer| peer.is_file());
    match find_program("kubelogin").or(peer) {
        Some(kubelogin) => contestants.push(contestant("kubelogin", &kubelogin, &home)),
        None => println!("kubelogin is neither on PATH nor built by `cargo xtask peers`: it is not measured"),
    }
    // The first run of each reads its file from the disk.
    for round in 0..=runs {
        for contestant in &mut contestants {
            let time = run(&mut contestant.command)?;
            if round > 0 {
                contestant.times.push(time);
            }
        }
    }
    println!(
        "{:<30} {:>8} {:>8} {:>16} {:>14} {:>10} {:>10}",
        "cache hit", "min ms", "median", "range ms", "instructions", "peak KiB", "KiB"
    );
    for contestant in &mut contestants {
        println!("{}", contestant.line()?);
    }
    println!("{runs} runs of each, interleaved; the whole process, spawn to exit");
    Ok(())
}

/// Builds the room's own program with optimisations, and runs it; it prints its table itself and says by its exit whether
/// all is within budget.
pub(crate) fn directory(users: u32, rounds: u32) -> Result<ExitCode> {
    let mut cargo = Command::new("cargo");
    let bench = ["bench", "--locked", "--quiet", "--package=kubesso-okta", "--bench=directory", "--"];
    cargo.args(bench).args(["--users", &users.to_string(), "--rounds", &rounds.to_string()]);
    let status = cargo.current_dir(workspace()).status().context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds kubesso and the program that loads it with optimisations, and runs it; it prints its table itself.
pub(crate) fn provider(seconds: u32) -> Result<ExitCode> {
    loaded("provider", &[&seconds.to_string()])
}

/// Where the directory is while kubesso is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// A file
    Sqlite,
    /// A PostgreSQL server, which is killed too
    Postgres,
}

/// Builds kubesso and the program that loads and kills it with optimisations, and runs it; it ends with the first thing
/// that was lost or doubled.
pub(crate) fn soak(database: Option<Database>, rounds: u32, seconds: u32) -> Result<ExitCode> {
    tools::postgresql()?;
    let (rounds, seconds) = (rounds.to_string(), seconds.to_string());
    for (name, value) in [("sqlite", Database::Sqlite), ("postgres", Database::Postgres)] {
        if database.is_none_or(|chosen| chosen == value)
            && loaded("soak", &[name, &rounds, &seconds])? != ExitCode::SUCCESS
        {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A program of `tests/e2e/benches` beside a kubesso of its own.
fn loaded(bench: &str, arguments: &[&str]) -> Result<ExitCode> {
    let mut build = Command::new("cargo");
    build.args(["build", "--locked", "--release", "--package=kubesso-cli"]);
    tools::succeed("build-kubesso-release", &mut build)?;
    let kubesso = target().join("release").join(format!("kubesso{}", std::env::consts::EXE_SUFFIX));
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--locked", "--quiet", "--package=kubesso-e2e"]).arg(format!("--bench={bench}"));
    cargo.arg("--").args(arguments).env("KUBESSO_BIN", kubesso).current_dir(workspace());
    let status = cargo.status().context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn contestant(name: &'static str, program: &Path, home: &Path) -> Contestant {
    let command = plugin::call(program, home);
    Contestant { name, command, file: program.to_owned(), times: Vec::new() }
}

/// The full binary under the plugin's name, as people link it.
fn linked_kubesso(home: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--release", "--package=kubesso-cli"]);
    tools::succeed("build-kubesso-release", &mut cargo)?;
    plugin::link(&target().join("release").join(format!("kubesso{}", std::env::consts::EXE_SUFFIX)), home)
}

fn run(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let status = command.status().with_context(|| command.get_program().display().to_string())?;
    let time = begin.elapsed();
    ensure!(status.success(), "{} ended with {status}: no cache hit", command.get_program().display());
    Ok(time)
}

impl Contestant {
    fn line(&mut self) -> Result<String> {
        self.times.sort();
        let at = |part: usize| {
            let index = (self.times.len() - 1) * part / 100;
            self.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let instructions = measure::instructions(&self.command)?;
        let (peak, size) = (measure::peak_kib(&self.command)?, measure::size(&self.file)? / 1024);
        let range = format!("{:.2}..{:.2}", at(0), at(100));
        let (name, least, median) = (self.name, at(0), at(50));
        Ok(format!(
            "{name:<30} {least:>8.2} {median:>8.2} {range:>16} {instructions:>14} {peak:>10} {size:>10}"
        ))
    }
}
