//! One sign-in per cache entry, however many processes ask: the first does it, the others wait and take its result,
//! failures too.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use kubesso_ambient::draw;
use kubesso_token_cache::cache::{self, EntryPaths};
use serde::{Deserialize, Serialize};

use crate::environment::Environment;

/// The lock of an entry, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    paths: EntryPaths,
    /// How the sign-in ended that this process waited for.
    pub(crate) awaited: Option<Outcome>,
    _lock: File,
}

/// How a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Succeeded,
    /// With the message that the person saw. It holds no secret: no error of ours does.
    Failed(String),
}

/// The latest sign-in for an entry, beside its lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    /// Random, so that two attempts are never taken for one.
    id: u64,
    process: u32,
    /// Seconds since 1970.
    started_at: i64,
    /// None while it is under way, and for ever if its process was killed.
    outcome: Option<Outcome>,
}

impl Turn {
    /// Waits until the entry is nobody else's. Fails only if there can be no lock in that place.
    pub(crate) async fn take(paths: &EntryPaths, environment: &Environment) -> io::Result<Self> {
        paths.create_directory()?;
        let mut waited_for: Option<Option<Attempt>> = None;
        let mut announced = false;
        let begin = tokio::time::Instant::now();
        loop {
            if let Some(lock) = try_lock(&paths.lock())? {
                let awaited = waited_for.and_then(|seen| ended_since(seen.as_ref(), Attempt::load(paths)));
                return Ok(Self { paths: paths.clone(), awaited, _lock: lock });
            }
            let seen = waited_for.get_or_insert_with(|| Attempt::load(paths));
            if !announced && begin.elapsed() >= environment.pacing.quiet_wait {
                announced = true;
                environment.say(&describe(Attempt::load(paths).as_ref().or(seen.as_ref())));
            }
            tokio::time::sleep(environment.pacing.lock_poll).await;
        }
    }

    /// Tells those who wait that this process is signing in now.
    pub(crate) fn begin(self, environment: &Environment) -> Running {
        let attempt = Attempt {
            id: u64::from_le_bytes(draw(&*environment.entropy)),
            process: std::process::id(),
            started_at: environment.clock.now().as_second(),
            outcome: None,
        };
        attempt.save(&self.paths, environment);
        Running { attempt, turn: self }
    }
}

/// A sign-in under way. Dropped without [`end`](Self::end), as at Ctrl-C, it leaves no result: the next in line
/// signs in itself.
pub(crate) struct Running {
    attempt: Attempt,
    turn: Turn,
}

impl Running {
    /// Leaves the result for those who wait, and lets the next one go on.
    pub(crate) fn end(mut self, outcome: Outcome, environment: &Environment) {
        self.attempt.outcome = Some(outcome);
        self.attempt.save(&self.turn.paths, environment);
    }
}

impl Attempt {
    fn load(paths: &EntryPaths) -> Option<Self> {
        serde_json::from_slice(&fs::read(paths.attempt()).ok()?).ok()
    }

    /// A record that cannot be written costs the others a sign-in of their own, so nothing is said of it.
    fn save(&self, paths: &EntryPaths, environment: &Environment) {
        if let Ok(bytes) = serde_json::to_vec(self) {
            let _ = cache::replace(&paths.attempt(), &bytes, &*environment.entropy);
        }
    }
}

/// The result of an attempt that ended after `seen` was read. No clock is asked: an end that was there already
/// belongs to an earlier call.
fn ended_since(seen: Option<&Attempt>, now: Option<Attempt>) -> Option<Outcome> {
    let now = now?;
    let known = seen.is_some_and(|seen| seen.id == now.id && seen.outcome.is_some());
    now.outcome.filter(|_| !known)
}

fn describe(attempt: Option<&Attempt>) -> String {
    match attempt.filter(|attempt| attempt.outcome.is_none()) {
        Some(attempt) => format!(
            "waiting for the sign-in that process {} has begun; finish it there, or press Ctrl-C here",
            attempt.process
        ),
        None => "waiting for another process that is signing in; press Ctrl-C to stop waiting".to_owned(),
    }
}

/// The locked file, or `None` if another process has it.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    loop {
        // In a read-only directory a lock file from before can still be locked.
        let file = cache::private(File::options().write(true).create(true).truncate(false))
            .open(path)
            .or_else(|error| File::open(path).map_err(|_| error))?;
        match file.try_lock() {
            Ok(()) if is_still_at(&file, path) => return Ok(Some(file)),
            // `clean` deleted it between opening and locking: others lock another file by now.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}

/// An open file's name is not given to another file here.
#[cfg(not(unix))]
fn is_still_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_came_while_waiting_counts() {
        let attempt = |id, outcome: Option<Outcome>| Attempt { id, process: 1, started_at: 0, outcome };
        let failed = || Some(Outcome::Failed("no".to_owned()));
        for (seen, now, result) in [
            (None, None, None),
            (None, Some(attempt(1, failed())), failed()),
            (Some(attempt(1, None)), Some(attempt(1, failed())), failed()),
            (Some(attempt(1, None)), Some(attempt(1, None)), None),
            (Some(attempt(1, failed())), Some(attempt(1, failed())), None),
            (Some(attempt(1, failed())), Some(attempt(2, failed())), failed()),
            (Some(attempt(1, failed())), Some(attempt(2, None)), None),
            (Some(attempt(1, None)), Some(attempt(2, Some(Outcome::Succeeded))), Some(Outcome::Succeeded)),
        ] {
            assert_eq!(ended_since(seen.as_ref(), now.clone()), result, "{seen:?} {now:?}");
        }
    }
}
