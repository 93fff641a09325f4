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
    /// The access file's name, if it was done for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chain: Option<String>,
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
        Ok(in_force(&self.folder, target, place)?.into_iter().next())
    }

    /// The changes of that kind there that were not taken back, the last one first.
    pub(super) fn in_force(&self, target: &str, place: &str) -> Result<Vec<Kept>, CommandError> {
        in_force(&self.folder, target, place)
    }

    /// Writes a change before it is made.
    pub(super) fn begin(&self, entry: Entry) -> Result<Kept, CommandError> {
        let next = all(&self.folder)?.last().and_then(|kept| number(&kept.file)).unwrap_or(0) + 1;
        let kept = Kept { file: self.folder.join(format!("{next:06}-{}.json", entry.target)), entry };
        kept.save()?;
        Ok(kept)
    }
}

/// The changes of that kind there that were not taken back, the last one first. For whoever only looks: a folder that is not
/// there is not made, and somebody may be changing it.
pub(super) fn in_force(folder: &Path, target: &str, place: &str) -> Result<Vec<Kept>, CommandError> {
    let is_meant = |kept: &Kept| {
        kept.entry.target == target && kept.entry.place == place && kept.entry.state != State::TakenBack
    };
    Ok(all(folder)?.into_iter().rev().filter(is_meant).collect())
}

fn all(folder: &Path) -> Result<Vec<Kept>, CommandError> {
    let unreadable = |path: &Path, error: &dyn std::error::Error| {
        CommandError::because(format!("{} cannot be read", path.display()), error)
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| unreadable(folder, &e))?,
    };
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|e| unreadable(folder, &e))?;
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

/// What an access file's changes come to, taken together: from before the first of them to after the last. `in_force` is as
/// [`Journal::in_force`] has it. What somebody else changed afterwards ends them: it lies over them.
pub(super) fn brought_by<'a>(in_force: &'a [Kept], chain: &str) -> (&'a [Kept], Option<Entry>) {
    let is_ours = |kept: &Kept| kept.entry.chain.as_deref() == Some(chain);
    let count = in_force.iter().take_while(|kept| is_ours(kept)).count();
    let ours = &in_force[..count];
    let Some((first, later)) = ours.split_last() else { return (ours, None) };
    let mut together = first.entry.clone();
    for Kept { entry, .. } in later.iter().rev() {
        // What names a file stands behind it, also in what they come to together.
        let mut place = together.files.len();
        for saved in entry.files.iter().rev() {
            match together.files.iter().position(|known| known.path == saved.path) {
                Some(known) => {
                    together.files[known].after.clone_from(&saved.after);
                    place = known;
                }
                None => together.files.insert(place, saved.clone()),
            }
        }
        for command in &entry.commands {
            if !together.commands.contains(command) {
                together.commands.push(command.clone());
            }
        }
        together.restarts |= entry.restarts;
        match (&mut together.config_map, &entry.config_map) {
            (Some(known), Some(saved)) => known.after.clone_from(&saved.after),
            (known @ None, saved) => known.clone_from(saved),
            (Some(_), None) => {}
        }
        together.cloud = cloud_together(together.cloud.take(), entry.cloud.as_ref());
        together.state = entry.state;
        together.began = entry.began;
    }
    (ours, Some(together))
}

/// Lists of `{name, before, after}`.
fn cloud_together(
    earlier: Option<serde_json::Value>,
    later: Option<&serde_json::Value>,
) -> Option<serde_json::Value> {
    let (Some(earlier), Some(later)) = (&earlier, later) else { return earlier.or_else(|| later.cloned()) };
    let mut all = earlier.as_array().cloned().unwrap_or_default();
    for one in later.as_array().into_iter().flatten() {
        match all.iter_mut().find(|known| known["name"] == one["name"]) {
            Some(known) => known["after"] = one["after"].clone(),
            None => all.push(one.clone()),
        }
    }
    Some(all.into())
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
            chain: None,
        }
    }

    /// A change of one file from one text to another.
    fn of_chain(chain: Option<&str>, path: &str, before: Option<&str>, after: &str) -> Entry {
        let saved = Saved {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            rights: None,
            after: after.to_owned(),
            rewritten: false,
        };
        Entry { files: vec![saved], chain: chain.map(str::to_owned), ..entry("k3s", "/") }
    }

    #[test]
    fn the_changes_of_one_access_file_come_to_one_from_before_the_first_to_after_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        for entry in [
            of_chain(None, "/a", None, "0"),
            of_chain(Some("k8s"), "/a", Some("0"), "1"),
            of_chain(Some("k8s"), "/b", None, "b"),
            of_chain(Some("k8s"), "/a", Some("1"), "2"),
        ] {
            journal.begin(entry).unwrap().now(State::Applied).unwrap();
        }
        let all = journal.in_force("k3s", "/").unwrap();
        let (ours, together) = brought_by(&all, "k8s");
        assert_eq!((all.len(), ours.len()), (4, 3));
        let files = together.unwrap().files;
        let texts: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.before.as_deref(), file.after.as_str()))
            .collect();
        assert_eq!(texts, [("/a", Some("0"), "2"), ("/b", None, "b")]);

        // Somebody else's lies over them.
        journal.begin(of_chain(None, "/a", Some("2"), "3")).unwrap().now(State::Applied).unwrap();
        assert!(brought_by(&journal.in_force("k3s", "/").unwrap(), "k8s").1.is_none());
    }

    #[test]
    fn whoever_only_looks_makes_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("none");
        assert!(in_force(&inner, "k3s", "/").unwrap().is_empty());
        assert!(!inner.exists());
    }

    #[test]
    fn what_a_cloud_was_told_twice_goes_back_to_what_was_before() {
        let list = |before: &str, after: &str| {
            Some(serde_json::json!([{"name": "n", "before": before, "after": after}]))
        };
        assert_eq!(cloud_together(list("a", "b"), list("b", "c").as_ref()), list("a", "c"));
        assert_eq!(cloud_together(None, list("a", "b").as_ref()), list("a", "b"));
        assert_eq!(cloud_together(None, None), None);
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
