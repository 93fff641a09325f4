//! The SQLite file behind the store: one table of JSON objects, one counter.
//!
//! The file is looked at before anything is written: what is not ours, damaged or from a newer version is
//! refused and left as it was. One process has it at a time (`locking_mode = EXCLUSIVE`), because every other
//! reader would miss what is only in this one's memory.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Event, EventKind, Key, StorageError, Stored};

/// The file in the data directory.
pub(crate) const FILE_NAME: &str = "sandbox.db";
/// The newest schema that this build knows (`PRAGMA user_version`).
pub(crate) const SCHEMA_VERSION: i64 = 1;
/// `PRAGMA application_id`: "kso1".
const APPLICATION_ID: i64 = 0x6b73_6f31;

/// What the file held.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The counter.
    pub(super) revision: u64,
    /// All objects.
    pub(super) objects: Vec<(Key, Stored)>,
}

/// The one connection.
#[derive(Debug)]
pub(super) struct Database {
    connection: SqliteConnection,
}

impl Database {
    /// Opens or creates the file and reads all of it.
    pub(super) async fn open(directory: &Path) -> Result<(Self, Loaded), StorageError> {
        let path = directory.join(FILE_NAME);
        let shown = path.display().to_string();
        let wrap = |error| classified(error, &shown);
        create(&path)
            .map_err(|error| StorageError::NotWritable { path: shown.clone(), cause: error.to_string() })?;
        let options = SqliteConnectOptions::new().filename(&path).disable_statement_logging();
        inspect(&options.clone().read_only(true), &shown).await?;

        let mut connection = options
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(std::time::Duration::from_millis(200))
            .connect()
            .await
            .map_err(wrap)?;
        migrate(&mut connection).await.map_err(wrap)?;
        let loaded = load(&mut connection, &shown).await?;
        Ok((Self { connection }, loaded))
    }

    /// Closes the file: its write-ahead log is folded into it.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            // Whatever was acknowledged is in the log, which the next start folds in.
            tracing::warn!(%error, "the sandbox's objects could not be closed cleanly");
        }
    }

    /// Writes all events in one transaction.
    pub(super) async fn write(&mut self, events: &[Arc<Event>]) -> Result<(), StorageError> {
        self.try_write(events).await.map_err(StorageError::Database)
    }

    async fn try_write(&mut self, events: &[Arc<Event>]) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        for event in events {
            let Event { key, object, .. } = &**event;
            let revision = number(object.revision)?;
            if event.kind == EventKind::Deleted {
                sqlx::query("DELETE FROM object WHERE resource = ? AND namespace = ? AND name = ?")
                    .bind(&key.resource)
                    .bind(&key.namespace)
                    .bind(&key.name)
                    .execute(&mut *transaction)
                    .await?;
            } else {
                sqlx::query(
                    "INSERT INTO object (resource, namespace, name, revision, body) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
                )
                .bind(&key.resource)
                .bind(&key.namespace)
                .bind(&key.name)
                .bind(revision)
                .bind(object.object.to_string())
                .execute(&mut *transaction)
                .await?;
            }
            sqlx::query("UPDATE counter SET revision = ?").bind(revision).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

/// Makes the directory and an empty file that only its owner may read: the objects include secrets.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Refuses, reading only, what this build must not touch.
async fn inspect(options: &SqliteConnectOptions, path: &str) -> Result<(), StorageError> {
    let wrap = |error| classified(error, path);
    let mut connection = options.connect().await.map_err(wrap)?;
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await.map_err(wrap)?;
    let schema: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(wrap)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await
        .map_err(wrap)?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        let cause = "it is the database of another program".to_owned();
        return Err(StorageError::Corrupt { path: path.to_owned(), cause });
    }
    if schema > SCHEMA_VERSION {
        return Err(StorageError::Newer { path: path.to_owned(), found: schema, known: SCHEMA_VERSION });
    }
    let check: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await.map_err(wrap)?;
    if check != "ok" {
        return Err(StorageError::Corrupt { path: path.to_owned(), cause: check });
    }
    connection.close().await.map_err(wrap)
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let schema: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if schema >= SCHEMA_VERSION {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    for statement in [
        "CREATE TABLE object (
            resource TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            revision INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (resource, namespace, name)
        ) STRICT, WITHOUT ROWID",
        "CREATE TABLE counter (revision INTEGER NOT NULL) STRICT",
        "INSERT INTO counter (revision) VALUES (1)",
        "PRAGMA application_id = 1802727217",
        "PRAGMA user_version = 1",
    ] {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn load(connection: &mut SqliteConnection, path: &str) -> Result<Loaded, StorageError> {
    let wrap = |error| classified(error, path);
    let damaged = |cause: String| StorageError::Corrupt { path: path.to_owned(), cause };
    let revision: i64 =
        sqlx::query_scalar("SELECT revision FROM counter").fetch_one(&mut *connection).await.map_err(wrap)?;
    let rows: Vec<(String, String, String, i64, String)> =
        sqlx::query_as("SELECT resource, namespace, name, revision, body FROM object")
            .fetch_all(&mut *connection)
            .await
            .map_err(wrap)?;
    let unsigned =
        |number: i64| u64::try_from(number).map_err(|_| damaged(format!("revision {number} is negative")));
    let mut objects = Vec::with_capacity(rows.len());
    for (resource, namespace, name, revision, body) in rows {
        let object = serde_json::from_str(&body)
            .map_err(|error| damaged(format!("{resource} {namespace}/{name} is not JSON: {error}")))?;
        objects.push((Key { resource, namespace, name }, Stored { revision: unsigned(revision)?, object }));
    }
    Ok(Loaded { revision: unsigned(revision)?, objects })
}

fn number(revision: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(revision).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// The kind of a failure, by SQLite's primary result code (<https://sqlite.org/rescode.html>).
fn classified(error: sqlx::Error, path: &str) -> StorageError {
    let path = path.to_owned();
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i64>().ok())
        .map(|code| code & 0xff);
    let cause =
        error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    match code {
        Some(5 | 6) => StorageError::InUse { path },
        Some(3 | 8 | 13 | 14) => StorageError::NotWritable { path, cause },
        Some(1 | 11 | 26) => StorageError::Corrupt { path, cause },
        _ => StorageError::Database(error),
    }
}
