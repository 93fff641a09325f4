//! The master key, under which secrets are sealed in a database: which one it is, and the file that holds it.
//!
//! The file is 32 random bytes in base64, one line, readable by its owner alone. When another key takes its place, that one
//! lies beside it first (`master.key.next`): whichever of the two the database knows is the right one, so that a change
//! can be cut off at any moment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::Entropy;
use kubesso_directory::{Sealed, SealingKey};
use zeroize::Zeroizing;

/// A key file's bits that nobody may have: others.
const PRIVATE: u32 = 0o077;
/// The same for a file that a platform puts there: Kubernetes gives a mounted Secret to the process by its group.
const FOR_OUR_GROUP: u32 = 0o027;

/// Where a store has its master key from.
#[derive(Clone, Debug)]
pub enum MasterKey {
    /// A file beside the database, which is made with it.
    File(PathBuf),
    /// Whoever opens the store brings it.
    Given {
        /// The key.
        key: SealingKey,
        /// Where it comes from, in words: it is the subject of a sentence.
        origin: String,
    },
}

impl MasterKey {
    /// The key that `check` in the database is of. Changes nothing.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn existing(&self, check: &Sealed) -> Result<SealingKey, KeyError> {
        match self {
            Self::File(file) => found(file, check).map(|(key, _)| key),
            Self::Given { key, .. } if key.is_of(check) => Ok(key.clone()),
            Self::Given { origin, .. } => Err(KeyError::OtherOrigin { origin: origin.clone() }),
        }
    }

    /// The key for a database that knows its key by `check`, or that is new. A file is made for a new one; a change of the
    /// key that was cut off is finished.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn open(&self, check: Option<&Sealed>, entropy: &dyn Entropy) -> Result<SealingKey, KeyError> {
        match (self, check) {
            (Self::File(file), Some(check)) => {
                let (key, place) = found(file, check)?;
                if place == Place::Successor {
                    succeed(file)?;
                }
                Ok(key)
            }
            (Self::File(file), None) => match read(file)? {
                Some(key) => Ok(key),
                None => create(file, entropy),
            },
            (Self::Given { .. }, Some(check)) => self.existing(check),
            (Self::Given { key, .. }, None) => Ok(key.clone()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    Successor,
}

fn found(file: &Path, check: &Sealed) -> Result<(SealingKey, Place), KeyError> {
    let wrong = match read(file) {
        Ok(Some(key)) if key.is_of(check) => return Ok((key, Place::File)),
        Ok(Some(_)) => KeyError::Mismatch { file: file.to_owned() },
        Ok(None) => KeyError::Missing { file: file.to_owned() },
        Err(error) => error,
    };
    match read(&successor(file)) {
        Ok(Some(key)) if key.is_of(check) => Ok((key, Place::Successor)),
        _ => Err(wrong),
    }
}

/// Where the key lies that is to take the place of the one in `file`.
fn successor(file: &Path) -> PathBuf {
    file.with_extension("key.next")
}

/// Lays `key` beside the one in `file`, whose place it is to take.
///
/// # Errors
/// [`KeyError::NotWritable`]
pub fn prepare_successor(file: &Path, key: &SealingKey) -> Result<(), KeyError> {
    let next = successor(file);
    let failed = |source| KeyError::NotWritable { file: next.clone(), source };
    match fs::remove_file(&next) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    write_private(&next, text_of(key).as_bytes()).map_err(failed)
}

/// The key that was laid beside takes the place of the one in `file`.
///
/// # Errors
/// [`KeyError::NotWritable`]
pub fn succeed(file: &Path) -> Result<(), KeyError> {
    let failed = |source| KeyError::NotWritable { file: file.to_owned(), source };
    fs::rename(successor(file), file).map_err(failed)
}

/// What a key file holds.
fn text_of(key: &SealingKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", BASE64_STANDARD.encode(key.expose())))
}

/// A key as files hold it and programs print it: 32 bytes, or these in base64.
pub fn parse(bytes: &[u8]) -> Option<SealingKey> {
    // 32 characters that somebody typed are no key, though they are 32 bytes.
    if bytes.len() == 32 && !bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return SealingKey::from_bytes(bytes);
    }
    let decoded = BASE64_STANDARD.decode(bytes.trim_ascii()).ok().map(Zeroizing::new);
    decoded.and_then(|decoded| SealingKey::from_bytes(&decoded))
}

/// Why the master key cannot be used. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Secrets are sealed, and the key is not there.
    #[error(
        "`{}` is missing, without which the secrets in the database cannot be opened: put it back from a backup, or move \
         the database away to begin anew", .file.display()
    )]
    Missing {
        /// The file that should be there.
        file: PathBuf,
    },
    /// Secrets are sealed, with another key.
    #[error(
        "`{}` is not the key that the secrets in the database are sealed with: put the right one back from a backup",
        .file.display()
    )]
    Mismatch {
        /// The key file.
        file: PathBuf,
    },
    /// Secrets are sealed, with another key than the one that was brought.
    #[error(
        "{origin} is not the key that the secrets in the database are sealed with: name the right one, or put it back"
    )]
    OtherOrigin {
        /// Where it came from, as the subject of a sentence.
        origin: String,
    },
    /// There is no file where the key was said to be.
    #[error(
        "the master key's file `{}` is not there: mount it, or make one with `head -c 32 /dev/urandom | base64`", .file.display()
    )]
    NotThere {
        /// The file.
        file: PathBuf,
    },
    /// The key file does not hold a key.
    #[error("`{}` does not hold a key (32 bytes in base64): put the right one back from a backup", .file.display())]
    Damaged {
        /// The key file.
        file: PathBuf,
    },
    /// The key file can be read by others.
    #[error("`{}` can be read by others (mode {mode:04o}): do `chmod 600` on it, and think about who has read it", .file.display())]
    Exposed {
        /// The key file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file cannot be read.
    #[error("cannot read `{}`: mend its permissions ({source})", .file.display())]
    Unreadable {
        /// The key file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file cannot be written.
    #[error("cannot write `{}`: choose another directory for it or mend its permissions ({source})", .file.display())]
    NotWritable {
        /// The key file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the key beside the database; `None` if there is no file.
///
/// # Errors
/// [`KeyError`]
pub fn read(file: &Path) -> Result<Option<SealingKey>, KeyError> {
    read_from(file, PRIVATE)
}

/// Reads the key from a file elsewhere, which somebody put there. The group may read it, others may not.
///
/// # Errors
/// [`KeyError`]
pub fn read_elsewhere(file: &Path) -> Result<SealingKey, KeyError> {
    read_from(file, FOR_OUR_GROUP)?.ok_or_else(|| KeyError::NotThere { file: file.to_owned() })
}

fn read_from(file: &Path, forbidden: u32) -> Result<Option<SealingKey>, KeyError> {
    let bytes = match fs::read(file) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeyError::Unreadable { file: file.to_owned(), source }),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let unreadable = |source| KeyError::Unreadable { file: file.to_owned(), source };
        let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & forbidden != 0 {
            return Err(KeyError::Exposed { file: file.to_owned(), mode });
        }
    }
    parse(&bytes).map(Some).ok_or_else(|| KeyError::Damaged { file: file.to_owned() })
}

/// Makes a key and its file. Another process that makes it first wins: its key is read then.
///
/// The file appears whole or not at all (written beside, then linked), so that a crash leaves no half key.
fn create(file: &Path, entropy: &dyn Entropy) -> Result<SealingKey, KeyError> {
    let failed = |source| KeyError::NotWritable { file: file.to_owned(), source };
    let key = SealingKey::generate(entropy);
    let text = text_of(&key);
    let draft = file.with_extension(format!("new-{}", std::process::id()));
    let written = write_private(&draft, text.as_bytes()).and_then(|()| match fs::hard_link(&draft, file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            // A file system without hard links: there the file is written in place.
            write_private(file, text.as_bytes())
        }
        linked => linked,
    });
    // The draft is ours alone; a failure to remove it costs nothing.
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(file)?.ok_or_else(|| KeyError::Missing { file: file.to_owned() })
        }
        Err(source) => Err(failed(source)),
    }
}

fn write_private(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = create_private(file)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Creates a file that only its owner can read; fails if there is one.
pub fn create_private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(file)
}

#[cfg(test)]
mod tests;
