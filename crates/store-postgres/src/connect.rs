//! The start: the database is looked at, migrated, and brought together with the key.

use std::sync::Arc;
use std::time::Duration;

use kubesso_ambient::Entropy;
use kubesso_directory::{Sealed, SealingKey};
use kubesso_store_sql::Inspection;
use kubesso_store_sql::master_key::{KeyError, MasterKey};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, query, query_scalar};
use tokio::time::sleep;

use crate::PostgresStore;
use crate::pool::Connections;
use crate::retry::Retries;
use crate::schema::{self, Mark};
use crate::servers::Servers;

/// How often to look again while others make the same table.
const LOOKS: u32 = 20;
/// How long to wait before.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not a URL of a database. What is wrong is not told: a password may be in it.
    #[error(
        "the database's URL cannot be read: write `postgres://user:password@host:5432/database?sslmode=verify-full`, several hosts between commas, with `%` and two digits for special characters in the password"
    )]
    Url,
    /// The URL asks for a server that is of no use.
    #[error(
        "`target_session_attrs` in the database's URL is not for kubesso, which needs a server that takes writes: leave it out, or say `read-write`"
    )]
    Attributes,
    /// Nobody there takes writes.
    #[error(
        "the database {database} takes no writes: it is a standby, or set read-only; name the primary, or all servers between commas"
    )]
    ReadOnly {
        /// Which.
        database: String,
    },
    /// No connection.
    #[error(
        "cannot connect to the database {database}: see that it runs, and that name, password and `sslmode` are right ({source})"
    )]
    Unreachable {
        /// Which.
        database: String,
        /// What the other side said.
        source: sqlx::Error,
    },
    /// Written by a newer version.
    #[error(
        "the database {database} is from a newer version of kubesso (schema {found}, this one knows up to {known}): use that version or another database"
    )]
    Newer {
        /// Which.
        database: String,
        /// Its schema.
        found: i64,
        /// The latest schema here.
        known: i64,
    },
    /// There are tables in it that are not ours.
    #[error(
        "the database {database} holds another program's tables: make a database (or a schema) of its own for kubesso"
    )]
    Foreign {
        /// Which.
        database: String,
    },
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Anything else that PostgreSQL says.
    #[error("cannot prepare the database {database}: {source}")]
    Database {
        /// Which.
        database: String,
        /// What it said.
        source: sqlx::Error,
    },
}

pub(crate) async fn connect(
    url: &str,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<(PostgresStore, SealingKey), ConnectError> {
    let servers = Servers::parse(url)?;
    let database = servers.name();
    // Not by the pool, which would try again and again and then say that time is over.
    let (mut connection, server) = servers.find().await?;
    let key = prepare(&mut connection, &database, master_key, entropy).await?;
    let _ = connection.close().await;
    let connections = Connections::new(servers, server);
    Ok((PostgresStore { connections, retries: Arc::new(Retries::new(entropy)) }, key))
}

/// What [`connect`] would find, with the errors that it would give; nothing is made or changed.
pub(crate) async fn inspect(url: &str, master_key: &MasterKey) -> Result<Inspection, ConnectError> {
    let servers = Servers::parse(url)?;
    let (mut connection, _) = servers.find().await?;
    let found = look(&mut connection, &servers.name(), master_key).await;
    let _ = connection.close().await;
    found
}

async fn look(
    connection: &mut PgConnection,
    database: &str,
    master_key: &MasterKey,
) -> Result<Inspection, ConnectError> {
    let said = |source| ConnectError::Database { database: database.to_owned(), source };
    let version = match schema::mark(connection).await.map_err(said)? {
        Mark::Fresh => return Ok(Inspection::Missing),
        Mark::Foreign => return Err(ConnectError::Foreign { database: database.to_owned() }),
        Mark::Ours => schema::version(connection).await.map_err(said)?,
    };
    let pending = schema::LATEST - version;
    let Ok(pending) = u32::try_from(pending) else { return Err(newer(database, version)) };
    let sealed = if version > 0 { seal(connection).await.map_err(said)? } else { None };
    let Some(sealed) = sealed else { return Ok(Inspection::Missing) };
    master_key.existing(&sealed)?;
    Ok(Inspection::Found { pending })
}

fn newer(database: &str, found: i64) -> ConnectError {
    ConnectError::Newer { database: database.to_owned(), found, known: schema::LATEST }
}

async fn prepare(
    connection: &mut PgConnection,
    database: &str,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<SealingKey, ConnectError> {
    let said = |source| ConnectError::Database { database: database.to_owned(), source };
    let mut looks = 0;
    loop {
        match schema::mark(connection).await.map_err(said)? {
            Mark::Foreign => return Err(ConnectError::Foreign { database: database.to_owned() }),
            Mark::Ours | Mark::Fresh => {}
        }
        match schema::make_mark(connection).await {
            Ok(()) => break,
            Err(error) => {
                looks += 1;
                let is_race = is_race(&error);
                if !is_race || looks == LOOKS {
                    return Err(said(error));
                }
                sleep(PAUSE).await;
            }
        }
    }
    query("BEGIN ISOLATION LEVEL READ COMMITTED").execute(&mut *connection).await.map_err(said)?;
    let prepared = bring_together(connection, database, master_key, entropy).await;
    let end = if prepared.is_ok() { "COMMIT" } else { "ROLLBACK" };
    query(end).execute(connection).await.map_err(said)?;
    prepared
}

/// Whether others did the same at the same time: a table, its type or its row is there already, or they met.
fn is_race(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("23505" | "42710" | "42P07" | "40001" | "40P01"))
}

/// Migrates, and makes key and database fit, while nobody else does.
async fn bring_together(
    connection: &mut PgConnection,
    database: &str,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<SealingKey, ConnectError> {
    let said = |source| ConnectError::Database { database: database.to_owned(), source };
    let version = schema::lock(connection).await.map_err(said)?;
    if version > schema::LATEST {
        return Err(newer(database, version));
    }
    let sealed = if version > 0 { seal(connection).await.map_err(said)? } else { None };
    let key = master_key.open(sealed.as_ref(), entropy)?;
    if version < schema::LATEST {
        schema::migrate(connection, version).await.map_err(said)?;
        query("UPDATE directory SET sealed_check = $1 WHERE sealed_check IS NULL")
            .bind(key.check(entropy).as_bytes())
            .execute(connection)
            .await
            .map_err(said)?;
    }
    Ok(key)
}

/// What was sealed when the key was made.
async fn seal(connection: &mut PgConnection) -> Result<Option<Sealed>, sqlx::Error> {
    let sealed: Option<Vec<u8>> =
        query_scalar("SELECT sealed_check FROM directory").fetch_one(connection).await?;
    Ok(sealed.map(Sealed::from_bytes))
}
