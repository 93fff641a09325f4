//! The files of a machine: this one's, or those below a folder that stands for another's root.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kubesso_clusters::Host;

/// A machine whose files are below `root`.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    root: PathBuf,
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Rights {
    pub(super) mode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Machine {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a path of the machine is from here.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Who may do what with a file that is there.
    #[cfg(unix)]
    pub(super) fn rights(&self, path: &str) -> Option<Rights> {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::metadata(self.path(path)).ok()?;
        Some(Rights { mode: found.mode() & 0o7777, user: found.uid(), group: found.gid() })
    }

    #[cfg(not(unix))]
    pub(super) fn rights(&self, _path: &str) -> Option<Rights> {
        None
    }

    /// Replaces a file in one step. The new one has the rights that are given, else only its owner may read it.
    pub(super) fn write(&self, path: &str, text: &str, rights: Option<Rights>) -> io::Result<()> {
        let target = self.path(path);
        let target = fs::canonicalize(&target).unwrap_or(target);
        let folder = target.parent().unwrap_or(Path::new("/"));
        make_folder(folder)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // kubelet runs every file of its folder but those whose name begins with a dot.
        let fresh = folder.join(format!(".{name}.kubesso-new"));
        let written = write_fresh(&fresh, text, rights).and_then(|()| fs::rename(&fresh, &target));
        if written.is_err() {
            // Not there if it could not be made.
            let _ = fs::remove_file(&fresh);
        }
        written?;
        sync_folder(folder);
        Ok(())
    }

    /// Removes a file; none is no error.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.path(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                if let Some(folder) = self.path(path).parent() {
                    sync_folder(folder);
                }
                Ok(())
            }
        }
    }
}

/// A folder that only its owner may enter, unless it is there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_fresh(path: &Path, text: &str, rights: Option<Rights>) -> io::Result<()> {
    // Left by one that was killed.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(rights) = rights {
        give(&file, rights)?;
    }
    file.sync_all()
}

#[cfg(unix)]
fn give(file: &File, rights: Rights) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (rights.user, rights.group) {
        fchown(file, Some(rights.user), Some(rights.group))?;
    }
    file.set_permissions(fs::Permissions::from_mode(rights.mode))
}

#[cfg(not(unix))]
fn give(_file: &File, _rights: Rights) -> io::Result<()> {
    Ok(())
}

/// Makes a rename survive a power cut, where the file system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

impl Host for Machine {
    fn read(&self, path: &str) -> Result<Option<String>, String> {
        match fs::read_to_string(self.path(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let entries = match fs::read_dir(self.path(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<io::Result<_>>().map_err(|error| error.to_string())
    }
}
