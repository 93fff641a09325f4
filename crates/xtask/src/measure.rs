//! Counting what a program costs: instructions (callgrind), memory (GNU time), bytes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::environment::target;

/// Instructions of one run, by valgrind's callgrind: the same number each time for the same binary, whatever else
/// the machine does.
pub(crate) fn instructions(command: &Command) -> Result<u64> {
    let log = target().join("xtask/callgrind.txt");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(format!("--log-file={}", log.display()));
    run_quietly(&mut through(valgrind, command))?;
    let text = fs::read_to_string(&log)?;
    let collected =
        text.lines().find_map(|line| line.split_once("Collected :")).map(|(_, number)| number.trim());
    collected
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("callgrind counted nothing:\n{text}"))
}

/// The largest resident set of a run in KiB, by GNU time, which is small enough not to be what is measured.
pub(crate) fn peak_kib(command: &Command) -> Result<u64> {
    let log = target().join("xtask/time.txt");
    let mut time = Command::new("/usr/bin/time");
    time.args(["--format=%M", "--output"]).arg(&log);
    run_quietly(&mut through(time, command))?;
    let text = fs::read_to_string(&log)?;
    text.trim().parse().with_context(|| format!("GNU time said {text:?}"))
}

/// Bytes of a file.
pub(crate) fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| file.display().to_string())?.len())
}

/// `command`, run by `runner`.
fn through(mut runner: Command, command: &Command) -> Command {
    runner.arg(command.get_program()).args(command.get_args());
    runner.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            runner.env(name, value);
        }
    }
    // The runner itself is found on the path.
    runner.env("PATH", crate::environment::variable("PATH").unwrap_or_default());
    runner
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("{program} could not be started"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}
