//! Turns at hashing passwords: so many at once as there are processors, because each takes 19 MiB and a
//! processor for some tens of milliseconds.

use std::sync::Arc;
use std::time::Duration;

use kubesso_ambient::TRACES;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tracing::{Instrument as _, info_span};

/// How long somebody waits for a turn before being asked to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How many people wait for each turn at most.
const WAITING_FOR_EACH: usize = 32;

/// Threads for hashing.
pub(crate) struct HashingThreads {
    turns: Arc<Semaphore>,
    /// One permit a person who waits, or whose turn it is.
    places: Semaphore,
    longest_wait: Duration,
}

impl HashingThreads {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            places: Semaphore::new(at_once.saturating_mul(WAITING_FOR_EACH)),
            longest_wait: LONGEST_WAIT,
        }
    }

    /// The result of `work`, done on a thread for blocking work when its turn comes; `None`: too many wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, JoinError> {
        let span = info_span!(target: TRACES, "hash", otel.name = "hash a password");
        self.in_turn(work).instrument(span).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, JoinError> {
        let Ok(_place) = self.places.try_acquire() else { return Ok(None) };
        let turn = tokio::time::timeout(self.longest_wait, Arc::clone(&self.turns).acquire_owned()).await;
        // Never closed, so that only the time can have run out.
        let Ok(Ok(turn)) = turn else { return Ok(None) };
        let working = move || {
            let done = work();
            // Here and not when nobody waits any more: a browser that hangs up does not stop the work, and a
            // thousand that do must not make a thousand threads.
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(working).await.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_keeps_its_turn_until_it_ends() {
        let threads = HashingThreads::new(1);
        let (finish, finishing) = mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let work = move || {
            begun.send(()).unwrap();
            finishing.recv().unwrap();
        };
        tokio::select! {
            _ = threads.run(work) => panic!("nobody has let it finish"),
            begun = has_begun => begun.unwrap(),
        }
        assert_eq!(threads.turns.available_permits(), 0, "the browser hung up, and the thread works on");
        finish.send(()).unwrap();
        assert_eq!(threads.run(|| 1).await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn whoever_finds_every_place_taken_or_waits_for_too_long_is_sent_away() {
        let threads = HashingThreads { longest_wait: Duration::ZERO, ..HashingThreads::new(1) };
        let turn = threads.turns.acquire().await.unwrap();
        assert_eq!(threads.run(|| ()).await.unwrap(), None, "no turn in time");
        drop(turn);
        assert_eq!(threads.run(|| ()).await.unwrap(), Some(()));
        let places = threads.places.acquire_many(32).await.unwrap();
        assert_eq!(threads.run(|| ()).await.unwrap(), None, "all places are taken");
        drop(places);
        assert_eq!(threads.run(|| ()).await.unwrap(), Some(()));
    }
}
