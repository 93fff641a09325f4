//! The audit trail as it is written, for a program that collects it: each entry as a line, none twice, none lost.
//!
//! Where it has come to is kept in the data directory. An entry may be written into the trail a little after the time
//! that it bears; so long, what was seen is remembered one by one instead. The place is kept after the lines are: what a
//! crash left in the file in between is found there at the next start, and not written again.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::Clock;
use kubesso_directory::{AuditEvent, AuditEventId, AuditQuery, SortOrder, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::line;
use crate::data_directory::{Mode, write_atomically};

/// The place's file in the data directory.
const POSITION: &str = "audit-log.position";
/// How often the trail is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After which nothing is written into the trail any more with an earlier time.
const SETTLING: SignedDuration = SignedDuration::from_mins(1);
/// How each of our lines begins.
const BEGINNING: &[u8] = b"{\"id\":\"evt";
/// How many entries are written at once.
const PAGE: u32 = 500;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    Stderr,
    File(PathBuf),
}

impl<'de> Deserialize<'de> for Sink {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text == "stderr" { Self::Stderr } else { Self::File(text.into()) })
    }
}

/// Why the lines are not where they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// The trail cannot be read.
    #[error("the audit trail cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The lines, or the place, cannot be written or read.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The place cannot be understood.
    #[error("{path} cannot be understood ({problem}): remove it, and every entry is written again")]
    Position {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// How far the trail is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// The last entry up to which all are written.
    settled: Option<(Timestamp, String)>,
    /// Those after it that are written.
    seen: BTreeSet<String>,
    /// How long the file was then.
    length: u64,
}

/// Follows the trail into a sink.
pub(crate) struct Follower {
    sink: Sink,
    place: PathBuf,
    position: Position,
}

impl Follower {
    /// Goes on where the last one was, or at the beginning.
    pub(crate) fn start(sink: Sink, data_directory: &Path) -> Result<Self, FollowError> {
        let place = data_directory.join(POSITION);
        let mut position = match fs::read_to_string(&place) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|e| FollowError::Position { path: place.clone(), problem: e.to_string() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Position::default(),
            Err(source) => return Err(FollowError::Write { path: place, source }),
        };
        if let Sink::File(path) = &sink {
            let found = unfinished(path, &mut position);
            found.map_err(|source| FollowError::Write { path: path.clone(), source })?;
        }
        Ok(Self { sink, place, position })
    }

    /// Writes what comes, until `shutdown`.
    pub(crate) async fn run(&mut self, store: &dyn Store, clock: &dyn Clock, shutdown: &CancellationToken) {
        let mut is_failing = false;
        loop {
            match self.catch_up(store, clock.now()).await {
                Ok(()) => is_failing = false,
                Err(error) if !is_failing => {
                    tracing::error!(%error, "the audit log is not written; it is tried again every second");
                    is_failing = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Writes all that is there and is not written yet.
    pub(crate) async fn catch_up(&mut self, store: &dyn Store, now: Timestamp) -> Result<(), FollowError> {
        loop {
            let seen = u32::try_from(self.position.seen.len()).unwrap_or(u32::MAX);
            let limit = PAGE.saturating_add(seen);
            let settled = self.position.settled.as_ref();
            let settled = settled.and_then(|(time, id)| Some((*time, AuditEventId::parse(id).ok()?)));
            let found = store
                .find_audit_events(&AuditQuery {
                    since: Timestamp::MIN,
                    until: Timestamp::MAX,
                    filter: None,
                    words: &[],
                    order: SortOrder::Ascending,
                    after: settled.as_ref().map(|(time, id)| (*time, id)),
                    limit,
                })
                .await?;
            let before = self.position.clone();
            let new = self.position.advance(&found, now.saturating_sub(SETTLING).unwrap_or(now));
            if self.position != before
                && let Err(error) = self.keep(&new)
            {
                self.position = before;
                return Err(error);
            }
            if found.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    fn keep(&mut self, new: &[&AuditEvent]) -> Result<(), FollowError> {
        if !new.is_empty() {
            let lines: String = new.iter().map(|event| line(event)).collect();
            self.append(lines.as_bytes())?;
        }
        let text = serde_json::to_vec(&self.position).unwrap_or_default();
        write_atomically(&self.place, &text, Mode::Private)
            .map_err(|source| FollowError::Write { path: self.place.clone(), source })
    }

    /// Opened anew each time, so that the file may be moved away by whoever rotates it.
    fn append(&mut self, lines: &[u8]) -> Result<(), FollowError> {
        let (path, written) = match &self.sink {
            Sink::Stderr => (PathBuf::from("standard error"), io::stderr().write_all(lines).map(|()| 0)),
            Sink::File(path) => (path.clone(), append(path, lines)),
        };
        self.position.length = written.map_err(|source| FollowError::Write { path, source })?;
        Ok(())
    }
}

/// The file's length after it.
fn append(path: &Path, lines: &[u8]) -> io::Result<u64> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if let Err(error) = written {
        // A part of a line, when the disk is full: the next try writes it whole.
        let _ = file.set_len(before);
        return Err(error);
    }
    Ok(file.metadata()?.len())
}

/// Finds what was written after the place was kept, and takes away a line that was not finished.
fn unfinished(path: &Path, position: &mut Position) -> io::Result<()> {
    #[derive(Deserialize)]
    struct Written {
        id: String,
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length <= position.length {
        return Ok(());
    }
    file.seek(SeekFrom::Start(position.length))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for line in rest.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
        if let Ok(Written { id }) = serde_json::from_slice(line) {
            position.seen.insert(id);
        }
    }
    // A file of somebody else's stays as it is.
    let begun = rest.get(whole..).unwrap_or_default();
    if !begun.is_empty() && (begun.starts_with(BEGINNING) || BEGINNING.starts_with(begun)) {
        let end = position.length + u64::try_from(whole).unwrap_or(0);
        OpenOptions::new().write(true).open(path)?.set_len(end)?;
    }
    Ok(())
}

impl Position {
    /// Which of `found`, the entries after this place, are new; and goes on behind them. Before `settled` nothing will come
    /// any more.
    fn advance<'a>(&mut self, found: &'a [AuditEvent], settled: Timestamp) -> Vec<&'a AuditEvent> {
        let mut new = Vec::new();
        for event in found {
            let is_settled = event.published < settled;
            let is_new = if is_settled {
                self.settled = Some((event.published, event.id.to_string()));
                !self.seen.remove(event.id.as_str())
            } else {
                self.seen.insert(event.id.to_string())
            };
            if is_new {
                new.push(event);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests;
