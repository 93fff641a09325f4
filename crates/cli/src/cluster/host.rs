//! The files of a machine: this one's, those below a folder that stands for another's root, or those of a node that is a
//! container.

mod container;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use kubesso_clusters::Host;

pub(super) use container::{Container, find};

/// A machine that an API server runs on.
#[derive(Clone, Debug)]
pub(crate) enum Machine {
    /// Its files are below this folder.
    Below(PathBuf),
    /// It is a container.
    Container(Container),
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Rights {
    pub(super) mode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Machine {
    pub(crate) fn new(root: &Path) -> Self {
        Self::Below(root.to_owned())
    }

    /// Where a path of the machine is for programs that are started here.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        match self {
            Self::Below(root) => below(root, path),
            Self::Container(_) => PathBuf::from(path),
        }
    }

    /// When a file was last written; of a container it is not known.
    pub(crate) fn written(&self, path: &str) -> Option<Timestamp> {
        let Self::Below(root) = self else { return None };
        let changed = fs::metadata(below(root, path)).ok()?.modified().ok()?;
        Timestamp::try_from(changed).ok()
    }

    /// Who may do what with a file that is there.
    pub(super) fn rights(&self, path: &str) -> Option<Rights> {
        match self {
            Self::Below(root) => rights(&below(root, path)),
            Self::Container(container) => container.rights(path),
        }
    }

    /// Replaces a file in one step. The new one has the rights that are given, else only its owner may read it.
    pub(super) fn write(&self, path: &str, text: &str, rights: Option<Rights>) -> io::Result<()> {
        match self {
            Self::Below(root) => write(&below(root, path), text, rights),
            Self::Container(container) => container.write(path, text, rights),
        }
    }

    /// Removes a file; none is no error.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        match self {
            Self::Below(root) => remove(&below(root, path)),
            Self::Container(container) => container.remove(path),
        }
    }
}

impl Host for Machine {
    fn read(&self, path: &str) -> Result<Option<String>, String> {
        let root = match self {
            Self::Below(root) => root,
            Self::Container(container) => return container.read(path).map_err(|error| error.to_string()),
        };
        match fs::read_to_string(below(root, path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let root = match self {
            Self::Below(root) => root,
            Self::Container(container) => return container.list(folder).map_err(|error| error.to_string()),
        };
        let entries = match fs::read_dir(below(root, folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<io::Result<_>>().map_err(|error| error.to_string())
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

/// The name of the new file beside the old one. kubelet runs every file of its folder but those whose name begins with a
/// dot.
fn fresh_name(name: &str) -> String {
    format!(".{name}.kubesso-new")
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(unix)]
fn rights(path: &Path) -> Option<Rights> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path).ok()?;
    Some(Rights { mode: found.mode() & 0o7777, user: found.uid(), group: found.gid() })
}

#[cfg(not(unix))]
fn rights(_path: &Path) -> Option<Rights> {
    None
}

fn write(target: &Path, text: &str, rights: Option<Rights>) -> io::Result<()> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let folder = target.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    let fresh = folder.join(fresh_name(&target.file_name().unwrap_or_default().to_string_lossy()));
    let written = write_fresh(&fresh, text, rights).and_then(|()| fs::rename(&fresh, &target));
    if written.is_err() {
        // Not there if it could not be made.
        let _ = fs::remove_file(&fresh);
    }
    written?;
    sync_folder(folder);
    Ok(())
}

fn remove(target: &Path) -> io::Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(folder) = target.parent() {
        sync_folder(folder);
    }
    Ok(())
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
