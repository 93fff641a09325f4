//! `kubesso doctor`: what in an installation cannot do what it says.

use std::process::ExitCode;

use kubesso_directory::{AdminRole, ApiToken, server_warnings};

use crate::args::Doctor;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::master_key::Source;
use crate::output;

/// Something to say.
#[derive(Debug, serde::Serialize)]
struct Finding {
    /// What it is about.
    about: String,
    /// What, and what to do.
    finding: String,
}

/// Runs `kubesso doctor …`.
pub(crate) async fn run(command: Doctor) -> Result<ExitCode, CommandError> {
    let ((store, _), key) = Database::open_at(&environment::data_dir(&command.data)?).await?;
    let snapshot =
        store.snapshot().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    let tokens =
        store.api_tokens().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    store.close().await;
    let mut findings = Vec::new();
    for server in snapshot.servers().filter(|server| server.server.status.is_active()) {
        findings.extend(server_warnings(server, &snapshot).into_iter().map(|warning| Finding {
            about: format!("authorization server {} ({})", server.server.name, server.server.id),
            finding: warning.to_string(),
        }));
    }
    findings.extend(tokens.iter().filter(|token| is_almighty(token)).map(|token| Finding {
        about: format!("API token {} ({})", token.name, token.id),
        finding: "it may do everything, and never ends: revoke it, and make one with --expires, or with the roles that \
                  its user needs"
            .to_owned(),
    }));
    findings.extend((key == Source::Variable).then(|| Finding {
        about: format!("the master key ({key})"),
        finding: "whoever sees the process' environment has it (crash reports, `docker inspect`, other containers' tools): \
                  put it into a file, or behind a program (docs/serve.md, \"The master key\")"
            .to_owned(),
    }));
    output::print(command.output.format, &findings, || screen(&findings, &key))?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_almighty(token: &ApiToken) -> bool {
    token.roles.contains(&AdminRole::SuperAdmin) && token.expires.is_none()
}

fn screen(findings: &[Finding], key: &Source) -> String {
    if findings.is_empty() {
        let fits = "nothing to say: every setting can do what it says";
        return format!("{fits}, and secrets are sealed under {key}");
    }
    let lines = findings.iter().map(|found| format!("{}: {}", found.about, found.finding));
    lines.collect::<Vec<_>>().join("\n\n")
}
