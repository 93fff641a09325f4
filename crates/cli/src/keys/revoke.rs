//! `kubesso keys revoke`: a key that somebody else may have.

use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{KeyState, Server, SigningKeyRecord};
use kubesso_provider::KeyCommand;
use kubesso_signin::{SystemTerminal, Terminal as _};

use crate::args::DataDir;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;

pub(super) async fn run(kid: &str, yes: bool, data: &DataDir) -> Result<(), CommandError> {
    let (database, sealing_key) = Database::open_existing(&environment::data_dir(data)?).await?;
    let done = async {
        let failed = |e: &dyn std::error::Error| CommandError::because("the key was not revoked", e);
        let snapshot = database.snapshot().await.map_err(|e| failed(&e))?;
        let mut keys = snapshot.servers().flat_map(|server| server.keys.iter().map(move |key| (server, key)));
        let (server, key) = keys.find(|(_, key)| key.kid.as_str() == kid).ok_or_else(|| {
            CommandError::new(format!("there is no signing key {kid}")).mend("see `kubesso keys list`")
        })?;
        if let KeyState::Revoked { at } = key.state {
            return Err(CommandError::new(format!("the key {kid} is revoked since {at}")));
        }
        for line in consequences(server, key) {
            eprintln!("{line}");
        }
        if !yes && !confirmed(kid)? {
            return Err(CommandError::new("nothing was changed"));
        }
        let command = KeyCommand {
            store: &*database,
            sealing_key: &sealing_key,
            entropy: &OsEntropy,
            now: SystemClock.now(),
        };
        command.revoke(&server.server.id, &key.kid).await.map(drop).map_err(|e| failed(&e))
    };
    let done = done.await;
    database.close().await;
    done
}

/// What revoking breaks.
fn consequences(server: &Server, key: &SigningKeyRecord) -> Vec<String> {
    let name = &server.server.name;
    let mut lines = vec![format!(
        "the key {} of {name} is {}. Revoked, at once and for ever:",
        key.kid,
        key.state.name()
    )];
    if matches!(key.state, KeyState::Pending { .. }) {
        lines.push("- nothing was signed with it: no token is lost, and it never signs".to_owned());
        return lines;
    }
    lines.push(
        "- every ID and access token that it signed is refused, here at once, by others when they fetch the key set again"
            .to_owned(),
    );
    lines.push("- people whose kubectl has such a token sign in again silently, by their refresh token, or with `kubectl oidc-login get-token --force-refresh`".to_owned());
    lines.push(
        "- a kube-apiserver keeps the keys it has until it sees a token of a key that it does not know: the next token of the \
         new key; restart it if that is too late"
            .to_owned(),
    );
    if key.is_active() {
        lines.push(
            "- another key signs at once: whoever caches the key set refuses its tokens until they fetch it again".to_owned(),
        );
    }
    lines
}

fn confirmed(kid: &str) -> Result<bool, CommandError> {
    if !SystemTerminal.is_attended() {
        return Err(CommandError::usage("there is nobody to ask whether to do that").mend("say --yes"));
    }
    eprint!("Revoke {kid}? Type yes: ");
    let answer =
        SystemTerminal.read_line().map_err(|e| CommandError::because("the answer cannot be read", &e))?;
    Ok(answer.is_some_and(|answer| answer.trim() == "yes"))
}
