//! A statement with what is bound to it, for whichever database.

use std::borrow::Cow;
use std::fmt;

use crate::connection::{Connection, ErrorKind, Record, SqlError};

/// What can be bound to a statement: a type, and a value of it or `NULL`.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Option<String>),
    /// A number, a moment, a duration.
    Integer(Option<i64>),
    /// A number in a filter.
    Real(f64),
    /// Yes or no.
    Flag(Option<bool>),
    /// A hash, a sealed secret.
    Bytes(Option<Vec<u8>>),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(Some(number.into()))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(Some(number.into()))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<Option<u32>> for Value {
    fn from(number: Option<u32>) -> Self {
        Self::Integer(number.map(i64::from))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(Some(flag))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

/// A statement. What is bound to it stands as `?` in its text; a `?` never means anything else.
#[derive(Clone)]
pub struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

impl Statement {
    /// A statement of ours. What somebody sent is never part of the text: it is bound.
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    /// The value of the next `?`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// More text.
    pub fn push(&mut self, sql: impl AsRef<str>) -> &mut Self {
        self.sql.to_mut().push_str(sql.as_ref());
        self
    }

    /// A value, and a `?` for it.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.sql.to_mut().push('?');
        self.values.push(value.into());
        self
    }

    /// The text.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Text and values.
    pub fn into_parts(self) -> (Cow<'static, str>, Vec<Value>) {
        (self.sql, self.values)
    }

    /// Runs it; how many rows it touched.
    pub async fn execute(self, connection: &mut dyn Connection) -> Result<u64, SqlError> {
        connection.execute(self.storable()?).await
    }

    /// Runs it; all rows that it gives.
    pub async fn fetch_all(self, connection: &mut dyn Connection) -> Result<Vec<Record>, SqlError> {
        connection.fetch(self.storable()?).await
    }

    /// Runs it; the first row that it gives.
    pub async fn fetch_optional(self, connection: &mut dyn Connection) -> Result<Option<Record>, SqlError> {
        Ok(self.fetch_all(connection).await?.into_iter().next())
    }

    /// Itself, if every database takes what is bound.
    fn storable(self) -> Result<Self, SqlError> {
        let is_unstorable = |value: &Value| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
        if self.values.iter().any(is_unstorable) {
            return Err(SqlError::new(ErrorKind::UnstorableText, "a text has the character U+0000 in it"));
        }
        Ok(self)
    }

    /// Runs it; the row that it always gives.
    pub async fn fetch_one(self, connection: &mut dyn Connection) -> Result<Record, SqlError> {
        self.fetch_optional(connection).await?.ok_or_else(|| SqlError::other("there is no row"))
    }
}

impl fmt::Debug for Statement {
    /// Without the values: there are secrets among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({}; {} values)", self.sql, self.values.len())
    }
}
