use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn key(name: &str) -> Key {
    Key { resource: "configmaps".to_owned(), namespace: "default".to_owned(), name: name.to_owned() }
}

fn object(name: &str, value: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}, "data": value})
}

async fn write(store: &Store, writes: Vec<Write>) -> Vec<Arc<Event>> {
    store.transact(|_| Ok::<_, StorageError>((writes, ()))).await.unwrap().1
}

fn names(store: &Store) -> Vec<String> {
    store.read(|state| {
        state.list("configmaps", None).map(|stored| crate::object::name(&stored.object).to_owned()).collect()
    })
}

#[tokio::test]
async fn objects_and_the_counter_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    write(&store, vec![Write::Put(key("a"), object("a", 1)), Write::Put(key("b"), object("b", 2))]).await;
    write(&store, vec![Write::Delete(key("a"))]).await;
    let revision = store.read(State::revision);
    drop(store);

    let store = Store::open(directory.path()).await.unwrap();
    assert_eq!(names(&store), ["b"]);
    assert_eq!(store.read(State::revision), revision, "the revision of a deletion is not given again");
    let stored = store.read(|state| state.get(&key("b")).cloned()).unwrap();
    assert_eq!(stored.object["metadata"]["resourceVersion"], stored.revision.to_string());
}

#[tokio::test]
async fn what_is_refused_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    let before = store.read(State::revision);
    let refused =
        store.transact(|_| Err::<(Vec<Write>, ()), _>(StorageError::InUse { path: "x".to_owned() })).await;
    assert!(refused.is_err());
    assert_eq!(store.read(State::revision), before);
}

#[tokio::test]
async fn a_watch_sees_every_write_once_from_the_asked_revision_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    let first = write(&store, vec![Write::Put(key("a"), object("a", 1))]).await[0].object.revision;
    write(&store, vec![Write::Put(key("a"), object("a", 2))]).await;
    let mut subscription = store.subscribe(Some(first)).unwrap();
    write(&store, vec![Write::Delete(key("a"))]).await;

    let missed: Vec<EventKind> = subscription.backlog.iter().map(|event| event.kind).collect();
    assert_eq!(missed, [EventKind::Modified]);
    let event = subscription.events.recv().await.unwrap();
    assert_eq!(event.kind, EventKind::Deleted);
    assert_eq!(event.object.object["data"], 2, "a deletion carries the last state");
    assert!(event.object.revision > event.previous.as_ref().unwrap().revision);
}

#[tokio::test]
async fn a_revision_from_before_the_history_is_too_old() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    write(&store, vec![Write::Put(key("a"), object("a", 1))]).await;
    drop(store);
    let store = Store::open(directory.path()).await.unwrap();
    let oldest = store.read(State::revision);
    assert_eq!(store.subscribe(Some(oldest - 1)).unwrap_err(), TooOld { oldest });
    assert!(store.subscribe(Some(oldest)).is_ok());
}

#[tokio::test]
async fn a_list_can_be_seen_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    let then =
        write(&store, vec![Write::Put(key("a"), object("a", 1)), Write::Put(key("b"), object("b", 1))]).await
            [1]
        .object
        .revision;
    write(
        &store,
        vec![
            Write::Delete(key("a")),
            Write::Put(key("b"), object("b", 2)),
            Write::Put(key("c"), object("c", 1)),
        ],
    )
    .await;
    let (revision, objects) = store.list_at("configmaps", Some("default"), Some(then)).unwrap();
    let shown: Vec<(&str, &Value)> =
        objects.iter().map(|stored| (crate::object::name(&stored.object), &stored.object["data"])).collect();
    assert_eq!(revision, then);
    assert_eq!(shown, [("a", &json!(1)), ("b", &json!(1))]);
}

#[tokio::test]
async fn lists_stand_in_the_order_of_etcd_s_keys() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    let at = |namespace: &str| Key { namespace: namespace.to_owned(), ..key("x") };
    let named = |name: &str| json!({"metadata": {"name": name}});
    write(
        &store,
        vec![
            Write::Put(at("a"), named("1")),
            Write::Put(at("a-b"), named("2")),
            Write::Put(at("b"), named("3")),
        ],
    )
    .await;
    assert_eq!(names(&store), ["2", "1", "3"], "`-` sorts before `/`");
    let only: usize = store.read(|state| state.list("configmaps", Some("a")).count());
    assert_eq!(only, 1);
}

#[tokio::test]
async fn bad_files_are_refused_in_a_sentence_and_left_as_they_are() {
    async fn refused(prepare: impl AsyncFn(&Path)) -> (String, bool) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        prepare(&path).await;
        let before = std::fs::read(&path).ok();
        let error = Store::open(directory.path()).await.unwrap_err();
        (error.to_string(), std::fs::read(&path).ok() == before)
    }
    async fn with_statement(path: &Path, statement: &'static str) {
        use sqlx::{ConnectOptions as _, Connection as _};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    let (said, unchanged) = refused(async |path: &Path| {
        std::fs::write(path, "not a database at all, but long enough to be one; ".repeat(40)).unwrap();
    })
    .await;
    assert!(said.contains("cannot be read") && said.contains("file is not a database"), "{said}");
    assert!(unchanged);

    let (said, unchanged) =
        refused(async |path: &Path| with_statement(path, "CREATE TABLE other (x)").await).await;
    assert!(said.contains("another program"), "{said}");
    assert!(unchanged);

    let (said, unchanged) = refused(async |path: &Path| {
        drop(Store::open(path.parent().unwrap()).await.unwrap());
        with_statement(path, "PRAGMA user_version = 99").await;
    })
    .await;
    assert!(said.contains("newer version (schema 99, this one knows 1)"), "{said}");
    assert!(unchanged);

    let (said, _) = refused(async |path: &Path| std::fs::create_dir(path).unwrap()).await;
    assert!(said.starts_with("cannot write the sandbox's objects to "), "{said}");
}

#[tokio::test]
async fn a_file_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    write(&store, vec![Write::Put(key("a"), object("a", 1))]).await;
    let error = Store::open(directory.path()).await.unwrap_err();
    assert!(matches!(error, StorageError::InUse { .. }), "{error}");
    drop(store);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    write(&store, vec![Write::Put(key("a"), object("a", 1))]).await;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u32),
    Delete(u8),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u8..5, any::<u32>()).prop_map(|(name, value)| Step::Put(name, value)),
        3 => (0_u8..5).prop_map(Step::Delete),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Against a map: what is put is there, what is deleted is not, and revisions only grow.
    #[test]
    fn the_store_is_a_map_with_a_growing_counter(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let mut store = Store::open(directory.path()).await.unwrap();
            let mut model = BTreeMap::new();
            let mut revision = store.read(State::revision);
            for step in steps {
                let changes = match step {
                    Step::Put(name, value) => {
                        write(&store, vec![Write::Put(key(&name.to_string()), object(&name.to_string(), value))]).await;
                        model.insert(name.to_string(), value);
                        true
                    }
                    Step::Delete(name) => {
                        write(&store, vec![Write::Delete(key(&name.to_string()))]).await;
                        model.remove(&name.to_string()).is_some()
                    }
                    Step::Reopen => {
                        drop(store);
                        store = Store::open(directory.path()).await.unwrap();
                        false
                    }
                };
                let now = store.read(State::revision);
                prop_assert_eq!(now, revision + u64::from(changes));
                revision = now;
                let stored: BTreeMap<String, u32> = store.read(|state| {
                    state.list("configmaps", None).map(|stored| {
                        let value = stored.object["data"].as_u64().and_then(|value| value.try_into().ok()).unwrap();
                        (crate::object::name(&stored.object).to_owned(), value)
                    }).collect()
                });
                prop_assert_eq!(&stored, &model);
            }
            Ok(())
        })?;
    }
}
