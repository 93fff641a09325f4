//! Tokens that were accepted in the last ten seconds (Kubernetes `apiserver/pkg/authentication/token/cache`).

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Entropy, draw};
use kubesso_k8s_types::UserInfo;

/// How long an accepted token is believed without another look. Refusals are not kept.
const TIME_TO_LIVE: SignedDuration = SignedDuration::from_secs(10);

/// The oldest entries go first. Ten seconds of as many different people as a big cluster has.
const CAPACITY: usize = 8192;

/// Users by keyed hash of their token: neither a token nor anything it could be guessed from is kept.
pub(crate) struct TokenCache {
    key: hmac::Key,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    users: HashMap<Digest, Entry>,
    /// In the order of their arrival, which is that of their end.
    arrivals: VecDeque<(Timestamp, Digest)>,
}

struct Entry {
    user: Arc<UserInfo>,
    stored: Timestamp,
}

/// HMAC-SHA256 of a token under a key of this process.
pub(crate) type Digest = [u8; 32];

impl TokenCache {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &draw::<32>(entropy));
        Self { key, entries: Mutex::default() }
    }

    pub(crate) fn digest(&self, token: &str) -> Digest {
        let mut digest = [0; 32];
        for (byte, drawn) in digest.iter_mut().zip(hmac::sign(&self.key, token.as_bytes()).as_ref()) {
            *byte = *drawn;
        }
        digest
    }

    pub(crate) fn get(&self, digest: &Digest, now: Timestamp) -> Option<Arc<UserInfo>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.users.get(digest)?;
        let age = now.duration_since(entry.stored);
        // A clock that was set back makes no entry live longer.
        (age >= SignedDuration::ZERO && age < TIME_TO_LIVE).then(|| Arc::clone(&entry.user))
    }

    pub(crate) fn insert(&self, digest: Digest, user: Arc<UserInfo>, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((stored, oldest)) = entries.arrivals.front().copied() {
            let ended = now.duration_since(stored) >= TIME_TO_LIVE;
            if !ended && entries.arrivals.len() < CAPACITY {
                break;
            }
            entries.arrivals.pop_front();
            // The token may have been stored again since.
            if entries.users.get(&oldest).is_some_and(|entry| entry.stored == stored) {
                entries.users.remove(&oldest);
            }
        }
        entries.arrivals.push_back((now, digest));
        entries.users.insert(digest, Entry { user, stored: now });
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache")
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    fn user(name: &str) -> Arc<UserInfo> {
        Arc::new(UserInfo { username: name.to_owned(), ..UserInfo::default() })
    }

    #[test]
    fn a_token_is_remembered_for_ten_seconds() {
        let cache = TokenCache::new(&SeededEntropy::new(1));
        let start: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let after = |milliseconds| start + SignedDuration::from_millis(milliseconds);
        let alice = cache.digest("token of alice");
        assert_eq!(cache.get(&alice, start), None);
        cache.insert(alice, user("alice"), start);
        assert_eq!(cache.get(&alice, start), Some(user("alice")));
        assert_eq!(cache.get(&alice, after(9_999)), Some(user("alice")));
        assert_eq!(cache.get(&alice, after(10_000)), None);
        assert_eq!(cache.get(&alice, after(-1)), None, "the clock was set back");
        assert_eq!(cache.get(&cache.digest("token of alice "), start), None);
    }

    #[test]
    fn it_never_grows_beyond_its_capacity_and_forgets_the_oldest_first() {
        let cache = TokenCache::new(&SeededEntropy::new(1));
        let start: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let digest = |number: usize| cache.digest(&number.to_string());
        for number in 0..CAPACITY + 10 {
            cache.insert(digest(number), user("somebody"), start);
        }
        let entries = cache.entries.lock().unwrap();
        assert_eq!((entries.users.len(), entries.arrivals.len()), (CAPACITY, CAPACITY));
        drop(entries);
        assert_eq!(cache.get(&digest(9), start), None);
        assert_eq!(cache.get(&digest(10), start), Some(user("somebody")));

        cache.insert(digest(0), user("later"), start + SignedDuration::from_secs(10));
        assert_eq!(cache.entries.lock().unwrap().users.len(), 1, "what has ended is dropped");
    }

    #[test]
    fn another_process_has_other_hashes() {
        let (one, two) = (TokenCache::new(&SeededEntropy::new(1)), TokenCache::new(&SeededEntropy::new(2)));
        assert_ne!(one.digest("token"), two.digest("token"));
        assert_eq!(format!("{one:?}"), "TokenCache");
    }
}
