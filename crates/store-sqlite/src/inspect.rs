//! Looking at a data directory without changing anything in it.

use std::fs;
use std::path::Path;

use kubesso_directory::Sealed;
use kubesso_store_sql::Inspection;
use kubesso_store_sql::master_key::MasterKey;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, query_scalar};

use crate::SqliteStore;
use crate::open::{self, OpenError};
use crate::schema::{self, Mark};

impl SqliteStore {
    /// What [`SqliteStore::open`] would find, with the errors it would give; nothing is created, locked or changed.
    pub async fn inspect(data_directory: &Path) -> Result<Inspection, OpenError> {
        let key_file = MasterKey::File(data_directory.join(Self::KEY_FILE));
        Self::inspect_with(data_directory, &key_file).await
    }

    /// What [`SqliteStore::open_with`] would find, likewise.
    pub async fn inspect_with(
        data_directory: &Path,
        master_key: &MasterKey,
    ) -> Result<Inspection, OpenError> {
        let file = data_directory.join(Self::FILE);
        if !open::look_at_header(&file)? || fs::metadata(&file).is_ok_and(|it| it.len() == 0) {
            return Ok(Inspection::Missing);
        }
        // Without a log beside it, the file is all there is, and is not even to be locked.
        let has_log = fs::metadata(file.with_extension("db-wal")).is_ok_and(|log| log.len() > 0);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .read_only(true)
            .immutable(!has_log)
            .busy_timeout(crate::BUSY)
            .disable_statement_logging();
        let said = |error| open::translate(&file, error);
        let mut connection = options.connect().await.map_err(said)?;
        let found = look(&mut connection, &file, master_key).await;
        let _ = connection.close().await;
        found
    }
}

async fn look(
    connection: &mut SqliteConnection,
    file: &Path,
    master_key: &MasterKey,
) -> Result<Inspection, OpenError> {
    let said = |error| open::translate(file, error);
    let version = match schema::mark(connection).await.map_err(said)? {
        Mark::Fresh => return Ok(Inspection::Missing),
        Mark::Foreign => return Err(OpenError::Foreign { file: file.to_owned() }),
        Mark::Ours(version) if version > schema::LATEST => return Err(open::newer(file, version)),
        Mark::Ours(version) => version,
    };
    open::check(connection, file).await?;
    let sealed: Vec<u8> =
        query_scalar("SELECT sealed_check FROM directory").fetch_one(connection).await.map_err(said)?;
    master_key.existing(&Sealed::from_bytes(sealed))?;
    Ok(Inspection::Found { pending: u32::try_from(schema::LATEST - version).unwrap_or(0) })
}
