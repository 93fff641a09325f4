//! The provider's two documents, kept between runs with their lifetimes (RFC 9111), so that a refresh is one round trip.
//!
//! A kept document is used at once; when its lifetime is over it is asked for again beside the token request. That is
//! safe: a token that does not verify, and an endpoint that is not there, have both documents fetched anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kubesso_token::JwkSet;
use kubesso_token_cache::{IssuerUrl, Options, cache, key::hex_digest};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ProviderMetadata;
use crate::environment::Environment;
use crate::error::Error;
use crate::http::Http;

/// What the provider published, here and there.
pub(crate) struct Documents {
    http: Http,
    issuer: IssuerUrl,
    environment: Environment,
    /// None: nothing outlives this run.
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Kept,
    is_changed: bool,
    /// The discovery document was fetched in this run.
    is_discovered: bool,
    discovery: Option<Fetching>,
    keys: Option<Fetching>,
}

type Fetching = JoinHandle<Result<Document, Error>>;

/// The file. Fields may be added; a file of another version is no file.
#[derive(Default, Deserialize, Serialize)]
struct Kept {
    version: u8,
    issuer: String,
    discovery: Option<Document>,
    keys: Option<Document>,
    /// By client ID: how that client was recognised at last.
    #[serde(default)]
    client_authentication: BTreeMap<String, String>,
}

/// A document as it was fetched.
#[derive(Clone, Deserialize, Serialize)]
struct Document {
    url: String,
    body: String,
    etag: Option<String>,
    /// Seconds since 1970.
    fetched_at: i64,
    fresh_seconds: i64,
}

const VERSION: u8 = 1;
const DISCOVERY: &str = "discovery of the provider";
const KEYS: &str = "the provider's key set";

/// Of a document that does not say: half a day, as long as people work. kube-apiserver keeps them for as long as it runs.
const DEFAULT_LIFETIME: i64 = 12 * 60 * 60;
/// However long a document calls itself fresh: a key that was withdrawn is to be gone the next day.
const LONGEST_LIFETIME: i64 = 24 * 60 * 60;
/// A document is used this long after it was fetched, though only beside asking again: a laptop that slept over the
/// weekend starts with one round trip too.
const LONGEST_USE: i64 = 7 * 24 * 60 * 60;
/// The two documents of a provider with many keys have a tenth of this.
const LONGEST_FILE: u64 = 512 * 1024;
/// More applications at one provider than anybody uses from one machine.
const MOST_CLIENTS: usize = 32;

impl Documents {
    /// Reads what was kept in `directory`. Absent, broken, too big and foreign files are all the same: there is none.
    pub(crate) fn open(
        options: &Options,
        environment: &Environment,
        http: Http,
        directory: Option<&Path>,
    ) -> Self {
        // Who answered under another trust, or to other headers, may have been somebody else.
        let identity = format!("{VERSION}\n{}\n{}", options.issuer, http.identity());
        let file =
            directory.map(|directory| cache::provider_file(directory, &hex_digest(identity.as_bytes())));
        let kept = file.as_deref().and_then(|file| Kept::load(file, &options.issuer)).unwrap_or_default();
        Self {
            http,
            issuer: options.issuer.clone(),
            environment: environment.clone(),
            file,
            state: Mutex::new(State { kept, ..State::default() }),
        }
    }

    /// What is known without asking. If it has lived its time, it is asked for again meanwhile.
    pub(crate) fn kept_metadata(&self) -> Option<ProviderMetadata> {
        let now = self.now();
        let mut state = self.state();
        let url = self.issuer.discovery_url();
        let known = state.kept.discovery.as_ref().filter(|known| known.is_usable(&url, now))?;
        let metadata = ProviderMetadata::parse(&known.body, &self.issuer).ok()?;
        if !known.is_fresh(now) {
            let known = known.clone();
            state.discovery = Some(self.fetch(DISCOVERY, url, Some(known)));
        }
        Some(metadata)
    }

    /// The document as it is now.
    pub(crate) async fn discover(&self) -> Result<ProviderMetadata, Error> {
        let (under_way, known) = {
            let mut state = self.state();
            // A copy that is spoilt is not to be confirmed by its ETag.
            let is_sound = |known: &Document| ProviderMetadata::parse(&known.body, &self.issuer).is_ok();
            (state.discovery.take(), state.kept.discovery.clone().filter(is_sound))
        };
        let fetching = under_way.unwrap_or_else(|| self.fetch(DISCOVERY, self.issuer.discovery_url(), known));
        let document = joined(DISCOVERY, &self.issuer.discovery_url(), fetching).await?;
        self.store_discovery(document)
    }

    /// Whether the document was fetched in this run.
    pub(crate) fn is_discovered(&self) -> bool {
        self.state().is_discovered
    }

    /// Has the keys fetched while something else goes on, unless they are there and fresh.
    pub(crate) fn prefetch_keys(&self, url: &str) {
        let now = self.now();
        let mut state = self.state();
        let is_sound = |known: &Document| JwkSet::parse(known.body.as_bytes()).is_ok();
        let known = state.kept.keys.clone().filter(|known| known.is_usable(url, now) && is_sound(known));
        let is_fresh = known.as_ref().is_some_and(|known| known.is_fresh(now));
        if !is_fresh && state.keys.is_none() {
            state.keys = Some(self.fetch(KEYS, url.to_owned(), known));
        }
    }

    /// The keys: those that are on their way, or those that are there.
    pub(crate) async fn keys(&self, url: &str) -> Result<JwkSet, Error> {
        let fetching = self.state().keys.take();
        let fetched = match fetching {
            Some(fetching) => joined(KEYS, url, fetching).await,
            None => match self.kept_keys(url) {
                Some(keys) => return Ok(keys),
                None => joined(KEYS, url, self.fetch(KEYS, url.to_owned(), None)).await,
            },
        };
        // A provider that is too busy to give its keys may still have given a token; the old keys decide about it.
        fetched.and_then(|keys| self.store_keys(keys)).or_else(|error| self.kept_keys(url).ok_or(error))
    }

    /// The keys as they are now.
    pub(crate) async fn newest_keys(&self, url: &str) -> Result<JwkSet, Error> {
        // Without the ETag: a copy that is not good enough is not to be confirmed.
        let fetching = self.fetch(KEYS, url.to_owned(), None);
        self.store_keys(joined(KEYS, url, fetching).await?)
    }

    /// How `client` was recognised at last.
    pub(crate) fn client_authentication(&self, client: &str) -> Option<String> {
        self.state().kept.client_authentication.get(client).cloned()
    }

    /// Remembers how `client` was recognised.
    pub(crate) fn remember_client_authentication(&self, client: &str, method: &str) {
        let mut state = self.state();
        let known = &mut state.kept.client_authentication;
        if known.get(client).map(String::as_str) == Some(method) {
            return;
        }
        if known.len() >= MOST_CLIENTS {
            known.clear();
        }
        known.insert(client.to_owned(), method.to_owned());
        state.is_changed = true;
    }

    /// Takes what is still on its way, for as long as `patience`, and keeps what is new.
    pub(crate) async fn settle(&self, patience: Duration) {
        let (discovery, keys) = {
            let mut state = self.state();
            (state.discovery.take(), state.keys.take())
        };
        let abort: Vec<_> = [&discovery, &keys].into_iter().flatten().map(JoinHandle::abort_handle).collect();
        let rest = async {
            // What could not be asked again stays as it is.
            if let Some(Ok(Ok(document))) = wait_for(discovery).await {
                drop(self.store_discovery(document));
            }
            if let Some(Ok(Ok(document))) = wait_for(keys).await {
                drop(self.store_keys(document));
            }
        };
        let _ = timeout(patience, rest).await;
        abort.iter().for_each(tokio::task::AbortHandle::abort);
        self.save();
    }

    /// A file that cannot be written costs the next run its round trips, so nothing is said of it.
    fn save(&self) {
        let mut state = self.state();
        let Some(file) = self.file.as_deref().filter(|_| state.is_changed) else { return };
        state.is_changed = false;
        state.kept.version = VERSION;
        state.kept.issuer = self.issuer.to_string();
        let Ok(bytes) = serde_json::to_vec(&state.kept) else { return };
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) <= LONGEST_FILE
            && file.parent().is_some_and(|directory| cache::create_directory(directory).is_ok())
        {
            let _ = cache::replace(file, &bytes, &*self.environment.entropy);
        }
    }

    fn store_discovery(&self, document: Document) -> Result<ProviderMetadata, Error> {
        let metadata = ProviderMetadata::parse(&document.body, &self.issuer)?;
        let mut state = self.state();
        state.kept.discovery = Some(document);
        (state.is_changed, state.is_discovered) = (true, true);
        Ok(metadata)
    }

    fn store_keys(&self, document: Document) -> Result<JwkSet, Error> {
        let keys = JwkSet::parse(document.body.as_bytes()).map_err(|error| Error::Answer {
            what: KEYS,
            url: document.url.clone(),
            problem: format!("with something else ({error})"),
        })?;
        let mut state = self.state();
        state.kept.keys = Some(document);
        state.is_changed = true;
        Ok(keys)
    }

    fn kept_keys(&self, url: &str) -> Option<JwkSet> {
        let now = self.now();
        let state = self.state();
        let known = state.kept.keys.as_ref().filter(|known| known.is_usable(url, now))?;
        JwkSet::parse(known.body.as_bytes()).ok()
    }

    fn fetch(&self, what: &'static str, url: String, known: Option<Document>) -> Fetching {
        let (http, now) = (self.http.clone(), self.now());
        tokio::spawn(async move { Document::fetch(&http, what, url, known, now).await })
    }

    fn now(&self) -> i64 {
        Timestamp::as_second(self.environment.clock.now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        let mut state = self.state();
        for fetching in [state.discovery.take(), state.keys.take()].into_iter().flatten() {
            fetching.abort();
        }
    }
}

impl Kept {
    fn load(file: &Path, issuer: &IssuerUrl) -> Option<Self> {
        let mut text = String::new();
        fs::File::open(file).ok()?.take(LONGEST_FILE).read_to_string(&mut text).ok()?;
        let kept: Self = serde_json::from_str(&text).ok()?;
        (kept.version == VERSION && kept.issuer == issuer.as_str()).then_some(kept)
    }
}

impl Document {
    async fn fetch(
        http: &Http,
        what: &'static str,
        url: String,
        known: Option<Self>,
        now: i64,
    ) -> Result<Self, Error> {
        let etag = known.as_ref().and_then(|known| known.etag.as_deref());
        let answer = http.get(what, &url, etag).await?;
        let fresh_seconds = answer.fresh_seconds.unwrap_or(DEFAULT_LIFETIME).clamp(0, LONGEST_LIFETIME);
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (answer.status, known) {
            return Ok(Self { fetched_at: now, fresh_seconds, ..known });
        }
        let body = answer.json_text(what, &url)?.to_owned();
        Ok(Self { body, etag: answer.etag, fetched_at: now, fresh_seconds, url })
    }

    /// A clock that was set back makes nothing fresh.
    fn is_fresh(&self, now: i64) -> bool {
        (0..self.fresh_seconds.min(LONGEST_LIFETIME)).contains(&now.saturating_sub(self.fetched_at))
    }

    fn is_usable(&self, url: &str, now: i64) -> bool {
        self.url == url && now.saturating_sub(self.fetched_at) < LONGEST_USE
    }
}

async fn joined(what: &'static str, url: &str, fetching: Fetching) -> Result<Document, Error> {
    let gone = |_| Error::Unreachable { what, url: url.to_owned(), cause: "it was given up".to_owned() };
    fetching.await.map_err(gone)?
}

async fn wait_for(
    fetching: Option<Fetching>,
) -> Option<Result<Result<Document, Error>, tokio::task::JoinError>> {
    Some(fetching?.await)
}
