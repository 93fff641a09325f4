//! Sessions of people who have signed in.

use jiff::Timestamp;
use kubesso_directory::{Assurance, Session, SessionId, SessionOrigin, StoreError, TokenHash, UserId};

use crate::connection::{Connection, Record};
use crate::database;
use crate::grants::dangling;
use crate::row::{Row, duration_micros, json, micros};
use crate::statement::Statement;

/// Does `Store::begin_session`.
pub async fn begin_session(connection: &mut dyn Connection, session: &Session) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO sessions (token, id, user_id, auth_time, amr, acr, address, user_agent, created, last_used, idle, \
         absolute_end) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(session.token.as_bytes().to_vec())
    .bind(session.id.as_str())
    .bind(session.user.as_str())
    .bind(micros(session.auth_time))
    .bind(json(&session.amr)?)
    .bind(session.assurance.as_str())
    .bind(session.origin.address.map(|address| address.to_string()))
    .bind(session.origin.user_agent.as_deref())
    .bind(micros(session.created))
    .bind(micros(session.last_used))
    .bind(duration_micros(session.idle))
    .bind(micros(session.absolute_end))
    .execute(connection)
    .await
    .map_err(dangling("session", session.id.as_str()))?;
    Statement::new("UPDATE users SET last_login = ? WHERE id = ?")
        .bind(micros(session.auth_time))
        .bind(session.user.as_str())
        .execute(connection)
        .await
        .map_err(database("note a sign-in"))?;
    Ok(())
}

/// Does `Store::use_session`.
pub async fn use_session(
    connection: &mut dyn Connection,
    token: &TokenHash,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let locking = connection.dialect().locking();
    let found = Statement::new(format!("SELECT * FROM sessions WHERE token = ?{locking}"))
        .bind(token.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(database("read a session"))?;
    let Some(row) = found else { return Ok(None) };
    let Some(session) = session(&row)?.used(now) else { return Ok(None) };
    Statement::new("UPDATE sessions SET last_used = ? WHERE token = ?")
        .bind(micros(session.last_used))
        .bind(token.as_bytes().to_vec())
        .execute(connection)
        .await
        .map_err(database("note the use of a session"))?;
    Ok(Some(session))
}

fn session(row: &Record) -> Result<Session, StoreError> {
    let row = Row::new(row, "session", "id");
    Ok(Session {
        id: row.parsed("id")?,
        token: row.bytes("token", TokenHash::from_bytes)?,
        user: row.parsed("user_id")?,
        auth_time: row.time("auth_time")?,
        amr: row.json("amr")?,
        assurance: row.known("acr", Assurance::parse)?,
        origin: SessionOrigin {
            address: row.optional_text("address")?.and_then(|address| address.parse().ok()),
            user_agent: row.optional_text("user_agent")?,
        },
        created: row.time("created")?,
        last_used: row.time("last_used")?,
        idle: row.duration("idle")?,
        absolute_end: row.time("absolute_end")?,
    })
}

/// Does `Store::end_session`.
pub async fn end_session(connection: &mut dyn Connection, token: &TokenHash) -> Result<bool, StoreError> {
    let done = Statement::new("DELETE FROM sessions WHERE token = ?")
        .bind(token.as_bytes().to_vec())
        .execute(connection)
        .await
        .map_err(database("end a session"))?;
    Ok(done > 0)
}

/// Does `Store::sessions_of`.
pub async fn sessions_of(connection: &mut dyn Connection, user: &UserId) -> Result<Vec<Session>, StoreError> {
    Statement::new("SELECT * FROM sessions WHERE user_id = ? ORDER BY created DESC, id")
        .bind(user.as_str())
        .fetch_all(connection)
        .await
        .map_err(database("list sessions"))?
        .iter()
        .map(session)
        .collect()
}

/// Does `Store::session`.
pub async fn session_by_id(
    connection: &mut dyn Connection,
    id: &SessionId,
) -> Result<Option<Session>, StoreError> {
    Statement::new("SELECT * FROM sessions WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a session"))?
        .map(|row| session(&row))
        .transpose()
}
