//! `kubesso doctor` alone: what in an installation cannot do what it says. Its checks are `KP001` and on.

use std::process::ExitCode;

use kubesso_directory::{AdminRole, ApiToken, LifetimeWarning, server_warnings};

use crate::args::{DataDir, Output};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::master_key::Source;
use crate::output;

/// Something to say.
#[derive(Debug, serde::Serialize)]
struct Finding {
    /// The check's name.
    id: &'static str,
    /// What it is about.
    about: String,
    /// What, and what to do.
    #[serde(rename = "finding")]
    said: String,
}

/// Runs `kubesso doctor` alone.
pub(super) async fn run(data: &DataDir, output: Output) -> Result<ExitCode, CommandError> {
    let ((store, _), key) = Database::open_at(&environment::data_dir(data)?).await?;
    let snapshot =
        store.snapshot().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    let tokens =
        store.api_tokens().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    store.close().await;
    let mut findings = Vec::new();
    for server in snapshot.servers().filter(|server| server.server.status.is_active()) {
        findings.extend(server_warnings(server, &snapshot).into_iter().map(|warning| Finding {
            id: id_of(&warning),
            about: format!("authorization server {} ({})", server.server.name, server.server.id),
            said: warning.to_string(),
        }));
    }
    findings.extend(tokens.iter().filter(|token| is_almighty(token)).map(|token| Finding {
        id: "KP006",
        about: format!("API token {} ({})", token.name, token.id),
        said: "it may do everything, and never ends: revoke it, and make one with --expires, or with the roles that \
                  its user needs"
            .to_owned(),
    }));
    findings.extend((key == Source::Variable).then(|| Finding {
        id: "KP007",
        about: format!("the master key ({key})"),
        said: "whoever sees the process' environment has it (crash reports, `docker inspect`, other containers' tools): \
                  put it into a file, or behind a program (docs/serve.md, \"The master key\")"
            .to_owned(),
    }));
    output::print(output.format, &findings, || screen(&findings, &key))?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The check's name: it never changes its meaning.
fn id_of(warning: &LifetimeWarning) -> &'static str {
    match warning {
        LifetimeWarning::ApplicationCannotRefresh { .. } => "KP001",
        LifetimeWarning::NoOfflineAccess { .. } => "KP002",
        LifetimeWarning::IdTokenOutlivesAccessToken { .. } => "KP003",
        LifetimeWarning::WindowEndsBeforeIdToken { .. } => "KP004",
        LifetimeWarning::RefreshEndsBeforeIdToken { .. } => "KP005",
    }
}

fn is_almighty(token: &ApiToken) -> bool {
    token.roles.contains(&AdminRole::SuperAdmin) && token.expires.is_none()
}

fn screen(findings: &[Finding], key: &Source) -> String {
    if findings.is_empty() {
        let fits = "nothing to say: every setting can do what it says";
        return format!("{fits}, and secrets are sealed under {key}");
    }
    let lines = findings.iter().map(|found| format!("{}  {}: {}", found.id, found.about, found.said));
    lines.collect::<Vec<_>>().join("\n\n")
}
