//! The directory's `Store` on PostgreSQL, for several replicas on one database.
//!
//! What a replica writes is one `SERIALIZABLE` transaction; of two that decided on what the other changed, one is
//! begun again, a bounded number of times. No advisory locks, no `LISTEN`, no
//! extensions: other databases that speak PostgreSQL's protocol lack them. Whatever is wrong with the database or the key is found by
//! [`PostgresStore::connect`], and said in one sentence ([`ConnectError`]).
//!
//! ```no_run
//! use std::path::Path;
//!
//! use kubesso_ambient::OsEntropy;
//! use kubesso_directory::Store;
//! use kubesso_store_postgres::PostgresStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "postgres://kubesso@db.example.com/kubesso?sslmode=verify-full";
//! let key_file = Path::new("/var/lib/kubesso/master.key");
//! let (store, _sealing_key) = PostgresStore::connect(url, key_file, &OsEntropy).await?;
//! println!("the configuration is at {:?}", store.revision().await?);
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! Connections are encrypted as the URL's `sslmode` says (rustls; `verify-full` trusts the public authorities, or the
//! file that `sslrootcert` names).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use kubesso_ambient::Entropy;
use kubesso_directory::SealingKey;
use kubesso_store_sql::Inspection;
use kubesso_store_sql::master_key::MasterKey;

mod connect;
mod connection;
mod dialect;
mod pool;
mod retry;
mod schema;
mod servers;
#[cfg(unix)]
#[cfg(test)]
mod silence;
#[cfg(unix)]
pub mod testkit;

pub use connect::ConnectError;
use pool::Connections;
use retry::Retries;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStore {
    connections: Connections,
    retries: Arc<Retries>,
}

impl PostgresStore {
    /// Connects to the database that `url` names (`postgres://user:password@host:5432/database`) and brings its schema
    /// up to date. The sealing key is in `key_file`; it is made when the database is empty and the file is not there.
    /// All replicas need the same key.
    pub async fn connect(
        url: &str,
        key_file: &Path,
        entropy: &dyn Entropy,
    ) -> Result<(Self, SealingKey), ConnectError> {
        connect::connect(url, &MasterKey::File(key_file.to_owned()), entropy).await
    }

    /// As [`connect`](Self::connect), with a key that may come from elsewhere.
    pub async fn connect_with(
        url: &str,
        master_key: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<(Self, SealingKey), ConnectError> {
        connect::connect(url, master_key, entropy).await
    }

    /// What [`PostgresStore::connect`] would find, with the errors that it would give; nothing is made or changed.
    pub async fn inspect(url: &str, key_file: &Path) -> Result<Inspection, ConnectError> {
        Self::inspect_with(url, &MasterKey::File(key_file.to_owned())).await
    }

    /// What [`PostgresStore::connect_with`] would find, likewise.
    pub async fn inspect_with(url: &str, master_key: &MasterKey) -> Result<Inspection, ConnectError> {
        connect::inspect(url, master_key).await
    }

    /// Waits for what is under way and closes the connections.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

impl fmt::Debug for PostgresStore {
    /// Without the way to the database: a password is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("connections", &self.connections.size()).finish_non_exhaustive()
    }
}

kubesso_store_sql::store_by_sql!(PostgresStore);
