//! The directory as one SQLite file, whichever database it is in, and out of that file again: what a backup holds.

use std::fs;
use std::path::Path;

use kubesso_ambient::OsEntropy;
use kubesso_store_postgres::{ConnectError, PostgresStore};
use kubesso_store_sql::master_key::MasterKey;
use kubesso_store_sql::{Inspection, TransferError, transfer};
use kubesso_store_sqlite::SqliteStore;

use super::{
    Database, DatabaseUrl, URL_FILE, file, file_problem, first_that_fits, is_on_a_server, keep, server,
};
use crate::error::{CommandError, chain};
use crate::master_key;

impl Database {
    /// Copies the directory of `data_dir`, as it is at one moment, into a new SQLite file in `room`. Whoever works on it
    /// goes on; its schema stays as it is.
    pub(crate) async fn copy(data_dir: &Path, room: &Path) -> Result<(), CommandError> {
        if !is_on_a_server(data_dir) {
            let copied = SqliteStore::copy(data_dir, &room.join(SqliteStore::FILE)).await;
            return copied.map_err(|e| CommandError::new(chain(&e)));
        }
        let url = DatabaseUrl::read(&data_dir.join(URL_FILE))?;
        let places = master_key::places(data_dir, None)?;
        match Self::inspect(data_dir, Some(&url), &places).await? {
            Inspection::Found { pending: 0 } => {}
            Inspection::Found { .. } => {
                return Err(CommandError::new("the database was made by an older version of kubesso").mend(
                    "back it up with that version, or start this one first, which brings the database up to date",
                ));
            }
            Inspection::Missing => {
                return Err(CommandError::new(format!("the database of {} is empty", data_dir.display())));
            }
        }
        let ((server, key), place) = server(data_dir, &url, &places).await?;
        let copy = room.join(SqliteStore::FILE);
        let key = MasterKey::Given { key, origin: place.to_string() };
        let opened = SqliteStore::open_with(room, &key, &OsEntropy).await;
        let (file, _) = opened.map_err(|e| CommandError::new(chain(&e)))?;
        let copied = transfer(&server, &file).await;
        file.close().await;
        server.close().await;
        copied.map(drop).map_err(|e| CommandError::because(format!("{} cannot be made", copy.display()), &e))
    }

    /// Whether the backup in `room` holds a directory, and the key fits that it says.
    pub(crate) async fn inspect_restored(room: &Path) -> Result<Inspection, CommandError> {
        // What the configuration of a later start says, is not asked: the backup knows where its key is.
        let places = master_key::places(room, None)?;
        let found = first_that_fits(room, &places, async |key: &MasterKey| {
            SqliteStore::inspect_with(room, key).await.map_err(|e| file_problem(&e))
        });
        found.await.map(|(found, _)| found)
    }

    /// Puts what is in the SQLite file of `room` into the empty database at `url`, which replaces the file.
    pub(crate) async fn put_on_server(room: &Path, url: &DatabaseUrl) -> Result<(), CommandError> {
        let used = |why: &dyn std::error::Error| {
            CommandError::because("the database on the server cannot take the backup", why)
                .mend("make an empty database, or an empty schema, for it")
        };
        let places = master_key::places(room, None)?;
        let ((file, key), place) = file(room, &places).await?;
        let key = MasterKey::Given { key, origin: place.to_string() };
        match PostgresStore::inspect_with(&url.0, &key).await {
            // Whether there is anything in it is seen when it is filled.
            Ok(Inspection::Missing | Inspection::Found { pending: 0 }) => {}
            Ok(Inspection::Found { .. }) => {
                return Err(used(&TransferError::NotEmpty { table: "kubesso_schema".to_owned() }));
            }
            Err(ConnectError::Key(_)) => {
                let why = std::io::Error::other("an installation with another master.key is in it");
                return Err(used(&why));
            }
            Err(error) => return Err(CommandError::new(chain(&error))),
        }
        let (server, _) = PostgresStore::connect_with(&url.0, &key, &OsEntropy)
            .await
            .map_err(|e| CommandError::new(chain(&e)))?;
        let filled = transfer(&file, &server).await;
        server.close().await;
        file.close().await;
        filled.map_err(|error| used(&error))?;
        let left = room.join(SqliteStore::FILE);
        fs::remove_file(&left)
            .map_err(|e| CommandError::because(format!("{} cannot be removed", left.display()), &e))?;
        keep(url, &room.join(URL_FILE))
    }
}
