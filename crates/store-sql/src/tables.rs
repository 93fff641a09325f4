//! What a database says of its tables, so that whoever needs all of them keeps no list.

use std::collections::{BTreeMap, BTreeSet};

use crate::connection::{Connection, Record, SqlError};
use crate::statement::{Statement, Value};

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number; in a database that has no type for it, yes or no too.
    Integer,
    /// Yes or no.
    Flag,
    /// Bytes.
    Bytes,
}

/// A column that is written; those that the database computes are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub kind: Kind,
    /// Whether the database itself numbers new rows in it, and must be told where to go on.
    pub is_numbered: bool,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// In the order of their names.
    pub columns: Vec<Column>,
    /// The columns of its primary key, in order.
    pub key: Vec<String>,
    /// The other tables that its rows refer to.
    pub refers_to: BTreeSet<String>,
}

/// The tables in the order of their names, without those in which a database counts its migrations.
pub async fn tables(connection: &mut dyn Connection) -> Result<Vec<Table>, SqlError> {
    let dialect = connection.dialect();
    let mut tables: BTreeMap<String, (Table, BTreeMap<i64, String>)> = BTreeMap::new();
    for row in Statement::new(dialect.columns()).fetch_all(connection).await? {
        let name = text(&row, "table_name")?;
        let column = text(&row, "column_name")?;
        let (table, key) = tables.entry(name.clone()).or_insert_with(|| {
            let table = Table { name, columns: Vec::new(), key: Vec::new(), refers_to: BTreeSet::new() };
            (table, BTreeMap::new())
        });
        if let Some(position) = row.0.integer("key_position")?.filter(|position| *position > 0) {
            key.insert(position, column.clone());
        }
        let is_numbered = row.0.integer("is_numbered")? == Some(1);
        table.columns.push(Column { kind: kind(&row, &table.name, &column)?, name: column, is_numbered });
    }
    for row in Statement::new(dialect.references()).fetch_all(connection).await? {
        let (from, to) = (text(&row, "table_name")?, text(&row, "refers_to")?);
        if let Some((table, _)) = tables.get_mut(&from).filter(|_| from != to) {
            table.refers_to.insert(to);
        }
    }
    let mut found = Vec::with_capacity(tables.len());
    for (mut table, key) in tables.into_values() {
        table.columns.sort_by(|one, other| one.name.cmp(&other.name));
        table.key = key.into_values().collect();
        if table.key.is_empty() {
            return Err(SqlError::other(format!("the table {} has no primary key", table.name)));
        }
        found.push(table);
    }
    Ok(found)
}

fn text(row: &Record, column: &str) -> Result<String, SqlError> {
    row.0.text(column)?.ok_or_else(|| SqlError::other(format!("there is no {column}")))
}

fn kind(row: &Record, table: &str, column: &str) -> Result<Kind, SqlError> {
    match text(row, "data_type")?.to_lowercase().as_str() {
        "text" => Ok(Kind::Text),
        "integer" | "bigint" => Ok(Kind::Integer),
        "boolean" => Ok(Kind::Flag),
        "blob" | "bytea" => Ok(Kind::Bytes),
        other => {
            Err(SqlError::other(format!("{table}.{column} is of a type that is not known here: {other}")))
        }
    }
}

impl Kind {
    /// What is in the same column of two databases; `None` if they do not agree.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Self::Flag, Self::Integer) | (Self::Integer, Self::Flag) => Some(Self::Flag),
            _ => None,
        }
    }

    /// A row's value of this kind.
    pub(crate) fn read(self, row: &Record, column: &str) -> Result<Value, SqlError> {
        Ok(match self {
            Self::Text => Value::Text(row.0.text(column)?),
            Self::Integer => Value::Integer(row.0.integer(column)?),
            Self::Flag => Value::Flag(row.0.flag(column)?),
            Self::Bytes => Value::Bytes(row.0.bytes(column)?),
        })
    }
}
