//! Refresh token families.
//!
//! The functions that write run in a transaction that has taken the write lock before it read.

use jiff::Timestamp;
use kubesso_directory::{
    EndReason, FamilyKey, FamilyQuery, FamilyState, GrantId, GrantType, Presented, RefreshFamily,
    RefreshRefusal, RefreshTerms, RefreshToken, Rotation, StoreError, TokenHash,
};

use crate::connection::{Connection, ErrorKind, Record, SqlError};
use crate::database;
use crate::row::{Row, json, micros};
use crate::statement::Statement;

/// What a write says that refers to something, `what` of `of`.
pub fn dangling(what: &'static str, of: &str) -> impl FnOnce(SqlError) -> StoreError {
    let of = of.to_owned();
    move |error| match error.kind() {
        ErrorKind::ForeignKeyViolation => StoreError::Dangling { what: format!("the {what} `{of}`") },
        ErrorKind::UniqueViolation => StoreError::Conflict { what, name: of },
        _ => database("write a session or a grant")(error),
    }
}

/// Does `Store::begin_family`.
pub async fn insert_family(
    connection: &mut dyn Connection,
    family: &RefreshFamily,
) -> Result<(), StoreError> {
    let (ended, reason) = ending(family);
    Statement::new(
        "INSERT INTO refresh_families (grant_id, server_id, client_id, user_id, session_id, scopes, auth_time, amr, \
         created, absolute_end, idle_end, generation, current, rotated, chain_key, ended, end_reason, grant_type, \
         dpop_jkt, other) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(family.grant.as_str())
    .bind(family.server.as_str())
    .bind(family.client.as_str())
    .bind(family.user.as_str())
    .bind(family.session.as_str())
    .bind(json(&family.scopes)?)
    .bind(micros(family.auth_time))
    .bind(json(&family.amr)?)
    .bind(micros(family.created))
    .bind(family.absolute_end.map(micros))
    .bind(micros(family.idle_end))
    .bind(family.generation)
    .bind(family.current.as_bytes().to_vec())
    .bind(micros(family.rotated))
    .bind(family.key.expose().to_vec())
    .bind(ended)
    .bind(reason)
    .bind(family.grant_type.as_str())
    .bind(family.dpop_jkt.as_deref())
    .bind(json(&family.other)?)
    .execute(connection)
    .await
    .map_err(dangling("refresh token family", family.grant.as_str()))?;
    Ok(())
}

fn ending(family: &RefreshFamily) -> (Option<i64>, Option<&'static str>) {
    match family.state {
        FamilyState::Live => (None, None),
        FamilyState::Ended { at, reason } => (Some(micros(at)), Some(reason.as_str())),
    }
}

async fn family(
    connection: &mut dyn Connection,
    grant: &GrantId,
    locking: &str,
) -> Result<Option<RefreshFamily>, StoreError> {
    let found = Statement::new(format!("SELECT * FROM refresh_families WHERE grant_id = ?{locking}"))
        .bind(grant.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a refresh token family"))?;
    found.map(|row| read_family(&row)).transpose()
}

fn read_family(row: &Record) -> Result<RefreshFamily, StoreError> {
    let row = Row::new(row, "refresh token family", "grant_id");
    let state = match row.optional_time("ended")? {
        None => FamilyState::Live,
        Some(at) => FamilyState::Ended { at, reason: row.known("end_reason", EndReason::parse)? },
    };
    Ok(RefreshFamily {
        grant: row.parsed("grant_id")?,
        grant_type: row.known("grant_type", GrantType::parse)?,
        server: row.parsed("server_id")?,
        client: row.parsed("client_id")?,
        user: row.parsed("user_id")?,
        session: row.parsed("session_id")?,
        scopes: row.json("scopes")?,
        auth_time: row.time("auth_time")?,
        amr: row.json("amr")?,
        other: row.json("other")?,
        created: row.time("created")?,
        absolute_end: row.optional_time("absolute_end")?,
        idle_end: row.time("idle_end")?,
        generation: row.number("generation")?,
        current: row.bytes("current", TokenHash::from_bytes)?,
        rotated: row.time("rotated")?,
        key: row.bytes("chain_key", FamilyKey::from_bytes)?,
        state,
        dpop_jkt: row.optional_text("dpop_jkt")?,
    })
}

/// Does `Store::refresh_family`.
pub async fn refresh_family(
    connection: &mut dyn Connection,
    token: &RefreshToken,
) -> Result<Option<RefreshFamily>, StoreError> {
    Ok(family(connection, token.grant(), "").await?.filter(|family| family.recognises(token)))
}

/// Does `Store::rotate_refresh_token`.
pub async fn rotate(
    connection: &mut dyn Connection,
    token: &RefreshToken,
    terms: &RefreshTerms,
    now: Timestamp,
) -> Result<Rotation, StoreError> {
    let locking = connection.dialect().locking();
    let Some(family) = family(connection, token.grant(), locking).await? else {
        return Ok(Rotation::Refused(RefreshRefusal::Unknown));
    };
    match family.clone().present(token, terms, now) {
        Presented::Rotated { token, family } => {
            update_family(connection, &family).await?;
            Ok(Rotation::Granted { token, family })
        }
        Presented::Repeated { token } => Ok(Rotation::Granted { token, family: Box::new(family) }),
        Presented::Ended { family } => {
            update_family(connection, &family).await?;
            Ok(Rotation::Refused(RefreshRefusal::Reused))
        }
        Presented::Refused(refusal) => Ok(Rotation::Refused(refusal)),
    }
}

async fn update_family(connection: &mut dyn Connection, family: &RefreshFamily) -> Result<(), StoreError> {
    let (ended, reason) = ending(family);
    Statement::new(
        "UPDATE refresh_families SET idle_end = ?, generation = ?, current = ?, rotated = ?, ended = ?, \
         end_reason = ? WHERE grant_id = ?",
    )
    .bind(micros(family.idle_end))
    .bind(family.generation)
    .bind(family.current.as_bytes().to_vec())
    .bind(micros(family.rotated))
    .bind(ended)
    .bind(reason)
    .bind(family.grant.as_str())
    .execute(connection)
    .await
    .map_err(database("write a refresh token family"))?;
    Ok(())
}

/// Ends a family; whether it lived.
pub async fn end(
    connection: &mut dyn Connection,
    grant: &str,
    reason: EndReason,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Statement::new(
        "UPDATE refresh_families SET ended = ?, end_reason = ? WHERE grant_id = ? AND ended IS NULL",
    )
    .bind(micros(now))
    .bind(reason.as_str())
    .bind(grant)
    .execute(connection)
    .await
    .map_err(database("end a refresh token family"))?;
    Ok(done > 0)
}

/// Ends all families of whom or what `column` names, with codes and device logins that wait to be redeemed.
pub fn end_statements(column: &'static str, id: &str, at: Timestamp) -> Vec<Statement> {
    // The column is one of ours, never what somebody sent.
    let sql = |before: &str, after: &str| format!("{before} WHERE {column} = ? AND {after}");
    vec![
        Statement::new(sql("DELETE FROM codes", "redeemed IS NULL")).bind(id.to_owned()),
        Statement::new(sql("DELETE FROM device_decisions", "state = 'ALLOWED'")).bind(id.to_owned()),
        Statement::new(sql("UPDATE refresh_families SET ended = ?, end_reason = ?", "ended IS NULL"))
            .bind(micros(at))
            .bind(EndReason::Revoked.as_str())
            .bind(id.to_owned()),
    ]
}

/// The living families that a query finds.
pub async fn families(
    connection: &mut dyn Connection,
    wanted: &FamilyQuery<'_>,
) -> Result<Vec<RefreshFamily>, StoreError> {
    let mut sql = Statement::new("SELECT * FROM refresh_families WHERE ended IS NULL AND idle_end > ");
    sql.push_bind(micros(wanted.now)).push(" AND coalesce(absolute_end, idle_end) > ");
    sql.push_bind(micros(wanted.now));
    let conditions = [
        ("grant_id", wanted.grant.map(AsRef::as_ref)),
        ("session_id", wanted.session.map(AsRef::as_ref)),
        ("user_id", wanted.user.map(AsRef::as_ref)),
        ("client_id", wanted.client.map(AsRef::as_ref)),
        ("server_id", wanted.server.map(AsRef::as_ref)),
    ];
    for (column, value) in conditions {
        if let Some(value) = value {
            let value: &str = value;
            sql.push(format!(" AND {column} = ")).push_bind(value.to_owned());
        }
    }
    if let Some(after) = wanted.after {
        sql.push(" AND grant_id > ").push_bind(after.to_string());
    }
    sql.push(" ORDER BY grant_id LIMIT ").push_bind(wanted.limit);
    let rows = sql.fetch_all(connection).await.map_err(database("list refresh token families"))?;
    rows.iter().map(read_family).collect()
}

/// Does `Store::has_grant_ended`.
pub async fn has_ended(connection: &mut dyn Connection, grant: &GrantId) -> Result<bool, StoreError> {
    let found =
        Statement::new("SELECT grant_id FROM refresh_families WHERE grant_id = ? AND ended IS NOT NULL")
            .bind(grant.as_str())
            .fetch_optional(connection)
            .await
            .map_err(database("read a refresh token family"))?;
    Ok(found.is_some())
}
