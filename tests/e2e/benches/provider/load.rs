//! Workers that ask again and again for a while.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;

/// How long each answer took, and all together.
pub(crate) struct Measured {
    times: Vec<Duration>,
    whole: Duration,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        // A benchmark does not count far enough to lose a digit.
        f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX)) / self.whole.as_secs_f64()
    }

    /// Milliseconds at that part of a hundred.
    pub(crate) fn at(&self, part: usize) -> f64 {
        let index = self.times.len().saturating_sub(1) * part / 100;
        self.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// Lets `workers` do `once` side by side, each as often as it can. One thread carries them: it only waits and parses.
pub(crate) async fn during<W>(
    time: Duration,
    workers: Vec<W>,
    once: impl AsyncFn(&mut W) -> Result<()>,
) -> Result<Measured> {
    let begin = Instant::now();
    let each = workers.into_iter().map(async |mut worker| {
        // Connections are made before anything counts.
        once(&mut worker).await?;
        let mut times = Vec::new();
        while begin.elapsed() < time {
            let asked = Instant::now();
            once(&mut worker).await?;
            times.push(asked.elapsed());
        }
        Ok::<_, anyhow::Error>(times)
    });
    let mut times: Vec<Duration> = try_join_all(each).await?.into_iter().flatten().collect();
    let whole = begin.elapsed();
    times.sort();
    Ok(Measured { times, whole })
}
