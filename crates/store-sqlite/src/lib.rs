//! The directory's [`Store`] on SQLite: the embedded default, one file in the data directory.
//!
//! One connection writes, a few read (WAL). A write takes the lock before it reads (`BEGIN IMMEDIATE`), so
//! that what is decided on is what is changed. Whatever is wrong with the data directory is found by
//! [`SqliteStore::open`], before anything is written, and said in one sentence ([`OpenError`]).
//!
//! ```
//! use kubesso_ambient::OsEntropy;
//! use kubesso_directory::{Revision, Store};
//! use kubesso_store_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let data_directory = tempfile::tempdir()?;
//! let (store, _sealing_key) = SqliteStore::open(data_directory.path(), &OsEntropy).await?;
//! assert_eq!(store.revision().await?, Revision(0));
//! store.close().await;
//! # Ok(())
//! # }
//! ```

use std::path::Path;
use std::time::Duration;

use kubesso_ambient::Entropy;
use kubesso_directory::SealingKey;
use kubesso_store_sql::master_key::MasterKey;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

mod backup;
mod connection;
mod inspect;
mod open;
#[cfg(test)]
mod plans;
mod schema;

pub use open::OpenError;

/// How many connections read.
const READERS: u32 = 4;
/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// The store. Cheap to clone; [`SqliteStore::close`] it before the process ends, so that the write-ahead log
/// is folded into the file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// The database's file name in the data directory.
    pub const FILE: &'static str = "directory.db";
    /// The sealing key's file name in the data directory.
    pub const KEY_FILE: &'static str = "master.key";

    /// Opens `directory.db` and `master.key` in `data_directory`, creates what is missing (files of mode
    /// 0600, the directory of mode 0700), and brings the schema up to date. What is there is never
    /// overwritten.
    pub async fn open(data_directory: &Path, entropy: &dyn Entropy) -> Result<(Self, SealingKey), OpenError> {
        let key_file = MasterKey::File(data_directory.join(Self::KEY_FILE));
        Self::open_with(data_directory, &key_file, entropy).await
    }

    /// As [`open`](Self::open), with a key that may come from elsewhere.
    pub async fn open_with(
        data_directory: &Path,
        master_key: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<(Self, SealingKey), OpenError> {
        open::open(data_directory, master_key, entropy).await
    }

    fn options(file: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Normal)
            .disable_statement_logging()
    }

    async fn connect(file: &Path) -> Result<Self, sqlx::Error> {
        let pool = || {
            SqlitePoolOptions::new()
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(30))
        };
        let writer = pool()
            .max_connections(1)
            .connect_with(Self::options(file).journal_mode(SqliteJournalMode::Wal))
            .await?;
        let readers =
            pool().max_connections(READERS).connect_lazy_with(Self::options(file).pragma("query_only", "ON"));
        Ok(Self { writer, readers })
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

kubesso_store_sql::store_by_sql!(SqliteStore);
