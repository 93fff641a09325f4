//! The ways of PostgreSQL's SQL.

use kubesso_store_sql::Dialect;

/// The ways of PostgreSQL's SQL. What filters look into stands beside each JSON text as `<column>_json`.
#[derive(Debug)]
pub(crate) struct Ways;

impl Ways {
    /// A member as `jsonb`. The steps of its path are checked names: nothing that a quoted step could not hold.
    fn member(column: &str, path: &str) -> String {
        format!("({column}_json #> '{{\"{}\"}}')", path.replace('.', "\",\""))
    }
}

impl Dialect for Ways {
    fn locking(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn position(&self) -> &'static str {
        "strpos"
    }

    fn ending(&self, column: &str) -> String {
        format!("right({column}, length(?))")
    }

    fn json_text(&self, column: &str, path: &str) -> String {
        format!("(({column}_json #>> '{{\"{}\"}}') COLLATE \"C\")", path.replace('.', "\",\""))
    }

    fn json_number(&self, column: &str, path: &str) -> String {
        let member = Self::member(column, path);
        format!(
            "CASE jsonb_typeof({member}) WHEN 'number' THEN ({member} #>> '{{}}')::FLOAT8 \
             WHEN 'boolean' THEN CASE WHEN ({member} #>> '{{}}') = 'true' THEN 1::FLOAT8 ELSE 0::FLOAT8 END END"
        )
    }

    fn json_elements(&self, column: &str, path: &str) -> String {
        let member = Self::member(column, path);
        format!(
            "jsonb_array_elements(CASE jsonb_typeof({member}) WHEN 'array' THEN {member} \
             ELSE jsonb_build_array({member}) END) AS element (value)"
        )
    }

    fn json_element(&self) -> &'static str {
        "(element.value #>> '{}') COLLATE \"C\""
    }

    /// PostgreSQL knows how many rows fit.
    fn without_index(&self, column: &str) -> String {
        column.to_owned()
    }
}
