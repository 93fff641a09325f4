//! What every endpoint works with: the configuration at this moment, the store, time and randomness, and the way to
//! change something.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::password::PasswordHasher;
use kubesso_directory::{
    Batch, Change, Expectation, OtherMasterKey, SealingKey, SignInRules, SingleUse, Snapshot, Store,
    StoreError,
};
use kubesso_token::JtiMemory;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use crate::error::ApiError;
use crate::ports::ProviderPort;
use crate::rate_limit::RateLimit;

/// How often a change is decided anew because somebody else was faster: another replica, or somebody who changed the same
/// person or group.
pub(crate) const ATTEMPTS: usize = 50;

/// The address of whoever sends a request, as a request extension. Whoever accepts the connections sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerAddress(pub Option<IpAddr>);

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

pub(crate) struct Inner {
    /// Where people reach the provider: issuers and links begin with it, whatever `Host` a request names.
    pub(crate) base_url: Url,
    /// Every origin under which the API is reached, the base URL's first: what tokens may be made out to.
    pub(crate) origins: Vec<String>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) provider: Arc<dyn ProviderPort>,
    pub(crate) password_hasher: PasswordHasher,
    pub(crate) sign_in: SignInRules,
    /// Hashing takes memory and a processor: so many at once.
    pub(crate) hashing: Semaphore,
    pub(crate) rate_limit: RateLimit,
    /// What was used here of what may be used once.
    used: JtiMemory,
    snapshot: ArcSwap<Snapshot>,
    loading: Mutex<()>,
    /// Who changes the configuration; the others wait for their turn, so that nobody is overtaken for ever.
    changing: Mutex<()>,
}

/// What a context is made of.
pub(crate) struct Parts {
    pub(crate) base_url: Url,
    pub(crate) other_origins: Vec<String>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) provider: Arc<dyn ProviderPort>,
    pub(crate) password_hasher: PasswordHasher,
    pub(crate) sign_in: SignInRules,
}

impl Context {
    pub(crate) fn new(parts: Parts) -> Self {
        let at_once = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(1, 16));
        let origin = parts.base_url.as_str().trim_end_matches('/').to_owned();
        Self(Arc::new(Inner {
            base_url: parts.base_url,
            origins: std::iter::once(origin).chain(parts.other_origins).collect(),
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            sealing_key: parts.sealing_key,
            provider: parts.provider,
            password_hasher: parts.password_hasher,
            sign_in: parts.sign_in,
            hashing: Semaphore::new(at_once),
            rate_limit: RateLimit::default(),
            used: JtiMemory::default(),
            snapshot: ArcSwap::default(),
            loading: Mutex::new(()),
            changing: Mutex::new(()),
        }))
    }

    /// Uses an assertion or a proof, which is right in all else; whether that is the first time, at whichever replica.
    pub(crate) async fn use_once(&self, what: &SingleUse) -> Result<bool, StoreError> {
        let now = self.now();
        let is_new_here = self.used.first_use(what.owner(), what.id(), what.ends(), now);
        Ok(is_new_here && self.store.use_once(what, now).await?)
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The base URL without a slash at its end.
    pub(crate) fn origin(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }

    /// An address under the base URL; `path` begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The configuration as it is now: whoever wrote reads what it wrote, by whichever replica.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, ApiError> {
        let revision = self.store.revision().await?;
        let present = self.snapshot.load_full();
        if present.revision() == revision {
            return Ok(present);
        }
        let _loading = self.loading.lock().await;
        let present = self.snapshot.load_full();
        if present.revision() >= revision {
            return Ok(present);
        }
        let fresh = Arc::new(self.store.snapshot().await?);
        // What is sealed under another key than the store's would never open again.
        if !self.sealing_key.is_of(&self.store.key_check().await?) {
            return Err(ApiError::internal(&OtherMasterKey));
        }
        self.snapshot.store(fresh.clone());
        Ok(fresh)
    }

    /// Changes the configuration: `decide` says by the present one what to write (the audit's entry among it) and what
    /// to answer. If somebody else is faster, it is asked again. Nothing to write is no change.
    pub(crate) async fn change_configuration<T>(
        &self,
        mut decide: impl FnMut(&Snapshot) -> Result<(Vec<Change>, T), ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 0..ATTEMPTS {
            let turn = self.changing.lock().await;
            let snapshot = self.snapshot().await?;
            let (changes, answer) = decide(&snapshot)?;
            if changes.is_empty() {
                return Ok(answer);
            }
            let batch = Batch::new(self.now(), changes).expecting(Expectation::Revision(snapshot.revision()));
            let committed = self.store.commit(batch).await;
            drop(turn);
            match committed {
                Ok(_) => {
                    self.provider.configuration_changed().await;
                    return Ok(answer);
                }
                Err(StoreError::Stale) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::busy())
    }

    /// Changes people and what else is not configuration. With [`Expectation::User`] or [`Expectation::Group`], an
    /// object that was changed since it was read is refused as busy: read it again and repeat.
    pub(crate) async fn change_people(
        &self,
        expectation: Expectation,
        changes: Vec<Change>,
    ) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let is_configuration = changes.iter().any(Change::is_configuration);
        let ends_sessions = changes.iter().any(Change::ends_sessions);
        let turn = if is_configuration { Some(self.changing.lock().await) } else { None };
        self.store.commit(Batch::new(self.now(), changes).expecting(expectation)).await?;
        drop(turn);
        if is_configuration {
            self.provider.configuration_changed().await;
        }
        if ends_sessions {
            self.provider.sessions_ended();
        }
        Ok(())
    }
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("base_url", &self.base_url.as_str()).finish_non_exhaustive()
    }
}
