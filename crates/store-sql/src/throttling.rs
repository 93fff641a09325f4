//! Counters of attempts.

use jiff::Timestamp;
use kubesso_directory::{Attempt, MOST_THROTTLES, StoreError, Throttle, ThrottleKey, ThrottleRule};

use crate::connection::Connection;
use crate::database;
use crate::row::{Row, micros};
use crate::statement::Statement;

/// Does `Store::attempt`.
pub async fn attempt(
    connection: &mut dyn Connection,
    key: &ThrottleKey,
    rule: &ThrottleRule,
    now: Timestamp,
) -> Result<Attempt, StoreError> {
    let found = Statement::new("SELECT attempts, last FROM throttles WHERE key = ?")
        .bind(key.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(database("read a throttle counter"))?;
    let stored = match &found {
        None => None,
        Some(row) => {
            let row = Row::new(row, "throttle counter", "id");
            Some(Throttle { attempts: row.number("attempts")?, last: row.time("last")? })
        }
    };
    let (attempt, after) = Throttle::attempt(stored, rule, now);
    if stored == Some(after) {
        return Ok(attempt);
    }
    if stored.is_none() {
        Statement::new(
            "DELETE FROM throttles WHERE (SELECT count(*) FROM throttles) >= ? AND key = \
             (SELECT key FROM throttles ORDER BY attempts, last LIMIT 1)",
        )
        .bind(MOST_THROTTLES)
        .execute(connection)
        .await
        .map_err(database("make room for a throttle counter"))?;
    }
    Statement::new(
        "INSERT INTO throttles (key, attempts, last) VALUES (?, ?, ?) \
         ON CONFLICT (key) DO UPDATE SET attempts = excluded.attempts, last = excluded.last",
    )
    .bind(key.as_bytes().to_vec())
    .bind(after.attempts)
    .bind(micros(after.last))
    .execute(connection)
    .await
    .map_err(database("count an attempt"))?;
    Ok(attempt)
}

/// Does `Store::forget_attempts`.
pub async fn forget_attempts(connection: &mut dyn Connection, key: &ThrottleKey) -> Result<u32, StoreError> {
    let forgotten = Statement::new("DELETE FROM throttles WHERE key = ? RETURNING attempts")
        .bind(key.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(database("forget attempts"))?;
    let Some(row) = forgotten else { return Ok(0) };
    Row::new(&row, "throttle counter", "id").number("attempts")
}

/// Does `Store::take_back_attempts`.
pub async fn take_back_attempts(
    connection: &mut dyn Connection,
    key: &ThrottleKey,
    number: u32,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE throttles SET attempts = CASE WHEN attempts > ? THEN attempts - ? ELSE 0 END WHERE key = ?",
    )
    .bind(number)
    .bind(number)
    .bind(key.as_bytes().to_vec())
    .execute(connection)
    .await
    .map_err(database("take attempts back"))?;
    Ok(())
}
