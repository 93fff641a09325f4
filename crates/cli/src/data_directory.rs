//! The directory in which `kubesso up` keeps everything: who may use it, where things are in it.
//!
//! | file | what | mode |
//! |---|---|---|
//! | `ca.crt`, `ca.key` | the certificate authority of this installation | 0644, 0600 |
//! | `master.key` | what secrets in the databases are sealed with | 0600 |
//! | `master-key.json` | where that key is instead, if it is elsewhere | 0600 |
//! | `directory.db` | people, groups, applications, signing keys | 0600 |
//! | `sandbox/` | the sandbox cluster's objects | 0700 |
//! | `kubeconfig` | the cluster, and `oidc-user`, who signs in by the plugin | 0600 |
//! | `admin.kubeconfig` | the break-glass administrator, by client certificate | 0600 |
//! | `bin/` | links by which kubectl finds the plugin | 0755 |
//! | `settings.json` | which ports were chosen, and the format of all this | 0600 |
//! | `lock` | held while `kubesso up` runs | 0600 |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The format of the directory that this version writes. A directory with a higher one is left alone.
const FORMAT: u32 = 1;

/// Why a data directory cannot be used. Each is one sentence with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DataDirectoryError {
    /// Another process serves from it.
    #[error(
        "the data directory {path} is in use by {holder}; stop that one, or choose another with --data-dir"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as it is known.
        holder: String,
    },
    /// It was written by a later version.
    #[error(
        "the data directory {path} was written by a newer kubesso (format {found}, this one knows {FORMAT}); \
         use that version, or choose another directory with --data-dir"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A file in it is not what it should be.
    #[error(
        "{path} cannot be understood ({problem}); restore it from a backup, or choose another --data-dir"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody else could put files into it, or take the keys out.
    #[error(
        "the data directory {path} {who}, and it holds private keys; {mend}, or choose another with --data-dir"
    )]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// Why it is not: whose it is, or who may write.
        who: String,
        /// What to do.
        mend: &'static str,
    },
    /// The file system refuses.
    #[error(
        "the data directory {path} cannot be {doing} ({problem}); mend that, or choose another with --data-dir"
    )]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: "created", "written", "read".
        doing: &'static str,
        /// What the operating system says.
        problem: String,
    },
}

impl DataDirectoryError {
    fn io(path: &Path, doing: &'static str, error: &io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "it is a file".to_owned(),
            _ => error.to_string(),
        };
        Self::Io { path: path.to_owned(), doing, problem }
    }
}

/// What was decided at the first start and must stay: the issuer's port is part of every token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    /// The provider's port.
    pub provider: Option<u16>,
    /// The sandbox cluster's port.
    pub cluster: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct Settings {
    format: u32,
    ports: Ports,
}

/// An existing directory that this process may write to and that no other serves from.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    root: PathBuf,
    /// Held as long as this value lives.
    _lock: File,
}

impl DataDirectory {
    /// Creates the directory if it is missing and takes it into use.
    ///
    /// A directory of a newer version, one in use, or one that cannot be written is refused before anything in
    /// it is touched.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirectoryError> {
        let root = std::path::absolute(path).map_err(|e| DataDirectoryError::io(path, "found", &e))?;
        create_private_directory(&root)?;
        read_settings(&root.join("settings.json"))?;
        let mut lock = take_lock(&root)?;
        refuse_shared(&root)?;
        // Only now: in a directory of others the lock could be a link to a file of ours.
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(|e| DataDirectoryError::io(&root, "written", &e))?;
        Ok(Self { root, _lock: lock })
    }

    /// The path of `name` in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The ports of the last start.
    pub(crate) fn ports(&self) -> Result<Ports, DataDirectoryError> {
        Self::ports_at(&self.root)
    }

    /// The ports of the last start from the directory at `root`, whoever serves from it now.
    pub(crate) fn ports_at(root: &Path) -> Result<Ports, DataDirectoryError> {
        Ok(read_settings(&root.join("settings.json"))?.map(|settings| settings.ports).unwrap_or_default())
    }

    /// What [`open`](Self::open) would refuse, and who holds the directory now; nothing is created or changed.
    pub(crate) fn look(path: &Path) -> Result<Option<String>, DataDirectoryError> {
        let root = std::path::absolute(path).map_err(|e| DataDirectoryError::io(path, "found", &e))?;
        if !root.exists() {
            let above = root.ancestors().find(|above| above.exists()).unwrap_or(&root);
            let is_directory = above.is_dir();
            let file = io::Error::from(io::ErrorKind::NotADirectory);
            return if is_directory {
                Ok(None)
            } else {
                Err(DataDirectoryError::io(&root, "created", &file))
            };
        }
        fs::read_dir(&root).map_err(|e| DataDirectoryError::io(&root, "read", &e))?;
        read_settings(&root.join("settings.json"))?;
        refuse_shared(&root)?;
        let Ok(mut lock) = File::open(root.join("lock")) else { return Ok(None) };
        Ok(matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| holder(&mut lock)))
    }

    /// Keeps the ports for the next start.
    pub(crate) fn keep_ports(&self, ports: Ports) -> Result<(), DataDirectoryError> {
        let settings = serde_json::to_string(&Settings { format: FORMAT, ports }).unwrap_or_default();
        self.write("settings.json", settings.as_bytes(), Mode::Private)
    }

    /// A file's text, or `None` when there is no such file.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, DataDirectoryError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DataDirectoryError::io(&path, "read", &error)),
        }
    }

    /// Replaces a file as a whole: readers see the old content or the new, never a part.
    pub(crate) fn write(&self, name: &str, content: &[u8], mode: Mode) -> Result<(), DataDirectoryError> {
        let path = self.path(name);
        write_atomically(&path, content, mode).map_err(|e| DataDirectoryError::io(&path, "written", &e))
    }
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its owner only.
    Private,
    /// Everybody.
    Public,
}

fn create_private_directory(path: &Path) -> Result<(), DataDirectoryError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| DataDirectoryError::io(path, "created", &e))
}

fn read_settings(path: &Path) -> Result<Option<Settings>, DataDirectoryError> {
    #[derive(Deserialize)]
    struct FormatOnly {
        format: u32,
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataDirectoryError::io(path, "read", &error)),
    };
    let damaged = |error: serde_json::Error| DataDirectoryError::Damaged {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    // The format first: a newer version may have changed everything else.
    let FormatOnly { format } = serde_json::from_str(&text).map_err(damaged)?;
    if format > FORMAT {
        let directory = path.parent().unwrap_or(path).to_owned();
        return Err(DataDirectoryError::Newer { path: directory, found: format });
    }
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

fn take_lock(root: &Path) -> Result<File, DataDirectoryError> {
    let path = root.join("lock");
    let io = |error: &io::Error| DataDirectoryError::io(root, "written", error);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    private(&mut options);
    let mut file = options.open(&path).map_err(|e| io(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = holder(&mut file);
            return Err(DataDirectoryError::InUse { path: root.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(io(&error)),
    }
    Ok(file)
}

/// Whoever wrote into the lock.
fn holder(lock: &mut File) -> String {
    let mut holder = String::new();
    let _ = lock.read_to_string(&mut holder);
    match holder.trim() {
        "" => "another kubesso".to_owned(),
        pid => format!("another kubesso (process {pid})"),
    }
}

/// A directory that others may write to is none for keys: they could have laid a link where a key will be written, or
/// exchange the program that kubectl runs.
#[cfg(unix)]
fn refuse_shared(root: &Path) -> Result<(), DataDirectoryError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(root).map_err(|e| DataDirectoryError::io(root, "read", &e))?;
    let refused = |who, mend| Err(DataDirectoryError::NotPrivate { path: root.to_owned(), who, mend });
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me {
        let who = format!("belongs to another user (uid {}, this is uid {me})", metadata.uid());
        return refused(who, "run kubesso as its owner");
    }
    if metadata.mode() & 0o022 != 0 {
        let who = format!("may be written by others (mode {:04o})", metadata.mode() & 0o7777);
        return refused(who, "take that away with chmod go-w");
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_: &Path) -> Result<(), DataDirectoryError> {
    Ok(())
}

/// Writes beside the target and renames, so that a crash leaves the old file or the new one.
pub(crate) fn write_atomically(path: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    if mode == Mode::Private {
        private(&mut options);
    }
    // Left behind by a process of the same number that was cut off.
    let _ = fs::remove_file(&temporary);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_private_and_remembers_its_ports() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let directory = DataDirectory::open(&path).unwrap();
        assert_eq!(directory.ports().unwrap(), Ports::default());
        let ports = Ports { provider: Some(8443), cluster: None };
        directory.keep_ports(ports).unwrap();
        assert_eq!(directory.ports().unwrap(), ports);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&path.join("settings.json"))), (0o700, 0o600));
        }
    }

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let path = tempfile::tempdir().unwrap();
        let _held = DataDirectory::open(path.path()).unwrap();
        let refused = DataDirectory::open(path.path()).unwrap_err().to_string();
        let expected = format!("is in use by another kubesso (process {})", std::process::id());
        assert!(refused.contains(&expected), "{refused}");
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_refused_in_one_sentence() {
        for (content, expected) in [
            (
                r#"{"format":2,"people":"elsewhere"}"#,
                "was written by a newer kubesso (format 2, this one knows 1)",
            ),
            ("{", "cannot be understood (EOF while parsing an object at line 1 column 1)"),
        ] {
            let path = tempfile::tempdir().unwrap();
            fs::write(path.path().join("settings.json"), content).unwrap();
            let refused = DataDirectory::open(path.path()).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
            assert_eq!(refused.lines().count(), 1);
            assert!(!path.path().join("lock").exists(), "a refused directory is not touched");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = tempfile::tempdir().unwrap();
        for (mode, is_private) in [(0o700, true), (0o755, true), (0o775, false), (0o1777, false)] {
            fs::set_permissions(path.path(), fs::Permissions::from_mode(mode)).unwrap();
            let opened = DataDirectory::open(path.path());
            assert_eq!(opened.is_ok(), is_private, "{mode:o}");
            if let Err(error) = opened {
                assert!(error.to_string().contains("may be written by others (mode"), "{error}");
            }
        }
    }

    #[test]
    fn a_file_in_the_directory_s_place_is_said_to_be_one() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        let refused = DataDirectory::open(&path).unwrap_err().to_string();
        assert!(refused.contains("cannot be created (it is a file)"), "{refused}");
    }
}
