//! PostgreSQL's connections, its rows, and what its errors mean.

use std::ops::DerefMut;

use async_trait::async_trait;
use kubesso_directory::StoreError;
use kubesso_store_sql::{
    Columns, Connection, Database, Dialect, ErrorKind, Record, SqlError, Statement, Value, database,
};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row as _, Transaction};

use crate::PostgresStore;
use crate::dialect::Ways;
use crate::pool::{Doubt, is_of_the_server};

/// Statements run on what it holds.
#[derive(Debug)]
pub struct On<C> {
    held: C,
    doubt: Doubt,
}

/// A connection for one query.
pub(crate) type Reading = On<PoolConnection<Postgres>>;

/// A transaction.
pub(crate) type Transacting = On<Transaction<'static, Postgres>>;

#[async_trait]
impl Database for PostgresStore {
    type Reading = Reading;
    type Snapshot = Transacting;
    type Writing = Transacting;

    async fn read(&self) -> Result<Reading, StoreError> {
        let given = self.connections.get(|pool| async move { pool.acquire().await }).await;
        let held = given.map_err(meaning).map_err(database("give a connection to read"))?;
        Ok(On { held, doubt: self.connections.doubt() })
    }

    async fn read_at_once(&self) -> Result<Transacting, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(database("begin to read"))
    }

    async fn write(&self) -> Result<Transacting, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL SERIALIZABLE").await.map_err(database("begin to write"))
    }

    async fn write_guarded(&self) -> Result<Transacting, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(database("begin to write"))
    }

    /// When the server goes away meanwhile, nobody here knows whether it was made last: it is not begun again.
    async fn done(&self, transaction: Transacting) -> Result<(), StoreError> {
        let On { held, doubt } = transaction;
        let meant = |error| match meaning(error) {
            lost if lost.kind() == ErrorKind::Lost => SqlError::other(lost),
            error => error,
        };
        doubt.limit(held.commit()).await.map_err(meant).map_err(database("commit"))
    }

    async fn again(&self, error: &StoreError, failed: u32) -> bool {
        self.retries.again(error, failed).await
    }
}

impl PostgresStore {
    async fn begin(&self, how: &'static str) -> Result<Transacting, SqlError> {
        let begun = self.connections.get(|pool| async move { pool.begin_with(how).await }).await;
        Ok(On { held: begun.map_err(meaning)?, doubt: self.connections.doubt() })
    }
}

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> Connection for On<C> {
    fn dialect(&self) -> &'static dyn Dialect {
        &Ways
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, SqlError> {
        let done = self.doubt.limit(bound(statement).execute(&mut *self.held)).await.map_err(meaning)?;
        Ok(done.rows_affected())
    }

    async fn fetch(&mut self, statement: Statement) -> Result<Vec<Record>, SqlError> {
        let rows = self.doubt.limit(bound(statement).fetch_all(&mut *self.held)).await.map_err(meaning)?;
        Ok(rows.into_iter().map(|row| Record(Box::new(Cells(row)))).collect())
    }
}

fn bound(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let (sql, values) = statement.into_parts();
    // What somebody sent is among the values.
    let query = sqlx::query(AssertSqlSafe(numbered(&sql)));
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Integer(number) => query.bind(number),
        Value::Real(number) => query.bind(number),
        Value::Flag(flag) => query.bind(flag),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

/// `?` as PostgreSQL writes it: `$1`, `$2` …
fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut parts = sql.split('?');
    numbered.push_str(parts.next().unwrap_or_default());
    for (position, part) in parts.enumerate() {
        numbered.push('$');
        numbered.push_str(&(position + 1).to_string());
        numbered.push_str(part);
    }
    numbered
}

/// What a refusal means, by its SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) fn meaning(error: sqlx::Error) -> SqlError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let kind = match code.as_deref() {
        Some("23505") => ErrorKind::UniqueViolation,
        Some("23503") => ErrorKind::ForeignKeyViolation,
        Some("40001" | "40P01") => ErrorKind::Contention,
        _ if is_of_the_server(&error) => ErrorKind::Lost,
        _ => ErrorKind::Other,
    };
    SqlError::new(kind, error)
}

struct Cells(PgRow);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_is_numbered() {
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
        assert_eq!(numbered("a = ? AND b IN (?, ?)"), "a = $1 AND b IN ($2, $3)");
    }
}
