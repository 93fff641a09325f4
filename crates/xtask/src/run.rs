//! Runs a program for a suite: its output goes to a log file, and what counts is read from it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::environment;
use crate::report::Counts;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Whether it exited with 0.
    pub(crate) success: bool,
    /// Its standard output and standard error, in the order they were written.
    pub(crate) output: String,
    /// Where the output also is.
    pub(crate) log: PathBuf,
}

/// Runs `command` in the workspace to its end, with both its streams in `target/xtask/<name>.log`.
pub(crate) fn logged(name: &str, command: &mut Command) -> Result<Finished> {
    let folder = environment::target().join("xtask");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let log = folder.join(format!("{name}.log"));
    let file = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .current_dir(environment::workspace())
        .stdin(std::process::Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("{program} could not be started"))?;
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Finished { success: status.success(), output, log })
}

/// The sum of libtest's `test result:` lines.
pub(crate) fn test_counts(output: &str) -> Counts {
    let mut sum = Counts::default();
    for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let count = |word: &str| {
            let before = line.split(word).next().unwrap_or_default();
            before.rsplit([' ', ';', '.']).find_map(|number| number.parse::<u32>().ok()).unwrap_or(0)
        };
        sum.passed += count(" passed;");
        sum.failed += count(" failed;");
        sum.skipped += count(" ignored;");
    }
    sum
}

/// What tests say they left out: the lines that begin with `skipped:`.
pub(crate) fn skips(output: &str) -> Vec<String> {
    let mut named: Vec<String> = output
        .lines()
        .filter_map(|line| line.strip_prefix("skipped:"))
        .map(|what| what.trim().to_owned())
        .collect();
    named.sort();
    named.dedup();
    named
}

/// The part of a long output that tells why it failed: compiler errors and libtest's `failures:` sections,
/// or, where there are none, the end.
pub(crate) fn excerpt(output: &str) -> String {
    const LONGEST: usize = 400;
    let lines: Vec<&str> = output.lines().collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in &lines {
        if line.starts_with("failures:") || line.starts_with("error") || line.starts_with("warning: unused") {
            inside = true;
        } else if line.starts_with("test result:")
            || line.starts_with("     Running")
            || line.starts_with("successes:")
        {
            inside = false;
        }
        if inside {
            kept.push(line);
        }
    }
    if kept.is_empty() {
        kept.clone_from(&lines);
    }
    kept[kept.len().saturating_sub(LONGEST)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
     Running unittests src/lib.rs
running 3 tests
test a ... ok
successes:

---- a stdout ----
skipped: authn differential: oidc-oracle is not built

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
     Running tests/it/main.rs
failures:

---- b stdout ----
left: 1

failures:
    b

test result: FAILED. 14 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.01s
error: 1 target failed:
";

    #[test]
    fn results_of_several_binaries_are_summed() {
        assert_eq!(test_counts(OUTPUT), Counts { passed: 16, failed: 1, skipped: 1 });
    }

    #[test]
    fn what_tests_leave_out_is_named_once() {
        let twice = format!("{OUTPUT}{OUTPUT}");
        assert_eq!(skips(&twice), ["authn differential: oidc-oracle is not built"]);
    }

    #[test]
    fn the_excerpt_of_a_failure_holds_the_failures_and_not_the_successes() {
        let excerpt = excerpt(OUTPUT);
        assert!(excerpt.contains("left: 1") && excerpt.contains("1 target failed"), "{excerpt}");
        assert!(!excerpt.contains("skipped:"), "{excerpt}");
    }

    #[test]
    fn the_excerpt_of_what_has_no_failures_section_is_its_end() {
        assert_eq!(excerpt("one\ntwo"), "one\ntwo");
    }
}
