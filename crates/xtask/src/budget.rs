//! What a cache hit may cost, held by numbers that do not depend on the machine's mood: instructions, memory, bytes.
//! Wall time is only reported, by `cargo xtask bench signin`.

use anyhow::Result;

use crate::{measure, plugin, tools};

/// Instructions of a hit, from the first of the process to the last. Raise it only with a reason: 100,000 are about
/// 30 µs.
const INSTRUCTIONS: u64 = 500_000;
/// The largest resident set.
const PEAK_KIB: u64 = 3 * 1024;
/// The file.
const SIZE: u64 = 3 * 1024 * 1024;

/// One line for each budget, and those that are exceeded.
pub(crate) struct Checked {
    pub(crate) within: Vec<String>,
    pub(crate) exceeded: Vec<String>,
}

/// Measures the small plugin's cache hit against its budgets.
pub(crate) fn check() -> Result<Checked> {
    tools::measuring()?;
    let program = plugin::build()?;
    let hit = plugin::call(&program, &plugin::home_with_token()?);
    let mut checked = Checked { within: Vec::new(), exceeded: Vec::new() };
    for (what, measured, budget) in [
        ("instructions", measure::instructions(&hit)?, INSTRUCTIONS),
        ("KiB of memory", measure::peak_kib(&hit)?, PEAK_KIB),
        ("bytes", measure::size(&program)?, SIZE),
    ] {
        let line = format!("a cache hit of the small plugin: {measured} {what} (budget {budget})");
        if measured <= budget { checked.within.push(line) } else { checked.exceeded.push(line) }
    }
    Ok(checked)
}
