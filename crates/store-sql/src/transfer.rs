//! Everything from one database into another, empty one: each as it is at one moment, in one transaction.
//!
//! No table is named here but the one that migrations fill. What there is to move, each database says of itself
//! ([`tables`]), and the two must say the same: a table that a migration adds comes along by itself, and one that only one
//! of the two has is an error, not a loss.

use std::collections::{BTreeMap, BTreeSet};

use kubesso_directory::StoreError;

use crate::connection::{Connection, Database, SqlError};
use crate::statement::{Statement, Value};
use crate::tables::{Kind, Table, tables};

/// Its one row is made with the tables; a revision of 0 says that nothing happened since.
const FROM_THE_BEGINNING: &str = "directory";
/// How many rows are in memory at once, if a statement takes so many values.
const PAGE: usize = 1000;
/// How many values a statement takes at most: SQLite's bound (<https://www.sqlite.org/limits.html#max_variable_number>),
/// which is the lower one.
const VALUES: usize = 32_000;

/// Why not everything could be moved. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is something in the other one.
    #[error("the database that everything should go into is not empty: there are rows in `{table}`")]
    NotEmpty {
        /// In which table.
        table: String,
    },
    /// A table or a column that only one of them has.
    #[error("the two databases are not made alike: {0}")]
    Different(String),
    /// A database said no.
    #[error("the table `{table}` cannot be {doing}: {source}")]
    Table {
        /// Which table.
        table: String,
        /// What was tried: "read", "written".
        doing: &'static str,
        /// What it said.
        source: SqlError,
    },
    /// A database said no, about none of the tables.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies everything that is in `from` into `to`, which must be empty; how many rows. Both stay open; what is written
/// into `from` after the beginning does not come along.
pub async fn transfer<F: Database, T: Database>(from: &F, to: &T) -> Result<u64, TransferError> {
    let mut source = from.read_at_once().await?;
    let mut target = to.write().await?;
    let rows = everything(&mut source, &mut target).await?;
    to.done(target).await?;
    Ok(rows)
}

async fn everything(from: &mut dyn Connection, to: &mut dyn Connection) -> Result<u64, TransferError> {
    let described =
        |error| TransferError::Table { table: "the catalogue".to_owned(), doing: "read", source: error };
    let (there, here) = (tables(from).await.map_err(described)?, tables(to).await.map_err(described)?);
    let plan = plan(&there, &here)?;
    for copied in &plan {
        copied.refuse_used(to).await?;
    }
    let mut rows = 0;
    for copied in &plan {
        rows += copied.copy(from, to).await?;
    }
    Ok(rows)
}

/// What is done with one table.
struct Copied<'t> {
    table: &'t Table,
    kinds: Vec<Kind>,
}

/// The tables in an order in which none comes before one that it refers to.
fn plan<'t>(there: &[Table], here: &'t [Table]) -> Result<Vec<Copied<'t>>, TransferError> {
    let of =
        |tables: &[Table]| -> BTreeSet<String> { tables.iter().map(|table| table.name.clone()).collect() };
    if let Some(name) = of(there).symmetric_difference(&of(here)).next() {
        return Err(TransferError::Different(format!("only one of them has the table `{name}`")));
    }
    let there: BTreeMap<&str, &Table> = there.iter().map(|table| (table.name.as_str(), table)).collect();
    let mut waiting: Vec<&Table> = here.iter().collect();
    let mut plan: Vec<Copied<'t>> = Vec::with_capacity(here.len());
    while !waiting.is_empty() {
        let is_ready = |table: &&Table| !waiting.iter().any(|other| table.refers_to.contains(&other.name));
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.iter().copied().partition(is_ready);
        if ready.is_empty() {
            let names: Vec<_> = rest.iter().map(|table| table.name.as_str()).collect();
            let said = format!("the tables {} refer to each other in a circle", names.join(", "));
            return Err(TransferError::Different(said));
        }
        for table in ready {
            let kinds = match there.get(table.name.as_str()) {
                Some(other) => kinds(other, table)?,
                None => Vec::new(),
            };
            plan.push(Copied { table, kinds });
        }
        waiting = rest;
    }
    Ok(plan)
}

/// What is in each column of `here`, if `there` has the same.
fn kinds(there: &Table, here: &Table) -> Result<Vec<Kind>, TransferError> {
    let different = |what: String| TransferError::Different(format!("`{}`: {what}", here.name));
    let of = |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<BTreeSet<_>>();
    if let Some(name) = of(there).symmetric_difference(&of(here)).next() {
        return Err(different(format!("only one of them has the column `{name}`")));
    }
    if there.key != here.key {
        return Err(different("their primary keys are not the same".to_owned()));
    }
    let pairs = there.columns.iter().zip(&here.columns);
    pairs
        .map(|(there, here)| {
            let kind = there.kind.common(here.kind);
            kind.ok_or_else(|| different(format!("the column `{}` is of different types", here.name)))
        })
        .collect()
}

impl Copied<'_> {
    fn failed(&self, doing: &'static str) -> impl Fn(SqlError) -> TransferError {
        let table = self.table.name.clone();
        move |source| TransferError::Table { table: table.clone(), doing, source }
    }

    async fn refuse_used(&self, to: &mut dyn Connection) -> Result<(), TransferError> {
        let name = &self.table.name;
        let sql = if name == FROM_THE_BEGINNING {
            format!("SELECT \"revision\" FROM \"{name}\" WHERE \"revision\" <> 0")
        } else {
            let column = self.table.key.first().map_or("", String::as_str);
            format!("SELECT \"{column}\" FROM \"{name}\" LIMIT 1")
        };
        match Statement::new(sql).fetch_optional(to).await.map_err(self.failed("read"))? {
            Some(_) => Err(TransferError::NotEmpty { table: name.clone() }),
            None => Ok(()),
        }
    }

    /// Page by page in the order of the key.
    async fn copy(&self, from: &mut dyn Connection, to: &mut dyn Connection) -> Result<u64, TransferError> {
        let (reading, writing) = (self.failed("read"), self.failed("written"));
        if self.table.name == FROM_THE_BEGINNING {
            let sql = format!("DELETE FROM \"{}\"", self.table.name);
            Statement::new(sql).execute(to).await.map_err(&writing)?;
        }
        let page = PAGE.min(VALUES / self.table.columns.len().max(1)).max(1);
        let (mut rows, mut last) = (0, None);
        loop {
            let found = self.page(page, last.take()).fetch_all(from).await.map_err(&reading)?;
            let mut values = Vec::with_capacity(found.len() * self.kinds.len());
            for row in &found {
                for (column, kind) in self.table.columns.iter().zip(&self.kinds) {
                    values.push(kind.read(row, &column.name).map_err(&reading)?);
                }
            }
            let width = self.kinds.len();
            last =
                values.len().checked_sub(width).and_then(|at| values.get(at..)).map(|last| self.key_of(last));
            if !found.is_empty() {
                let written = self.insert(found.len(), values).execute(to).await.map_err(&writing)?;
                rows += written;
            }
            if found.len() < page {
                break;
            }
        }
        for column in self.table.columns.iter().filter(|column| column.is_numbered) {
            if let Some(statement) = to.dialect().renumbered(&self.table.name, &column.name) {
                Statement::new(statement).fetch_all(to).await.map_err(&writing)?;
            }
        }
        Ok(rows)
    }

    fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
        names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    fn columns(&self) -> String {
        Self::names(self.table.columns.iter().map(|column| &column.name))
    }

    /// The values of the key's columns among those of a row.
    fn key_of(&self, row: &[Value]) -> Vec<Value> {
        let value = |name: &String| {
            let at = self.table.columns.iter().position(|column| column.name == *name)?;
            row.get(at).cloned()
        };
        self.table.key.iter().filter_map(value).collect()
    }

    fn page(&self, rows: usize, after: Option<Vec<Value>>) -> Statement {
        let (columns, name) = (self.columns(), &self.table.name);
        let key = Self::names(self.table.key.iter());
        let mut statement = Statement::new(format!("SELECT {columns} FROM \"{name}\""));
        if let Some(after) = after {
            statement.push(format!(" WHERE ({key}) > ("));
            for (at, value) in after.into_iter().enumerate() {
                statement.push(if at > 0 { ", " } else { "" });
                statement.push_bind(value);
            }
            statement.push(")");
        }
        statement.push(format!(" ORDER BY {key} LIMIT {rows}"));
        statement
    }

    fn insert(&self, rows: usize, values: Vec<Value>) -> Statement {
        let width = self.table.columns.len();
        let row = format!("({})", vec!["?"; width].join(", "));
        let all = vec![row.as_str(); rows].join(", ");
        let sql = format!("INSERT INTO \"{}\" ({}) VALUES {all}", self.table.name, self.columns());
        values.into_iter().fold(Statement::new(sql), Statement::bind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Column;

    fn table(name: &str, columns: &[(&str, Kind)], refers_to: &[&str]) -> Table {
        let column = |(name, kind): &(&str, Kind)| Column {
            name: (*name).to_owned(),
            kind: *kind,
            is_numbered: false,
        };
        Table {
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            key: vec![columns[0].0.to_owned()],
            refers_to: refers_to.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn refused(there: &[Table], here: &[Table]) -> String {
        plan(there, here).err().unwrap().to_string()
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let id = [("id", Kind::Text)];
        let tables = [
            table("a", &id, &["b", "c"]),
            table("b", &id, &["c"]),
            table("c", &id, &[]),
            table("d", &id, &["a"]),
        ];
        let plan = plan(&tables, &tables).unwrap();
        assert_eq!(
            plan.iter().map(|copied| copied.table.name.as_str()).collect::<Vec<_>>(),
            ["c", "b", "a", "d"]
        );
        let circle = [table("a", &id, &["b"]), table("b", &id, &["a"])];
        assert!(refused(&circle, &circle).contains("a, b refer to each other in a circle"));
    }

    #[test]
    fn a_table_or_a_column_that_one_does_not_have_is_named() {
        let (id, flag) = (("id", Kind::Text), ("is_on", Kind::Flag));
        let whole = [table("a", &[id, flag], &[]), table("b", &[id], &[])];
        assert!(refused(&whole, &whole[..1]).contains("only one of them has the table `b`"));
        assert!(refused(&whole[..1], &whole).contains("only one of them has the table `b`"));
        let less = [table("a", &[id], &[]), table("b", &[id], &[])];
        assert!(refused(&whole, &less).contains("`a`: only one of them has the column `is_on`"));
        let bytes = [table("a", &[id, ("is_on", Kind::Bytes)], &[]), table("b", &[id], &[])];
        assert!(refused(&whole, &bytes).contains("the column `is_on` is of different types"));
        // SQLite has no type of its own for it.
        let number = [table("a", &[id, ("is_on", Kind::Integer)], &[]), table("b", &[id], &[])];
        assert_eq!(plan(&whole, &number).unwrap()[0].kinds, [Kind::Text, Kind::Flag]);
    }
}
