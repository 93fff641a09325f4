//! The file with the sealing key: 32 random bytes in base64, one line, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::Entropy;
use kubesso_directory::SealingKey;
use zeroize::Zeroizing;

use crate::open::OpenError;

/// Reads the key; `None` if there is no file.
pub(crate) fn read(file: &Path) -> Result<Option<SealingKey>, OpenError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(OpenError::KeyDamaged { file: file.to_owned() });
        }
        Err(source) => return Err(OpenError::KeyUnreadable { file: file.to_owned(), source }),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let unreadable = |source| OpenError::KeyUnreadable { file: file.to_owned(), source };
        let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(OpenError::KeyExposed { file: file.to_owned(), mode });
        }
    }
    let bytes = BASE64_STANDARD.decode(text.trim_ascii().as_bytes()).ok().map(Zeroizing::new);
    let key = bytes.and_then(|bytes| SealingKey::from_bytes(&bytes));
    key.map(Some).ok_or_else(|| OpenError::KeyDamaged { file: file.to_owned() })
}

/// Makes a key and its file. Another process that makes it first wins: its key is read then.
///
/// The file appears whole or not at all (written beside, then linked), so that a crash leaves no half key.
pub(crate) fn create(file: &Path, entropy: &dyn Entropy) -> Result<SealingKey, OpenError> {
    let failed = |source| OpenError::NotWritable { path: file.to_owned(), source };
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
            read(file)?.ok_or_else(|| OpenError::KeyMissing { file: file.to_owned() })
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
pub(crate) fn create_private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(file)
}
