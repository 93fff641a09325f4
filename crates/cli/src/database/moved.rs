//! The directory as one SQLite file, whichever database it is in, and out of that file again: what a backup holds.

use std::fs;
use std::path::Path;

use kubesso_ambient::OsEntropy;
use kubesso_store_postgres::{ConnectError, PostgresStore};
use kubesso_store_sql::{Inspection, TransferError, transfer};
use kubesso_store_sqlite::SqliteStore;

use super::{Database, DatabaseUrl, URL_FILE, is_on_a_server, keep, server};
use crate::error::{CommandError, chain};

impl Database {
    /// Copies the directory of `data_dir`, as it is at one moment, into a new SQLite file in `room`. Whoever works on it
    /// goes on; its schema stays as it is.
    pub(crate) async fn copy(data_dir: &Path, room: &Path) -> Result<(), CommandError> {
        if !is_on_a_server(data_dir) {
            let copied = SqliteStore::copy(data_dir, &room.join(SqliteStore::FILE)).await;
            return copied.map_err(|e| CommandError::new(chain(&e)));
        }
        let url = DatabaseUrl::read(&data_dir.join(URL_FILE))?;
        let key_file = data_dir.join(SqliteStore::KEY_FILE);
        match PostgresStore::inspect(&url.0, &key_file).await.map_err(|e| CommandError::new(chain(&e)))? {
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
        let (server, _) = server(data_dir, &url).await?;
        let (key, copy) = (room.join(SqliteStore::KEY_FILE), room.join(SqliteStore::FILE));
        fs::copy(&key_file, key)
            .map_err(|e| CommandError::because(format!("{} cannot be read", key_file.display()), &e))?;
        let opened = SqliteStore::open(room, &OsEntropy).await;
        let (file, _) = opened.map_err(|e| CommandError::new(chain(&e)))?;
        let copied = transfer(&server, &file).await;
        file.close().await;
        server.close().await;
        copied.map(drop).map_err(|e| CommandError::because(format!("{} cannot be made", copy.display()), &e))
    }

    /// Puts what is in the SQLite file of `room` into the empty database at `url`, which replaces the file.
    pub(crate) async fn put_on_server(room: &Path, url: &DatabaseUrl) -> Result<(), CommandError> {
        let used = |why: &dyn std::error::Error| {
            CommandError::because("the database on the server cannot take the backup", why)
                .mend("make an empty database, or an empty schema, for it")
        };
        let key_file = room.join(SqliteStore::KEY_FILE);
        match PostgresStore::inspect(&url.0, &key_file).await {
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
        let opened = SqliteStore::open(room, &OsEntropy).await;
        let (file, _) = opened.map_err(|e| CommandError::new(chain(&e)))?;
        let (server, _) = server(room, url).await?;
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
