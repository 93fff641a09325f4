//! The schema, what it promises by itself, and what a stored value that makes no sense leads to.

use kubesso_ambient::{ManualClock, OsEntropy};
use kubesso_directory::{FirstWorld, GrantType, Store as _, seed};
use kubesso_store_sqlite::SqliteStore;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};
use tempfile::TempDir;

async fn opened() -> (TempDir, SqliteStore, SqliteConnection) {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    let file = directory.path().join(SqliteStore::FILE);
    let connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    (directory, store, connection)
}

async fn one<T>(connection: &mut SqliteConnection, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    sqlx::query(sql).fetch_one(connection).await.unwrap().get(0)
}

#[tokio::test]
async fn a_new_database_is_marked_as_ours_and_writes_ahead() {
    let (_directory, _store, mut connection) = opened().await;
    assert_eq!(one::<i32>(&mut connection, "PRAGMA application_id").await, 0x6b53_534f);
    assert_eq!(one::<i32>(&mut connection, "PRAGMA user_version").await, 14);
    assert_eq!(one::<String>(&mut connection, "PRAGMA journal_mode").await, "wal");
}

#[tokio::test]
async fn every_table_is_strict_and_every_reference_has_an_index() {
    let (_directory, _store, mut connection) = opened().await;
    let loose: i64 = one(
        &mut connection,
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND strict = 0 AND name NOT LIKE 'sqlite_%'",
    )
    .await;
    assert_eq!(loose, 0);
    // Without one, removing what is referred to reads the whole table.
    let unindexed = sqlx::query(
        "SELECT t.name || '.' || k.\"from\" FROM pragma_table_list t, pragma_foreign_key_list(t.name) k \
         WHERE NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name) i, pragma_index_info(i.name) c \
         WHERE c.seqno = 0 AND c.name = k.\"from\")",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let unindexed: Vec<String> = unindexed.iter().map(|row| row.get(0)).collect();
    assert!(unindexed.is_empty(), "{unindexed:?}");
}

#[tokio::test]
async fn no_secret_lies_in_the_file_in_clear() {
    use kubesso_directory::{Batch, Change, CodeValue, SessionToken, password};

    let (directory, store, _connection) = opened().await;
    let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
    let seeded = seed(&store, &clock, &OsEntropy, &FirstWorld::tutorial().unwrap()).await.unwrap();
    let user = &seeded.users[0].id;
    let now = "2026-11-22T08:00:00Z".parse().unwrap();
    let secret = password::Password::new("correct horse battery staple");
    let hasher = password::PasswordHasher::with(8, 1, 1).unwrap();
    let hash = hasher.hash(&secret, &OsEntropy).unwrap();
    store.commit(Batch::new(now, vec![Change::SetPassword(user.clone(), hash)])).await.unwrap();
    let cookie = SessionToken::generate(&OsEntropy);
    let session = kubesso_directory::Session::begin(
        kubesso_directory::SessionId::generate(&OsEntropy),
        cookie.hash(),
        user.clone(),
        vec!["pwd".to_owned()],
        kubesso_directory::SessionLifetime::default(),
        now,
    );
    store.begin_session(&session).await.unwrap();
    let value = CodeValue::generate(&OsEntropy);
    let code = kubesso_directory::AuthorizationCode {
        hash: value.hash(),
        grant: kubesso_directory::GrantId::generate(&OsEntropy),
        server: seeded.server.unwrap().id,
        client: seeded.application.unwrap().client_id,
        user: user.clone(),
        session: session.id,
        redirect_uri: "http://localhost:8000".to_owned(),
        scopes: Vec::new(),
        nonce: None,
        code_challenge: None,
        auth_time: now,
        amr: Vec::new(),
        other: serde_json::Value::Null,
        issued: now,
    };
    store.add_code(&code).await.unwrap();
    let lifetimes = kubesso_directory::Lifetimes::default();
    let (family, token) =
        kubesso_directory::RefreshFamily::begin(&code.authorization(), &lifetimes, &OsEntropy, now);
    store.redeem_code(&code.hash, Some(&family), now).await.unwrap();
    store.close().await;

    let file = std::fs::read(directory.path().join(SqliteStore::FILE)).unwrap();
    let contains = |needle: &[u8]| file.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"admin@example.com"), "the file is the right one");
    let token = token.expose();
    let written = token.expose().rsplit('.').next().unwrap();
    for clear in [secret.expose(), cookie.expose(), value.expose(), written] {
        assert!(!contains(clear.as_bytes()));
        let decoded = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, clear);
        assert!(decoded.is_err() || !contains(&decoded.unwrap()));
    }
}

#[tokio::test]
async fn a_stored_value_that_makes_no_sense_is_named() {
    let (_directory, store, mut connection) = opened().await;
    let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
    let seeded = seed(&store, &clock, &OsEntropy, &FirstWorld::tutorial().unwrap()).await.unwrap();
    let id = &seeded.users[0].id;
    let spoil = "UPDATE users SET status = 'ASLEEP' WHERE login_folded = 'admin@example.com'; \
                 UPDATE rules SET access_token_minutes = 1";
    sqlx::raw_sql(spoil).execute(&mut connection).await.unwrap();
    let error = store.user(id).await.unwrap_err().to_string();
    assert_eq!(error, format!("the stored user `{id}` cannot be read: status: `ASLEEP` is not known"));
    let error = store.snapshot().await.unwrap_err().to_string();
    assert!(
        error.ends_with("cannot be read: lifetimes: the access token lifetime is 1 minutes: use 5 to 1440"),
        "{error}"
    );
}

#[tokio::test]
async fn readers_are_not_kept_waiting_by_a_writer() {
    let (_directory, store, mut connection) = opened().await;
    sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE directory SET revision = 5")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(store.revision().await.unwrap().0, 0, "the last commit, while somebody writes");
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
    assert_eq!(store.revision().await.unwrap().0, 5);
}

#[tokio::test]
async fn a_database_of_the_first_version_keeps_its_refresh_tokens() {
    let (directory, store, mut connection) = opened().await;
    let now = "2026-11-22T08:00:00Z".parse().unwrap();
    let clock = ManualClock::at(now);
    let seeded = seed(&store, &clock, &OsEntropy, &FirstWorld::tutorial().unwrap()).await.unwrap();
    let authorization = kubesso_directory::Authorization {
        grant: kubesso_directory::GrantId::generate(&OsEntropy),
        grant_type: GrantType::AuthorizationCode,
        server: seeded.server.unwrap().id,
        client: seeded.application.unwrap().client_id,
        user: seeded.users[0].id.clone(),
        session: kubesso_directory::SessionId::generate(&OsEntropy),
        scopes: Vec::new(),
        auth_time: now,
        amr: Vec::new(),
        other: serde_json::Value::Null,
    };
    let lifetimes = kubesso_directory::Lifetimes::default();
    let (family, token) =
        kubesso_directory::RefreshFamily::begin(&authorization, &lifetimes, &OsEntropy, now);
    store.begin_family(&family).await.unwrap();
    store.close().await;
    let back = "DROP TABLE consents; DROP TABLE logout_deliveries; DROP TABLE single_uses; DROP TABLE password_history; ALTER TABLE sessions DROP COLUMN address; \
                ALTER TABLE sessions DROP COLUMN user_agent; ALTER TABLE sessions DROP COLUMN acr; \
                DROP INDEX refresh_families_by_session; ALTER TABLE refresh_families DROP COLUMN dpop_jkt; \
                ALTER TABLE refresh_families DROP COLUMN other; \
                ALTER TABLE applications DROP COLUMN certificate_subject; DROP TABLE initial_access_tokens; \
                DROP INDEX users_by_status; DROP INDEX users_in_order_of_first_name; \
                DROP INDEX users_in_order_of_last_name; DROP INDEX groups_built_in; \
                DROP TABLE rule_members; DROP TABLE group_rules; DROP TABLE one_time_tokens; DROP TABLE api_tokens; \
                DROP TABLE role_assignments; DROP INDEX users_by_email; DROP INDEX users_by_update; \
                DROP INDEX users_by_first_name; DROP INDEX users_by_last_name; DROP INDEX groups_by_folded_name; \
                DROP INDEX groups_by_update; ALTER TABLE users DROP COLUMN email_folded; \
                ALTER TABLE groups DROP COLUMN other; ALTER TABLE group_members DROP COLUMN by_rule; \
                ALTER TABLE applications DROP COLUMN api_scopes; ALTER TABLE application_groups DROP COLUMN profile; \
                ALTER TABLE application_users DROP COLUMN user_name; \
                ALTER TABLE application_users DROP COLUMN profile; \
                ALTER TABLE authorization_servers DROP COLUMN issuer_mode; \
                ALTER TABLE refresh_families DROP COLUMN grant_type; DROP TABLE device_decisions; \
                PRAGMA user_version = 1";
    sqlx::raw_sql(back).execute(&mut connection).await.unwrap();

    let (store, _) = SqliteStore::open(directory.path(), &OsEntropy).await.unwrap();
    assert_eq!(store.refresh_family(&token).await.unwrap(), Some(family));
    let text = r#"profile.email eq "Admin@example.com""#;
    let filter = kubesso_directory::Filter::parse(text).unwrap();
    let query =
        kubesso_directory::UserQuery { filter: Some(&filter), ..kubesso_directory::UserQuery::all(10) };
    assert_eq!(
        store.find_users(&query).await.unwrap().len(),
        1,
        "what is searched for was made for old rows too"
    );
}
