//! What may be used once. Using it is a statement that can lose.

use jiff::Timestamp;
use kubesso_directory::{SingleUse, StoreError};

use crate::connection::Connection;
use crate::database;
use crate::row::micros;
use crate::statement::Statement;

/// Does `Store::use_once`.
pub async fn use_once(
    connection: &mut dyn Connection,
    what: &SingleUse,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Statement::new(
        "INSERT INTO single_uses (hash, ends) VALUES (?, ?) \
         ON CONFLICT (hash) DO UPDATE SET ends = excluded.ends WHERE single_uses.ends <= ?",
    )
    .bind(what.hash().as_bytes().to_vec())
    .bind(micros(what.ends()))
    .bind(micros(now))
    .execute(connection)
    .await
    .map_err(database("note what may be used once"))?;
    Ok(done == 1)
}

/// Does `Store::was_used`.
pub async fn was_used(
    connection: &mut dyn Connection,
    what: &SingleUse,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found = Statement::new("SELECT hash FROM single_uses WHERE hash = ? AND ends > ?")
        .bind(what.hash().as_bytes().to_vec())
        .bind(micros(now))
        .fetch_optional(connection)
        .await
        .map_err(database("look for what may be used once"))?;
    Ok(found.is_some())
}
