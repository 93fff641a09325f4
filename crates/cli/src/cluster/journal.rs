//! What is needed to go back: written before anything is changed, so that a process that is killed half way leaves a way back.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::host::{Rights, make_folder};
use crate::error::CommandError;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// `k3s`
    pub(super) target: String,
    /// Which of that kind: a manifest, a cluster's name, a folder that stands for the root.
    pub(super) place: String,
    pub(super) began: Timestamp,
    pub(super) state: State,
    pub(super) files: Vec<Saved>,
    /// Run after the files are back: what, and the words.
    pub(super) commands: Vec<(String, Vec<String>)>,
    /// Whether the API server begins anew when the files change.
    pub(super) restarts: bool,
    /// What a cloud must be told to go back, where there are no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cloud: Option<serde_json::Value>,
    /// What kubeadm keeps in the cluster, changed when all else was well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) config_map: Option<Saved>,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Some of it may be done.
    Began,
    /// It is done, and the API server was well with it.
    Applied,
    /// It was taken back.
    TakenBack,
}

/// A file before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Saved {
    pub(super) path: String,
    /// None: it was not there.
    pub(super) before: Option<String>,
    pub(super) rights: Option<Rights>,
    pub(super) after: String,
    /// Written by the distribution's own program, which has more in it: `after` is not known.
    #[serde(default)]
    pub(super) rewritten: bool,
}

/// All changes that are known, held by one process.
pub(super) struct Journal {
    folder: PathBuf,
    _lock: File,
}

/// One entry and its file.
pub(super) struct Kept {
    pub(super) entry: Entry,
    file: PathBuf,
}

impl Journal {
    /// Opens the journal; one process at a time.
    pub(super) fn open(folder: &Path) -> Result<Self, CommandError> {
        let failed = |error: &dyn std::error::Error| {
            CommandError::because(
                format!("what is needed to go back cannot be kept in {}", folder.display()),
                error,
            )
            .mend("run it as root, or name another folder with --backup-dir")
        };
        make_folder(folder).map_err(|e| failed(&e))?;
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(folder.join("lock")).map_err(|e| failed(&e))?;
        if lock.try_lock().is_err() {
            return Err(
                CommandError::new("another kubesso is changing this machine's cluster").mend("wait for it")
            );
        }
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// The last change of that kind there that was not taken back.
    pub(super) fn last(&self, target: &str, place: &str) -> Result<Option<Kept>, CommandError> {
        let all = self.all()?.into_iter().rev();
        let mut all = all.filter(|kept| kept.entry.target == target && kept.entry.place == place);
        Ok(all.find(|kept| kept.entry.state != State::TakenBack))
    }

    /// Writes a change before it is made.
    pub(super) fn begin(&self, entry: Entry) -> Result<Kept, CommandError> {
        let next = self.all()?.last().and_then(|kept| number(&kept.file)).unwrap_or(0) + 1;
        let kept = Kept { file: self.folder.join(format!("{next:06}-{}.json", entry.target)), entry };
        kept.save()?;
        Ok(kept)
    }

    fn all(&self) -> Result<Vec<Kept>, CommandError> {
        let unreadable = |path: &Path, error: &dyn std::error::Error| {
            CommandError::because(format!("{} cannot be read", path.display()), error)
        };
        let entries = fs::read_dir(&self.folder).map_err(|e| unreadable(&self.folder, &e))?;
        let mut files = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|e| unreadable(&self.folder, &e))?;
        files.retain(|file| number(file).is_some() && file.extension().is_some_and(|end| end == "json"));
        files.sort();
        files
            .into_iter()
            .map(|file| {
                let text = fs::read(&file).map_err(|e| unreadable(&file, &e))?;
                let entry = serde_json::from_slice(&text).map_err(|e| unreadable(&file, &e))?;
                Ok(Kept { entry, file })
            })
            .collect()
    }
}

impl Kept {
    /// Writes how far it came.
    pub(super) fn now(&mut self, state: State) -> Result<(), CommandError> {
        self.entry.state = state;
        self.save()
    }

    /// Where it is.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    fn save(&self) -> Result<(), CommandError> {
        let failed = |error: &dyn std::error::Error| {
            CommandError::because(format!("{} cannot be written", self.file.display()), error)
        };
        let text = serde_json::to_vec_pretty(&self.entry).map_err(|e| failed(&e))?;
        let fresh = self.file.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let write = || {
            let mut file = options.open(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.file)?;
            // The name itself must survive too.
            self.file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().map_err(|e: io::Error| failed(&e))
    }
}

/// `000012-k3s.json`
fn number(file: &Path) -> Option<u32> {
    file.file_name()?.to_str()?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(target: &str, place: &str) -> Entry {
        let files = vec![Saved {
            path: "/a".to_owned(),
            before: None,
            rights: None,
            after: "text".to_owned(),
            rewritten: false,
        }];
        Entry {
            target: target.to_owned(),
            place: place.to_owned(),
            began: Timestamp::UNIX_EPOCH,
            state: State::Began,
            files,
            commands: vec![("Restart.".to_owned(), vec!["true".to_owned()])],
            restarts: true,
            cloud: None,
            config_map: None,
        }
    }

    #[test]
    fn the_last_change_of_a_place_that_was_not_taken_back_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let mut first = journal.begin(entry("k3s", "/")).unwrap();
        first.now(State::Applied).unwrap();
        journal.begin(entry("k0s", "/")).unwrap();
        let mut second = journal.begin(entry("k3s", "/")).unwrap();
        assert_eq!(journal.last("k3s", "/").unwrap().unwrap().entry.state, State::Began);
        second.now(State::TakenBack).unwrap();
        assert_eq!(journal.last("k3s", "/").unwrap().unwrap().entry, first.entry);
        assert!(journal.last("k3s", "/mnt").unwrap().is_none());
    }

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = Journal::open(folder.path()).unwrap();
        assert!(Journal::open(folder.path()).err().unwrap().to_string().contains("another kubesso"));
        drop(held);
        Journal::open(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let kept = Journal::open(&inner).unwrap().begin(entry("k3s", "/")).unwrap();
        assert_eq!(fs::metadata(kept.file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
