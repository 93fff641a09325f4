//! How many requests a caller may make, as Okta's headers tell it (`X-Rate-Limit-Limit`, `-Remaining`, `-Reset`).
//!
//! A window of a minute for each caller, in memory: each replica counts for itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// So many requests a minute for one caller. Terraform with its ten parallel operations stays far below; a loop that ran
/// away does not.
const PER_MINUTE: u32 = 12_000;
/// So many callers are remembered; beyond, windows that are over are forgotten.
const MOST_CALLERS: usize = 10_000;

/// Counts requests.
#[derive(Debug, Default)]
pub(crate) struct RateLimit(Mutex<HashMap<String, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    /// The minute since 1970.
    minute: i64,
    requests: u32,
}

/// Where a caller stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// When the window ends, in seconds since 1970.
    pub(crate) reset: i64,
    pub(crate) is_exceeded: bool,
}

impl RateLimit {
    /// Counts a request of `caller` at `now`.
    pub(crate) fn count(&self, caller: &str, now: Timestamp) -> Standing {
        let minute = now.as_second().div_euclid(60);
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_CALLERS {
            windows.retain(|_, window| window.minute == minute);
        }
        let window = windows.entry(caller.to_owned()).or_insert(Window { minute, requests: 0 });
        if window.minute != minute {
            *window = Window { minute, requests: 0 };
        }
        let is_exceeded = window.requests >= PER_MINUTE;
        window.requests = window.requests.saturating_add(1);
        Standing {
            limit: PER_MINUTE,
            remaining: PER_MINUTE.saturating_sub(window.requests),
            reset: (minute + 1) * 60,
            is_exceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_requests_a_minute_and_another_has_its_own() {
        let limit = RateLimit::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = limit.count("one", at(61));
        assert_eq!((first.remaining, first.reset, first.is_exceeded), (PER_MINUTE - 1, 120, false));
        for _ in 1..PER_MINUTE {
            assert!(!limit.count("one", at(100)).is_exceeded);
        }
        assert!(limit.count("one", at(119)).is_exceeded);
        assert!(!limit.count("other", at(119)).is_exceeded);
        assert!(!limit.count("one", at(120)).is_exceeded, "a new minute");
    }
}
