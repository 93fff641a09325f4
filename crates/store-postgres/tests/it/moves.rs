//! Everything moves from SQLite to PostgreSQL and back. Rows are made for whatever tables there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kubesso_ambient::{ManualClock, OsEntropy};
use kubesso_directory::{FirstWorld, Store as _, seed};
use kubesso_store_postgres::PostgresStore;
use kubesso_store_postgres::testkit::Server;
use kubesso_store_sql::{Database as _, Kind, Table, TransferError, tables, transfer};
use kubesso_store_sqlite::SqliteStore;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection,
    ValueRef as _, query, query_scalar, raw_sql,
};
use tempfile::TempDir;

/// More than are moved at once.
const MANY: u32 = 2100;

/// A folder with a key, a SQLite store and a raw connection to it.
async fn file(key: Option<&TempDir>) -> (TempDir, SqliteStore, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(of) = key {
        std::fs::copy(of.path().join("master.key"), folder.path().join("master.key")).unwrap();
    }
    let (store, _) = SqliteStore::open(folder.path(), &OsEntropy).await.unwrap();
    let options =
        SqliteConnectOptions::new().filename(folder.path().join(SqliteStore::FILE)).foreign_keys(true);
    (folder, store, options.connect().await.unwrap())
}

/// A store on a new database, for the key in `folder`.
async fn server(folder: &TempDir) -> (String, PostgresStore) {
    let url = Server::shared().unwrap().database().unwrap();
    let key = folder.path().join("master.key");
    let (store, _) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    (url, store)
}

/// What both databases have, with PostgreSQL's types, which are more.
async fn described(file: &SqliteStore, server: &PostgresStore) -> (Vec<Table>, Vec<Table>) {
    let there = tables(&mut file.read().await.unwrap()).await.unwrap();
    (there, tables(&mut server.read().await.unwrap()).await.unwrap())
}

/// Where a column's values come from: another table's column.
type Referred = BTreeMap<String, (String, String)>;

async fn referred(connection: &mut SqliteConnection, table: &str) -> Referred {
    let sql =
        AssertSqlSafe(format!("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list('{table}')"));
    let rows = query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

/// SQL for a value. Every text is JSON, which some columns must be.
fn literal(kind: Kind, table: &str, column: &str, row: usize) -> String {
    match kind {
        Kind::Text => format!("'{{\"{table}.{column}\":[{row},\"Zoë \\u0000\"]}}'"),
        Kind::Integer => format!("{}", 1_000 * row + column.len()),
        Kind::Flag => (if row.is_multiple_of(2) { "true" } else { "false" }).to_owned(),
        Kind::Bytes => format!("CAST(x'00ff{row:04x}' || '{table}.{column}' AS BLOB)"),
    }
}

/// Makes rows in every table: with everything that can be there, with nothing of it, and with one thing each.
async fn fill(connection: &mut SqliteConnection, tables: &[Table]) {
    raw_sql("UPDATE directory SET revision = 41").execute(&mut *connection).await.unwrap();
    let mut waiting: Vec<&Table> = tables.iter().filter(|table| table.name != "directory").collect();
    while !waiting.is_empty() {
        let is_ready = |table: &&Table| !waiting.iter().any(|other| table.refers_to.contains(&other.name));
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.iter().copied().partition(is_ready);
        assert!(!ready.is_empty(), "{rest:?}");
        for table in ready {
            fill_table(connection, table).await;
        }
        waiting = rest;
    }
}

async fn fill_table(connection: &mut SqliteConnection, table: &Table) {
    let referred = referred(connection, &table.name).await;
    let nullable = AssertSqlSafe(format!(
        "SELECT name FROM pragma_table_info('{}') WHERE \"notnull\" = 0 AND pk = 0",
        table.name
    ));
    let nullable: Vec<String> = query_scalar(nullable).fetch_all(&mut *connection).await.unwrap();
    let mut variants = vec![nullable.clone(), Vec::new()];
    variants.extend(nullable.iter().map(|one| vec![one.clone()]));
    let (mut made, mut said) = (0, String::new());
    for (row, present) in variants.iter().enumerate() {
        let values: Vec<String> = table
            .columns
            .iter()
            .map(|column| match referred.get(&column.name) {
                _ if nullable.contains(&column.name) && !present.contains(&column.name) => "NULL".to_owned(),
                Some((other, to)) => format!("(SELECT \"{to}\" FROM \"{other}\" LIMIT 1)"),
                None => literal(column.kind, &table.name, &column.name, row),
            })
            .collect();
        let names: Vec<_> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let sql =
            format!("INSERT INTO \"{}\" ({}) VALUES ({})", table.name, names.join(", "), values.join(", "));
        match raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
            Ok(_) => made += 1,
            // Of two rows with the same keys, or against a rule of the table.
            Err(error) => writeln!(said, "{error}").unwrap(),
        }
    }
    assert!(made > 0, "no row of `{}` is taken; let this test make a better one: {said}", table.name);
}

/// More rows of a table than are moved at once, with a key of two columns.
async fn multiply(connection: &mut SqliteConnection) {
    let mut transaction = connection.begin().await.unwrap();
    raw_sql("CREATE TEMP TABLE more AS SELECT * FROM signing_keys LIMIT 1")
        .execute(&mut *transaction)
        .await
        .unwrap();
    for number in 0..MANY {
        query("UPDATE more SET kid = ?").bind(format!("k{number}")).execute(&mut *transaction).await.unwrap();
        query("INSERT INTO signing_keys SELECT * FROM more").execute(&mut *transaction).await.unwrap();
    }
    raw_sql("DROP TABLE more").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Every value of every table, as SQLite itself writes it.
async fn dump(connection: &mut SqliteConnection, tables: &[Table]) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in tables {
        let columns: Vec<_> =
            table.columns.iter().map(|column| format!("quote(\"{}\")", column.name)).collect();
        let key: Vec<_> = table.key.iter().map(|column| format!("\"{column}\"")).collect();
        let sql =
            format!("SELECT {} FROM \"{}\" ORDER BY {}", columns.join(", "), table.name, key.join(", "));
        let rows = query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.unwrap();
        let written = rows.iter().map(|row| {
            let cells = (0..row.len()).map(|at| {
                assert!(!row.try_get_raw(at).unwrap().is_null());
                row.get::<String, _>(at)
            });
            cells.collect::<Vec<_>>().join(" | ")
        });
        all.insert(table.name.clone(), written.collect());
    }
    all
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_keys_and_references() {
    let (folder, file, _) = file(None).await;
    let (_, server) = server(&folder).await;
    let (there, here) = described(&file, &server).await;
    let plain = |tables: Vec<Table>| {
        let names =
            |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        tables
            .into_iter()
            .map(|table| (table.name.clone(), (names(&table), table.key, table.refers_to)))
            .collect::<BTreeMap<_, _>>()
    };
    let (there, here) = (plain(there), plain(here));
    assert!(
        there.contains_key("users")
            && there.contains_key("directory")
            && !there.contains_key("kubesso_schema")
    );
    assert_eq!(there, here);
    assert_eq!(there["rule_members"].1, ["rule_id", "user_id", "group_id"]);
}

#[tokio::test]
async fn every_row_of_every_table_goes_there_and_comes_back_as_it_was() {
    let (folder, one, mut connection) = file(None).await;
    let (url, server) = server(&folder).await;
    let (_, tables) = described(&one, &server).await;
    fill(&mut connection, &tables).await;
    multiply(&mut connection).await;
    let before = dump(&mut connection, &tables).await;
    let empty: Vec<_> = before.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "{empty:?}");

    let rows = transfer(&one, &server).await.unwrap();
    assert_eq!(rows, before.values().map(|rows| u64::try_from(rows.len()).unwrap()).sum::<u64>());
    // A row that the database numbers itself comes behind those that came along.
    let mut raw = PgConnection::connect(&url).await.unwrap();
    let highest: i64 =
        query_scalar("SELECT max(id) FROM password_history").fetch_one(&mut raw).await.unwrap();
    let next = "INSERT INTO password_history (user_id, hash, replaced) \
                SELECT user_id, hash, replaced FROM password_history LIMIT 1 RETURNING id";
    let next: i64 = query_scalar(next).fetch_one(&mut raw).await.unwrap();
    assert_eq!(next, highest + 1);
    query("DELETE FROM password_history WHERE id = $1").bind(next).execute(&mut raw).await.unwrap();

    let (_other, two, mut connection) = file(Some(&folder)).await;
    assert_eq!(transfer(&server, &two).await.unwrap(), rows);
    let after = dump(&mut connection, &tables).await;
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table}");
    }
}

#[tokio::test]
async fn what_is_not_empty_is_left_as_it_is() {
    let (folder, one, mut connection) = file(None).await;
    let (_, server) = server(&folder).await;
    let (_, tables) = described(&one, &server).await;
    let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
    seed(&one, &clock, &OsEntropy, &FirstWorld::tutorial().unwrap()).await.unwrap();
    transfer(&one, &server).await.unwrap();
    assert_eq!(server.snapshot().await.unwrap(), one.snapshot().await.unwrap());
    let before = dump(&mut connection, &tables).await;
    for refused in [transfer(&one, &server).await, transfer(&server, &one).await] {
        assert!(matches!(refused, Err(TransferError::NotEmpty { .. })), "{refused:?}");
    }
    assert_eq!(dump(&mut connection, &tables).await, before);
}
