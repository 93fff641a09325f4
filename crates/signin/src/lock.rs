//! One sign-in per cache entry, however many processes ask: the first does it, the others wait and take its result,
//! failures too.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use jiff::Timestamp;
use kubesso_ambient::draw;
use kubesso_token_cache::attempt::{Attempt, Outcome, Prompt, Record};
use kubesso_token_cache::cache::{self, EntryPaths};
use tokio::time::Instant;

use crate::environment::Environment;
use crate::error::Error;

/// The lock of an entry, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    paths: EntryPaths,
    record: Record,
    /// How the sign-in ended that this process waited for.
    pub(crate) awaited: Option<Outcome>,
    _lock: File,
}

/// Who wants the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The process that the sign-in was left to.
    Heir,
    /// Anybody else, who lets the heir go first.
    Newcomer,
}

impl Turn {
    /// Waits until the entry is nobody else's. Fails only if there can be no lock in that place.
    pub(crate) async fn take(
        paths: &EntryPaths,
        claim: Claim,
        environment: &Environment,
    ) -> io::Result<Self> {
        paths.create_directory()?;
        let begin = Instant::now();
        let mut seen: Option<Record> = None;
        let mut announced = false;
        let mut handed_over_since = None;
        loop {
            let lock = try_lock(&paths.lock())?;
            let record = Record::load(paths);
            if let Some(lock) = lock {
                // An heir that does not come was killed on its way here.
                let heir_may_come = claim == Claim::Newcomer
                    && is_handed_over(&record)
                    && handed_over_since.get_or_insert_with(Instant::now).elapsed()
                        < environment.pacing.helper;
                if !heir_may_come {
                    let now = environment.clock.now();
                    let awaited = seen.and_then(|seen| ended_since(&seen, &record, now));
                    return Ok(Self::new(paths, record, awaited, lock));
                }
            }
            if !announced && begin.elapsed() >= environment.pacing.quiet_wait {
                announced = true;
                environment.progress(&describe(record.latest.as_ref(), environment.clock.now()));
            }
            seen.get_or_insert(record);
            tokio::time::sleep(environment.pacing.lock_poll).await;
        }
    }

    /// The lock, unless somebody has it.
    pub(crate) fn take_now(paths: &EntryPaths) -> io::Result<Option<Self>> {
        let lock = try_lock(&paths.lock())?;
        Ok(lock.map(|lock| Self::new(paths, Record::load(paths), None, lock)))
    }

    fn new(paths: &EntryPaths, mut record: Record, awaited: Option<Outcome>, lock: File) -> Self {
        // Whoever it was does not hold the lock any more.
        record.bury();
        Self { paths: paths.clone(), record, awaited, _lock: lock }
    }

    /// What came before.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Tells those who wait that this process is at it now.
    pub(crate) fn begin(mut self, environment: &Environment) -> Running<'_> {
        self.record.latest = Some(Attempt {
            id: u64::from_le_bytes(draw(&*environment.entropy)),
            process: std::process::id(),
            started_at: environment.clock.now().as_second(),
            prompt: None,
            is_handed_over: false,
            outcome: None,
            ended_at: None,
        });
        cache::sweep(self.paths.directory(), environment.clock.now());
        let running = Running { turn: self, environment, has_ended: false };
        running.save();
        running
    }
}

/// A sign-in, or a refresh, under way. Dropped without an end, as at Ctrl-C, it leaves no result: the next in line
/// signs in itself.
pub(crate) struct Running<'e> {
    turn: Turn,
    environment: &'e Environment,
    has_ended: bool,
}

impl Running<'_> {
    /// What came before.
    pub(crate) fn record(&self) -> &Record {
        &self.turn.record
    }

    /// Tells those who wait that the person is asked now.
    pub(crate) fn prompt(&mut self, prompt: Prompt) {
        self.change(|latest| latest.prompt = Some(prompt));
    }

    /// Leaves the sign-in to a process that is waiting for the lock.
    pub(crate) fn hand_over(mut self) {
        self.change(|latest| latest.is_handed_over = true);
        self.has_ended = true;
    }

    /// Leaves the result for those who wait, and lets the next one go on.
    pub(crate) fn end(mut self, result: Result<(), &Error>) {
        match result {
            Ok(()) => self.turn.record.succeeded(),
            Err(error) if self.is_prompting() => {
                if let Some(reason) = error.fruitless_prompt() {
                    self.turn.record.prompt_failed(reason, self.environment.clock.now());
                }
            }
            Err(_) => {}
        }
        self.finish(match result {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed(error.to_string()),
        });
    }

    /// The same for a refresh in the background, whose failure is nobody's result.
    pub(crate) fn end_refresh(mut self, result: Result<(), &Error>) {
        let outcome = match result {
            Ok(()) => {
                self.turn.record.succeeded();
                Outcome::Succeeded
            }
            Err(error) => {
                self.turn.record.refresh_failed(error.to_string(), self.environment.clock.now());
                Outcome::Interrupted
            }
        };
        self.finish(outcome);
    }

    fn is_prompting(&self) -> bool {
        self.turn.record.latest.as_ref().is_some_and(|latest| latest.prompt.is_some())
    }

    fn finish(&mut self, outcome: Outcome) {
        let now = self.environment.clock.now().as_second();
        self.has_ended = true;
        self.change(|latest| (latest.outcome, latest.ended_at) = (Some(outcome), Some(now)));
    }

    fn change(&mut self, change: impl FnOnce(&mut Attempt)) {
        if let Some(latest) = &mut self.turn.record.latest {
            change(latest);
        }
        self.save();
    }

    /// A record that cannot be written costs the others a sign-in of their own, so nothing is said of it.
    fn save(&self) {
        let _ = self.turn.record.save(&self.turn.paths, &*self.environment.entropy);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // A person who presses Ctrl-C knows of the prompt. A program that ends its call leaves a tab behind.
        if self.is_prompting() && !self.environment.terminal.is_attended() {
            let now = self.environment.clock.now();
            self.turn.record.prompt_failed("it was interrupted".to_owned(), now);
        }
        self.finish(Outcome::Interrupted);
    }
}

fn is_handed_over(record: &Record) -> bool {
    record.latest.as_ref().is_some_and(|latest| latest.is_handed_over && latest.outcome.is_none())
}

/// A failure so short ago, in seconds, is also the result for a call that had to wait, but came too late to see the
/// attempt under way: another one waiting was taking note of it.
const STILL_WARM: i64 = 2;

/// The result of the attempt that a call waited for: of one that ended after `seen` was read, or of one that failed a
/// moment before.
fn ended_since(seen: &Record, now: &Record, time: Timestamp) -> Option<Outcome> {
    let latest = now.latest.as_ref()?;
    let is_known = seen.latest.as_ref().is_some_and(|seen| seen.id == latest.id && seen.outcome.is_some());
    let age = time.as_second().saturating_sub(latest.ended_at?);
    latest.outcome.clone().filter(|outcome| match outcome {
        Outcome::Succeeded => !is_known,
        Outcome::Failed(_) => !is_known || (0..=STILL_WARM).contains(&age),
        Outcome::Interrupted => false,
    })
}

fn describe(latest: Option<&Attempt>, now: Timestamp) -> String {
    let Some(latest) = latest.filter(|latest| latest.outcome.is_none()) else {
        return "waiting for another process that is signing in; press Ctrl-C to stop waiting".to_owned();
    };
    let process = latest.process;
    let seconds = now.as_second().saturating_sub(latest.started_at).max(0);
    let (what, mend) = match latest.prompt {
        Some(Prompt::Browser) => ("until somebody signs in, in the browser", "do that"),
        Some(Prompt::Code) => ("until somebody enters the code that it shows", "do that"),
        None => ("for the provider", "wait"),
    };
    format!("process {process} has been waiting for {seconds} seconds {what}; {mend}, or press Ctrl-C")
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

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn only_an_end_that_came_while_waiting_counts() {
        let nothing = Record::default;
        let attempt = |id, outcome: Option<Outcome>, age| {
            let ended_at = outcome.as_ref().map(|_| NOW - age);
            let (process, started_at, prompt, is_handed_over) = (1, 0, None, false);
            let latest = Attempt { id, process, started_at, prompt, is_handed_over, outcome, ended_at };
            let mut record = Record::default();
            record.latest = Some(latest);
            record
        };
        let failed = || Some(Outcome::Failed("no".to_owned()));
        let (succeeded, interrupted) = (Some(Outcome::Succeeded), Some(Outcome::Interrupted));
        for (seen, now, result) in [
            (nothing(), nothing(), None),
            (nothing(), attempt(1, failed(), 5), failed()),
            (attempt(1, None, 0), attempt(1, failed(), 5), failed()),
            (attempt(1, None, 0), attempt(1, None, 0), None),
            (attempt(1, None, 0), attempt(1, interrupted, 0), None),
            (attempt(1, failed(), 5), attempt(1, failed(), 5), None),
            (attempt(1, failed(), 2), attempt(1, failed(), 2), failed()),
            (attempt(1, failed(), -1), attempt(1, failed(), -1), None),
            (attempt(1, failed(), 5), attempt(2, failed(), 5), failed()),
            (attempt(1, failed(), 5), attempt(2, None, 0), None),
            (attempt(1, None, 0), attempt(2, succeeded.clone(), 0), succeeded.clone()),
            (attempt(1, succeeded.clone(), 0), attempt(1, succeeded, 0), None),
        ] {
            let time = Timestamp::from_second(NOW).unwrap();
            assert_eq!(ended_since(&seen, &now, time), result, "{seen:?} {now:?}");
        }
    }

    #[test]
    fn those_who_wait_are_told_for_whom_and_what() {
        let at = |second| Timestamp::from_second(NOW + second).unwrap();
        let attempt = |prompt, outcome| Attempt {
            id: 1,
            process: 4711,
            started_at: NOW,
            prompt,
            is_handed_over: false,
            outcome,
            ended_at: None,
        };
        for (latest, second, line) in [
            (
                attempt(Some(Prompt::Browser), None),
                40,
                "process 4711 has been waiting for 40 seconds until somebody signs in, in the browser; do that, or press \
                 Ctrl-C",
            ),
            (
                attempt(Some(Prompt::Code), None),
                -5,
                "process 4711 has been waiting for 0 seconds until somebody enters the code that it shows; do that, or \
                 press Ctrl-C",
            ),
            (
                attempt(None, None),
                3,
                "process 4711 has been waiting for 3 seconds for the provider; wait, or press Ctrl-C",
            ),
            (
                attempt(None, Some(Outcome::Succeeded)),
                3,
                "waiting for another process that is signing in; press Ctrl-C to stop waiting",
            ),
        ] {
            assert_eq!(describe(Some(&latest), at(second)), line);
        }
    }
}
