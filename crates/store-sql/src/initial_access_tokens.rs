//! Tokens that let somebody register clients. Using one is a statement that can lose.

use jiff::Timestamp;
use kubesso_directory::{InitialAccessToken, InitialAccessTokenId, StoreError, TokenHash};

use crate::connection::{Connection, Record};
use crate::database;
use crate::row::{Row, micros};
use crate::statement::Statement;

pub(crate) fn put(token: &InitialAccessToken) -> Statement {
    Statement::new(
        "INSERT INTO initial_access_tokens (id, hash, name, uses_left, created, expires) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, name = excluded.name, uses_left = excluded.uses_left, \
         created = excluded.created, expires = excluded.expires",
    )
    .bind(token.id.to_string())
    .bind(token.hash.as_bytes().to_vec())
    .bind(token.name.to_string())
    .bind(token.uses_left)
    .bind(micros(token.created))
    .bind(micros(token.expires))
}

pub(crate) fn remove(id: &InitialAccessTokenId) -> Statement {
    Statement::new("DELETE FROM initial_access_tokens WHERE id = ?").bind(id.to_string())
}

/// Does `Store::initial_access_tokens`.
pub async fn initial_access_tokens(
    connection: &mut dyn Connection,
) -> Result<Vec<InitialAccessToken>, StoreError> {
    Statement::new("SELECT * FROM initial_access_tokens ORDER BY id")
        .fetch_all(connection)
        .await
        .map_err(database("list initial access tokens"))?
        .iter()
        .map(read)
        .collect()
}

/// Does `Store::use_initial_access_token`.
pub async fn use_initial_access_token(
    connection: &mut dyn Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<InitialAccessToken>, StoreError> {
    let failed = database("use an initial access token");
    let used = Statement::new(
        "UPDATE initial_access_tokens SET uses_left = uses_left - 1 WHERE hash = ? AND uses_left > 0 AND expires > ?",
    )
    .bind(hash.as_bytes().to_vec())
    .bind(micros(now))
    .execute(connection)
    .await
    .map_err(&failed)?;
    if used == 0 {
        return Ok(None);
    }
    Statement::new("SELECT * FROM initial_access_tokens WHERE hash = ?")
        .bind(hash.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(failed)?
        .as_ref()
        .map(read)
        .transpose()
}

fn read(row: &Record) -> Result<InitialAccessToken, StoreError> {
    let row = Row::new(row, "initial access token", "id");
    Ok(InitialAccessToken {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        hash: row.bytes("hash", TokenHash::from_bytes)?,
        uses_left: row.number("uses_left")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
    })
}
