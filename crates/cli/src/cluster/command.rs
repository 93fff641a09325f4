//! Programs of others, run without a shell in between.

use std::process::Stdio;
use std::time::Duration;

/// Runs one, and gives what it printed. `shown` is what it is called in errors: its words, without what is secret.
///
/// # Errors
/// It cannot be run, does not end in time, or ends with another code than 0: the last line that it said.
pub(super) async fn run(
    program: &str,
    arguments: &[impl AsRef<std::ffi::OsStr>],
    shown: &str,
    limit: Duration,
) -> Result<Vec<u8>, String> {
    let ended = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(limit, ended)
        .await
        .map_err(|_| format!("`{shown}` did not end in {} seconds", limit.as_secs()))?
        .map_err(|error| format!("`{shown}` cannot be run: {error}"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return Err(format!("`{shown}` ended with {}: {}", ended.status, said.trim()));
    }
    Ok(ended.stdout)
}
