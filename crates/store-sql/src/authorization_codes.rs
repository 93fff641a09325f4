//! Authorization codes. Redeeming one is a statement that can lose.

use jiff::Timestamp;
use kubesso_directory::{
    AuthorizationCode, CODE_LIFETIME, EndReason, Redemption, RefreshFamily, StoreError, TokenHash,
};

use crate::connection::Connection;
use crate::database;
use crate::grants::{dangling, end, insert_family};
use crate::housekeeping::before;
use crate::row::{Row, json, micros};
use crate::statement::Statement;

/// Does `Store::add_code`.
pub async fn add_code(connection: &mut dyn Connection, code: &AuthorizationCode) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO codes (hash, grant_id, server_id, client_id, user_id, session_id, redirect_uri, scopes, nonce, \
         code_challenge, auth_time, amr, other, issued) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(code.hash.as_bytes().to_vec())
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

/// Does `Store::code`.
pub async fn code(
    connection: &mut dyn Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<AuthorizationCode>, StoreError> {
    let found = Statement::new("SELECT * FROM codes WHERE hash = ? AND redeemed IS NULL")
        .bind(hash.as_bytes().to_vec())
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

/// Does `Store::redeem_code`.
pub async fn redeem_code(
    connection: &mut dyn Connection,
    hash: &TokenHash,
    new_family: Option<&RefreshFamily>,
    now: Timestamp,
) -> Result<Redemption, StoreError> {
    let won =
        Statement::new("UPDATE codes SET redeemed = ? WHERE hash = ? AND redeemed IS NULL AND issued > ?")
            .bind(micros(now))
            .bind(hash.as_bytes().to_vec())
            .bind(micros(before(now, CODE_LIFETIME)))
            .execute(connection)
            .await
            .map_err(database("redeem an authorization code"))?;
    if won == 1 {
        if let Some(family) = new_family {
            insert_family(connection, family).await?;
        }
        return Ok(Redemption::Redeemed);
    }
    let replayed = Statement::new("SELECT grant_id FROM codes WHERE hash = ? AND redeemed IS NOT NULL")
        .bind(hash.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(database("read an authorization code"))?;
    let Some(row) = replayed else { return Ok(Redemption::Unknown) };
    let grant = Row::new(&row, "authorization code", "grant_id").text("grant_id")?;
    end(connection, &grant, EndReason::CodeReplayed, now).await?;
    Ok(Redemption::Replayed)
}
