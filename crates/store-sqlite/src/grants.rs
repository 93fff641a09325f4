//! Authorization codes, refresh token families, throttle counters.
//!
//! The functions that write run in a transaction that has taken the write lock before it read.

use jiff::{SignedDuration, Timestamp};
use kubesso_directory::{
    Attempt, AuthorizationCode, CODE_LIFETIME, EndReason, FamilyKey, FamilyQuery, FamilyState, GrantId,
    GrantType, MOST_THROTTLES, Presented, Purged, Redemption, RefreshFamily, RefreshRefusal, RefreshTerms,
    RefreshToken, Rotation, StoreError, Throttle, ThrottleKey, ThrottleRule, TokenHash,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqliteConnection, query, query_scalar};

use crate::changes::Query;
use crate::database;
use crate::row::{Row, json, micros};

/// How long a redeemed or ended code is remembered, so that a second redeeming is noticed.
const CODE_MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// How long a family is remembered after its end, so that a refusal can say why.
const FAMILY_MEMORY: SignedDuration = SignedDuration::from_hours(24);
/// How long a throttle counter may matter.
const THROTTLE_MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// How long the audit trail goes back.
const AUDIT_MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a write says that refers to something, `what` of `of`.
pub(crate) fn dangling(what: &'static str, of: &str) -> impl FnOnce(sqlx::Error) -> StoreError {
    let of = of.to_owned();
    move |error| match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(sqlx::error::ErrorKind::ForeignKeyViolation) => {
            StoreError::Dangling { what: format!("the {what} `{of}`") }
        }
        Some(sqlx::error::ErrorKind::UniqueViolation) => StoreError::Conflict { what, name: of },
        _ => database("write a session or a grant")(error),
    }
}

pub(crate) async fn add_code(
    connection: &mut SqliteConnection,
    code: &AuthorizationCode,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO codes (hash, grant_id, server_id, client_id, user_id, session_id, redirect_uri, scopes, nonce, \
         code_challenge, auth_time, amr, other, issued) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(code.hash.as_bytes().as_slice())
    .bind(code.grant.as_str())
    .bind(code.server.as_str())
    .bind(code.client.as_str())
    .bind(code.user.as_str())
    .bind(code.session.as_str())
    .bind(code.redirect_uri.as_str())
    .bind(json(&code.scopes)?)
    .bind(code.nonce.as_deref())
    .bind(code.code_challenge.as_deref())
    .bind(micros(code.auth_time))
    .bind(json(&code.amr)?)
    .bind(json(&code.other)?)
    .bind(micros(code.issued))
    .execute(connection)
    .await
    .map_err(dangling("authorization code of grant", code.grant.as_str()))?;
    Ok(())
}

pub(crate) async fn code(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<AuthorizationCode>, StoreError> {
    let found = query("SELECT * FROM codes WHERE hash = ? AND redeemed IS NULL")
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(database("read an authorization code"))?;
    let Some(row) = found else { return Ok(None) };
    let row = Row::new(&row, "authorization code", "grant_id");
    let code = AuthorizationCode {
        hash: row.bytes("hash", TokenHash::from_bytes)?,
        grant: row.parsed("grant_id")?,
        server: row.parsed("server_id")?,
        client: row.parsed("client_id")?,
        user: row.parsed("user_id")?,
        session: row.parsed("session_id")?,
        redirect_uri: row.text("redirect_uri")?,
        scopes: row.json("scopes")?,
        nonce: row.optional_text("nonce")?,
        code_challenge: row.optional_text("code_challenge")?,
        auth_time: row.time("auth_time")?,
        amr: row.json("amr")?,
        other: row.json("other")?,
        issued: row.time("issued")?,
    };
    Ok(Some(code).filter(|code| code.is_alive(now)))
}

pub(crate) async fn redeem_code(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    new_family: Option<&RefreshFamily>,
    now: Timestamp,
) -> Result<Redemption, StoreError> {
    let won = query("UPDATE codes SET redeemed = ? WHERE hash = ? AND redeemed IS NULL AND issued > ?")
        .bind(micros(now))
        .bind(hash.as_bytes().as_slice())
        .bind(micros(before(now, CODE_LIFETIME)))
        .execute(&mut *connection)
        .await
        .map_err(database("redeem an authorization code"))?;
    if won.rows_affected() == 1 {
        if let Some(family) = new_family {
            insert_family(connection, family).await?;
        }
        return Ok(Redemption::Redeemed);
    }
    let replayed: Option<String> =
        query_scalar("SELECT grant_id FROM codes WHERE hash = ? AND redeemed IS NOT NULL")
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(&mut *connection)
            .await
            .map_err(database("read an authorization code"))?;
    let Some(grant) = replayed else { return Ok(Redemption::Unknown) };
    end(connection, &grant, EndReason::CodeReplayed, now).await?;
    Ok(Redemption::Replayed)
}

pub(crate) async fn insert_family(
    connection: &mut SqliteConnection,
    family: &RefreshFamily,
) -> Result<(), StoreError> {
    let (ended, reason) = ending(family);
    query(
        "INSERT INTO refresh_families (grant_id, server_id, client_id, user_id, session_id, scopes, auth_time, amr, \
         created, absolute_end, idle_end, generation, current, rotated, chain_key, ended, end_reason, grant_type, \
         dpop_jkt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(family.current.as_bytes().as_slice())
    .bind(micros(family.rotated))
    .bind(family.key.expose().as_slice())
    .bind(ended)
    .bind(reason)
    .bind(family.grant_type.as_str())
    .bind(family.dpop_jkt.as_deref())
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
    connection: &mut SqliteConnection,
    grant: &GrantId,
) -> Result<Option<RefreshFamily>, StoreError> {
    let found = query("SELECT * FROM refresh_families WHERE grant_id = ?")
        .bind(grant.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a refresh token family"))?;
    found.map(|row| read_family(&row)).transpose()
}

fn read_family(row: &SqliteRow) -> Result<RefreshFamily, StoreError> {
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

pub(crate) async fn refresh_family(
    connection: &mut SqliteConnection,
    token: &RefreshToken,
) -> Result<Option<RefreshFamily>, StoreError> {
    Ok(family(connection, token.grant()).await?.filter(|family| family.recognises(token)))
}

pub(crate) async fn rotate(
    connection: &mut SqliteConnection,
    token: &RefreshToken,
    terms: &RefreshTerms,
    now: Timestamp,
) -> Result<Rotation, StoreError> {
    let Some(family) = family(connection, token.grant()).await? else {
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

async fn update_family(connection: &mut SqliteConnection, family: &RefreshFamily) -> Result<(), StoreError> {
    let (ended, reason) = ending(family);
    query(
        "UPDATE refresh_families SET idle_end = ?, generation = ?, current = ?, rotated = ?, ended = ?, \
         end_reason = ? WHERE grant_id = ?",
    )
    .bind(micros(family.idle_end))
    .bind(family.generation)
    .bind(family.current.as_bytes().as_slice())
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
pub(crate) async fn end(
    connection: &mut SqliteConnection,
    grant: &str,
    reason: EndReason,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done =
        query("UPDATE refresh_families SET ended = ?, end_reason = ? WHERE grant_id = ? AND ended IS NULL")
            .bind(micros(now))
            .bind(reason.as_str())
            .bind(grant)
            .execute(connection)
            .await
            .map_err(database("end a refresh token family"))?;
    Ok(done.rows_affected() > 0)
}

/// Ends all families of whom or what `column` names, with codes and device logins that wait to be redeemed.
pub(crate) fn end_statements(column: &'static str, id: &str, at: Timestamp) -> Vec<Query> {
    // The column is one of ours, never what somebody sent.
    let sql = |before: &str, after: &str| AssertSqlSafe(format!("{before} WHERE {column} = ? AND {after}"));
    vec![
        query(sql("DELETE FROM codes", "redeemed IS NULL")).bind(id.to_owned()),
        query(sql("DELETE FROM device_decisions", "state = 'ALLOWED'")).bind(id.to_owned()),
        query(sql("UPDATE refresh_families SET ended = ?, end_reason = ?", "ended IS NULL"))
            .bind(micros(at))
            .bind(EndReason::Revoked.as_str())
            .bind(id.to_owned()),
    ]
}

/// The living families that a query finds.
pub(crate) async fn families(
    connection: &mut SqliteConnection,
    wanted: &FamilyQuery<'_>,
) -> Result<Vec<RefreshFamily>, StoreError> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT * FROM refresh_families WHERE ended IS NULL AND min(idle_end, coalesce(absolute_end, idle_end)) > ",
    );
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
    let rows = sql.build().fetch_all(connection).await.map_err(database("list refresh token families"))?;
    rows.iter().map(read_family).collect()
}

pub(crate) async fn has_ended(
    connection: &mut SqliteConnection,
    grant: &GrantId,
) -> Result<bool, StoreError> {
    query_scalar("SELECT EXISTS (SELECT 1 FROM refresh_families WHERE grant_id = ? AND ended IS NOT NULL)")
        .bind(grant.as_str())
        .fetch_one(connection)
        .await
        .map_err(database("read a refresh token family"))
}

pub(crate) async fn attempt(
    connection: &mut SqliteConnection,
    key: &ThrottleKey,
    rule: &ThrottleRule,
    now: Timestamp,
) -> Result<Attempt, StoreError> {
    let found = query("SELECT hex(key) AS id, attempts, last FROM throttles WHERE key = ?")
        .bind(key.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
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
        query(
            "DELETE FROM throttles WHERE (SELECT count(*) FROM throttles) >= ? AND key = \
             (SELECT key FROM throttles ORDER BY attempts, last LIMIT 1)",
        )
        .bind(MOST_THROTTLES)
        .execute(&mut *connection)
        .await
        .map_err(database("make room for a throttle counter"))?;
    }
    query(
        "INSERT INTO throttles (key, attempts, last) VALUES (?, ?, ?) \
         ON CONFLICT (key) DO UPDATE SET attempts = excluded.attempts, last = excluded.last",
    )
    .bind(key.as_bytes().as_slice())
    .bind(after.attempts)
    .bind(micros(after.last))
    .execute(connection)
    .await
    .map_err(database("count an attempt"))?;
    Ok(attempt)
}

pub(crate) async fn forget_attempts(
    connection: &mut SqliteConnection,
    key: &ThrottleKey,
) -> Result<u32, StoreError> {
    let forgotten: Option<u32> = query_scalar("DELETE FROM throttles WHERE key = ? RETURNING attempts")
        .bind(key.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(database("forget attempts"))?;
    Ok(forgotten.unwrap_or_default())
}

pub(crate) async fn take_back_attempts(
    connection: &mut SqliteConnection,
    key: &ThrottleKey,
    number: u32,
) -> Result<(), StoreError> {
    query("UPDATE throttles SET attempts = max(attempts - ?, 0) WHERE key = ?")
        .bind(number)
        .bind(key.as_bytes().as_slice())
        .execute(connection)
        .await
        .map_err(database("take attempts back"))?;
    Ok(())
}

pub(crate) async fn purge(connection: &mut SqliteConnection, now: Timestamp) -> Result<Purged, StoreError> {
    let failed = || database("purge what has ended");
    let codes = query("DELETE FROM codes WHERE issued <= ?")
        .bind(micros(before(before(now, CODE_LIFETIME), CODE_MEMORY)))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let device_decisions = query("DELETE FROM device_decisions WHERE ends <= ?")
        .bind(micros(before(now, CODE_MEMORY)))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let sessions = query("DELETE FROM sessions WHERE min(last_used + idle, absolute_end) <= ?")
        .bind(micros(now))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let families = query(
        "DELETE FROM refresh_families WHERE coalesce(ended, min(idle_end, coalesce(absolute_end, idle_end))) <= ?",
    )
    .bind(micros(before(now, FAMILY_MEMORY)))
    .execute(&mut *connection)
    .await
    .map_err(failed())?;
    query("DELETE FROM one_time_tokens WHERE ends <= ?")
        .bind(micros(now))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let throttles = query("DELETE FROM throttles WHERE last <= ?")
        .bind(micros(before(now, THROTTLE_MEMORY)))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let audit_events = query("DELETE FROM audit_events WHERE published <= ?")
        .bind(micros(before(now, AUDIT_MEMORY)))
        .execute(connection)
        .await
        .map_err(failed())?;
    Ok(Purged {
        codes: codes.rows_affected(),
        device_decisions: device_decisions.rows_affected(),
        sessions: sessions.rows_affected(),
        families: families.rows_affected(),
        throttles: throttles.rows_affected(),
        audit_events: audit_events.rows_affected(),
    })
}

fn before(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.saturating_sub(duration).unwrap_or(Timestamp::MIN)
}
