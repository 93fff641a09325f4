//! Migrations: numbered scripts, counted in a table of our own, whose one row is the lock of those that start.

use sqlx::{AssertSqlSafe, PgConnection, query, query_scalar, raw_sql};

/// The scripts, in order; the first is number 1.
const MIGRATIONS: [&str; 10] = [
    include_str!("../migrations/0001_directory.sql"),
    include_str!("../migrations/0002_people_and_bound_grants.sql"),
    include_str!("../migrations/0003_what_grants_keep.sql"),
    include_str!("../migrations/0004_consents.sql"),
    include_str!("../migrations/0005_single_uses.sql"),
    include_str!("../migrations/0006_client_certificates.sql"),
    include_str!("../migrations/0007_logout_deliveries.sql"),
    include_str!("../migrations/0008_keys_of_algorithms.sql"),
    include_str!("../migrations/0009_registration.sql"),
    include_str!("../migrations/0010_names.sql"),
];

/// The version that this program writes.
#[expect(clippy::cast_possible_wrap, reason = "a handful of scripts")]
pub(crate) const LATEST: i64 = MIGRATIONS.len() as i64;

/// Whose database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nobody's yet: no table in the schema.
    Fresh,
    /// Ours.
    Ours,
    /// Another program's.
    Foreign,
}

pub(crate) async fn mark(connection: &mut PgConnection) -> Result<Mark, sqlx::Error> {
    let tables: Vec<String> = query_scalar(
        "SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = current_schema()::TEXT",
    )
    .fetch_all(connection)
    .await?;
    Ok(match tables.as_slice() {
        [] => Mark::Fresh,
        tables if tables.iter().any(|table| table == "kubesso_schema") => Mark::Ours,
        _ => Mark::Foreign,
    })
}

/// Makes the table that counts. Of two that do at once, one may be refused.
pub(crate) async fn make_mark(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    raw_sql(
        "CREATE TABLE IF NOT EXISTS kubesso_schema \
         (id BIGINT PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL)",
    )
    .execute(&mut *connection)
    .await?;
    raw_sql("INSERT INTO kubesso_schema (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING")
        .execute(connection)
        .await?;
    Ok(())
}

/// The version, whoever changes it meanwhile; 0 if it is only just being made.
pub(crate) async fn version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let version: Option<i64> =
        query_scalar("SELECT version FROM kubesso_schema WHERE id = 1").fetch_optional(connection).await?;
    Ok(version.unwrap_or(0))
}

/// The version, once nobody else changes it: until the transaction ends, others wait.
pub(crate) async fn lock(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    query_scalar("SELECT version FROM kubesso_schema WHERE id = 1 FOR UPDATE").fetch_one(connection).await
}

/// Runs the scripts after `version`; `connection` is in the transaction that has the lock.
pub(crate) async fn migrate(connection: &mut PgConnection, version: i64) -> Result<(), sqlx::Error> {
    let server: String = query_scalar("SELECT version()").fetch_one(&mut *connection).await?;
    for script in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        // One of our scripts, whatever is left out of it.
        raw_sql(AssertSqlSafe(for_server(script, &server))).execute(&mut *connection).await?;
    }
    query("UPDATE kubesso_schema SET version = $1 WHERE id = 1").bind(LATEST).execute(connection).await?;
    Ok(())
}

/// CockroachDB compares text byte by byte always, and takes no collation of a column that says so
/// (<https://github.com/cockroachdb/cockroach/pull/96828>).
fn for_server(script: &str, server: &str) -> String {
    if server.starts_with("CockroachDB") {
        script.replace("TEXT COLLATE \"C\"", "TEXT")
    } else {
        script.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_a_collation_where_one_is_needed() {
        for script in MIGRATIONS {
            assert_eq!(for_server(script, "PostgreSQL 15.14 (Debian)"), script);
            let plain = for_server(script, "CockroachDB CCL v25.4.0");
            assert!(!plain.contains("TEXT COLLATE"), "{plain}");
            assert_eq!(plain.matches(" TEXT").count(), script.matches(" TEXT").count(), "{plain}");
        }
        let bare: Vec<_> = MIGRATIONS
            .iter()
            .flat_map(|script| script.lines())
            .filter(|line| line.contains(" TEXT") && !line.contains(" TEXT COLLATE \"C\""))
            .collect();
        assert!(bare.is_empty(), "{bare:?}");
    }
}
