//! Beginning a transaction again that lost against another, or its server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kubesso_ambient::{Entropy, draw};
use kubesso_directory::StoreError;
use kubesso_store_sql::SqlError;
use tokio::time::sleep;

/// How often a transaction is tried.
const TRIES: u32 = 24;
/// The longest pause is two to this power of milliseconds.
const LONGEST: u32 = 7;

/// Pauses of random length, so that those that met once do not meet again.
#[derive(Debug)]
pub(crate) struct Retries(AtomicU64);

impl Retries {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self(AtomicU64::new(u64::from_le_bytes(draw(entropy))))
    }

    /// Whether a transaction that has failed `failed` times is worth another try, after a pause.
    ///
    /// A name that is taken is looked at once more: when another transaction took it meanwhile, what this one expected
    /// of the directory may not be true any more, and that is the better answer.
    pub(crate) async fn again(&self, error: &StoreError, failed: u32) -> bool {
        let is_worth_it = match error {
            StoreError::Conflict { .. } => failed == 1,
            error => SqlError::is_passing(error) && failed < TRIES,
        };
        if is_worth_it {
            sleep(self.pause(failed)).await;
        }
        is_worth_it
    }

    fn pause(&self, failed: u32) -> Duration {
        let longest = 1000 << failed.min(LONGEST);
        Duration::from_micros(longest / 2 + self.next() % (longest / 2))
    }

    /// The next number of a Weyl sequence, mixed: enough to scatter pauses, of no use for secrets.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let number = self.0.fetch_add(STEP, Ordering::Relaxed);
        let number = (number ^ (number >> 32)).wrapping_mul(STEP);
        number ^ (number >> 29)
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;
    use kubesso_store_sql::ErrorKind;

    use super::*;

    fn contention() -> StoreError {
        let source = Box::new(SqlError::new(ErrorKind::Contention, "could not serialize"));
        StoreError::Database { what: "commit", source }
    }

    #[test]
    fn pauses_grow_to_an_eighth_of_a_second_and_differ() {
        let retries = Retries::new(&SeededEntropy::new(1));
        for failed in 1..40 {
            let longest = Duration::from_millis(1 << failed.min(7));
            let pause = retries.pause(failed);
            assert!(pause >= longest / 2 && pause < longest, "{failed}: {pause:?}");
        }
        assert_ne!(retries.pause(7), retries.pause(7));
    }

    #[tokio::test]
    async fn contention_is_tried_again_up_to_a_bound_and_a_taken_name_once() {
        let retries = Retries::new(&SeededEntropy::new(1));
        assert!(retries.again(&contention(), 1).await);
        assert!(!retries.again(&contention(), TRIES).await);
        let taken = StoreError::Conflict { what: "user", name: "ann".to_owned() };
        assert!(retries.again(&taken, 1).await);
        assert!(!retries.again(&taken, 2).await);
        assert!(!retries.again(&StoreError::Stale, 1).await);
    }
}
