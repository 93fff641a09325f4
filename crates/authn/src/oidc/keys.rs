//! An issuer's keys, fetched when a token needs them (go-oidc v2.5.0 `remoteKeySet`).

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::Clock;
use tokio::sync::watch;

use super::freshness::fresh_until;
use super::jose::Jws;
use super::jwk::{self, Key};
use crate::Fetch;

/// Keys this close to their end are fetched anew when a signature does not verify.
const EXPIRY_DELTA: SignedDuration = SignedDuration::from_secs(30);

/// Why no key verified a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key set could not be fetched or read; the keys of before are kept.
    #[error("fetching keys {0}")]
    Fetch(String),
    /// None of the keys (that bear the token's `kid`) made the signature.
    #[error("failed to verify id token signature")]
    Signature,
}

/// The key set at one URL.
#[derive(Debug)]
pub(crate) struct RemoteKeySet {
    shared: Arc<Shared>,
    /// The fetch that is under way, for everybody who needs one meanwhile.
    flight: Mutex<Option<Flight>>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    cached: ArcSwap<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    keys: Vec<Key>,
    /// `None` before the first fetch.
    expiry: Option<Timestamp>,
}

type Flight = watch::Receiver<Option<Result<Arc<Cached>, String>>>;

impl RemoteKeySet {
    pub(crate) fn new(url: String, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared { url, fetch, clock, cached: ArcSwap::default() };
        Self { shared: Arc::new(shared), flight: Mutex::new(None) }
    }

    /// Tries the keys at hand, however old; if none fits and they are (nearly) stale, fetches them once and tries again.
    pub(crate) async fn verify(&self, jws: &Jws) -> Result<(), KeyError> {
        let cached = self.shared.cached.load_full();
        if cached.verifies(jws) {
            return Ok(());
        }
        if let Some(expiry) = cached.expiry
            && expiry.duration_since(self.shared.clock.now()) >= EXPIRY_DELTA
        {
            return Err(KeyError::Signature);
        }
        let fetched = self.refetch().await.map_err(KeyError::Fetch)?;
        if fetched.verifies(jws) { Ok(()) } else { Err(KeyError::Signature) }
    }

    /// Joins the fetch that is under way or starts one. It goes on when the request that started it is dropped.
    async fn refetch(&self) -> Result<Arc<Cached>, String> {
        let mut flight = {
            let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
            match &*flight {
                Some(underway) if underway.borrow().is_none() && underway.has_changed().is_ok() => {
                    underway.clone()
                }
                _ => {
                    let (done, underway) = watch::channel(None);
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(async move {
                        let outcome = shared.update().await;
                        done.send_replace(Some(outcome));
                    });
                    *flight = Some(underway.clone());
                    underway
                }
            }
        };
        let outcome = flight.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err("oidc: get keys failed: the fetch was stopped".to_owned()))
    }
}

impl Shared {
    async fn update(&self) -> Result<Arc<Cached>, String> {
        let answer = self
            .fetch
            .get(&self.url, None)
            .await
            .map_err(|error| format!("oidc: get keys failed {error}"))?;
        let body = || String::from_utf8_lossy(&answer.body);
        if answer.status != StatusCode::OK {
            return Err(format!("oidc: get keys failed: {} {}", answer.status_line(), body()));
        }
        let keys = jwk::parse_set(&answer.body).map_err(|error| {
            format!("oidc: failed to decode keys: {} {}", answer.not_json(&error), body())
        })?;
        let now = self.clock.now();
        let expiry = fresh_until(&answer.headers, now).map_or(now, |until| until.max(now));
        let cached = Arc::new(Cached { keys, expiry: Some(expiry) });
        self.cached.store(Arc::clone(&cached));
        Ok(cached)
    }
}

impl Cached {
    /// With a `kid` only the keys that bear it are tried, without one all of them, in the order of the document.
    fn verifies(&self, jws: &Jws) -> bool {
        self.keys
            .iter()
            .filter(|key| jws.key_id.is_empty() || key.id == jws.key_id)
            .any(|key| jws.is_signed_by(key))
    }
}
