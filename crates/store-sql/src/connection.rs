//! What a database brings: connections, rows, and what its errors mean.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use kubesso_directory::StoreError;

use crate::dialect::Dialect;
use crate::statement::Statement;

/// What a refusal of the database means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What must be unique is there already.
    UniqueViolation,
    /// What is referred to is not there.
    ForeignKeyViolation,
    /// Others wrote at the same time: begin the transaction again.
    Contention,
    /// The server went away: another may have taken its place. What was not made last is not there.
    Lost,
    /// A text has U+0000 in it. PostgreSQL refuses it, SQLite would not: no store takes it.
    UnstorableText,
    /// Anything else.
    Other,
}

/// What the database said.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct SqlError {
    kind: ErrorKind,
    cause: Box<dyn Error + Send + Sync>,
}

impl SqlError {
    /// An error with its meaning.
    pub fn new(kind: ErrorKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, cause: cause.into() }
    }

    /// An error without a meaning for us.
    pub fn other(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Other, cause)
    }

    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether a store's error says that the same, begun again, may succeed: others wrote at the same time, or the
    /// server went away.
    pub fn is_passing(error: &StoreError) -> bool {
        let StoreError::Database { source, .. } = error else { return false };
        let is_passing = |error: &Self| matches!(error.kind, ErrorKind::Contention | ErrorKind::Lost);
        source.downcast_ref::<Self>().is_some_and(is_passing)
    }
}

/// The columns of a row, by name; `None` is `NULL`.
pub trait Columns: Send + Sync {
    /// A text.
    fn text(&self, column: &str) -> Result<Option<String>, SqlError>;
    /// A number.
    fn integer(&self, column: &str) -> Result<Option<i64>, SqlError>;
    /// Yes or no.
    fn flag(&self, column: &str) -> Result<Option<bool>, SqlError>;
    /// Bytes.
    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, SqlError>;
}

/// A row.
pub struct Record(pub Box<dyn Columns>);

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record(…)")
    }
}

/// A connection, in a transaction or not.
#[async_trait]
pub trait Connection: Send {
    /// How this database's SQL differs.
    fn dialect(&self) -> &'static dyn Dialect;
    /// Runs a statement; how many rows it touched.
    async fn execute(&mut self, statement: Statement) -> Result<u64, SqlError>;
    /// Runs a statement; the rows that it gives.
    async fn fetch(&mut self, statement: Statement) -> Result<Vec<Record>, SqlError>;
}

/// Where connections come from.
#[async_trait]
pub trait Database: Send + Sync {
    /// For one query.
    type Reading: Connection;
    /// For several queries that see the same moment.
    type Snapshot: Connection;
    /// A transaction that writes. Of two that decided on what the other changed, one fails with
    /// [`ErrorKind::Contention`] or waits before it reads. Dropped, it changes nothing.
    type Writing: Connection;

    /// A connection for one query.
    async fn read(&self) -> Result<Self::Reading, StoreError>;
    /// A connection for several queries that see the same moment.
    async fn read_at_once(&self) -> Result<Self::Snapshot, StoreError>;
    /// Begins to write.
    async fn write(&self) -> Result<Self::Writing, StoreError>;
    /// Begins to write where every row that is decided on is locked as it is read ([`Dialect::locking`]): those that
    /// write beside it wait and lose nothing, unlike in a transaction that is judged as a whole.
    async fn write_guarded(&self) -> Result<Self::Writing, StoreError> {
        self.write().await
    }
    /// Makes what was written last.
    async fn done(&self, transaction: Self::Writing) -> Result<(), StoreError>;
    /// Whether a transaction that failed is to be begun again, after a pause, `failed` times having failed.
    async fn again(&self, error: &StoreError, failed: u32) -> bool;
}
