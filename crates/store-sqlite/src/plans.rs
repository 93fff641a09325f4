//! How SQLite goes about what large directories are asked: a page is read in its order, by an index. A table that is read
//! from its beginning, or sorted, is what made it slow.

use kubesso_ambient::{ManualClock, OsEntropy};
use kubesso_directory::{
    AttributePath, Batch, Change, Email, Filter, Sort, SortOrder, Store as _, User, UserId, UserProfile,
    UserQuery, everyone,
};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};
use tempfile::TempDir;

use kubesso_store_sql::search::{Narrowed, users, users_statement};
use kubesso_store_sql::{Database as _, JOIN_EVERYONE, MEMBERS};

use crate::SqliteStore;
use crate::connection::Ways;

const NOON: &str = "2026-11-22T12:00:00Z";

/// The steps of a statement. They do not depend on what is bound.
async fn plan(connection: &mut SqliteConnection, sql: &str) -> String {
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explained).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
}

async fn opened() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    (directory, store)
}

fn sort(attribute: &str) -> Sort {
    Sort { attribute: AttributePath::parse(attribute).unwrap(), order: SortOrder::Ascending }
}

#[tokio::test]
async fn a_page_of_users_is_read_by_an_index_and_in_its_order() {
    let (_directory, store) = opened().await;
    let mut connection = store.read().await.unwrap();
    let id = UserId::generate(&OsEntropy);
    let cases = [
        ("not (status eq \"DEPROVISIONED\")", None, "USING PRIMARY KEY (id>?)"),
        ("status eq \"SUSPENDED\"", None, "users_by_status (<expr>=? AND id>?)"),
        ("profile.email eq \"ann@example.com\"", None, "users_by_email"),
        ("profile.lastName eq \"Li\"", None, "users_by_last_name"),
        ("lastUpdated gt \"2026-11-22T12:00:00Z\"", None, "COVERING INDEX users_by_update"),
        ("status eq \"ACTIVE\"", Some("profile.lastName"), "INDEX users_in_order_of_last_name"),
        ("status eq \"ACTIVE\"", Some("profile.firstName"), "INDEX users_in_order_of_first_name"),
        ("status eq \"ACTIVE\"", Some("profile.login"), "sqlite_autoindex_users_2"),
        ("status eq \"ACTIVE\"", Some("lastUpdated"), "INDEX users_by_update"),
    ];
    for (filter, sorted, expected) in cases {
        let parsed = Filter::parse(filter).unwrap();
        let sorted = sorted.map(sort);
        let wanted = UserQuery {
            filter: Some(&parsed),
            sort: sorted.as_ref(),
            after: Some(&id),
            ..UserQuery::all(200)
        };
        let sql = users_statement(&wanted, &Narrowed::of(&wanted), true, &Ways);
        let plan = plan(&mut connection.0, sql.sql()).await;
        assert!(plan.contains(expected), "{filter} {sorted:?}: {plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{filter} {sorted:?}: {plan}");
    }
}

#[tokio::test]
async fn a_prefix_that_fits_many_is_looked_for_in_the_order_of_the_list() {
    let (_directory, store) = opened().await;
    let mut connection = store.read().await.unwrap();
    let wanted = UserQuery { prefix: Some("a"), ..UserQuery::all(10) };
    let sql = users_statement(&wanted, &Narrowed::of(&wanted), false, &Ways);
    assert_eq!(plan(&mut connection.0, sql.sql()).await, "SCAN users");
}

#[tokio::test]
async fn nobody_reads_a_group_to_its_end_or_all_groups() {
    let (_directory, store) = opened().await;
    let mut connection = store.read().await.unwrap();
    let members = plan(&mut connection.0, MEMBERS).await;
    assert!(members.contains("(group_id=? AND user_id>?)") && !members.contains("TEMP"), "{members}");
    let mut connection = store.write().await.unwrap();
    let joining = plan(&mut connection.0, JOIN_EVERYONE).await;
    assert!(joining.contains("groups_built_in"), "{joining}");
}

#[tokio::test]
async fn both_ways_find_the_same() {
    let (_directory, store) = opened().await;
    let noon = NOON.parse().unwrap();
    everyone(&store, &ManualClock::at(noon), &OsEntropy).await.unwrap();
    let mut changes = Vec::new();
    for (login, first, last) in [
        ("ann@example.com", Some("Zoe"), None),
        ("bob@example.com", Some("Anna"), Some("Li")),
        ("li@example.com", None, Some("ANDO")),
        ("x@example.com", Some("Xu"), Some("Bann")),
    ] {
        let mut profile = UserProfile::with_email(Email::parse(login).unwrap()).unwrap();
        (profile.first_name, profile.last_name) = (first.map(str::to_owned), last.map(str::to_owned));
        changes.push(Change::PutUser(User::new(UserId::generate(&OsEntropy), profile, noon)));
    }
    store.commit(Batch::new(noon, changes)).await.unwrap();
    let mut connection = store.read().await.unwrap();
    for (prefix, filter, expected) in [
        (Some("an"), "not (status eq \"ACTIVE\")", 3),
        (Some("an"), "not (status eq \"STAGED\")", 0),
        (Some("li"), "status eq \"STAGED\"", 2),
        (None, "status eq \"staged\"", 4),
        (None, "status eq \"active\"", 0),
        (None, "lastUpdated ge \"2026-11-22T12:00:00Z\"", 4),
        (None, "lastUpdated gt \"2026-11-22T12:00:00Z\"", 0),
        (None, "status eq \"staged\" and lastUpdated gt \"2026-11-22T11:00:00Z\"", 4),
        (None, "status eq \"STAGED\" or lastUpdated gt \"2026-11-22T12:00:00Z\"", 4),
    ] {
        let parsed = Filter::parse(filter).unwrap();
        let wanted = UserQuery { filter: Some(&parsed), prefix, ..UserQuery::all(10) };
        let narrowed = Narrowed::of(&wanted);
        for by_ids in [true, false] {
            let sql = users_statement(&wanted, &narrowed, by_ids, &Ways);
            let found = sql.fetch_all(&mut connection).await.unwrap().len();
            assert_eq!(found, expected, "{prefix:?} {filter}, by ids: {by_ids}");
        }
        assert_eq!(users(&mut connection, &wanted).await.unwrap().len(), expected);
    }
}
