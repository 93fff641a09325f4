//! `cargo xtask fuzz`: the targets of `tests/fuzz`, guided by coverage (`fuzz/`, cargo-fuzz, libFuzzer).

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::environment::{find_program, workspace};
use crate::tools;

/// Longer inputs find nothing that shorter ones do not: limits of length are far above, and tested by themselves.
const LONGEST_INPUT: u32 = 4096;

/// Runs each target for so many seconds, or the one that is named; ends with the first that finds something, and says how
/// that is run again.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<ExitCode> {
    require()?;
    let targets = targets()?;
    let chosen: Vec<&String> = targets.iter().filter(|name| target.is_none_or(|one| one == *name)).collect();
    ensure!(!chosen.is_empty(), "no such target; there are {}", targets.join(", "));
    for name in chosen {
        let folder = workspace().join("fuzz");
        let (corpus, seeds) =
            (folder.join("corpus").join(name), workspace().join("tests/fuzz/seeds").join(name));
        fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
        println!("{name}, {seconds} s");
        let mut command = Command::new("cargo");
        // Without a sanitizer: our code has no `unsafe`, and what is looked for are panics and broken promises.
        command.args(["+nightly", "fuzz", "run", "--sanitizer=none", "--fuzz-dir"]).arg(&folder);
        command.arg(name).args([&corpus, &seeds]).args(["--", "-print_final_stats=1", "-timeout=10"]);
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={LONGEST_INPUT}"));
        let status = command.current_dir(workspace()).status().context("cargo could not be started")?;
        if !status.success() {
            let seeds = Path::new("tests/fuzz/seeds").join(name);
            println!(
                "{name}: see above. What it found becomes a file in {}, which CI runs.",
                seeds.display()
            );
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names in the manifest of `fuzz/`.
fn targets() -> Result<Vec<String>> {
    let manifest = workspace().join("fuzz/Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
    let bins = text.split("[[bin]]").skip(1);
    let name = |bin: &str| {
        Some(bin.lines().find_map(|line| line.strip_prefix("name = \""))?.strip_suffix('"')?.to_owned())
    };
    Ok(bins.filter_map(name).collect())
}

/// A nightly toolchain and cargo-fuzz: no other command needs them, so they are named and not installed.
fn require() -> Result<()> {
    let nightly = tools::version(Path::new("rustup"), &["run", "nightly", "rustc", "--version"]);
    ensure!(
        nightly.is_ok_and(|version| version.starts_with("rustc")),
        "a nightly toolchain is missing: `rustup toolchain install nightly --profile minimal`"
    );
    ensure!(
        find_program("cargo-fuzz").is_some(),
        "cargo-fuzz is missing: `cargo install cargo-fuzz --locked`"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_of_this_checkout_are_found() {
        let targets = targets().unwrap();
        assert!(targets.contains(&"dpop_proof".to_owned()) && targets.len() > 10, "{targets:?}");
    }
}
