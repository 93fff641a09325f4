//! How often devices ask (RFC 8628 §3.5): in memory, because it is a courtesy. Each process keeps its own, and forgets it
//! when it ends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kubesso_directory::GrantId;

/// What a device is told to wait between two questions.
pub(crate) const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// By how much that grows each time that it does not.
const STEP: SignedDuration = SignedDuration::from_secs(5);
/// How many devices are remembered.
const MOST: usize = 10_000;

/// When each device asked last. Only devices with a code of ours get in.
#[derive(Default)]
pub(crate) struct Polls(Mutex<HashMap<GrantId, Poll>>);

#[derive(Clone, Copy)]
struct Poll {
    last: Timestamp,
    interval: SignedDuration,
    /// The end of its code.
    ends: Timestamp,
}

impl Polls {
    /// Notes that a device asks at `now`; whether that is too early, so that it has to wait for longer from now on.
    pub(crate) fn is_too_early(&self, device: &GrantId, ends: Timestamp, now: Timestamp) -> bool {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poll) = polls.get_mut(device) {
            let is_too_early = now.duration_since(poll.last).abs() < poll.interval;
            if is_too_early {
                poll.interval = poll.interval.saturating_add(STEP);
            }
            poll.last = now;
            return is_too_early;
        }
        if polls.len() >= MOST {
            polls.retain(|_, poll| poll.ends > now);
        }
        if polls.len() >= MOST {
            // So many at once are a flood, and nobody else is harmed by being asked more often for a while.
            polls.clear();
        }
        polls.insert(device.clone(), Poll { last: now, interval: INTERVAL, ends });
        false
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn whoever_asks_too_early_has_to_wait_for_five_seconds_longer_each_time() {
        let polls = Polls::default();
        let entropy = SeededEntropy::new(1);
        let (one, other) = (GrantId::generate(&entropy), GrantId::generate(&entropy));
        let cases = [(0, false), (5, false), (9, true), (18, true), (33, false), (47, true), (67, false)];
        for (second, expected) in cases {
            assert_eq!(polls.is_too_early(&one, at(900), at(second)), expected, "at {second}");
        }
        assert!(!polls.is_too_early(&other, at(900), at(67)), "each device has its own pace");
    }

    #[test]
    fn no_flood_is_remembered_for_ever() {
        let polls = Polls::default();
        let entropy = SeededEntropy::new(1);
        for number in 0..25_000 {
            let ends = if number % 2 == 0 { 10 } else { 900 };
            polls.is_too_early(&GrantId::generate(&entropy), at(ends), at(20));
        }
        assert!(polls.0.lock().unwrap().len() <= MOST);
    }
}
