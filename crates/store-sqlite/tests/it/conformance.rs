//! The test-kit that every store passes, with two stores on one file as two replicas.

use std::sync::Arc;

use kubesso_ambient::OsEntropy;
use kubesso_directory::store_tests;
use kubesso_directory::testkit::Replicas;
use kubesso_store_sqlite::SqliteStore;

async fn open() -> Replicas {
    let directory = tempfile::tempdir().unwrap();
    let (one, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    let (other, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    Replicas { one: Arc::new(one), other: Arc::new(other), guard: Box::new(directory) }
}

store_tests!(
    #[tokio::test]
    open
);
