//! Counters of attempts.

use jiff::Timestamp;
use kubesso_directory::{Attempt, MOST_THROTTLES, StoreError, Throttle, ThrottleKey, ThrottleRule};

use crate::connection::{Connection, ErrorKind, SqlError};
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
    let locking = connection.dialect().locking();
    let found = Statement::new(format!("SELECT attempts, last FROM throttles WHERE key = ?{locking}"))
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
    if stored.is_some() {
        Statement::new("UPDATE throttles SET attempts = ?, last = ? WHERE key = ?")
            .bind(after.attempts)
            .bind(micros(after.last))
            .bind(key.as_bytes().to_vec())
            .execute(connection)
            .await
            .map_err(database("count an attempt"))?;
        return Ok(attempt);
    }
    make_room(connection).await?;
    let added =
        Statement::new("INSERT INTO throttles (key, attempts, last) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(key.as_bytes().to_vec())
            .bind(after.attempts)
            .bind(micros(after.last))
            .execute(connection)
            .await
            .map_err(database("count an attempt"))?;
    if added == 0 {
        // There was no row to lock, and somebody was faster: theirs counts, and ours is judged by it.
        let error = SqlError::new(ErrorKind::Contention, "another attempt was counted at the same time");
        return Err(database("count an attempt")(error));
    }
    Ok(attempt)
}

/// Takes away the counters that weigh least, so that one more fits.
async fn make_room(connection: &mut dyn Connection) -> Result<(), StoreError> {
    let failed = || database("make room for a throttle counter");
    let row = Statement::new("SELECT count(*) AS number FROM throttles")
        .fetch_one(connection)
        .await
        .map_err(failed())?;
    let number: i64 = Row::new(&row, "number of throttle counters", "number").number("number")?;
    let excess = number - i64::from(MOST_THROTTLES) + 1;
    if excess > 0 {
        Statement::new(
            "DELETE FROM throttles WHERE key IN (SELECT key FROM throttles ORDER BY attempts, last LIMIT ?)",
        )
        .bind(excess)
        .execute(connection)
        .await
        .map_err(failed())?;
    }
    Ok(())
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
