use kubesso_ambient::{OsEntropy, SeededEntropy};
use kubesso_directory::{Batch, Change, Outcome};
use kubesso_store_sqlite::SqliteStore;
use serde_json::{Map, Value};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

async fn happen(store: &SqliteStore, entropy: &SeededEntropy, seconds: i64, message: &str) {
    let event = AuditEvent {
        id: AuditEventId::generate(entropy),
        published: at(seconds),
        event_type: "user.session.start".to_owned(),
        actor: "00u1".to_owned(),
        target: None,
        outcome: Outcome::Success,
        message: message.to_owned(),
        details: Map::new(),
    };
    store.commit(Batch::new(at(seconds), vec![Change::Audit(event)])).await.unwrap();
}

fn messages(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_entry_is_written_once_whatever_is_restarted_comes_late_or_was_cut_off() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = SqliteStore::open(home.path(), &OsEntropy).await.unwrap();
    let entropy = SeededEntropy::new(1);
    let log = home.path().join("audit.jsonl");
    let start = || Follower::start(Sink::File(log.clone()), home.path()).unwrap();
    happen(&store, &entropy, 0, "a").await;
    happen(&store, &entropy, 10, "b").await;
    let mut follower = start();
    follower.catch_up(&store, at(11)).await.unwrap();
    follower.catch_up(&store, at(12)).await.unwrap();
    assert_eq!(messages(&log), ["a", "b"]);

    // Committed later, with an earlier time.
    happen(&store, &entropy, 5, "late").await;
    let mut follower = start();
    follower.catch_up(&store, at(20)).await.unwrap();
    assert_eq!(messages(&log), ["a", "b", "late"]);

    // A crash after the lines and before the place was kept, in the middle of a line.
    let kept = fs::read(home.path().join(POSITION)).unwrap();
    happen(&store, &entropy, 30, "c").await;
    happen(&store, &entropy, 31, "d").await;
    follower.catch_up(&store, at(32)).await.unwrap();
    fs::write(home.path().join(POSITION), kept).unwrap();
    let length = fs::metadata(&log).unwrap().len();
    OpenOptions::new().write(true).open(&log).unwrap().set_len(length - 10).unwrap();
    let mut follower = start();
    follower.catch_up(&store, at(33)).await.unwrap();
    assert_eq!(messages(&log), ["a", "b", "late", "c", "d"]);

    // Rotated away; and all of it long ago.
    fs::rename(&log, home.path().join("audit.jsonl.1")).unwrap();
    happen(&store, &entropy, 40, "e").await;
    let mut follower = start();
    follower.catch_up(&store, at(1000)).await.unwrap();
    assert_eq!(messages(&log), ["e"]);
    assert!(follower.position.seen.is_empty(), "what has settled is not remembered one by one");
    start().catch_up(&store, at(1001)).await.unwrap();
    assert_eq!(messages(&log), ["e"]);
}

#[tokio::test]
async fn what_cannot_be_written_is_written_when_it_can_be() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = SqliteStore::open(home.path(), &OsEntropy).await.unwrap();
    happen(&store, &SeededEntropy::new(1), 0, "a").await;
    let log = home.path().join("missing/audit.jsonl");
    let mut follower = Follower::start(Sink::File(log.clone()), home.path()).unwrap();
    let error = follower.catch_up(&store, at(1)).await.unwrap_err();
    assert!(error.to_string().contains("missing/audit.jsonl cannot be written"), "{error}");
    fs::create_dir(home.path().join("missing")).unwrap();
    follower.catch_up(&store, at(2)).await.unwrap();
    assert_eq!(messages(&log), ["a"]);
}

#[test]
fn a_file_of_somebody_else_s_is_not_cut() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("theirs");
    for (text, expected) in [("one\ntwo", "one\ntwo"), ("one\n{\"id\":\"evt1\",", "one\n"), ("{\"i", "")] {
        fs::write(&log, text).unwrap();
        Follower::start(Sink::File(log.clone()), home.path()).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), expected);
    }
}
