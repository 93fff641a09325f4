//! `kubesso keys`: the provider's signing keys, and the master key that they are sealed under.

use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock, OsEntropy, SystemClock};
use kubesso_directory::{KeyState, Snapshot};
use kubesso_provider::{KeyChange, rotate_keys, rotate_promptly};
use serde::Serialize;

use crate::args::{DataDir, Keys as Command};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::output;

mod rewrap;

/// Runs `kubesso keys …`.
pub(crate) async fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::List { data, output } => {
            let keys = list(&data).await?;
            output::print(output.format, &keys, || table(&keys))?;
        }
        Command::Rotate { danger_at_once, data, output } => {
            rotate(&data, danger_at_once).await?;
            let keys = list(&data).await?;
            output::print(output.format, &keys, || table(&keys))?;
        }
        Command::Rewrap { new_key, data } => rewrap::run(&new_key, &data).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A key in the list.
#[derive(Debug, Serialize)]
struct Listed {
    authorization_server: String,
    kid: String,
    algorithm: String,
    state: &'static str,
    /// Since when, or for a retired one until when.
    at: Timestamp,
}

async fn list(data: &DataDir) -> Result<Vec<Listed>, CommandError> {
    let (store, _) = Database::open_existing(&environment::data_dir(data)?).await?;
    let snapshot =
        store.snapshot().await.map_err(|e| CommandError::because("the keys cannot be read", &e))?;
    store.close().await;
    Ok(listed(&snapshot))
}

fn listed(snapshot: &Snapshot) -> Vec<Listed> {
    let keys = snapshot.servers().flat_map(|server| server.keys.iter().map(move |key| (server, key)));
    keys.map(|(server, key)| {
        let (state, at) = match key.state {
            KeyState::Published { since } => ("published since", since),
            KeyState::Signing { since } => ("signing since", since),
            KeyState::Retired { until } => ("retired, published until", until),
        };
        Listed {
            authorization_server: server.server.name.to_string(),
            kid: key.kid.to_string(),
            algorithm: key.algorithm.clone(),
            state,
            at,
        }
    })
    .collect()
}

/// Publishes a new key for every server, waits until nobody can hold a key set without it, and signs with it.
async fn rotate(data: &DataDir, danger_at_once: bool) -> Result<(), CommandError> {
    let mut schedule = rotate_promptly();
    if danger_at_once {
        schedule.published_ahead = SignedDuration::ZERO;
    }
    let (database, sealing_key) = Database::open_existing(&environment::data_dir(data)?).await?;
    let store = database.store();
    let step = async || -> Result<Vec<KeyChange>, CommandError> {
        rotate_keys(&*store, &sealing_key, &OsEntropy, &schedule, SystemClock.now())
            .await
            .map_err(|e| CommandError::because("the keys could not be rotated", &e))
    };
    let mut changes = step().await?;
    if !is_exchanged(&changes) {
        let wait = schedule.published_ahead;
        eprintln!(
            "the new key is published; it signs in {} seconds, when every copy of the key set has run out",
            wait.as_secs()
        );
        tokio::select! {
            () = tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()) => {}
            () = crate::up::interrupted() => {
                return Err(CommandError::new("interrupted before the new key signs")
                    .mend("it stays published; `kubesso keys rotate` again goes on with it"));
            }
        }
        changes = step().await?;
    }
    database.close().await;
    if is_exchanged(&changes) {
        return Ok(());
    }
    Err(CommandError::new("no key was exchanged, because somebody else was rotating too")
        .mend("see `kubesso keys list`"))
}

fn is_exchanged(changes: &[KeyChange]) -> bool {
    changes.iter().any(|change| matches!(change.state, Some(KeyState::Signing { .. })))
}

fn table(keys: &[Listed]) -> String {
    output::table(
        &["AUTHORIZATION SERVER", "KEY ID", "ALGORITHM", "STATE", ""],
        keys.iter().map(|key| {
            vec![
                key.authorization_server.clone(),
                key.kid.clone(),
                key.algorithm.clone(),
                key.state.to_owned(),
                key.at.to_string(),
            ]
        }),
    )
}
