//! What was used here of what may be used once (RFC 7523 §3 rule 7, RFC 9449 §11.1), until it would be refused anyway.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use jiff::Timestamp;

/// Remembers which `jti` each owner has used. It lives in one process, before what all replicas remember: it spares them
/// what comes again here, and bounds how much one owner has them remember.
///
/// Its size is bounded, in all and for each owner, and when it is full what is new counts as used: forgetting what is
/// still good would let it be used again. So ask it last, when all else about a token is known to be right, and let the
/// owner be somebody who was authenticated where that is possible.
pub struct JtiMemory {
    most: usize,
    most_of_one: usize,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// By its end, so that what has ended is found first.
    by_end: BTreeSet<(Timestamp, Hash, Hash)>,
    by_owner: HashMap<Hash, HashMap<Hash, Timestamp>>,
}

/// Owners and ids are kept as hashes: they may be long, and nobody needs to read them.
type Hash = [u8; 32];

impl Default for JtiMemory {
    /// Room for 200 000, of which one owner may fill 50 000: at 32 MB, more than a busy hour.
    fn default() -> Self {
        Self::bounded(200_000, 50_000)
    }
}

impl JtiMemory {
    /// Room for `most` in all, and for `most_of_one` of one owner.
    pub fn bounded(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, remembered: Mutex::default() }
    }

    /// Whether `owner` (a client id, the thumbprint of a key) uses `jti` for the first time; from now on it does not,
    /// until `end`, at which whatever it belongs to is refused by its age.
    pub fn first_use(&self, owner: &str, jti: &str, end: Timestamp, now: Timestamp) -> bool {
        let (owner, jti) = (hash(owner), hash(jti));
        // A thread that panicked here left at worst an entry too few or too many.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget(now);
        let of_owner = remembered.by_owner.get(&owner);
        if of_owner.is_some_and(|of_owner| of_owner.contains_key(&jti)) {
            return false;
        }
        if end <= now {
            return true;
        }
        let is_full =
            remembered.by_end.len() >= self.most || of_owner.map_or(0, HashMap::len) >= self.most_of_one;
        if is_full {
            return false;
        }
        remembered.by_end.insert((end, owner, jti));
        remembered.by_owner.entry(owner).or_default().insert(jti, end);
        true
    }

    /// Whether `owner` has used `jti`, as far as that is remembered; asking is no use.
    pub fn was_used(&self, owner: &str, jti: &str, now: Timestamp) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let of_owner = remembered.by_owner.get(&hash(owner));
        of_owner.and_then(|of_owner| of_owner.get(&hash(jti))).is_some_and(|end| now < *end)
    }
}

impl Remembered {
    fn forget(&mut self, now: Timestamp) {
        while let Some((end, owner, jti)) = self.by_end.first().copied().filter(|(end, ..)| *end <= now) {
            self.by_end.remove(&(end, owner, jti));
            if let Some(of_owner) = self.by_owner.get_mut(&owner) {
                of_owner.remove(&jti);
                if of_owner.is_empty() {
                    self.by_owner.remove(&owner);
                }
            }
        }
    }
}

impl fmt::Debug for JtiMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JtiMemory").field("most", &self.most).finish_non_exhaustive()
    }
}

fn hash(text: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn what_was_used_is_refused_until_its_end() {
        let memory = JtiMemory::default();
        assert!(!memory.was_used("a", "1", at(0)));
        assert!(memory.first_use("a", "1", at(10), at(0)));
        assert!(memory.was_used("a", "1", at(9)) && !memory.was_used("a", "1", at(10)));
        assert!(!memory.was_used("b", "1", at(0)), "asking is no use");
        assert!(!memory.first_use("a", "1", at(10), at(0)));
        assert!(!memory.first_use("a", "1", at(20), at(9)), "whatever end it says this time");
        assert!(memory.first_use("b", "1", at(10), at(0)), "another owner");
        assert!(memory.first_use("a", "2", at(10), at(0)), "another id");
        assert!(memory.first_use("a", "1", at(20), at(10)), "by then it is refused by its age");
        assert_eq!(memory.remembered.lock().unwrap().by_end.len(), 1, "what has ended takes no room");
        assert_eq!(memory.remembered.lock().unwrap().by_owner.len(), 1);
    }

    #[test]
    fn when_it_is_full_nothing_new_is_taken_and_nothing_forgotten() {
        let memory = JtiMemory::bounded(3, 2);
        assert!(memory.first_use("a", "1", at(10), at(0)));
        assert!(memory.first_use("a", "2", at(10), at(0)));
        assert!(!memory.first_use("a", "3", at(10), at(0)), "one owner may not fill it");
        assert!(memory.first_use("b", "1", at(20), at(0)));
        assert!(!memory.first_use("c", "1", at(20), at(0)), "full");
        for (owner, jti) in [("a", "1"), ("a", "2"), ("b", "1")] {
            assert!(!memory.first_use(owner, jti, at(20), at(0)), "{owner} {jti}");
        }
        assert!(memory.first_use("c", "1", at(20), at(10)), "room again");
    }
}
