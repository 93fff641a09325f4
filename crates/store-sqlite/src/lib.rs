//! The directory's [`Store`] on SQLite: the embedded default, one file in the data directory.
//!
//! One connection writes, a few read (WAL). A write takes the lock before it reads (`BEGIN IMMEDIATE`), so
//! that what is decided on is what is changed. Whatever is wrong with the data directory is found by
//! [`SqliteStore::open`], before anything is written, and said in one sentence ([`OpenError`]).
//!
//! ```
//! use kubesso_ambient::OsEntropy;
//! use kubesso_directory::{Revision, Store};
//! use kubesso_store_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let data_directory = tempfile::tempdir()?;
//! let (store, _sealing_key) = SqliteStore::open(data_directory.path(), &OsEntropy).await?;
//! assert_eq!(store.revision().await?, Revision(0));
//! store.close().await;
//! # Ok(())
//! # }
//! ```

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use kubesso_ambient::Entropy;
use kubesso_directory::{
    ApiToken, ApplicationId, Attempt, AuditEvent, AuditQuery, AuthorizationCode, Batch, DeviceDecision,
    DeviceRefusal, EndReason, FamilyQuery, GrantId, Group, GroupId, GroupName, GroupQuery, GroupRule,
    GroupRuleId, Login, OneTimeToken, Page, Participant, PasswordHash, Person, Purged, Redemption,
    RefreshFamily, RefreshTerms, RefreshToken, Revision, RoleAssignment, RoleHolder, Rotation, SealingKey,
    Session, SessionId, SessionsOf, Snapshot, Store, StoreError, ThrottleKey, ThrottleRule, TokenHash, User,
    UserAssignment, UserId, UserQuery,
};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Sqlite, Transaction, query};

mod administration;
mod backup;
mod changes;
mod configuration;
mod devices;
mod grants;
mod inspect;
mod master_key;
mod open;
mod participants;
mod people;
mod row;
mod schema;
mod search;
mod sessions;

pub use inspect::Inspection;
pub use open::OpenError;

/// How many connections read.
const READERS: u32 = 4;
/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// The store. Cheap to clone; [`SqliteStore::close`] it before the process ends, so that the write-ahead log
/// is folded into the file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// The database's file name in the data directory.
    pub const FILE: &'static str = "directory.db";
    /// The sealing key's file name in the data directory.
    pub const KEY_FILE: &'static str = "master.key";

    /// Opens `directory.db` and `master.key` in `data_directory`, creates what is missing (files of mode
    /// 0600, the directory of mode 0700), and brings the schema up to date. What is there is never
    /// overwritten.
    pub async fn open(data_directory: &Path, entropy: &dyn Entropy) -> Result<(Self, SealingKey), OpenError> {
        open::open(data_directory, entropy).await
    }

    fn options(file: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Normal)
            .disable_statement_logging()
    }

    async fn connect(file: &Path) -> Result<Self, sqlx::Error> {
        let pool = || {
            SqlitePoolOptions::new()
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(30))
        };
        let writer = pool()
            .max_connections(1)
            .connect_with(Self::options(file).journal_mode(SqliteJournalMode::Wal))
            .await?;
        let readers =
            pool().max_connections(READERS).connect_lazy_with(Self::options(file).pragma("query_only", "ON"));
        Ok(Self { writer, readers })
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(database("give a connection to read"))
    }

    /// For several queries that must see the same moment.
    async fn read_at_once(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.readers.begin().await.map_err(database("begin to read"))
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(database("begin to write"))
    }
}

/// Makes a store error of what SQLite says.
fn database(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| StoreError::Database { what, source: Box::new(error) }
}

async fn done(transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(database("commit"))
}

#[async_trait]
impl Store for SqliteStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        configuration::revision(&mut *self.read().await?).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        configuration::snapshot(&mut *self.read_at_once().await?).await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        let mut transaction = self.write().await?;
        let revision = changes::apply(&mut transaction, &batch).await?;
        done(transaction).await?;
        Ok(revision)
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        query("SELECT * FROM users WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(database("read a user"))?
            .map(|row| people::user(&row))
            .transpose()
    }

    async fn user_by_login(&self, login: &Login) -> Result<Option<User>, StoreError> {
        query("SELECT * FROM users WHERE login_folded = ?")
            .bind(login.folded())
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(database("read a user"))?
            .map(|row| people::user(&row))
            .transpose()
    }

    async fn person(&self, id: &UserId) -> Result<Option<Person>, StoreError> {
        people::person(&mut *self.read_at_once().await?, id).await
    }

    async fn users(&self, page: Page<'_, UserId>) -> Result<Vec<User>, StoreError> {
        query("SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ?")
            .bind(page.after.map_or("", UserId::as_str))
            .bind(page.limit)
            .fetch_all(&mut *self.read().await?)
            .await
            .map_err(database("list users"))?
            .iter()
            .map(people::user)
            .collect()
    }

    async fn find_users(&self, query: &UserQuery<'_>) -> Result<Vec<User>, StoreError> {
        search::users(&mut *self.read().await?, query).await
    }

    async fn password_hash(&self, id: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        people::password_hash(&mut *self.read().await?, id).await
    }

    async fn old_passwords(&self, id: &UserId, limit: u32) -> Result<Vec<PasswordHash>, StoreError> {
        people::old_passwords(&mut *self.read().await?, id, limit).await
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>, StoreError> {
        query("SELECT * FROM groups WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(database("read a group"))?
            .map(|row| people::group(&row))
            .transpose()
    }

    async fn group_by_name(&self, name: &GroupName) -> Result<Option<Group>, StoreError> {
        query("SELECT * FROM groups WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&mut *self.read().await?)
            .await
            .map_err(database("read a group"))?
            .map(|row| people::group(&row))
            .transpose()
    }

    async fn groups(&self, page: Page<'_, GroupId>) -> Result<Vec<Group>, StoreError> {
        query("SELECT * FROM groups WHERE id > ? ORDER BY id LIMIT ?")
            .bind(page.after.map_or("", GroupId::as_str))
            .bind(page.limit)
            .fetch_all(&mut *self.read().await?)
            .await
            .map_err(database("list groups"))?
            .iter()
            .map(people::group)
            .collect()
    }

    async fn find_groups(&self, query: &GroupQuery<'_>) -> Result<Vec<Group>, StoreError> {
        search::groups(&mut *self.read().await?, query).await
    }

    async fn group_rules(&self) -> Result<Vec<GroupRule>, StoreError> {
        administration::group_rules(&mut *self.read().await?).await
    }

    async fn rule_memberships(&self, user: &UserId) -> Result<Vec<(GroupRuleId, GroupId)>, StoreError> {
        administration::rule_memberships(&mut *self.read().await?, user).await
    }

    async fn rule_members(
        &self,
        rule: &GroupRuleId,
        page: Page<'_, UserId>,
    ) -> Result<Vec<(UserId, GroupId)>, StoreError> {
        administration::rule_members(&mut *self.read().await?, rule, page).await
    }

    async fn members(&self, group: &GroupId, page: Page<'_, UserId>) -> Result<Vec<User>, StoreError> {
        people::members(&mut *self.read().await?, group, page).await
    }

    async fn assigned_users(
        &self,
        application: &ApplicationId,
        page: Page<'_, UserId>,
    ) -> Result<Vec<UserAssignment>, StoreError> {
        people::assigned_users(&mut *self.read().await?, application, page).await
    }

    async fn user_assignment(
        &self,
        application: &ApplicationId,
        user: &UserId,
    ) -> Result<Option<UserAssignment>, StoreError> {
        people::user_assignment(&mut *self.read().await?, application, user).await
    }

    async fn api_token(&self, hash: &TokenHash) -> Result<Option<ApiToken>, StoreError> {
        administration::api_token(&mut *self.read().await?, hash).await
    }

    async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        administration::api_tokens(&mut *self.read().await?).await
    }

    async fn roles_of(&self, holder: &RoleHolder) -> Result<Vec<RoleAssignment>, StoreError> {
        administration::roles_of(&mut *self.read().await?, holder).await
    }

    async fn roles(&self) -> Result<Vec<RoleAssignment>, StoreError> {
        administration::roles(&mut *self.read().await?).await
    }

    async fn take_one_time_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        let mut transaction = self.write().await?;
        let token = administration::take_one_time_token(&mut transaction, hash, now).await?;
        done(transaction).await?;
        Ok(token)
    }

    async fn one_time_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        administration::one_time_token(&mut *self.read().await?, hash, now).await
    }

    async fn begin_session(&self, session: &Session) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        sessions::begin_session(&mut transaction, session).await?;
        done(transaction).await
    }

    async fn use_session(&self, token: &TokenHash, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let mut transaction = self.write().await?;
        let session = sessions::use_session(&mut transaction, token, now).await?;
        done(transaction).await?;
        Ok(session)
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        sessions::session_by_id(&mut *self.read().await?, id).await
    }

    async fn sessions_of(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
        sessions::sessions_of(&mut *self.read().await?, user).await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let ended = sessions::end_session(&mut transaction, token).await?;
        done(transaction).await?;
        Ok(ended)
    }

    async fn add_code(&self, code: &AuthorizationCode) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        grants::add_code(&mut transaction, code).await?;
        done(transaction).await
    }

    async fn code(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<AuthorizationCode>, StoreError> {
        grants::code(&mut *self.read().await?, hash, now).await
    }

    async fn redeem_code(
        &self,
        hash: &TokenHash,
        family: Option<&RefreshFamily>,
        now: Timestamp,
    ) -> Result<Redemption, StoreError> {
        let mut transaction = self.write().await?;
        let redemption = grants::redeem_code(&mut transaction, hash, family, now).await?;
        done(transaction).await?;
        Ok(redemption)
    }

    async fn add_device_decision(&self, decision: &DeviceDecision) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let is_first = devices::add_decision(&mut transaction, decision).await?;
        done(transaction).await?;
        Ok(is_first)
    }

    async fn device_decision(&self, user_code: &TokenHash) -> Result<Option<DeviceDecision>, StoreError> {
        devices::decision(&mut *self.read().await?, user_code).await
    }

    async fn redeem_device_code(
        &self,
        user_code: &TokenHash,
        family: &RefreshFamily,
        now: Timestamp,
    ) -> Result<Result<(), DeviceRefusal>, StoreError> {
        let mut transaction = self.write().await?;
        let redeemed = devices::redeem(&mut transaction, user_code, family, now).await?;
        done(transaction).await?;
        Ok(redeemed)
    }

    async fn begin_family(&self, family: &RefreshFamily) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        grants::insert_family(&mut transaction, family).await?;
        done(transaction).await
    }

    async fn refresh_family(&self, token: &RefreshToken) -> Result<Option<RefreshFamily>, StoreError> {
        grants::refresh_family(&mut *self.read().await?, token).await
    }

    async fn families(&self, query: &FamilyQuery<'_>) -> Result<Vec<RefreshFamily>, StoreError> {
        grants::families(&mut *self.read().await?, query).await
    }

    async fn participants(&self, of: &SessionsOf) -> Result<Vec<Participant>, StoreError> {
        participants::participants(&mut *self.read().await?, of).await
    }

    async fn rotate_refresh_token(
        &self,
        token: &RefreshToken,
        terms: &RefreshTerms,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let mut transaction = self.write().await?;
        let rotation = grants::rotate(&mut transaction, token, terms, now).await?;
        done(transaction).await?;
        Ok(rotation)
    }

    async fn end_family(&self, grant: &GrantId, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let ended = grants::end(&mut transaction, grant.as_str(), EndReason::Revoked, now).await?;
        done(transaction).await?;
        Ok(ended)
    }

    async fn has_grant_ended(&self, grant: &GrantId) -> Result<bool, StoreError> {
        grants::has_ended(&mut *self.read().await?, grant).await
    }

    async fn attempt(
        &self,
        key: &ThrottleKey,
        rule: &ThrottleRule,
        now: Timestamp,
    ) -> Result<Attempt, StoreError> {
        let mut transaction = self.write().await?;
        let attempt = grants::attempt(&mut transaction, key, rule, now).await?;
        done(transaction).await?;
        Ok(attempt)
    }

    async fn forget_attempts(&self, key: &ThrottleKey) -> Result<u32, StoreError> {
        let mut transaction = self.write().await?;
        let forgotten = grants::forget_attempts(&mut transaction, key).await?;
        done(transaction).await?;
        Ok(forgotten)
    }

    async fn take_back_attempts(&self, key: &ThrottleKey, number: u32) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        grants::take_back_attempts(&mut transaction, key, number).await?;
        done(transaction).await
    }

    async fn audit_events(&self, limit: u32) -> Result<Vec<AuditEvent>, StoreError> {
        query("SELECT * FROM audit_events ORDER BY published DESC, id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&mut *self.read().await?)
            .await
            .map_err(database("read the audit trail"))?
            .iter()
            .map(search::audit_event)
            .collect()
    }

    async fn find_audit_events(&self, query: &AuditQuery<'_>) -> Result<Vec<AuditEvent>, StoreError> {
        search::audit_events(&mut *self.read().await?, query).await
    }

    async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
        let mut transaction = self.write().await?;
        let purged = grants::purge(&mut transaction, now).await?;
        done(transaction).await?;
        Ok(purged)
    }
}
