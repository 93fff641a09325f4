//! Decisions about user codes (RFC 8628).
//!
//! The functions that write run in a transaction that has taken the write lock before it read.

use jiff::Timestamp;
use kubesso_directory::{DeviceDecision, DeviceRefusal, DeviceState, RefreshFamily, StoreError, TokenHash};

use crate::connection::Connection;
use crate::database;
use crate::grants::{dangling, insert_family};
use crate::row::{Row, json, micros};
use crate::statement::Statement;

/// A decision's state in four columns: word, moment, reason, grant.
fn columns(state: &DeviceState) -> (&'static str, i64, Option<&str>, Option<&str>) {
    match state {
        DeviceState::Allowed { at } => ("ALLOWED", micros(*at), None, None),
        DeviceState::Denied { at, reason } => ("DENIED", micros(*at), Some(reason), None),
        DeviceState::Redeemed { at, grant } => ("REDEEMED", micros(*at), None, Some(grant.as_str())),
    }
}

/// Stores a decision; whether it is the first about its user code.
pub async fn add_decision(
    connection: &mut dyn Connection,
    decision: &DeviceDecision,
) -> Result<bool, StoreError> {
    let (state, at, reason, grant) = columns(&decision.state);
    let done = Statement::new(
        "INSERT INTO device_decisions (user_code, server_id, client_id, user_id, session_id, auth_time, amr, ends, \
         state, state_time, reason, grant_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (user_code) DO NOTHING",
    )
    .bind(decision.user_code.as_bytes().to_vec())
    .bind(decision.server.as_str())
    .bind(decision.client.as_str())
    .bind(decision.user.as_str())
    .bind(decision.session.as_str())
    .bind(micros(decision.auth_time))
    .bind(json(&decision.amr)?)
    .bind(micros(decision.ends))
    .bind(state)
    .bind(at)
    .bind(reason)
    .bind(grant)
    .execute(connection)
    .await
    .map_err(dangling("device decision of user", decision.user.as_str()))?;
    Ok(done == 1)
}

/// The decision about a user code.
pub async fn decision(
    connection: &mut dyn Connection,
    user_code: &TokenHash,
) -> Result<Option<DeviceDecision>, StoreError> {
    let found = Statement::new("SELECT * FROM device_decisions WHERE user_code = ?")
        .bind(user_code.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(database("read a device decision"))?;
    let Some(row) = found else { return Ok(None) };
    let row = Row::new(&row, "device decision of user", "user_id");
    let at = row.time("state_time")?;
    let state = match row.text("state")?.as_str() {
        "ALLOWED" => DeviceState::Allowed { at },
        "DENIED" => DeviceState::Denied { at, reason: row.text("reason")? },
        "REDEEMED" => DeviceState::Redeemed { at, grant: row.parsed("grant_id")? },
        other => return Err(row.corrupt("state", format!("`{other}` is not known"))),
    };
    Ok(Some(DeviceDecision {
        user_code: row.bytes("user_code", TokenHash::from_bytes)?,
        server: row.parsed("server_id")?,
        client: row.parsed("client_id")?,
        user: row.parsed("user_id")?,
        session: row.parsed("session_id")?,
        auth_time: row.time("auth_time")?,
        amr: row.json("amr")?,
        ends: row.time("ends")?,
        state,
    }))
}

/// Redeems an allowed user code for the device that brings the family's grant, and stores the family.
pub async fn redeem(
    connection: &mut dyn Connection,
    user_code: &TokenHash,
    family: &RefreshFamily,
    now: Timestamp,
) -> Result<Result<(), DeviceRefusal>, StoreError> {
    let Some(decision) = decision(connection, user_code).await? else {
        return Ok(Err(DeviceRefusal::Undecided));
    };
    let redeemed = match decision.redeem(&family.grant, now) {
        Ok(redeemed) => redeemed,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (state, at, reason, grant): (_, _, _, Option<&str>) = columns(&redeemed.state);
    Statement::new(
        "UPDATE device_decisions SET state = ?, state_time = ?, reason = ?, grant_id = ? WHERE user_code = ?",
    )
    .bind(state)
    .bind(at)
    .bind(reason)
    .bind(grant)
    .bind(user_code.as_bytes().to_vec())
    .execute(connection)
    .await
    .map_err(database("redeem a device code"))?;
    insert_family(connection, family).await?;
    Ok(Ok(()))
}
