//! A management API over a store of its own, as `kubesso serve` puts it together.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{
    AdminRole, ApiToken, ApiTokenId, ApiTokenValue, AuthorizationServerId, Batch, Change, KeyState, Kid,
    Label, SealingKey, SigningKeyRecord, Store, UserId, everyone,
};
use kubesso_okta::{ManagementApi, ManagementConfig, ProviderPort, ProviderPortError};
use kubesso_store_postgres::{PostgresStore, testkit};
use kubesso_store_sqlite::SqliteStore;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::Value;
use tower::ServiceExt as _;

/// The API, its store, and a super administrator's token.
pub(crate) struct House {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<ReadyKeys>,
    router: Router,
    token: String,
    /// The server, for as long as the store is used.
    _postgres: Option<testkit::Server>,
    folder: tempfile::TempDir,
}

/// Where the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    /// A server of its own, on this machine.
    Postgres,
}

/// What came back, and how long it took.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) time: Duration,
}

impl House {
    pub(crate) async fn new(database: Database) -> Result<Self> {
        // On the disk that the build is on: the usual temporary folder may be memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut postgres = None;
        let (store, sealing_key): (Arc<dyn Store>, SealingKey) = match database {
            Database::Sqlite => {
                let (store, key) = SqliteStore::open(folder.path(), &OsEntropy).await?;
                (Arc::new(store), key)
            }
            Database::Postgres => {
                let server = postgres.insert(testkit::Server::alone().map_err(|error| anyhow!(error))?);
                let url = server.database().map_err(|error| anyhow!(error))?;
                let (store, key) =
                    PostgresStore::connect(&url, &folder.path().join("master.key"), &OsEntropy).await?;
                (Arc::new(store), key)
            }
        };
        everyone(&*store, &SystemClock, &OsEntropy).await?;
        let keys = Arc::new(ReadyKeys { sealing_key: sealing_key.clone(), ready: Mutex::default() });
        let api = ManagementApi::new(ManagementConfig {
            base_url: "https://localhost:8443".parse()?,
            other_origins: Vec::new(),
            store: store.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            sealing_key,
            sign_in: kubesso_directory::SignInRules::default(),
            provider: keys.clone(),
        });
        let value = ApiTokenValue::generate(&OsEntropy);
        let token = ApiToken {
            id: ApiTokenId::generate(&OsEntropy),
            name: Label::parse("bench")?,
            hash: value.hash(),
            roles: [AdminRole::SuperAdmin].into(),
            user: None,
            created: SystemClock.now(),
            expires: None,
        };
        store.commit(Batch::new(SystemClock.now(), vec![Change::PutApiToken(token)])).await?;
        Ok(Self {
            store,
            keys,
            router: api.router(),
            token: value.expose().to_owned(),
            _postgres: postgres,
            folder,
        })
    }

    /// Sends a request. The time ends with the last byte of the answer; reading it is not in it.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("SSWS {}", self.token));
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let (router, request) = (self.router.clone(), request.body(body)?);
        let begin = Instant::now();
        let response = router.oneshot(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let time = begin.elapsed();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok(Answer { status, body, time })
    }

    /// The bytes of SQLite's file, with what is in its log.
    pub(crate) fn file_size(&self) -> Option<u64> {
        let file = self.folder.path().join(SqliteStore::FILE);
        let size = |file: PathBuf| std::fs::metadata(file).map(|metadata| metadata.len());
        Some(size(file.clone()).ok()? + size(file.with_extension("db-wal")).unwrap_or(0))
    }
}

impl Answer {
    /// Fails unless the status is the expected one.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status.as_u16() == status, "{} instead of {status}: {}", self.status, self.body);
        Ok(self)
    }
}

/// A provider next door that has keys ready: to make one takes longer than all the rest, and a real one makes the next
/// while nobody waits.
#[derive(Debug)]
pub(crate) struct ReadyKeys {
    sealing_key: SealingKey,
    ready: Mutex<Vec<SigningKey>>,
}

impl ReadyKeys {
    /// Makes one more ready.
    pub(crate) fn make(&self) -> Result<()> {
        let key = SigningKey::generate(Algorithm::Rs256)?;
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        Ok(())
    }

    fn take(&self, server: &AuthorizationServerId) -> Result<SigningKeyRecord> {
        let key = self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let key = key.context("no key is ready")?;
        let kid = Kid::parse(key.kid().as_str())?;
        Ok(SigningKeyRecord {
            server: server.clone(),
            algorithm: "RS256".to_owned(),
            public_jwk: serde_json::to_value(key.public_jwk())?,
            sealed_pkcs8: self.sealing_key.seal(
                &SigningKeyRecord::purpose(server, &kid),
                &key.to_pkcs8()?,
                &OsEntropy,
            ),
            state: KeyState::Active { since: SystemClock.now() },
            created: SystemClock.now(),
            kid,
        })
    }
}

#[async_trait]
impl ProviderPort for ReadyKeys {
    async fn first_key(
        &self,
        server: &AuthorizationServerId,
        _algorithm: &str,
    ) -> Result<SigningKeyRecord, ProviderPortError> {
        self.take(server).map_err(|error| ProviderPortError(format!("{error:#}")))
    }

    async fn rotate_key(&self, _: &AuthorizationServerId) -> Result<(), ProviderPortError> {
        Ok(())
    }

    async fn person(&self, _: &str) -> Result<Option<UserId>, ProviderPortError> {
        Ok(None)
    }

    async fn configuration_changed(&self) {}
}
