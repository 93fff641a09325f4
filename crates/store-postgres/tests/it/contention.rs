//! Many that write at once, at two replicas: nobody is told to come again.

use kubesso_ambient::{OsEntropy, SeededEntropy};
use kubesso_directory::{
    ApplicationId, Attempt, Batch, Change, Expectation, FirstWorld, Group, GroupAssignment, GroupId,
    GroupName, Revision, Store as _, StoreError, ThrottleKey, ThrottleRule, seed,
};
use kubesso_store_postgres::PostgresStore;
use kubesso_store_postgres::testkit::Server;

/// How many write at each replica.
const MANY: usize = 24;
const NOW: &str = "2026-11-22T08:00:00Z";

async fn replicas() -> [PostgresStore; 2] {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    let url = Server::shared().unwrap().database().unwrap();
    let (one, _) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    let (other, _) = PostgresStore::connect(&url, &key, &OsEntropy).await.unwrap();
    let clock = kubesso_ambient::ManualClock::at(NOW.parse().unwrap());
    seed(&one, &clock, &OsEntropy, &FirstWorld::tutorial().unwrap()).await.unwrap();
    [one, other]
}

async fn application(store: &PostgresStore) -> ApplicationId {
    store.snapshot().await.unwrap().applications().next().unwrap().id.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_configuration_are_all_written_and_all_counted() {
    let stores = replicas().await;
    let application = application(&stores[0]).await;
    let Revision(before) = stores[0].revision().await.unwrap();
    let entropy = SeededEntropy::new(1);
    let mut writing = Vec::new();
    for number in 0..2 * MANY {
        let store = stores[number % 2].clone();
        let now = NOW.parse().unwrap();
        let name = GroupName::parse(&format!("group-{number}")).unwrap();
        let group = Group::new(GroupId::generate(&entropy), name, "", now);
        let assignment = GroupAssignment::new(application.clone(), group.id.clone(), 0, now);
        let batch = Batch::new(now, vec![Change::PutGroup(group), Change::AssignGroup(assignment)]);
        writing.push(tokio::spawn(async move { store.commit(batch).await }));
    }
    let mut revisions = Vec::new();
    for one in writing {
        let Revision(revision) = one.await.unwrap().unwrap();
        revisions.push(revision - before);
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=i64::try_from(2 * MANY).unwrap()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_decided_on_the_same_configuration_one_writes_and_the_others_are_stale() {
    let stores = replicas().await;
    let application = application(&stores[0]).await;
    let revision = stores[0].revision().await.unwrap();
    let mut writing = Vec::new();
    for number in 0..2 * MANY {
        let store = stores[number % 2].clone();
        let change = Change::RemoveApplication(application.clone());
        let batch = Batch::new(NOW.parse().unwrap(), vec![change]).expecting(Expectation::Revision(revision));
        writing.push(tokio::spawn(async move { store.commit(batch).await }));
    }
    let mut written = 0;
    for one in writing {
        match one.await.unwrap() {
            Ok(_) => written += 1,
            Err(error) => assert!(matches!(error, StoreError::Stale), "{error:?}"),
        }
    }
    assert_eq!(written, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_under_many_new_keys_do_not_disturb_each_other() {
    let stores = replicas().await;
    let mut attempting = Vec::new();
    for number in 0..8 * MANY {
        let store = stores[number % 2].clone();
        attempting.push(tokio::spawn(async move {
            let key = ThrottleKey::login(&format!("{}@example.com", number / 4));
            store.attempt(&key, &ThrottleRule::LOGIN, NOW.parse().unwrap()).await
        }));
    }
    for one in attempting {
        assert!(matches!(one.await.unwrap().unwrap(), Attempt::Allowed { .. }));
    }
    for number in 0..2 * MANY {
        let key = ThrottleKey::login(&format!("{number}@example.com"));
        assert_eq!(stores[0].forget_attempts(&key).await.unwrap(), 4, "every attempt was counted");
    }
}
