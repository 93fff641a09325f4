//! Documents at addresses that clients register: their keys (`jwks_uri`) and their requests (`request_uri`).
//!
//! They are fetched in the course of a request, so everything about it is bounded: how long a document is, how often one
//! address is asked whatever strangers send, how many are asked at once, how many are remembered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::TRACES;
use kubesso_directory::ClientId;
use tokio::sync::Semaphore;
use tracing::{Instrument as _, info_span};
use url::Url;

/// So many requests to clients' addresses at once.
const AT_ONCE: usize = 16;

/// So many documents are remembered; then the one that was not asked for the longest is forgotten.
const MOST: usize = 1024;

/// After a failure an address is left alone for so long.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// A document that somebody else serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The document.
    pub body: Vec<u8>,
    /// For how long its server says that it is good (`Cache-Control`, RFC 9111 §5.2.2.1); zero where it must not be kept.
    pub max_age: Option<Duration>,
}

/// Why there is no document. The log says it; whoever asked does not get it, because it would tell of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Whoever gets documents from clients' addresses.
///
/// Addresses come from those who register clients, who need not be those of the network: an implementation must use https
/// only, follow no redirect, send no credentials, wait for a bounded time, take no more than it is told, and call no address
/// that is not public unless it was told to.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync {
    /// The document at `uri`, of at most `longest` bytes.
    async fn fetch(&self, uri: &Url, longest: usize) -> Result<Fetched, FetchError>;
}

/// How documents of one kind are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    /// In bytes.
    pub(crate) longest_document: usize,
    /// For at least so long, whatever the server says: strangers could have it asked for each request.
    pub(crate) at_least: SignedDuration,
    /// Where the server says nothing.
    pub(crate) by_default: SignedDuration,
    /// For so long at most, also while the server does not answer.
    pub(crate) at_most: SignedDuration,
}

impl Keeping {
    /// When what was fetched at `now` has to be fetched again.
    fn fresh_until(&self, now: Timestamp, max_age: Option<Duration>) -> Timestamp {
        let said = max_age.map(|age| SignedDuration::try_from(age).unwrap_or(self.at_most));
        let age = said.unwrap_or(self.by_default).clamp(self.at_least, self.at_most);
        now.saturating_add(age).unwrap_or(Timestamp::MAX)
    }
}

/// A document, and when it was fetched.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) body: Arc<[u8]>,
    pub(crate) fetched: Timestamp,
}

/// Fetches and remembers.
#[derive(Debug)]
pub(crate) struct Documents {
    fetch: Option<Arc<dyn Fetch>>,
    at_once: Semaphore,
    known: Mutex<BTreeMap<(ClientId, Url), Known>>,
}

#[derive(Debug)]
struct Known {
    asked: Timestamp,
    /// Locked while it is fetched, so that all who ask meanwhile wait for the one answer.
    place: Arc<tokio::sync::Mutex<Place>>,
}

#[derive(Debug, Default)]
struct Place {
    document: Option<(Document, Timestamp)>,
    /// When it was last tried in vain, and why.
    failed: Option<(Timestamp, FetchError)>,
}

impl Documents {
    /// `None`: nothing is fetched.
    pub(crate) fn new(fetch: Option<Arc<dyn Fetch>>) -> Self {
        Self { fetch, at_once: Semaphore::new(AT_ONCE), known: Mutex::default() }
    }

    /// Whether anything is fetched.
    pub(crate) fn are_fetched(&self) -> bool {
        self.fetch.is_some()
    }

    /// The document of `client` at `uri`, as it is known or as it is now. A fragment is not sent, and makes no other
    /// document of it.
    pub(crate) async fn get(
        &self,
        client: &ClientId,
        uri: &Url,
        keeping: &Keeping,
        now: Timestamp,
    ) -> Result<Document, FetchError> {
        let place = self.place(client, uri, now);
        let mut place = place.lock().await;
        match &place.document {
            Some((document, fresh_until)) if now < *fresh_until => Ok(document.clone()),
            _ => self.refetch(&mut place, uri, keeping, now).await,
        }
    }

    /// The document, if there is one that is younger than `than`: for somebody who misses something in that one. An
    /// address is asked for this once in `at_least`.
    pub(crate) async fn newer(
        &self,
        client: &ClientId,
        uri: &Url,
        than: Timestamp,
        keeping: &Keeping,
        now: Timestamp,
    ) -> Option<Document> {
        let place = self.place(client, uri, now);
        let mut place = place.lock().await;
        let known = place.document.as_ref().map(|(document, _)| document);
        if let Some(newer) = known.filter(|document| document.fetched > than) {
            return Some(newer.clone());
        }
        let tried = known.map(|document| document.fetched).max(place.failed.as_ref().map(|(at, _)| *at));
        if tried.is_some_and(|at| now.duration_since(at) < keeping.at_least) {
            return None;
        }
        self.refetch(&mut place, uri, keeping, now).await.ok().filter(|document| document.fetched > than)
    }

    fn place(&self, client: &ClientId, uri: &Url, now: Timestamp) -> Arc<tokio::sync::Mutex<Place>> {
        let mut uri = uri.clone();
        uri.set_fragment(None);
        let key = (client.clone(), uri);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&key) {
            let oldest = known.iter().min_by_key(|(_, known)| known.asked).map(|(key, _)| key.clone());
            oldest.and_then(|key| known.remove(&key));
        }
        let found = known.entry(key).or_insert_with(|| Known { asked: now, place: Arc::default() });
        found.asked = now;
        found.place.clone()
    }

    async fn refetch(
        &self,
        place: &mut Place,
        uri: &Url,
        keeping: &Keeping,
        now: Timestamp,
    ) -> Result<Document, FetchError> {
        let paused = |at: &Timestamp| now.duration_since(*at) < PAUSE;
        let fetched = match &place.failed {
            Some((at, error)) if paused(at) => Err(error.clone()),
            _ => self.fetch(uri, keeping.longest_document).await.inspect_err(|error| {
                tracing::warn!(%uri, %error, "a client's address did not give what is registered to be there");
                place.failed = Some((now, error.clone()));
            }),
        };
        match (fetched, &place.document) {
            (Ok(fetched), _) => {
                let document = Document { body: fetched.body.into(), fetched: now };
                let fresh_until = keeping.fresh_until(now, fetched.max_age);
                *place = Place { document: Some((document.clone(), fresh_until)), failed: None };
                Ok(document)
            }
            // Whoever serves it may be away for a moment.
            (Err(_), Some((known, _))) if now.duration_since(known.fetched) < keeping.at_most => {
                Ok(known.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn fetch(&self, uri: &Url, longest: usize) -> Result<Fetched, FetchError> {
        let failed = |why: &str| FetchError(why.to_owned());
        let fetch = self.fetch.as_ref().ok_or_else(|| failed("clients' addresses are not fetched here"))?;
        let _turn = self.at_once.acquire().await.map_err(|error| failed(&error.to_string()))?;
        let mut uri = uri.clone();
        uri.set_fragment(None);
        let span = info_span!(target: TRACES, "fetch", otel.name = "fetch of a client", otel.kind = "client");
        fetch.fetch(&uri, longest).instrument(span).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const KEEPING: Keeping = Keeping {
        longest_document: 100,
        at_least: SignedDuration::from_secs(60),
        by_default: SignedDuration::from_secs(600),
        at_most: SignedDuration::from_secs(3600),
    };

    /// Counts, and answers with the number of the call; `None`: an error.
    #[derive(Debug, Default)]
    struct Counting {
        calls: AtomicUsize,
        max_age: Option<u64>,
        fails_from: Option<usize>,
    }

    #[async_trait]
    impl Fetch for Counting {
        async fn fetch(&self, uri: &Url, _: usize) -> Result<Fetched, FetchError> {
            assert_eq!(uri.fragment(), None);
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if self.fails_from.is_some_and(|from| call >= from) {
                return Err(FetchError(format!("call {call}")));
            }
            let max_age = self.max_age.map(Duration::from_secs);
            Ok(Fetched { body: call.to_string().into_bytes(), max_age })
        }
    }

    struct Asked {
        counting: Arc<Counting>,
        documents: Documents,
    }

    fn asked(counting: Counting) -> Asked {
        let counting = Arc::new(counting);
        Asked { documents: Documents::new(Some(counting.clone())), counting }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    impl Asked {
        async fn get(&self, fragment: &str, second: i64) -> String {
            let uri = format!("https://client.example/{fragment}").parse().unwrap();
            let client = ClientId::parse("client").unwrap();
            match self.documents.get(&client, &uri, &KEEPING, at(second)).await {
                Ok(document) => String::from_utf8(document.body.to_vec()).unwrap(),
                Err(error) => error.to_string(),
            }
        }

        async fn newer(&self, than: i64, second: i64) -> Option<i64> {
            let uri = "https://client.example/".parse().unwrap();
            let client = ClientId::parse("client").unwrap();
            let newer = self.documents.newer(&client, &uri, at(than), &KEEPING, at(second)).await;
            newer.map(|document| document.fetched.as_second())
        }

        fn calls(&self) -> usize {
            self.counting.calls.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_document_is_kept_as_long_as_its_server_says_within_bounds() {
        for (max_age, kept) in [(None, 600), (Some(0), 60), (Some(90), 90), (Some(u64::MAX), 3600)] {
            let asked = asked(Counting { max_age, ..Counting::default() });
            assert_eq!(asked.get("", 0).await, "0");
            assert_eq!(asked.get("#fragment", kept - 1).await, "0", "{max_age:?}");
            assert_eq!(asked.get("", kept).await, "1", "{max_age:?}");
        }
    }

    #[tokio::test]
    async fn all_who_ask_at_once_get_the_one_answer() {
        let asked = asked(Counting::default());
        let all = futures_util::future::join_all((0..20).map(|_| asked.get("", 0))).await;
        assert!(all.iter().all(|one| one == "0"), "{all:?}");
        assert_eq!(asked.calls(), 1);
    }

    #[tokio::test]
    async fn an_address_that_fails_is_left_alone_for_a_while() {
        let asked = asked(Counting { fails_from: Some(0), ..Counting::default() });
        for (second, expected) in [(0, "call 0"), (0, "call 0"), (9, "call 0"), (10, "call 1")] {
            assert_eq!(asked.get("", second).await, expected, "{second}");
        }
    }

    #[tokio::test]
    async fn what_is_known_outlives_an_outage_until_the_longest_age() {
        let asked = asked(Counting { fails_from: Some(1), ..Counting::default() });
        for (second, expected) in [(0, "0"), (600, "0"), (3599, "0"), (3610, "call 3")] {
            assert_eq!(asked.get("", second).await, expected, "{second}");
        }
    }

    #[tokio::test]
    async fn whoever_misses_something_has_it_fetched_again_once_in_a_while() {
        let asked = asked(Counting::default());
        asked.get("", 0).await;
        assert_eq!(asked.newer(0, 59).await, None);
        assert_eq!(asked.newer(0, 60).await, Some(60));
        assert_eq!(asked.newer(0, 61).await, Some(60), "somebody else had it fetched");
        assert_eq!(asked.newer(60, 61).await, None);
        assert_eq!(asked.calls(), 2);
    }

    #[tokio::test]
    async fn not_more_than_so_many_are_remembered() {
        let asked = asked(Counting::default());
        for number in 0..=MOST {
            asked.get(&format!("{number}"), i64::try_from(number).unwrap()).await;
        }
        assert_eq!(asked.documents.known.lock().unwrap().len(), MOST);
    }
}
