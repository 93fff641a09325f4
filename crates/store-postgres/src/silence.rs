//! A primary that falls silent without closing a connection, as when its machine is cut off.

use std::net::TcpListener;
use std::time::Duration;

use kubesso_ambient::OsEntropy;
use kubesso_directory::{Store as _, ThrottleKey, ThrottleRule};
use tokio::task::JoinSet;

use crate::PostgresStore;
use crate::testkit::Pair;

const NOW: &str = "2026-11-22T08:00:00Z";

/// Below those that the kernel gives to outgoing connections.
fn free_ports() -> [u16; 2] {
    let first = 20_000 + (std::process::id() * 97) % 9_000;
    let ports = (first..).filter_map(|port| u16::try_from(port).ok());
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [free.next().unwrap(), free.next().unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_at_a_silent_primary_goes_on_at_the_one_that_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::start(free_ports()).unwrap();
    let connected = PostgresStore::connect(&pair.url(), &folder.path().join("master.key"), &OsEntropy).await;
    let (mut store, _) = connected.unwrap();
    store.connections.hurry(Duration::from_secs(1));
    let key = ThrottleKey::login("jo@example.com");
    store.attempt(&key, &ThrottleRule::LOGIN, NOW.parse().unwrap()).await.unwrap();

    // More than there are connections: none of them may be lost for good.
    let mut asking = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        asking.spawn(async move { store.revision().await });
    }
    while let Some(answer) = asking.join_next().await {
        answer.unwrap().unwrap();
    }
    pair.silence_primary().unwrap();
    for _ in 0..40 {
        let store = store.clone();
        asking.spawn(async move { store.revision().await });
    }
    pair.promote().unwrap();
    while let Some(answer) = asking.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(store.forget_attempts(&key).await.unwrap(), 1, "what was acknowledged is there");
}
