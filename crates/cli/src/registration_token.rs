//! `kubesso registration-token`: tokens that let somebody register clients (RFC 7591 §3), in the data directory at hand.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{
    AuditEvent, AuditEventId, Batch, Change, InitialAccessToken, InitialAccessTokenId,
    InitialAccessTokenValue, Label, Outcome, StoreError,
};
use serde::Serialize;

use crate::args::{DataDir, RegistrationToken as Command};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// A token in the list.
#[derive(Clone, Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    uses_left: u32,
    created: Timestamp,
    expires: Timestamp,
}

/// A token for whoever asked for it; this is its only showing.
#[derive(Serialize)]
struct Made {
    token: String,
    #[serde(flatten)]
    listed: Listed,
}

/// Runs `kubesso registration-token …`.
pub(crate) fn run(command: Command) -> Result<ExitCode, CommandError> {
    let runtime = crate::runtime()?;
    match command {
        Command::Create { name, uses, expires, data, output } => {
            let made = runtime.block_on(create(&data, &name, uses, expires))?;
            output::print(output.format, &made, || {
                let Listed { id, name, uses_left, expires, .. } = &made.listed;
                format!(
                    "{}\n\n{name} ({id}), shown this once; registers {uses_left} client(s) until {}",
                    made.token,
                    text(*expires)
                )
            })?;
        }
        Command::List { data, output } => {
            let tokens = runtime.block_on(list(&data))?;
            output::print(output.format, &tokens, || table(&tokens))?;
        }
        Command::Revoke { token, data } => {
            let revoked = runtime.block_on(revoke(&data, &token))?;
            println!("{} ({}) is revoked: it registers nothing any more", revoked.name, revoked.id);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(data: &DataDir, name: &str, uses: u32, expires: Span) -> Result<Made, CommandError> {
    let name = Label::parse(name).map_err(|e| CommandError::usage(e.to_string()))?;
    let now = SystemClock.now();
    let expires = end(now, expires)?;
    let store = open(data).await?;
    let value = InitialAccessTokenValue::generate(&OsEntropy);
    let token = InitialAccessToken {
        id: InitialAccessTokenId::generate(&OsEntropy),
        name,
        hash: value.hash(),
        uses_left: uses,
        created: now,
        expires,
    };
    let mut changes = Vec::new();
    // Those that have ended keep no name.
    for old in store.initial_access_tokens().await.map_err(|e| unreadable(&e))? {
        if old.name == token.name && (old.expires <= now || old.uses_left == 0) {
            changes.push(Change::RemoveInitialAccessToken(old.id));
        }
    }
    changes.extend([Change::PutInitialAccessToken(token.clone()), audit("create", &token, "created")]);
    match store.commit(Batch::new(now, changes)).await {
        Err(StoreError::Conflict { .. }) => {
            return Err(CommandError::new(format!(
                "there is a registration token called `{}` already",
                token.name
            ))
            .mend("choose another name, or revoke that one with `kubesso registration-token revoke`"));
        }
        result => result.map_err(|e| CommandError::because("no token was made", &e))?,
    };
    store.close().await;
    Ok(Made { token: value.expose().to_owned(), listed: listed(&token) })
}

fn end(now: Timestamp, expires: Span) -> Result<Timestamp, CommandError> {
    let after = |span: Span| now.to_zoned(TimeZone::UTC).checked_add(span).map(|end| end.timestamp());
    let end = after(expires).map_err(|e| CommandError::because("--expires is too far away", &e))?;
    let latest = after(Span::new().years(1)).unwrap_or(Timestamp::MAX);
    if end <= now || end > latest {
        return Err(CommandError::usage("--expires must be a time ahead, a year at most: 7d say"));
    }
    Ok(end)
}

async fn list(data: &DataDir) -> Result<Vec<Listed>, CommandError> {
    let store = open(data).await?;
    let tokens = store.initial_access_tokens().await.map_err(|e| unreadable(&e))?;
    store.close().await;
    let mut tokens: Vec<_> = tokens.iter().map(listed).collect();
    tokens.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tokens)
}

async fn revoke(data: &DataDir, wanted: &str) -> Result<Listed, CommandError> {
    let store = open(data).await?;
    let tokens = store.initial_access_tokens().await.map_err(|e| unreadable(&e))?;
    let by_id = tokens.iter().find(|token| token.id.as_str() == wanted);
    let found =
        by_id.or_else(|| tokens.iter().find(|token| token.name.as_str() == wanted)).ok_or_else(|| {
            CommandError::new(format!("there is no registration token {wanted:?}"))
                .mend("see `kubesso registration-token list`")
        })?;
    let changes = vec![Change::RemoveInitialAccessToken(found.id.clone()), audit("revoke", found, "revoked")];
    let committed = store.commit(Batch::new(SystemClock.now(), changes)).await;
    committed.map_err(|e| CommandError::because("nothing was changed", &e))?;
    let revoked = listed(found);
    store.close().await;
    Ok(revoked)
}

async fn open(data: &DataDir) -> Result<Database, CommandError> {
    Ok(Database::open_existing(&environment::data_dir(data)?).await?.0)
}

fn listed(token: &InitialAccessToken) -> Listed {
    Listed {
        id: token.id.to_string(),
        name: token.name.to_string(),
        uses_left: token.uses_left,
        created: token.created,
        expires: token.expires,
    }
}

fn audit(event: &str, token: &InitialAccessToken, verb: &str) -> Change {
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&OsEntropy),
        published: SystemClock.now(),
        event_type: format!("system.registration_token.{event}"),
        actor: "system".to_owned(),
        target: Some(token.id.to_string()),
        outcome: Outcome::Success,
        message: format!("the registration token {} was {verb} by `kubesso registration-token`", token.name),
        details: serde_json::Map::new(),
    })
}

fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn table(tokens: &[Listed]) -> String {
    output::table(
        &["NAME", "ID", "USES LEFT", "CREATED", "EXPIRES"],
        tokens.iter().map(|token| {
            let uses = token.uses_left.to_string();
            vec![token.name.clone(), token.id.clone(), uses, text(token.created), text(token.expires)]
        }),
    )
}

fn unreadable(error: &StoreError) -> CommandError {
    CommandError::because("the directory cannot be read", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_ahead_and_within_a_year() {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        let at = |span: &str| end(now, span.parse().unwrap());
        assert_eq!(at("7d").unwrap(), "2026-11-29T08:00:00Z".parse().unwrap());
        assert!(at("1y").is_ok());
        for span in ["-1d", "0s", "366d"] {
            assert!(at(span).is_err(), "{span}");
        }
    }
}
