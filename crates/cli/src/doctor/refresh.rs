//! One refresh with the person's own session: the plugin of the kubeconfig is asked for its token, and then for a new one. The
//! plugin keeps what it gets, so that the session goes on.

use std::process::Stdio;
use std::time::Duration;

use kubesso_doctor::evidence::{RefreshEvidence, TokenEvidence};
use kubesso_k8s_types::kubeconfig::{ExecConfig, User};
use kubesso_kubeconfig::{Entry, Kubeconfig, Selection};
use tokio::process::Command;

use crate::error::CommandError;

/// A provider answers faster; somebody who has to type a password is not waited for. Our own plugin says at once that there is no
/// session ([`NEVER_ASK`]); another may open a browser and wait.
const PATIENCE: Duration = Duration::from_secs(10);
/// Has our plugin ask nobody to sign in (`signin/src/errand.rs`).
const NEVER_ASK: &str = "KUBESSO_NEVER_ASK";

/// What providers call a refresh token that is no longer good (RFC 6749 section 5.2), as plugins hand it on.
const REFUSED: &str = "invalid_grant";

/// Asks the plugin of a context, twice.
pub(super) async fn refresh(
    kubeconfig: &Kubeconfig,
    context: Option<&str>,
) -> Result<RefreshEvidence, CommandError> {
    let no_plugin = || {
        CommandError::usage("--refresh needs a context whose user has a plugin that knows --force-refresh")
            .mend("name it with --context")
    };
    let user = kubeconfig.select_user(Selection { context, user: None }).map_err(|_| no_plugin())?;
    let exec = user.value.exec.as_ref().ok_or_else(no_plugin)?;
    match ask(user, exec, None).await {
        Ok(before) => Ok(RefreshEvidence {
            before: Some(before),
            after: ask(user, exec, Some("--force-refresh")).await,
        }),
        // Its token had run out, so that this was the refresh.
        Err(why) if why.contains(REFUSED) => Ok(RefreshEvidence { before: None, after: Err(why) }),
        Err(why) => {
            let context = context.map(|name| format!(" --context={name}")).unwrap_or_default();
            Err(CommandError::new(format!("the plugin gives no token to begin with: {why}"))
                .mend(format!("sign in first: kubectl auth whoami{context}")))
        }
    }
}

async fn ask(user: &Entry<User>, exec: &ExecConfig, more: Option<&str>) -> Result<TokenEvidence, String> {
    let program = user.exec_command().ok_or("its command is empty")?;
    let info = serde_json::json!({
        "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": {"interactive": false},
    });
    let mut command = Command::new(&program);
    command
        .args(&exec.args)
        .args(more)
        .envs(exec.env.iter().map(|variable| (&variable.name, &variable.value)))
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .env(NEVER_ASK, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    let waited = || {
        format!(
            "{} printed nothing in {} s: it is likely to wait for somebody who signs in, at a page that it opened",
            program.display(),
            PATIENCE.as_secs()
        )
    };
    let ended = ended.map_err(|_| waited())?;
    let ended = ended.map_err(|error| error.to_string())?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        return Err(if said.is_empty() { ended.status.to_string() } else { said });
    }
    Ok(TokenEvidence::read(&String::from_utf8_lossy(&ended.stdout)))
}
