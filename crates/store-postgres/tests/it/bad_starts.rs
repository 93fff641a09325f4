//! What is wrong with a database or its key is said in one sentence, at the start.

use kubesso_ambient::OsEntropy;
use kubesso_directory::{Revision, Store as _};
use kubesso_store_postgres::testkit::Server;
use kubesso_store_postgres::{ConnectError, PostgresStore};
use sqlx::{Connection as _, PgConnection};

async fn raw(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn refusal(url: &str, key: &std::path::Path) -> String {
    PostgresStore::connect(url, key, &OsEntropy).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_database_without_its_key_or_with_another_is_refused_and_the_key_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    let url = Server::shared().unwrap().database().unwrap();
    let (store, first) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), Revision(0));
    store.close().await;

    let (_, again) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    assert_eq!(again.expose(), first.expose());

    let elsewhere = folder.path().join("elsewhere.key");
    assert!(refusal(&url, &elsewhere).await.contains("is missing, without which the secrets"));
    assert!(!elsewhere.exists());

    PostgresStore::connect(&Server::shared().unwrap().database().unwrap(), &elsewhere, &OsEntropy)
        .await
        .unwrap();
    assert!(refusal(&url, &elsewhere).await.contains("is not the key that the secrets in the database"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_replicas_that_begin_at_once_all_get_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    let url = Server::shared().unwrap().database().unwrap();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let (url, key) = (url.clone(), key.clone());
            tokio::spawn(async move { PostgresStore::connect(&url, &key, &OsEntropy).await })
        })
        .collect();
    let mut keys = Vec::new();
    for start in starts {
        let (_, key) = start.await.unwrap().unwrap();
        keys.push(*key.expose());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_newer_and_a_foreign_database_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    let newer = Server::shared().unwrap().database().unwrap();
    PostgresStore::connect(&newer, &key, &OsEntropy).await.unwrap();
    raw(&newer, "UPDATE kubesso_schema SET version = 99").await;
    let error = PostgresStore::connect(&newer, &key, &OsEntropy).await.unwrap_err();
    assert!(matches!(error, ConnectError::Newer { found: 99, .. }), "{error}");

    let foreign = Server::shared().unwrap().database().unwrap();
    raw(&foreign, "CREATE TABLE invoices (id BIGINT PRIMARY KEY)").await;
    let other_key = folder.path().join("other.key");
    assert!(refusal(&foreign, &other_key).await.contains("holds another program's tables"));
    assert!(!other_key.exists());
}

#[tokio::test]
async fn no_error_tells_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    for url in [
        "postgres://kubesso:hunter2@127.0.0.1:1/kubesso",
        "postgres://kubesso:hunter2@127.0.0.1:port/kubesso",
        "postgres://kubesso:hunter2@[/kubesso",
        "mysql://kubesso:hunter2@127.0.0.1/kubesso",
        "kubesso:hunter2",
    ] {
        let error = PostgresStore::connect(url, &key, &OsEntropy).await.unwrap_err();
        assert!(
            !error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
    assert!(!key.exists());
}
