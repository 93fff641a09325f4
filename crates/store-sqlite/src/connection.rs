//! SQLite's connections, its rows, and the ways of its SQL.

use std::ops::DerefMut;

use async_trait::async_trait;
use kubesso_directory::StoreError;
use kubesso_store_sql::{
    Columns, Connection, Database, Dialect, ErrorKind, Record, SqlError, Statement, Value, database,
};
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection, Transaction};

use crate::SqliteStore;

/// Statements run on what it holds.
#[derive(Debug)]
pub struct On<C>(pub(crate) C);

/// A connection that reads.
pub(crate) type Reading = On<PoolConnection<Sqlite>>;

/// A transaction that reads, or that writes and has taken the lock.
pub(crate) type Transacting = On<Transaction<'static, Sqlite>>;

#[async_trait]
impl Database for SqliteStore {
    type Reading = Reading;
    type Snapshot = Transacting;
    type Writing = Transacting;

    async fn read(&self) -> Result<Reading, StoreError> {
        let given = self.readers.acquire().await.map_err(meaning);
        given.map(On).map_err(database("give a connection to read"))
    }

    async fn read_at_once(&self) -> Result<Transacting, StoreError> {
        let begun = self.readers.begin().await.map_err(meaning);
        begun.map(On).map_err(database("begin to read"))
    }

    async fn write(&self) -> Result<Transacting, StoreError> {
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(meaning);
        begun.map(On).map_err(database("begin to write"))
    }

    async fn done(&self, transaction: Transacting) -> Result<(), StoreError> {
        transaction.0.commit().await.map_err(meaning).map_err(database("commit"))
    }

    /// Whoever writes has waited for the lock before it read.
    async fn again(&self, _error: &StoreError, _failed: u32) -> bool {
        false
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Connection for On<C> {
    fn dialect(&self) -> &'static dyn Dialect {
        &Ways
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, SqlError> {
        let done = bound(statement).execute(&mut *self.0).await.map_err(meaning)?;
        Ok(done.rows_affected())
    }

    async fn fetch(&mut self, statement: Statement) -> Result<Vec<Record>, SqlError> {
        let rows = bound(statement).fetch_all(&mut *self.0).await.map_err(meaning)?;
        Ok(rows.into_iter().map(|row| Record(Box::new(Cells(row)))).collect())
    }
}

fn bound(statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    let (sql, values) = statement.into_parts();
    // What somebody sent is among the values.
    let query = sqlx::query(AssertSqlSafe(sql.into_owned()));
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Integer(number) => query.bind(number),
        Value::Real(number) => query.bind(number),
        Value::Flag(flag) => query.bind(flag),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

fn meaning(error: sqlx::Error) -> SqlError {
    let kind = match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(sqlx::error::ErrorKind::UniqueViolation) => ErrorKind::UniqueViolation,
        Some(sqlx::error::ErrorKind::ForeignKeyViolation) => ErrorKind::ForeignKeyViolation,
        _ => ErrorKind::Other,
    };
    SqlError::new(kind, error)
}

struct Cells(SqliteRow);

impl Columns for Cells {
    fn text(&self, column: &str) -> Result<Option<String>, SqlError> {
        self.0.try_get(column).map_err(SqlError::other)
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, SqlError> {
        self.0.try_get(column).map_err(SqlError::other)
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, SqlError> {
        self.0.try_get(column).map_err(SqlError::other)
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, SqlError> {
        self.0.try_get(column).map_err(SqlError::other)
    }
}

/// The ways of SQLite's SQL.
pub(crate) struct Ways;

impl Ways {
    /// A path as SQLite writes it. Its steps are checked names: nothing that a quoted step could not hold.
    fn path(path: &str) -> String {
        format!("'$.\"{}\"'", path.replace('.', "\".\""))
    }
}

impl Dialect for Ways {
    /// Whoever writes has the lock of the whole file.
    fn locking(&self) -> &'static str {
        ""
    }

    fn position(&self) -> &'static str {
        "instr"
    }

    fn ending(&self, column: &str) -> String {
        format!("substr({column}, -length(?))")
    }

    fn json_text(&self, column: &str, path: &str) -> String {
        format!("json_extract({column}, {})", Self::path(path))
    }

    /// Text is greater than any number in SQLite, so that the type is looked at.
    fn json_number(&self, column: &str, path: &str) -> String {
        let member = self.json_text(column, path);
        format!("CASE WHEN typeof({member}) IN ('integer', 'real') THEN {member} END")
    }

    fn json_elements(&self, column: &str, path: &str) -> String {
        format!("json_each({column}, {}) AS element", Self::path(path))
    }

    fn json_element(&self) -> &'static str {
        "element.value"
    }

    fn without_index(&self, column: &str) -> String {
        format!("+{column}")
    }

    /// What is hidden is computed.
    fn columns(&self) -> &'static str {
        "SELECT t.name AS table_name, c.name AS column_name, c.type AS data_type, c.pk AS key_position, \
         0 AS is_numbered FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c \
         WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden = 0"
    }

    fn references(&self) -> &'static str {
        "SELECT t.name AS table_name, r.\"table\" AS refers_to \
         FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS r WHERE t.schema = 'main'"
    }

    /// A row's number follows from those that are there.
    fn renumbered(&self, _table: &str, _column: &str) -> Option<String> {
        None
    }
}
