//! Time and randomness, as values.
//!
//! Whatever needs to know the time or to draw a random number takes a [`Clock`] or an [`Entropy`], so that a
//! lifetime is tested by moving the clock and a flow by replaying its randomness. Nothing else in the
//! workspace may ask the operating system for either (`clippy.toml` forbids it).
//!
//! ```
//! use kubesso_ambient::{Clock, ManualClock};
//! use jiff::SignedDuration;
//!
//! let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
//! let before = clock.now();
//! clock.advance(SignedDuration::from_mins(10));
//! assert_eq!(clock.now().duration_since(before), SignedDuration::from_mins(10));
//! ```

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The target of the spans that `kubesso serve` exports as traces. Their names and fields are of fixed sets: no span says
/// who it is about, and none holds a secret. (A name that begins with `kubesso` would put them into the log.)
pub const TRACES: &str = "traces";

/// Tells the time. Shared as `Arc<dyn Clock>`.
pub trait Clock: Debug + Send + Sync {
    /// The present moment, in UTC.
    fn now(&self) -> Timestamp;
}

/// The operating system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock; a negative duration moves it back. It stops at the ends of representable time.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source of unpredictable bytes. Shared as `Arc<dyn Entropy>`.
pub trait Entropy: Debug + Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` bytes drawn from `entropy`: `let nonce: [u8; 32] = draw(&*entropy);`.
pub fn draw<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// The operating system's cryptographic generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// Panics when the machine has no randomness: nobody can be signed in safely then.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(getrandom::fill(bytes).is_ok(), "the operating system gave no random bytes");
    }
}

/// Repeatable bytes for tests; the same seed gives the same sequence. **Not random**: never outside tests.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// A sequence of its own for every `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for SeededEntropy {
    /// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
    fn fill(&self, bytes: &mut [u8]) {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            for (byte, drawn) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *byte = drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
        clock.advance(SignedDuration::from_secs(-5));
        assert_eq!(clock.now().as_second(), -5);
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let drawn = |seed| draw::<33>(&SeededEntropy::new(seed));
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn the_operating_system_gives_different_bytes_each_time() {
        assert_ne!(draw::<32>(&OsEntropy), draw::<32>(&OsEntropy));
    }
}
