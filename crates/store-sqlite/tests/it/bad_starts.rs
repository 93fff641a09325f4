//! What is wrong with a data directory is said in one sentence, and nothing in it is changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kubesso_ambient::{ManualClock, OsEntropy};
use kubesso_directory::{FirstWorld, Store as _, TokenHash, seed};
use kubesso_store_sql::Inspection;
use kubesso_store_sqlite::{OpenError, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;

const DATABASE: &str = SqliteStore::FILE;
const KEY: &str = SqliteStore::KEY_FILE;

/// A directory with the tutorial's world in it, closed.
async fn used() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
    seed(&store, &clock, &OsEntropy, &FirstWorld::tutorial().unwrap()).await.unwrap();
    store.close().await;
    directory
}

/// Names, and of each file permissions, size and hash.
fn contents(directory: &Path) -> BTreeMap<String, (u32, usize, TokenHash)> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            let text = fs::read(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), (mode, text.len(), TokenHash::of(&text)))
        })
        .collect()
}

/// The sentence that refuses `directory`, with the directory's path taken out, once it is sure that nothing
/// changed.
async fn refusal(directory: &TempDir) -> String {
    let before = contents(directory.path());
    let error = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap_err();
    assert_eq!(contents(directory.path()), before, "{error}");
    error.to_string().replace(directory.path().to_str().unwrap(), "<dir>")
}

async fn raw(directory: &TempDir) -> SqliteConnection {
    SqliteConnectOptions::new().filename(directory.path().join(DATABASE)).connect().await.unwrap()
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let directory = used().await;
    let mut connection = raw(&directory).await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    insta::assert_snapshot!(refusal(&directory).await, @"the database `<dir>/directory.db` is from a newer version of kubesso (schema 99, this one knows up to 14): use that version or another data directory");
}

#[tokio::test]
async fn a_newer_version_whose_mark_is_still_in_the_log_is_left_alone() {
    let directory = used().await;
    // Another process keeps the database open, so that its log is not folded in.
    let mut connection = raw(&directory).await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    let before = fs::read(directory.path().join(DATABASE)).unwrap();
    let error = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 14, .. }), "{error}");
    assert_eq!(fs::read(directory.path().join(DATABASE)).unwrap(), before);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_overwritten() {
    for text in ["hello", &"hello ".repeat(1000)] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(DATABASE), text).unwrap();
        let sentence = refusal(&directory).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(sentence, @"the database `<dir>/directory.db` is damaged (it is not a SQLite database): restore it from a backup, or move it away to begin anew");
        }
    }
}

#[tokio::test]
async fn a_damaged_database_is_not_used() {
    let directory = used().await;
    let file = directory.path().join(DATABASE);
    let whole = fs::read(&file).unwrap();

    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let sentence = refusal(&directory).await.replace(&whole.len().to_string(), "<all>");
    let half = (whole.len() / 2).to_string();
    insta::assert_snapshot!(sentence.replace(&half, "<half>"), @"the database `<dir>/directory.db` is damaged (it is cut short: <half> of <all> bytes): restore it from a backup, or move it away to begin anew");

    let mut scribbled = whole.clone();
    scribbled[4096 * 2..4096 * 12].fill(0x5a);
    fs::write(&file, &scribbled).unwrap();
    let sentence = refusal(&directory).await;
    assert!(sentence.starts_with("the database `<dir>/directory.db` is damaged ("), "{sentence}");

    fs::write(&file, &whole).unwrap();
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    for pragma in
        ["CREATE TABLE notes (text TEXT)", "PRAGMA application_id = 7; CREATE TABLE notes (text TEXT)"]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = SqliteConnectOptions::new()
            .filename(directory.path().join(DATABASE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql(pragma).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let sentence = refusal(&directory).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(sentence, @"the database `<dir>/directory.db` belongs to another program: choose another data directory");
        }
    }
}

#[tokio::test]
async fn without_the_key_that_secrets_are_sealed_with_nothing_starts() {
    let directory = used().await;
    let key = directory.path().join(KEY);
    let saved = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    insta::assert_snapshot!(refusal(&directory).await, @"`<dir>/master.key` is missing, without which the secrets in the database cannot be opened: put it back from a backup, or move the database away to begin anew");

    let other = used().await;
    fs::copy(other.path().join(KEY), &key).unwrap();
    insta::assert_snapshot!(refusal(&directory).await, @"`<dir>/master.key` is not the key that the secrets in the database are sealed with: put the right one back from a backup");

    for damaged in [&b""[..], b"AAAA\n", b"\xff\xfe"] {
        fs::write(&key, damaged).unwrap();
        let sentence = refusal(&directory).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(sentence, @"`<dir>/master.key` does not hold a key (32 bytes in base64): put the right one back from a backup");
        }
    }

    fs::write(&key, &saved).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(refusal(&directory).await, @"`<dir>/master.key` can be read by others (mode 0644): do `chmod 600` on it, and think about who has read it");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    store.close().await;
}

/// `/proc` refuses new files even to root, who may write into directories of mode 0500.
#[tokio::test]
async fn a_directory_in_which_nothing_can_be_written_is_named() {
    for place in ["/proc", "/proc/kubesso"] {
        let error = SqliteStore::open(Path::new(place), &OsEntropy).await.unwrap_err();
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
        let sentence = error.to_string();
        assert!(
            sentence.starts_with(&format!("cannot write `{place}"))
                && sentence.contains("choose another data directory or mend its permissions ("),
            "{sentence}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("taken");
    fs::write(&file, "a file").unwrap();
    let error = SqliteStore::open(&file, &OsEntropy).await.unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a file");
}

#[tokio::test]
async fn what_others_must_not_read_only_its_owner_can() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("deep/data");
    let (store, _) = SqliteStore::open(&directory, &OsEntropy).await.unwrap();
    let modes: Vec<_> = contents(&directory)
        .into_iter()
        .map(|(name, (mode, ..))| format!("{name} {:o}", mode & 0o777))
        .collect();
    assert_eq!(modes, ["directory.db 600", "directory.db-shm 600", "directory.db-wal 600", "master.key 600"]);
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    store.close().await;
    assert_eq!(contents(&directory).into_keys().collect::<Vec<_>>(), [DATABASE, KEY], "the log is folded in");
}

#[tokio::test]
async fn a_second_start_finds_the_same_world_and_the_same_key() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
    let world = FirstWorld::tutorial().unwrap();
    let (store, key) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    let first = seed(&store, &clock, &OsEntropy, &world).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    store.close().await;

    let (store, again) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    assert_eq!(again.expose(), key.expose());
    assert_eq!(store.snapshot().await.unwrap(), snapshot);
    let second = seed(&store, &clock, &OsEntropy, &world).await.unwrap();
    assert_eq!((first.created, second.created), (true, false));
    assert_eq!(second.users, first.users);
    store.close().await;
}

#[tokio::test]
async fn of_two_that_start_at_once_in_a_new_directory_both_get_the_same_key() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let path = directory.path().to_owned();
        tokio::spawn(async move { SqliteStore::open(&path, &OsEntropy).await.unwrap() })
    };
    let (one, other) = (open(), open());
    let ((one, first), (other, second)) = (one.await.unwrap(), other.await.unwrap());
    assert_eq!(first.expose(), second.expose());
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_inspection_finds_what_opening_would_find_and_changes_nothing() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(SqliteStore::inspect(empty.path()).await.unwrap(), Inspection::Missing);
    assert!(contents(empty.path()).is_empty());
    let directory = used().await;
    let before = contents(directory.path());
    assert_eq!(SqliteStore::inspect(directory.path()).await.unwrap(), Inspection::Found { pending: 0 });
    assert_eq!(contents(directory.path()), before);
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    assert_eq!(SqliteStore::inspect(directory.path()).await.unwrap(), Inspection::Found { pending: 0 });
    store.close().await;
    fs::remove_file(directory.path().join(KEY)).unwrap();
    let refused = SqliteStore::inspect(directory.path()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Key(_)), "{refused}");
}

#[tokio::test]
async fn a_copy_made_in_use_is_whole_and_a_damaged_one_is_told_from_it() {
    let directory = used().await;
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    let copied = tempfile::tempdir().unwrap();
    let copy = copied.path().join(DATABASE);
    SqliteStore::copy(directory.path(), &copy).await.unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    fs::copy(directory.path().join(KEY), copied.path().join(KEY)).unwrap();
    SqliteStore::verify(copied.path()).await.unwrap();
    let (opened, _) = SqliteStore::open(copied.path(), &OsEntropy).await.unwrap();
    assert_eq!(opened.snapshot().await.unwrap(), store.snapshot().await.unwrap());
    opened.close().await;
    store.close().await;
    let refused = SqliteStore::copy(directory.path(), &copy).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotWritable { .. }), "what is there is not overwritten: {refused}");
    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 2048].fill(0xff);
    fs::write(&copy, bytes).unwrap();
    let refused = SqliteStore::verify(copied.path()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

/// Whoever adds another sealed column must have it sealed again too (`kubesso_directory::Resealing`).
#[tokio::test]
async fn what_is_sealed_is_known_to_whoever_seals_it_again() {
    let directory = used().await;
    let mut connection = raw(&directory).await;
    let sealed: Vec<String> = sqlx::query_scalar(
        "SELECT tables.name || '.' || columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND columns.name LIKE '%sealed%' ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(sealed, ["client_secrets.sealed", "directory.sealed_check", "signing_keys.sealed_pkcs8"]);
}
