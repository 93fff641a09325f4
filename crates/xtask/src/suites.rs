//! `cargo xtask test`: the suites, in the order in which a mistake is cheapest to hear about.
//!
//! In CI (`CI=true`) nothing may be skipped, with one exception that is said in the table each time: the
//! advisories of RustSec are a database on a host that a build machine without free access to the internet
//! does not reach. Not reaching it is no property of the change under test, so the run goes on, the suite is
//! shown as `unavailable` with the reason, and it counts as skipped. Where the database answers, an advisory
//! fails the run like any other suite. Licences, bans and sources need no database and are always checked.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::environment::{find_program, is_ci, target};
use crate::report::{Counts, Report, Row, Verdict};
use crate::{architecture, budget, house_rules, peers, run, tools};

/// What is tested, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// `cargo fmt`: names the files that it would change
    Format,
    /// The arrows between the rooms
    Architecture,
    /// Rules of style that no lint holds
    HouseRules,
    /// cargo-deny: licences, bans, sources
    Licences,
    /// cargo-deny: RustSec's advisories, where their database is reached
    Advisories,
    /// `cargo clippy`, warnings are errors
    Lint,
    /// Make the real peers that are missing
    Peers,
    /// Tests inside the packages
    Unit,
    /// The examples of the documentation
    Doc,
    /// What a cache hit of the plugin may cost: instructions, memory, bytes
    Budget,
    /// Real kubectl, Chromium, kube-apiserver, Keycloak … around the real binary
    E2e,
}

/// Which suites a person asked for.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Empty means all.
    pub(crate) only: Vec<Suite>,
    pub(crate) skip_peers: bool,
}

/// What a suite found; its time is measured around it.
struct Found {
    verdict: Verdict,
    counts: Counts,
    notes: Vec<String>,
}

/// Runs the selected suites and prints the table; the exit code says whether all is well.
pub(crate) fn test(selection: &Selection) -> Result<ExitCode> {
    let mut report = Report::default();
    for suite in Suite::value_variants().iter().copied() {
        if !selection.only.is_empty() && !selection.only.contains(&suite) {
            continue;
        }
        eprintln!("▸ {}", suite.name());
        let start = Instant::now();
        let found = suite.run(selection).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            let sentence = format!("{error:#}");
            failed(vec![sentence.lines().next().unwrap_or_default().to_owned()])
        });
        let time = start.elapsed();
        eprintln!("  {} {} after {}", suite.name(), found.verdict, readable(time));
        let Found { verdict, counts, notes } = found;
        report.0.push(Row { suite: suite.name(), verdict, counts, time, notes });
    }
    ensure!(!report.0.is_empty(), "no suite was run");
    println!("\n{report}");
    Ok(if report.is_good(is_ci()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Architecture => "architecture",
            Self::HouseRules => "house rules",
            Self::Licences => "licences",
            Self::Advisories => "advisories",
            Self::Lint => "lint",
            Self::Peers => "peers",
            Self::Unit => "unit",
            Self::Doc => "doc",
            Self::Budget => "budget",
            Self::E2e => "end-to-end",
        }
    }

    fn run(self, selection: &Selection) -> Result<Found> {
        match self {
            Self::Format => step("format", cargo(&["fmt", "--all", "--", "--check", "-l"])),
            Self::Architecture => architecture::violations().map(|found| checked(&found)),
            Self::HouseRules => house_rules::violations().map(|found| checked(&found)),
            Self::Licences => step("licences", deny(&["licenses", "bans", "sources"])?),
            Self::Advisories => advisories(),
            Self::Lint => {
                let lint = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
                step("lint", cargo(&lint))
            }
            Self::Peers if selection.skip_peers => Ok(skipped("--skip-peers")),
            Self::Peers => {
                let folder = peers::ensure_built(|line| eprintln!("  {line}"))?;
                let counts = Counts { passed: peers::count()?, ..Counts::default() };
                Ok(Found { verdict: Verdict::Passed, counts, notes: vec![folder.display().to_string()] })
            }
            Self::Unit => {
                if !selection.skip_peers {
                    tools::keyring()?;
                    tools::postgresql()?;
                }
                let unit = [
                    "test",
                    "--locked",
                    "--workspace",
                    "--exclude=kubesso-e2e",
                    "--lib",
                    "--bins",
                    "--tests",
                ];
                tests("unit", cargo(&unit), selection)
            }
            Self::Doc => tests("doc", cargo(&["test", "--locked", "--workspace", "--doc"]), selection),
            Self::Budget => {
                let found = budget::check()?;
                for line in &found.within {
                    eprintln!("  {line}");
                }
                Ok(checked(&found.exceeded))
            }
            Self::E2e if selection.skip_peers => {
                Ok(skipped("--skip-peers: it needs kube-apiserver, etcd and Keycloak"))
            }
            Self::E2e => {
                if find_program("kubectl").is_none() {
                    let progress = |line: &str| eprintln!("  {line}");
                    peers::ensure_kubectl(&peers::ensure_built(progress)?, progress)?;
                }
                tools::browser()?;
                tools::postgresql()?;
                tools::succeed("build-kubesso", &mut cargo(&["build", "--locked", "--package=kubesso-cli"]))?;
                let mut e2e = cargo(&["test", "--locked", "--package=kubesso-e2e", "--lib", "--tests"]);
                e2e.env("KUBESSO_BIN", target().join("debug/kubesso"));
                tests("end-to-end", e2e, selection)
            }
        }
    }
}

/// A suite that is one program, which succeeds or tells what is wrong.
fn step(name: &str, mut command: Command) -> Result<Found> {
    let finished = run::logged(name, &mut command)?;
    if finished.success {
        return Ok(passed());
    }
    eprintln!("{}", run::excerpt(&finished.output));
    Ok(failed(vec![format!("see {}", finished.log.display())]))
}

/// A suite that is `cargo test`: counted, with what the tests themselves left out.
fn tests(name: &str, mut command: Command, selection: &Selection) -> Result<Found> {
    if !selection.skip_peers {
        command.env("KUBESSO_PEERS_DIR", peers::ensure_built(|line| eprintln!("  {line}"))?);
    }
    // `--show-output`, because libtest hides what a passing test prints, and with it what it skipped.
    command.args(["--no-fail-fast", "--", "--show-output"]).env("RUST_BACKTRACE", "0");
    let finished = run::logged(name, &mut command)?;
    let mut counts = run::test_counts(&finished.output);
    let notes: Vec<String> =
        run::skips(&finished.output).into_iter().map(|what| format!("skipped: {what}")).collect();
    counts.skipped += u32::try_from(notes.len())?;
    if finished.success && counts.passed > 0 {
        return Ok(Found { verdict: Verdict::Passed, counts, notes });
    }
    eprintln!("{}", run::excerpt(&finished.output));
    counts.failed = counts.failed.max(1);
    let cause = if finished.success { "no test ran" } else { "failed" };
    let first = format!("{cause}, see {}", finished.log.display());
    Ok(Found { verdict: Verdict::Failed, counts, notes: [vec![first], notes].concat() })
}

fn advisories() -> Result<Found> {
    let finished = run::logged("advisories", &mut deny(&["advisories"])?)?;
    if finished.success {
        return Ok(passed());
    }
    if finished.output.contains("failed to fetch advisory database") {
        let counts = Counts { skipped: 1, ..Counts::default() };
        let note = "RustSec's database is not reached from here (accepted, also in CI)".to_owned();
        return Ok(Found { verdict: Verdict::Unavailable, counts, notes: vec![note] });
    }
    eprintln!("{}", run::excerpt(&finished.output));
    Ok(failed(vec![format!("see {}", finished.log.display())]))
}

fn deny(checks: &[&str]) -> Result<Command> {
    let mut command = Command::new(tools::cargo_deny()?);
    command.args(["--locked", "--workspace", "check"]).args(checks);
    Ok(command)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments);
    command
}

fn checked(violations: &[String]) -> Found {
    for violation in violations {
        eprintln!("  {violation}");
    }
    match violations.len() {
        0 => passed(),
        number => failed(vec![format!("{number} found, listed above")]),
    }
}

fn passed() -> Found {
    Found { verdict: Verdict::Passed, counts: Counts { passed: 1, ..Counts::default() }, notes: Vec::new() }
}

fn failed(notes: Vec<String>) -> Found {
    Found { verdict: Verdict::Failed, counts: Counts { failed: 1, ..Counts::default() }, notes }
}

fn skipped(why: &str) -> Found {
    let counts = Counts { skipped: 1, ..Counts::default() };
    Found { verdict: Verdict::Skipped, counts, notes: vec![why.to_owned()] }
}

fn readable(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}
