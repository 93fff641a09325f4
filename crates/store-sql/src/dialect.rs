//! How the SQL of databases differs. Everything is text of ours; `?` stands for what is bound.

/// How a database's SQL differs from another's. Columns and paths are checked names.
pub trait Dialect: Send + Sync {
    /// What stands behind a `SELECT` of rows that are decided on, so that nobody else changes them.
    fn locking(&self) -> &'static str;
    /// The function that finds a text in a text: 0 if it is not there.
    fn position(&self) -> &'static str;
    /// The end of `column` that is as long as the `?` in it.
    fn ending(&self, column: &str) -> String;
    /// A member of a JSON object, as text; `NULL` if it is not there or is null.
    fn json_text(&self, column: &str, path: &str) -> String;
    /// A member of a JSON object, as a number, yes and no as 1 and 0; `NULL` if it is none.
    fn json_number(&self, column: &str, path: &str) -> String;
    /// What stands behind `FROM` to have each element of a member that is a list, or the member itself …
    fn json_elements(&self, column: &str, path: &str) -> String;
    /// … and an element as text.
    fn json_element(&self) -> &'static str;
    /// `column` so that no index of it is used, where the database must be told.
    fn without_index(&self, column: &str) -> String;
    /// The query of all columns that are written, of all tables but those that count migrations: `table_name`,
    /// `column_name`, `data_type`, its place in the primary key as `key_position` (from 1), and 1 as `is_numbered` where
    /// the database has a counter for it that does not follow the rows.
    fn columns(&self) -> &'static str;
    /// The query of which table's rows refer to which other's: `table_name`, `refers_to`.
    fn references(&self) -> &'static str;
    /// Has the counter of a column go on behind the highest number that is there.
    fn renumbered(&self, table: &str, column: &str) -> Option<String>;
}
