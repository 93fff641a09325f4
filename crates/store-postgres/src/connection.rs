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

/// Statements run on what it holds.
#[derive(Debug)]
pub struct On<C>(C);

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
        let given = self.pool.acquire().await.map_err(meaning);
        given.map(On).map_err(database("give a connection to read"))
    }

    async fn read_at_once(&self) -> Result<Transacting, StoreError> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        begun.map(On).map_err(meaning).map_err(database("begin to read"))
    }

    async fn write(&self) -> Result<Transacting, StoreError> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await;
        begun.map(On).map_err(meaning).map_err(database("begin to write"))
    }

    async fn write_guarded(&self) -> Result<Transacting, StoreError> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await;
        begun.map(On).map_err(meaning).map_err(database("begin to write"))
    }

    async fn done(&self, transaction: Transacting) -> Result<(), StoreError> {
        transaction.0.commit().await.map_err(meaning).map_err(database("commit"))
    }

    async fn again(&self, error: &StoreError, failed: u32) -> bool {
        self.retries.again(error, failed).await
    }
}

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> Connection for On<C> {
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
