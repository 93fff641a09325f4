//! The ways of PostgreSQL's SQL.

use kubesso_store_sql::Dialect;

/// The names of a user by which the indexes of migration 10 are.
const INDEXED: [&str; 2] = ["firstName", "lastName"];

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
        // What has an index is read from the text itself, because not every database makes one over a computed column.
        let object = if matches!(column, "profile" | "users.profile") && INDEXED.contains(&path) {
            format!("replace({column}, '\\u0000', '\\ufffd')::JSONB")
        } else {
            format!("{column}_json")
        };
        format!("(({object} #>> '{{\"{}\"}}') COLLATE \"C\")", path.replace('.', "\",\""))
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

    fn columns(&self) -> &'static str {
        "SELECT c.table_name::TEXT AS table_name, c.column_name::TEXT AS column_name, c.data_type::TEXT AS data_type, \
         k.ordinal_position::BIGINT AS key_position, \
         CASE WHEN c.is_identity = 'YES' THEN 1::BIGINT ELSE 0::BIGINT END AS is_numbered \
         FROM information_schema.columns AS c \
         JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         LEFT JOIN information_schema.table_constraints AS p ON p.table_schema = c.table_schema \
         AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY' \
         LEFT JOIN information_schema.key_column_usage AS k ON k.table_schema = p.table_schema \
         AND k.table_name = p.table_name AND k.constraint_name = p.constraint_name AND k.column_name = c.column_name \
         WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER' \
         AND c.table_name <> 'kubesso_schema'"
    }

    fn references(&self) -> &'static str {
        "SELECT t.relname::TEXT AS table_name, o.relname::TEXT AS refers_to FROM pg_catalog.pg_constraint AS r \
         JOIN pg_catalog.pg_class AS t ON t.oid = r.conrelid JOIN pg_catalog.pg_class AS o ON o.oid = r.confrelid \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace \
         WHERE r.contype = 'f' AND n.nspname = current_schema()"
    }

    fn renumbered(&self, table: &str, column: &str) -> Option<String> {
        Some(format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table} \
             HAVING max({column}) IS NOT NULL"
        ))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, query, raw_sql};

    use super::*;
    use crate::PostgresStore;
    use crate::testkit::Server;

    #[tokio::test]
    async fn names_are_found_and_sorted_by_their_indexes() {
        let url = Server::shared().unwrap().database().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("master.key");
        let (store, _) = PostgresStore::connect(&url, &key, &kubesso_ambient::OsEntropy).await.unwrap();
        store.close().await;
        let mut connection = PgConnection::connect(&url).await.unwrap();
        // A table of nobody is read whole, unless that is not to be.
        raw_sql("SET enable_seqscan = off").execute(&mut connection).await.unwrap();
        let names = [
            ("firstName", "users_by_first_name", "users_in_order_of_first_name"),
            ("lastName", "users_by_last_name", "users_in_order_of_last_name"),
        ];
        for (column, (name, by, in_order)) in
            ["profile", "users.profile"].into_iter().flat_map(|column| names.map(|name| (column, name)))
        {
            let name = format!("lower({})", Ways.json_text(column, name));
            for (asked, index) in [
                (format!("WHERE {name} = 'li'"), by),
                (format!("WHERE {name} >= 'li' AND {name} < 'lj'"), by),
                (format!("ORDER BY coalesce({name}, '') LIMIT 1"), in_order),
            ] {
                let explain = AssertSqlSafe(format!("EXPLAIN SELECT users.id FROM users {asked}"));
                let plan = query(explain).fetch_all(&mut connection).await.unwrap();
                let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
                assert!(plan.iter().any(|line| line.contains(index)), "{asked}: {plan:#?}");
            }
        }
    }
}
