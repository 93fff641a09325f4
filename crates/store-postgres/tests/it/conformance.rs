//! What every store must do.

use std::sync::Arc;

use kubesso_ambient::OsEntropy;
use kubesso_directory::testkit::Replicas;
use kubesso_store_postgres::PostgresStore;
use kubesso_store_postgres::testkit::Server;

async fn open() -> Replicas {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    let url = Server::shared().unwrap().database().unwrap();
    let (one, _) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    let (other, _) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    Replicas { one: Arc::new(one), other: Arc::new(other), guard: Box::new(folder) }
}

kubesso_directory::store_tests!(
    #[tokio::test]
    open
);
