//! `kubesso keys`: the provider's signing keys, and the master key that they are sealed under.

use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock, OsEntropy, SystemClock};
use kubesso_directory::{KeyState, MANAGEMENT_SERVER, SealingKey, Server, Snapshot, Store};
use kubesso_provider::{KeyChange, KeyCommand, rotate_keys, rotate_promptly};
use kubesso_token::Algorithm;
use serde::Serialize;

use crate::args::{DataDir, Keys as Command};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::interrupts::Interrupts;
use crate::output;

mod portable;
mod revoke;
mod rewrap;

/// Runs `kubesso keys …`.
pub(crate) async fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::List { data, output } => {
            let keys = list(&data).await?;
            output::print(output.format, &keys, || table(&keys))?;
        }
        Command::Rotate { algorithm, authorization_server, publish_only, danger_at_once, data, output } => {
            let pace = match (publish_only, danger_at_once) {
                (true, _) => Pace::PublishOnly,
                (false, true) => Pace::DangerouslyAtOnce,
                (false, false) => Pace::Promptly,
            };
            rotate(&data, algorithm, authorization_server.as_deref(), pace).await?;
            let keys = list(&data).await?;
            output::print(output.format, &keys, || table(&keys))?;
        }
        Command::Revoke { kid, yes, data, output } => {
            revoke::run(&kid, yes, &data).await?;
            let keys = list(&data).await?;
            output::print(output.format, &keys, || table(&keys))?;
        }
        Command::Export { public, out, authorization_server, passphrase, data } => {
            let server = authorization_server.as_deref();
            match out.filter(|_| !public) {
                Some(out) => portable::export(&out, server, &passphrase, &data).await?,
                None => portable::print_public(server, &data).await?,
            }
        }
        Command::Import { file, authorization_server, kid, algorithm, passphrase, data, output } => {
            let wanted = portable::Wanted { server: authorization_server, kid, algorithm };
            portable::import(&file, &wanted, &passphrase, &data).await?;
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
    /// Since when, or for a retiring one until when it is published.
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
        let at = match key.state {
            KeyState::Pending { since: at }
            | KeyState::Active { since: at }
            | KeyState::Retiring { until: at }
            | KeyState::Revoked { at } => at,
        };
        Listed {
            authorization_server: server.server.name.to_string(),
            kid: key.kid.to_string(),
            algorithm: key.algorithm.clone(),
            state: key.state.name(),
            at,
        }
    })
    .collect()
}

/// When the new key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Now.
    DangerouslyAtOnce,
    /// When everybody's copy of the key set has run out.
    Promptly,
    /// Another time.
    PublishOnly,
}

/// Publishes a new key for every server, waits until nobody can hold a key set without it, and signs with it.
async fn rotate(
    data: &DataDir,
    algorithm: Option<Algorithm>,
    server: Option<&str>,
    pace: Pace,
) -> Result<(), CommandError> {
    let mut schedule = rotate_promptly();
    match pace {
        Pace::DangerouslyAtOnce => schedule.published_ahead = SignedDuration::ZERO,
        Pace::Promptly => {}
        Pace::PublishOnly => schedule.published_ahead = SignedDuration::MAX,
    }
    let (database, sealing_key) = Database::open_existing(&environment::data_dir(data)?).await?;
    let store = database.store();
    let step = async || -> Result<Vec<KeyChange>, CommandError> {
        rotate_keys(&*store, &sealing_key, &OsEntropy, &schedule, SystemClock.now())
            .await
            .map_err(|e| CommandError::because("the keys could not be rotated", &e))
    };
    if let Some(algorithm) = algorithm {
        set_algorithm(&*store, &sealing_key, algorithm, server).await?;
    }
    let mut changes = step().await?;
    if pace == Pace::PublishOnly {
        database.close().await;
        eprintln!(
            "the new key is published; `kubesso keys rotate` lets it sign (a key of another algorithm the running provider, after \
             key_rotation.published_ahead_hours)"
        );
        return Ok(());
    }
    if !is_exchanged(&changes) {
        let wait = schedule.published_ahead;
        eprintln!(
            "the new key is published; it signs in {} seconds, when every copy of the key set has run out",
            wait.as_secs()
        );
        let mut interrupts = Interrupts::begin();
        tokio::select! {
            () = tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()) => {}
            () = interrupts.next() => {
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

/// Sets what servers sign by from the next exchange on: the one that is named, or all but the built-in one.
async fn set_algorithm(
    store: &dyn Store,
    sealing_key: &SealingKey,
    algorithm: Algorithm,
    server: Option<&str>,
) -> Result<(), CommandError> {
    let failed = |e: &dyn std::error::Error| CommandError::because("the algorithm could not be changed", e);
    let snapshot = store.snapshot().await.map_err(|e| failed(&e))?;
    let servers = match server {
        Some(named) => vec![find_server(&snapshot, Some(named))?],
        None => own_servers(&snapshot).collect(),
    };
    if algorithm != Algorithm::Rs256 {
        eprintln!(
            "kube-apiserver takes tokens by RS256 only, unless it is told otherwise: give every cluster that trusts these"
        );
        eprintln!(
            "servers --oidc-signing-algs=RS256,{algorithm} before the new key signs, or a structured authentication"
        );
        eprintln!(
            "configuration, which takes all. A single client keeps RS256 by its id_token_signed_response_alg."
        );
    }
    for server in servers {
        let command = KeyCommand { store, sealing_key, entropy: &OsEntropy, now: SystemClock.now() };
        command.set_algorithm(&server.server.id, algorithm).await.map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// The servers that people made.
fn own_servers(snapshot: &Snapshot) -> impl Iterator<Item = &Server> {
    snapshot.servers().filter(|server| server.server.id.as_str() != MANAGEMENT_SERVER)
}

/// The server of that name or id; `None`: the only one.
fn find_server<'a>(snapshot: &'a Snapshot, named: Option<&str>) -> Result<&'a Server, CommandError> {
    let known = || own_servers(snapshot).map(|it| it.server.name.to_string()).collect::<Vec<_>>().join(", ");
    let Some(named) = named else {
        let mut servers = own_servers(snapshot);
        return match (servers.next(), servers.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(CommandError::new("there is no authorization server")),
            _ => Err(CommandError::usage(format!("there are several authorization servers: {}", known()))
                .mend("name one with --authorization-server")),
        };
    };
    let is_it = |server: &&Server| server.server.id.as_str() == named || server.server.name.as_str() == named;
    snapshot.servers().find(is_it).ok_or_else(|| {
        CommandError::new(format!("there is no authorization server {named}, only {}", known()))
    })
}

fn is_exchanged(changes: &[KeyChange]) -> bool {
    changes.iter().any(|change| matches!(change.state, Some(KeyState::Active { .. })))
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
                match key.state {
                    "retiring" => format!("until {}", key.at),
                    _ => format!("since {}", key.at),
                },
            ]
        }),
    )
}
