//! Waiting for something to become so, with an end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two attempts.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Asks `attempt` again until it answers; after `limit` the error says `what` did not happen.
///
/// # Errors
/// The attempt's own error at once, or the deadline's.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = attempt().await? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("not within {limit:?}: {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
