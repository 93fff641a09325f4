//! The file with the sealing key: 32 random bytes in base64, one line, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::Entropy;
use kubesso_directory::{Sealed, SealingKey};
use zeroize::Zeroizing;

/// Purpose of the value that is sealed in the database when the key is made, so that a wrong key is found at the start.
const CHECK_PURPOSE: &str = "sealing key check";

/// Why the key file cannot be used. Nothing has been changed.
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

/// What a database seals when its key is made (`directory.sealed_check`).
pub fn seal(key: &SealingKey, entropy: &dyn Entropy) -> Sealed {
    key.seal(CHECK_PURPOSE, b"", entropy)
}

/// The key of a database, before the first write into it: where something is `sealed`, the file must be there and hold
/// the key that it is sealed with; an unsealed database takes the key that is there, or a new one.
pub fn find_or_create(
    sealed: Option<Vec<u8>>,
    file: &Path,
    entropy: &dyn Entropy,
) -> Result<SealingKey, KeyError> {
    if let Some(sealed) = sealed {
        return find(sealed, file);
    }
    match read(file)? {
        Some(key) => Ok(key),
        None => create(file, entropy),
    }
}

/// The key that `sealed` was sealed with. Nothing is made or changed.
pub fn find(sealed: Vec<u8>, file: &Path) -> Result<SealingKey, KeyError> {
    let key = read(file)?.ok_or_else(|| KeyError::Missing { file: file.to_owned() })?;
    match key.open(CHECK_PURPOSE, &Sealed::from_bytes(sealed)) {
        Ok(_) => Ok(key),
        Err(_) => Err(KeyError::Mismatch { file: file.to_owned() }),
    }
}

/// Reads the key; `None` if there is no file.
fn read(file: &Path) -> Result<Option<SealingKey>, KeyError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(KeyError::Damaged { file: file.to_owned() });
        }
        Err(source) => return Err(KeyError::Unreadable { file: file.to_owned(), source }),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let unreadable = |source| KeyError::Unreadable { file: file.to_owned(), source };
        let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { file: file.to_owned(), mode });
        }
    }
    let bytes = BASE64_STANDARD.decode(text.trim_ascii().as_bytes()).ok().map(Zeroizing::new);
    let key = bytes.and_then(|bytes| SealingKey::from_bytes(&bytes));
    key.map(Some).ok_or_else(|| KeyError::Damaged { file: file.to_owned() })
}

/// Makes a key and its file. Another process that makes it first wins: its key is read then.
///
/// The file appears whole or not at all (written beside, then linked), so that a crash leaves no half key.
fn create(file: &Path, entropy: &dyn Entropy) -> Result<SealingKey, KeyError> {
    let failed = |source| KeyError::NotWritable { file: file.to_owned(), source };
    let key = SealingKey::generate(entropy);
    let text = Zeroizing::new(format!("{}\n", BASE64_STANDARD.encode(key.expose())));
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
