//! How good a token still is: whether it may be handed out, and whether it is time for the next one.

use jiff::{SignedDuration, Timestamp};

use crate::cache::Entry;

/// A token is renewed this long before its end, so that it does not end on its way to the cluster …
const EARLY: SignedDuration = SignedDuration::from_secs(30);
/// … but no token loses more than this part of its life.
const EARLY_PART: i32 = 10;

/// The next token is fetched this long before the end of the one at hand, by a process that nobody waits for …
const DUE: SignedDuration = SignedDuration::from_mins(5);
/// … but not before this part of its life has begun. Clients in Rust (kube-rs) run the plugin again for each request
/// once less than a minute is left, so this must come well before.
const DUE_PART: i32 = 5;

/// When the provider cannot give another one, a token with more life than this is better than none.
const LAST_RESORT: SignedDuration = SignedDuration::from_secs(5);

impl Entry {
    /// Whether the token may be handed out.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.left(now) > self.part_of_life(EARLY, EARLY_PART)
    }

    /// Whether the token should be refreshed while it is still good.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.refresh_token.is_some() && self.left(now) <= self.part_of_life(DUE, DUE_PART)
    }

    /// Whether the token may be handed out because the provider cannot be reached for another one.
    pub fn is_last_resort(&self, now: Timestamp) -> bool {
        self.left(now) > LAST_RESORT
    }

    fn left(&self, now: Timestamp) -> SignedDuration {
        self.expires_at.duration_since(now)
    }

    /// `most`, or a part of the token's life if that is less.
    fn part_of_life(&self, most: SignedDuration, part: i32) -> SignedDuration {
        let life = self.issued_at.map(|issued_at| self.expires_at.duration_since(issued_at));
        life.map_or(most, |life| (life / part).clamp(SignedDuration::ZERO, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn entry(issued_at: Option<&str>) -> Entry {
        Entry {
            token: Secret::from("header.payload.signature".to_owned()),
            issued_at: issued_at.map(|time| time.parse().unwrap()),
            expires_at: "2026-11-22T09:00:00Z".parse().unwrap(),
            refresh_token: Some(Secret::from("refresh".to_owned())),
            scope: None,
        }
    }

    #[test]
    fn a_token_is_due_then_stale_then_a_last_resort() {
        const HOUR: Option<&str> = Some("2026-11-22T08:00:00Z");
        const FIVE_MINUTES: Option<&str> = Some("2026-11-22T08:55:00Z");
        const MINUTE: Option<&str> = Some("2026-11-22T08:59:00Z");
        // An absurd issue time takes nothing away.
        const AFTER_THE_END: Option<&str> = Some("2026-11-22T12:00:00Z");
        for (issued_at, now, is_fresh, is_due, is_last_resort) in [
            (None, "2026-11-22T08:54:59Z", true, false, true),
            (None, "2026-11-22T08:55:00Z", true, true, true),
            (None, "2026-11-22T08:59:29Z", true, true, true),
            (None, "2026-11-22T08:59:30Z", false, true, true),
            (HOUR, "2026-11-22T08:54:59Z", true, false, true),
            (HOUR, "2026-11-22T08:55:00Z", true, true, true),
            (HOUR, "2026-11-22T08:59:29Z", true, true, true),
            (HOUR, "2026-11-22T08:59:30Z", false, true, true),
            (HOUR, "2026-11-22T08:59:54Z", false, true, true),
            (HOUR, "2026-11-22T08:59:55Z", false, true, false),
            (HOUR, "2026-11-22T09:00:01Z", false, true, false),
            (FIVE_MINUTES, "2026-11-22T08:58:59Z", true, false, true),
            (FIVE_MINUTES, "2026-11-22T08:59:00Z", true, true, true),
            // A token that lives for a minute is good for 54 seconds.
            (MINUTE, "2026-11-22T08:59:47Z", true, false, true),
            (MINUTE, "2026-11-22T08:59:48Z", true, true, true),
            (MINUTE, "2026-11-22T08:59:53Z", true, true, true),
            (MINUTE, "2026-11-22T08:59:54Z", false, true, true),
            (AFTER_THE_END, "2026-11-22T08:59:59Z", true, false, false),
            (AFTER_THE_END, "2026-11-22T09:00:00Z", false, true, false),
        ] {
            let (entry, now) = (entry(issued_at), now.parse().unwrap());
            let found = (entry.is_fresh(now), entry.is_due(now), entry.is_last_resort(now));
            assert_eq!(found, (is_fresh, is_due, is_last_resort), "{issued_at:?} {now}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_refreshed_is_never_due() {
        let without = Entry { refresh_token: None, ..entry(None) };
        assert!(!without.is_due("2026-11-22T08:59:00Z".parse().unwrap()));
    }
}
