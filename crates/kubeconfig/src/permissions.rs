//! Owners and modes, where the systems differ.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

/// A directory for kubeconfigs that only its owner may enter, unless it is there already.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a mode to set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

/// A new file that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives a new file the owner and the mode of the one that it will replace. (Windows gives it those of the
/// directory, which are the old one's too unless somebody changed them by hand.)
#[cfg(unix)]
pub(crate) fn copy(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
pub(crate) fn copy(_file: &File, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Whether others than the owner may read the file. (Windows protects files by the directory that they are in.)
#[cfg(unix)]
pub(crate) fn others_may_read(found: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o044 != 0
}

#[cfg(not(unix))]
pub(crate) fn others_may_read(_found: &Metadata) -> bool {
    false
}

/// Whether others than the owner may read this file, if it is there.
pub fn is_readable_by_others(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| others_may_read(&found))
}

/// Makes a rename survive a power cut. Some file systems cannot; the content is safe without it.
pub(crate) fn sync_directory(directory: &Path) {
    #[cfg(unix)]
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    #[cfg(not(unix))]
    let _ = directory;
}
