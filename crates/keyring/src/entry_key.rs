//! The key under which a cache directory's files are sealed.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::{Entropy, draw};
use zeroize::Zeroizing;

use crate::seal::{self, KEY, OpenError};
use crate::{Item, Keyring, KeyringError};

/// The service of our items, as people see it in their keyring.
const SERVICE: &str = "kubesso";

/// The file in the cache directory that is locked while a key is made. It is empty; deleting it while the plugin
/// runs could let two keys be made, and then the entries that were sealed under the loser are misses.
pub const LOCK_FILE: &str = "keyring-key.lock";

/// Whoever makes the key may be waiting for a person to unlock the keyring.
const LOCK_WAIT: Duration = Duration::from_mins(1);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// One cache directory's key. It lies in the keyring; nothing else is needed to read the directory's files.
#[derive(Clone)]
pub struct EntryKey(Zeroizing<[u8; KEY]>);

impl EntryKey {
    /// The key of `cache`, if it was made already.
    pub fn find(keyring: &dyn Keyring, cache: &Path) -> Result<Option<Self>, KeyringError> {
        let item = item(cache);
        keyring.read(&item)?.map(|secret| Self::parse(&secret, &item)).transpose()
    }

    /// The key of `cache`, which must be a directory: made now if there was none. However many processes ask at
    /// once, one makes it and the others take that one.
    pub fn obtain(keyring: &dyn Keyring, cache: &Path, entropy: &dyn Entropy) -> Result<Self, KeyringError> {
        if let Some(key) = Self::find(keyring, cache)? {
            return Ok(key);
        }
        // A keyring cannot be asked to write only if there is nothing: the last writer wins, and who read back
        // before that has a key that is gone. Hence the lock, and a second look under it.
        let _lock = lock(&cache.join(LOCK_FILE))?;
        if let Some(key) = Self::find(keyring, cache)? {
            return Ok(key);
        }
        let key = Zeroizing::new(draw::<KEY>(entropy));
        keyring.write(&item(cache), Zeroizing::new(BASE64_STANDARD.encode(*key)).as_bytes())?;
        // What counts is what the next process will read.
        Self::find(keyring, cache)?.ok_or_else(|| KeyringError::Failed("it did not keep the key".to_owned()))
    }

    /// Deletes the key of `cache`: nobody can read its files any more, nor copies of them. Says whether there
    /// was one.
    pub fn forget(keyring: &dyn Keyring, cache: &Path) -> Result<bool, KeyringError> {
        keyring.delete(&item(cache))
    }

    /// Seals `plain` as the file of the entry `name`: it opens only under the same name.
    pub fn seal(&self, name: &str, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        seal::seal(&self.0, name, plain, entropy)
    }

    /// Opens what [`seal`](Self::seal) made.
    pub fn open(&self, name: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        seal::open(&self.0, name, file)
    }

    fn parse(secret: &[u8], item: &Item) -> Result<Self, KeyringError> {
        let decoded = BASE64_STANDARD.decode(secret).map(Zeroizing::new).ok();
        let key = decoded.and_then(|bytes| bytes.as_slice().try_into().ok().map(Zeroizing::new));
        key.map(Self).ok_or_else(|| KeyringError::Broken {
            service: item.service.clone(),
            account: item.account.clone(),
            problem: "it is not 32 bytes in base64",
        })
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryKey([redacted])")
    }
}

/// Two directories have two keys. The path is hashed because Windows and macOS bound what an account may hold.
fn item(cache: &Path) -> Item {
    let place = cache.canonicalize().or_else(|_| std::path::absolute(cache)).unwrap_or(cache.to_owned());
    let hash = digest(&SHA256, place.as_os_str().as_encoded_bytes());
    let hash = hash.as_ref().first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
    Item::new(SERVICE, format!("oidc-login/{hash:016x}"))
}

fn lock(path: &Path) -> Result<File, KeyringError> {
    let failed = |source| KeyringError::Lock { path: PathBuf::from(path), source };
    let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begin.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_POLL),
            Err(TryLockError::WouldBlock) => return Err(failed(io::ErrorKind::TimedOut.into())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::{OsEntropy, SeededEntropy};

    use super::*;
    use crate::MemoryKeyring;

    #[test]
    fn a_key_is_made_once_and_found_again_until_it_is_forgotten() {
        let (keyring, cache) = (MemoryKeyring::default(), tempfile::tempdir().unwrap());
        let find = || EntryKey::find(&keyring, cache.path()).unwrap();
        assert!(find().is_none());
        let sealed = EntryKey::obtain(&keyring, cache.path(), &SeededEntropy::new(1))
            .unwrap()
            .seal("entry", b"token", &OsEntropy);
        for key in [find().unwrap(), EntryKey::obtain(&keyring, cache.path(), &OsEntropy).unwrap()] {
            assert_eq!(&**key.open("entry", &sealed).unwrap(), b"token");
        }
        assert!(EntryKey::forget(&keyring, cache.path()).unwrap());
        assert!(find().is_none());
        assert!(!EntryKey::forget(&keyring, cache.path()).unwrap());
    }

    #[test]
    fn each_directory_has_a_key_of_its_own_by_whatever_path_it_is_reached() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (home.path().join("one"), home.path().join("two"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        assert_ne!(item(&one), item(&two));
        assert_eq!(item(&one), item(&two.join("../one")));
    }

    #[test]
    fn an_item_that_is_no_key_is_named_and_kept() {
        let (keyring, cache) = (MemoryKeyring::default(), tempfile::tempdir().unwrap());
        for broken in [&b""[..], b"not base64!", b"c2hvcnQ="] {
            keyring.write(&item(cache.path()), broken).unwrap();
            let error = EntryKey::obtain(&keyring, cache.path(), &OsEntropy).unwrap_err();
            assert!(matches!(error, KeyringError::Broken { .. }), "{error}");
            assert_eq!(&**keyring.read(&item(cache.path())).unwrap().unwrap(), broken);
        }
    }

    #[test]
    fn without_a_directory_to_lock_in_no_key_is_made() {
        let (keyring, home) = (MemoryKeyring::default(), tempfile::tempdir().unwrap());
        let error = EntryKey::obtain(&keyring, &home.path().join("missing"), &OsEntropy).unwrap_err();
        assert!(matches!(error, KeyringError::Lock { .. }), "{error}");
    }

    #[test]
    fn a_key_does_not_print() {
        let cache = tempfile::tempdir().unwrap();
        let key = EntryKey::obtain(&MemoryKeyring::default(), cache.path(), &OsEntropy).unwrap();
        assert_eq!(format!("{key:?}"), "EntryKey([redacted])");
    }
}
