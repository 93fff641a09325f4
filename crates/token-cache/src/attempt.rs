//! What is known of the latest sign-ins for an entry: a small file beside its lock. It is how those who wait learn the
//! result, and what keeps programs that call again and again from opening one browser tab after the other.
//!
//! It holds no secret, and losing it costs no more than a tab: a file that cannot be read is an empty record.

use std::fs;
use std::io;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::Entropy;
use serde::{Deserialize, Serialize};

use crate::cache::{self, EntryPaths};

/// The latest sign-ins for one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The latest one.
    pub latest: Option<Attempt>,
    /// The prompts that came to nothing since one succeeded.
    prompts: Failures,
    /// The refreshes in the background that failed since one succeeded.
    refreshes: Failures,
}

/// A sign-in, or a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Random, so that two attempts are never taken for one.
    pub id: u64,
    /// Who does it.
    pub process: u32,
    /// Seconds since 1970.
    pub started_at: i64,
    /// What the person is asked for, once they are.
    #[serde(default)]
    pub prompt: Option<Prompt>,
    /// Whether it was left to a process that has not begun yet.
    #[serde(default)]
    pub is_handed_over: bool,
    /// None while it is under way, and for ever if its process was killed.
    pub outcome: Option<Outcome>,
    /// When that was, in seconds since 1970.
    #[serde(default)]
    pub ended_at: Option<i64>,
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// To sign in, in a browser that was opened or named.
    Browser,
    /// To type the code of the device flow into a browser anywhere.
    Code,
}

/// How a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a token.
    Succeeded,
    /// With the message that the person saw. It holds no secret: no error of ours does.
    Failed(String),
    /// Somebody stopped it, which says nothing to those who wait.
    Interrupted,
}

/// Failures in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Failures {
    count: u32,
    /// When the latest was, in seconds since 1970.
    at: i64,
    /// Why the latest was.
    reason: String,
}

/// Whether somebody sits where the question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attendance {
    /// Standard input and standard error are a terminal.
    Attended,
    /// A program calls: a dashboard, an editor, a job.
    Unattended,
}

/// No prompt for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// How long.
    pub remaining: SignedDuration,
    /// Why the latest prompt came to nothing.
    pub reason: String,
}

/// A person at a terminal asked for it, so as many prompts as this may come to nothing before there is a pause.
const PATIENCE: u32 = 2;
/// After the first prompt too many …
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// … which doubles up to this.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// After the first refresh in the background that failed, and at most.
const REFRESH_PAUSES: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(10), SignedDuration::from_mins(5));
/// A refresh that began so long ago is not under way any more.
const LONGEST_REFRESH: SignedDuration = SignedDuration::from_secs(60);

impl Record {
    /// The record of an entry.
    pub fn load(paths: &EntryPaths) -> Self {
        fs::read(paths.attempt())
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Replaces the record.
    pub fn save(&self, paths: &EntryPaths, entropy: &dyn Entropy) -> io::Result<()> {
        cache::replace(&paths.attempt(), &serde_json::to_vec(self)?, entropy)
    }

    /// Notes a prompt that came to nothing.
    pub fn prompt_failed(&mut self, reason: String, at: Timestamp) {
        self.prompts.add(reason, at.as_second());
    }

    /// Notes a refresh in the background that failed.
    pub fn refresh_failed(&mut self, reason: String, at: Timestamp) {
        self.refreshes.add(reason, at.as_second());
    }

    /// Notes that somebody has signed in.
    pub fn succeeded(&mut self) {
        (self.prompts, self.refreshes) = Default::default();
    }

    /// The latest attempt belonged to a process that is gone. If it asked a person, that came to nothing.
    pub fn bury(&mut self) {
        if let Some(latest) = self.latest.as_mut().filter(|latest| latest.outcome.is_none()) {
            latest.outcome = Some(Outcome::Interrupted);
            if latest.prompt.is_some() {
                let at = latest.started_at;
                self.prompts.add("its process was killed".to_owned(), at);
            }
        }
    }

    /// Whether a prompt must not be shown yet.
    ///
    /// Where nobody sits at a terminal there is a pause after each prompt that came to nothing: one minute, two, four,
    /// up to an hour. At a terminal the third in a row is the first to be followed by one.
    pub fn back_off(&self, now: Timestamp, attendance: Attendance) -> Option<BackOff> {
        let patience = match attendance {
            Attendance::Attended => PATIENCE,
            Attendance::Unattended => 0,
        };
        let remaining = self.prompts.pause_left(patience, (FIRST_PAUSE, LONGEST_PAUSE), now)?;
        Some(BackOff { remaining, reason: self.prompts.reason.clone() })
    }

    /// Whether a refresh in the background may begin: nobody is at it, and the latest did not fail a moment ago.
    pub fn permits_refresh(&self, now: Timestamp) -> bool {
        let under_way = self.latest.as_ref().is_some_and(|latest| {
            let age = now.as_second().saturating_sub(latest.started_at);
            latest.outcome.is_none() && (0..LONGEST_REFRESH.as_secs()).contains(&age)
        });
        !under_way && self.refreshes.pause_left(0, REFRESH_PAUSES, now).is_none()
    }
}

impl Failures {
    fn add(&mut self, reason: String, at: i64) {
        *self = Self { count: self.count.saturating_add(1), at, reason };
    }

    /// What is left of the pause after these failures, of which the first `free` have none.
    fn pause_left(
        &self,
        free: u32,
        (first, longest): (SignedDuration, SignedDuration),
        now: Timestamp,
    ) -> Option<SignedDuration> {
        let doublings = self.count.checked_sub(free.saturating_add(1))?;
        let pause =
            first.checked_mul(2_i32.saturating_pow(doublings)).map_or(longest, |pause| pause.min(longest));
        let since = SignedDuration::from_secs(now.as_second().saturating_sub(self.at));
        // A failure that is still to come was noted by a clock that has been put right since.
        (since >= SignedDuration::ZERO && since < pause).then(|| pause - since)
    }
}

#[cfg(test)]
mod tests;
