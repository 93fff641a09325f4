//! Between columns and checked values. What does not parse is reported with the object that it is in.

use std::fmt::Display;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use kubesso_directory::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::{Record, SqlError};

/// A row of a table, with what its objects are called in messages and the column that names them.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    record: &'r Record,
    what: &'static str,
    key: &'static str,
}

impl<'r> Row<'r> {
    pub(crate) fn new(record: &'r Record, what: &'static str, key: &'static str) -> Self {
        Self { record, what, key }
    }

    fn read<T>(self, column: &str, value: Result<Option<T>, SqlError>) -> Result<Option<T>, StoreError> {
        value.map_err(|error| self.corrupt(column, error))
    }

    fn set<T>(self, column: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column, "nothing is there"))
    }

    fn integer(self, column: &str) -> Result<Option<i64>, StoreError> {
        self.read(column, self.record.0.integer(column))
    }

    pub(crate) fn corrupt(self, column: &str, cause: impl Display) -> StoreError {
        let id = match self.record.0.text(self.key) {
            Ok(Some(id)) => id,
            _ => "?".to_owned(),
        };
        StoreError::Corrupt { what: self.what, id, cause: format!("{column}: {cause}") }
    }

    pub(crate) fn text(self, column: &str) -> Result<String, StoreError> {
        let text = self.optional_text(column)?;
        self.set(column, text)
    }

    pub(crate) fn optional_text(self, column: &str) -> Result<Option<String>, StoreError> {
        self.read(column, self.record.0.text(column))
    }

    pub(crate) fn blob(self, column: &str) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read(column, self.record.0.bytes(column))?;
        self.set(column, bytes)
    }

    pub(crate) fn flag(self, column: &str) -> Result<bool, StoreError> {
        let flag = self.read(column, self.record.0.flag(column))?;
        self.set(column, flag)
    }

    /// A number that fits `T`.
    pub(crate) fn number<T: TryFrom<i64>>(self, column: &str) -> Result<T, StoreError>
    where
        T::Error: Display,
    {
        let number = self.integer(column)?;
        T::try_from(self.set(column, number)?).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn optional_number<T: TryFrom<i64>>(self, column: &str) -> Result<Option<T>, StoreError>
    where
        T::Error: Display,
    {
        let number = self.integer(column)?;
        number.map(|number| T::try_from(number).map_err(|error| self.corrupt(column, error))).transpose()
    }

    pub(crate) fn time(self, column: &str) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.number(column)?).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn optional_time(self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let time = self.integer(column)?;
        time.map(|time| Timestamp::from_microsecond(time).map_err(|error| self.corrupt(column, error)))
            .transpose()
    }

    pub(crate) fn duration(self, column: &str) -> Result<SignedDuration, StoreError> {
        Ok(SignedDuration::from_micros(self.number(column)?))
    }

    /// A checked name or id.
    pub(crate) fn parsed<T: FromStr>(self, column: &str) -> Result<T, StoreError>
    where
        T::Err: Display,
    {
        self.text(column)?.parse().map_err(|error| self.corrupt(column, error))
    }

    /// A checked name or id, if there is one.
    pub(crate) fn optional_parsed<T: FromStr>(self, column: &str) -> Result<Option<T>, StoreError>
    where
        T::Err: Display,
    {
        let text = self.optional_text(column)?;
        text.map(|text| text.parse().map_err(|error| self.corrupt(column, error))).transpose()
    }

    /// A word that `known` knows.
    pub(crate) fn known<T>(self, column: &str, known: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let word = self.text(column)?;
        known(&word).ok_or_else(|| self.corrupt(column, format_args!("`{word}` is not known")))
    }

    /// Bytes of which `known` makes something.
    pub(crate) fn bytes<T>(self, column: &str, known: fn(&[u8]) -> Option<T>) -> Result<T, StoreError> {
        known(&self.blob(column)?).ok_or_else(|| self.corrupt(column, "wrong length"))
    }

    pub(crate) fn json<T: DeserializeOwned>(self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.corrupt(column, error))
    }

    /// An enum that is one word in serde's eyes.
    pub(crate) fn word<T: DeserializeOwned>(self, column: &str) -> Result<T, StoreError> {
        serde_json::from_value(serde_json::Value::String(self.text(column)?))
            .map_err(|error| self.corrupt(column, error))
    }
}

/// A time as it is stored.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A duration as it is stored.
pub(crate) fn duration_micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A value as JSON text.
pub(crate) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Database { what: "write a value as JSON", source: error.into() })
}

/// An enum as the word that serde makes of it.
pub(crate) fn word(value: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(_) => Err(StoreError::Database { what: "write a word", source: "the value is not a word".into() }),
        Err(error) => Err(StoreError::Database { what: "write a word", source: error.into() }),
    }
}
