//! One kubeconfig, locked, to be changed.
//!
//! The lock is kubectl's own: `<file>.lock`, which whoever creates it holds until it removes it. kubectl does not
//! wait for it; so it is held for the length of a change and never during a login.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::document::Document;
use crate::permissions;
use crate::yaml::Unreadable;

/// How long to wait for a lock that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often to look again.
    pub tries: u32,
    /// The time between two looks.
    pub pause: Duration,
}

impl Default for Patience {
    /// Five seconds: kubectl holds it for milliseconds.
    fn default() -> Self {
        Self { tries: 100, pause: Duration::from_millis(50) }
    }
}

/// A kubeconfig that nobody else changes until this value is dropped.
#[derive(Debug)]
pub struct LockedFile {
    /// As it was named.
    file: PathBuf,
    /// What that leads to.
    target: PathBuf,
    before: Option<String>,
    document: Document,
    _locks: Vec<Lock>,
}

/// What [`LockedFile::save`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The file as it was named.
    pub file: PathBuf,
    /// Whether anything was written.
    pub changed: bool,
    /// Whether others than the owner may read the file: worth a warning if there is a secret in it now.
    pub readable_by_others: bool,
}

/// Why a file could not be opened for a change, or saved. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Somebody holds the lock.
    #[error(
        "another program is changing {}; if no kubectl runs, remove {} and try again",
        file.display(), lock.display()
    )]
    Locked {
        /// The kubeconfig.
        file: PathBuf,
        /// The lock.
        lock: PathBuf,
    },
    /// Something that is no file.
    #[error("{} is no ordinary file, so it cannot be changed", file.display())]
    NoFile {
        /// The kubeconfig.
        file: PathBuf,
    },
    /// The system did not let us read it.
    #[error("{} cannot be read: {cause}", file.display())]
    Read {
        /// The kubeconfig.
        file: PathBuf,
        /// What it said.
        cause: io::Error,
    },
    /// Nobody may write it.
    #[error("{} is read-only; make it writable, or name another file with --kubeconfig", file.display())]
    ReadOnly {
        /// The kubeconfig.
        file: PathBuf,
    },
    /// Not YAML that kubectl reads.
    #[error("{} cannot be understood: {cause}", file.display())]
    Unreadable {
        /// The kubeconfig.
        file: PathBuf,
        /// Where and why.
        cause: Unreadable,
    },
    /// The system did not let us write beside it.
    #[error("{} cannot be changed: {} cannot be written: {cause}", file.display(), written.display())]
    Write {
        /// The kubeconfig.
        file: PathBuf,
        /// The lock, the new content before it takes the old one's place, or the file itself.
        written: PathBuf,
        /// What it said.
        cause: io::Error,
    },
}

impl LockedFile {
    /// Locks a file and reads it. One that is not there is empty, and is made by [`Self::save`].
    pub fn open(file: impl Into<PathBuf>, patience: Patience) -> Result<Self, FileError> {
        let file = file.into();
        let written = |written: &Path, cause| FileError::Write {
            file: file.clone(),
            written: written.to_owned(),
            cause,
        };
        let target = follow(&file).map_err(|cause| FileError::Read { file: file.clone(), cause })?;
        for named in [&file, &target] {
            let directory = parent(named);
            permissions::create_directory(directory).map_err(|cause| written(directory, cause))?;
        }
        let mut locks = vec![Lock::take(&file, &file, patience)?];
        // Somebody else may know the target by its own name.
        if target != file {
            locks.push(Lock::take(&target, &file, patience)?);
        }
        let before = read(&file, &target)?;
        let document = Document::parse(before.as_deref().unwrap_or_default())
            .map_err(|cause| FileError::Unreadable { file: file.clone(), cause })?;
        Ok(Self { file, target, before, document, _locks: locks })
    }

    /// What the file holds.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What the file shall hold.
    pub fn document_mut(&mut self) -> &mut Document {
        &mut self.document
    }

    /// Writes what was changed, whole or not at all, and gives the lock back.
    pub fn save(self) -> Result<Saved, FileError> {
        let changed = self.before.as_deref().unwrap_or_default() != self.document.text();
        if changed {
            self.replace()?;
        }
        let readable_by_others =
            fs::metadata(&self.target).is_ok_and(|found| permissions::others_may_read(&found));
        Ok(Saved { file: self.file.clone(), changed, readable_by_others })
    }

    fn replace(&self) -> Result<(), FileError> {
        let fresh = Fresh::new(&self.target);
        let written =
            |cause| FileError::Write { file: self.file.clone(), written: fresh.path.clone(), cause };
        let old = match fs::metadata(&self.target) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(FileError::Read { file: self.file.clone(), cause }),
        };
        fresh.write(self.document.text(), old.as_ref()).map_err(written)?;
        fs::rename(&fresh.path, &self.target).map_err(|cause| FileError::Write {
            file: self.file.clone(),
            written: self.target.clone(),
            cause,
        })?;
        permissions::sync_directory(parent(&self.target));
        Ok(())
    }
}

/// The content of the file, if it is there and may be changed.
fn read(file: &Path, target: &Path) -> Result<Option<String>, FileError> {
    let failed = |cause| FileError::Read { file: file.to_owned(), cause };
    let found = match fs::metadata(target) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    if !found.is_file() {
        return Err(FileError::NoFile { file: file.to_owned() });
    }
    // The mode, not only the system's answer: replacing needs no right to the file itself.
    if found.permissions().readonly() {
        return Err(FileError::ReadOnly { file: file.to_owned() });
    }
    match OpenOptions::new().write(true).open(target) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(FileError::ReadOnly { file: file.to_owned() });
        }
        Err(cause) => return Err(failed(cause)),
    }
    fs::read_to_string(target).map(Some).map_err(failed)
}

/// Where a chain of symbolic links ends, also if nothing is there.
fn follow(file: &Path) -> io::Result<PathBuf> {
    let mut target = file.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&target) {
            Ok(link) => target = parent(&target).join(link),
            // Not there, or no link.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
                return Ok(target);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Linux's own limit.
const MOST_LINKS: u32 = 40;

/// The directory that a file is in; never the empty path, which no system call takes.
fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A path with something added to its last part.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// `<file>.lock`
#[derive(Debug)]
struct Lock {
    path: PathBuf,
}

/// Far longer than we hold a lock: reading, changing and writing one file takes milliseconds.
const LONGEST_HELD: Duration = Duration::from_secs(1);

/// What stands in a lock of ours; kubectl's are empty.
const OURS: &[u8] = b"kubesso";

impl Lock {
    fn take(locked: &Path, file: &Path, patience: Patience) -> Result<Self, FileError> {
        let path = beside(locked, ".lock");
        let mut tries = patience.tries;
        let is_long = patience.pause.saturating_mul(patience.tries) >= LONGEST_HELD;
        let mut left_behind = is_long.then(|| Abandoned::look(&path)).flatten();
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut lock) => {
                    // It is held by being there: what stands in it only tells the next one whose it was.
                    let _ = lock.write_all(OURS);
                    return Ok(Self { path });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if tries == 0 {
                        let unchanged = left_behind.take().filter(|seen| seen.is_still(&path));
                        if unchanged.is_some_and(|_| fs::remove_file(&path).is_ok()) {
                            continue;
                        }
                        return Err(FileError::Locked { file: file.to_owned(), lock: path });
                    }
                    tries -= 1;
                    std::thread::sleep(patience.pause);
                }
                Err(cause) => {
                    return Err(FileError::Write { file: file.to_owned(), written: path, cause });
                }
            }
        }
    }
}

/// A lock of ours that was there before we waited. If it is the same one when our patience has ended, its process was killed.
struct Abandoned {
    since: SystemTime,
}

impl Abandoned {
    fn look(path: &Path) -> Option<Self> {
        let since = fs::metadata(path).and_then(|found| found.modified()).ok()?;
        fs::read(path).is_ok_and(|text| text == OURS).then_some(Self { since })
    }

    fn is_still(&self, path: &Path) -> bool {
        Self::look(path).is_some_and(|now| now.since == self.since)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nothing can be done about it here; the next one is told which file to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// The new content, until it takes the old one's place.
struct Fresh {
    path: PathBuf,
}

impl Fresh {
    fn new(target: &Path) -> Self {
        Self { path: beside(target, ".kubesso-new") }
    }

    fn write(&self, text: &str, old: Option<&fs::Metadata>) -> io::Result<()> {
        // Left by a process that was killed: we hold the lock, so it is nobody's.
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file: File = permissions::create_private(&self.path)?;
        file.write_all(text.as_bytes())?;
        if let Some(old) = old {
            permissions::copy(&file, old)?;
        }
        file.sync_all()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Not there any more when it took its place.
        let _ = fs::remove_file(&self.path);
    }
}
