//! What a cache hit may cost, held by numbers that do not depend on the machine's mood: instructions, memory, bytes.
//! Wall time is only reported, by `cargo xtask bench signin`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::environment::target;
use crate::{measure, plugin, tools};

/// Instructions of a hit, from the first of the process to the last. Raise it only with a reason: 100,000 are about
/// 30 µs.
const INSTRUCTIONS: u64 = 500_000;
/// The largest resident set.
const PEAK_KIB: u64 = 3 * 1024;
/// The file.
const SIZE: u64 = 3 * 1024 * 1024;

/// Instructions of a hit by the full binary, unoptimised as the tests build it: a tripwire for an event loop, TLS or a log
/// that starts before the cache is asked.
const INSTRUCTIONS_OF_KUBESSO: u64 = 9_000_000;

/// One line for each budget, and those that are exceeded.
pub(crate) struct Checked {
    pub(crate) within: Vec<String>,
    pub(crate) exceeded: Vec<String>,
}

/// The full binary, as the end-to-end tests build it.
fn kubesso() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--package=kubesso-cli"]);
    tools::succeed("build-kubesso", &mut cargo)?;
    Ok(target().join("debug").join(format!("kubesso{}", std::env::consts::EXE_SUFFIX)))
}

/// Measures the small plugin's cache hit against its budgets.
pub(crate) fn check() -> Result<Checked> {
    tools::measuring()?;
    let home = plugin::home_with_token()?;
    let program = plugin::build()?;
    let hit = plugin::call(&program, &home);
    let through_kubesso = plugin::call(&plugin::link(&kubesso()?, &home)?, &home);
    let mut checked = Checked { within: Vec::new(), exceeded: Vec::new() };
    for (what, measured, budget) in [
        ("the small plugin: instructions", measure::instructions(&hit)?, INSTRUCTIONS),
        ("the small plugin: KiB of memory", measure::peak_kib(&hit)?, PEAK_KIB),
        ("the small plugin: bytes", measure::size(&program)?, SIZE),
        (
            "the link to kubesso, unoptimised: instructions",
            measure::instructions(&through_kubesso)?,
            INSTRUCTIONS_OF_KUBESSO,
        ),
    ] {
        let line = format!("a cache hit of {what} {measured} (budget {budget})");
        if measured <= budget { checked.within.push(line) } else { checked.exceeded.push(line) }
    }
    Ok(checked)
}
