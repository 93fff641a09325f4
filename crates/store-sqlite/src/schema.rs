//! Migrations: numbered scripts, run in one transaction, counted in SQLite's own `user_version`.

use sqlx::{SqliteConnection, query_scalar, raw_sql};

/// The scripts, in order; the first is number 1.
const MIGRATIONS: [&str; 14] = [
    include_str!("../migrations/0001_directory.sql"),
    include_str!("../migrations/0002_grant_type_of_families.sql"),
    include_str!("../migrations/0003_device_decisions.sql"),
    include_str!("../migrations/0004_administration.sql"),
    include_str!("../migrations/0005_large_directories.sql"),
    include_str!("../migrations/0006_people.sql"),
    include_str!("../migrations/0007_bound_grants.sql"),
    include_str!("../migrations/0008_what_grants_keep.sql"),
    include_str!("../migrations/0009_consents.sql"),
    include_str!("../migrations/0010_single_uses.sql"),
    include_str!("../migrations/0011_client_certificates.sql"),
    include_str!("../migrations/0012_logout_deliveries.sql"),
    include_str!("../migrations/0013_keys_of_algorithms.sql"),
    include_str!("../migrations/0014_registration.sql"),
];

/// The version that this program writes.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a handful of scripts")]
pub(crate) const LATEST: i32 = MIGRATIONS.len() as i32;

/// What marks a SQLite file as ours: `kSSO` in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x6b53_534f;

/// Whose file it is and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nobody's yet: no table in it.
    Fresh,
    /// Ours, at this version.
    Ours(i32),
    /// Another program's.
    Foreign,
}

pub(crate) async fn mark(connection: &mut SqliteConnection) -> Result<Mark, sqlx::Error> {
    let application: i32 = query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if application == APPLICATION_ID {
        return query_scalar("PRAGMA user_version").fetch_one(connection).await.map(Mark::Ours);
    }
    let used: bool =
        query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetch_one(connection).await?;
    Ok(if used || application != 0 { Mark::Foreign } else { Mark::Fresh })
}

/// Runs the scripts after `version`; `connection` is in a transaction that writes.
pub(crate) async fn migrate(connection: &mut SqliteConnection, version: i32) -> Result<(), sqlx::Error> {
    for script in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        raw_sql(*script).execute(&mut *connection).await?;
    }
    // A pragma takes no parameters; both are numbers of ours.
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LATEST}");
    raw_sql(sqlx::AssertSqlSafe(marks)).execute(connection).await?;
    Ok(())
}
