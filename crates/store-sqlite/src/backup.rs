//! A copy of the database while it is in use, and whether a copy is whole.

use std::path::Path;

use kubesso_store_sql::master_key;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, query, query_scalar};

use crate::SqliteStore;
use crate::open::{self, OpenError};

impl SqliteStore {
    /// Copies the database of `data_directory` into the new file `copy` (mode 0600), as it is at one moment. Whoever
    /// works on it goes on; its schema stays as it is.
    pub async fn copy(data_directory: &Path, copy: &Path) -> Result<(), OpenError> {
        let file = data_directory.join(Self::FILE);
        open::look_at_header(&file)?;
        master_key::create_private(copy)
            .map_err(|source| OpenError::NotWritable { path: copy.to_owned(), source })?;
        let said = |error| open::translate(&file, error);
        let mut connection = connect(&file).await.map_err(said)?;
        // SQLite writes into a file that is there if it is empty.
        let copied = query("VACUUM INTO ?").bind(copy.display().to_string()).execute(&mut connection).await;
        let _ = connection.close().await;
        copied.map(drop).map_err(said)
    }

    /// Reads the whole database of `data_directory` through, whatever its size; an error says what is wrong with it.
    pub async fn verify(data_directory: &Path) -> Result<(), OpenError> {
        let file = data_directory.join(Self::FILE);
        let said = |error| open::translate(&file, error);
        let mut connection = connect(&file).await.map_err(said)?;
        let verdict = query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
        let _ = connection.close().await;
        let verdict: String = verdict.map_err(said)?;
        if verdict == "ok" { Ok(()) } else { Err(OpenError::Damaged { file, cause: verdict }) }
    }
}

async fn connect(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(crate::BUSY)
        .disable_statement_logging()
        .connect()
        .await
}
