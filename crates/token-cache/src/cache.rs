//! Tokens on disk: one file an entry, that only its owner can read.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Entropy, draw};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::about::About;
use crate::arguments::{CacheArguments, CacheDirectory, CacheStorage};
use crate::error::Error;
use crate::key::CacheKey;
use crate::secret::Secret;
use crate::surroundings::Surroundings;
use crate::values::expand_home;

/// What one sign-in left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What kubectl sends to the cluster.
    pub token: Secret,
    /// When that token was issued, if it says so.
    pub issued_at: Option<Timestamp>,
    /// When that token ends.
    pub expires_at: Timestamp,
    /// What gets the next one, if the provider gave it.
    pub refresh_token: Option<Secret>,
    /// The scopes that were granted, if the provider said so: a refresh must not ask for more.
    pub scope: Option<String>,
}

/// An entry as it is stored. Fields may be added; a file of another version is a miss.
#[derive(Deserialize, Serialize)]
struct Stored<'a> {
    version: u8,
    token: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Cow<'a, str>>,
}

const FORMAT_VERSION: u8 = 1;

/// The files of one entry.
#[derive(Clone, Debug)]
pub struct EntryPaths {
    directory: PathBuf,
    stem: String,
    protection: Protection,
}

/// How an entry lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// As it is, in a file that only its owner can read.
    Open,
    /// Sealed under a key in the system's keyring, or not at all.
    Sealed,
    /// Sealed where the keyring lets us, open elsewhere: never both.
    SealedWherePossible,
}

impl EntryPaths {
    /// Where the entry for `key` is, or `None` when nothing is to be kept.
    pub fn find(
        arguments: &CacheArguments,
        key: &CacheKey,
        surroundings: &Surroundings,
    ) -> Result<Option<Self>, Error> {
        match arguments.storage() {
            CacheStorage::None => Ok(None),
            storage => {
                let directory = directory(&arguments.directory, surroundings)?;
                let protection = match storage {
                    CacheStorage::Auto => Protection::SealedWherePossible,
                    CacheStorage::Keyring => Protection::Sealed,
                    CacheStorage::Disk | CacheStorage::None => Protection::Open,
                };
                Ok(Some(Self { directory, stem: format!("{key}{SUFFIX}"), protection }))
            }
        }
    }

    /// The lock, separate from the token so that the token can be replaced while it is held.
    pub fn lock(&self) -> PathBuf {
        self.file(LOCK)
    }

    /// What is known of the latest sign-in for this entry.
    pub fn attempt(&self) -> PathBuf {
        self.file(ATTEMPT)
    }

    /// The directory that all entries share.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn token(&self) -> PathBuf {
        self.file(TOKEN)
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}{extension}", self.stem))
    }

    /// Creates the directory, for its owner only.
    pub fn create_directory(&self) -> io::Result<()> {
        create_directory(&self.directory)
    }

    /// The entry. Absent, unreadable, broken and foreign files are all the same: there is none. So is a sealed one, whose
    /// key lies in the system's keyring: asking that is no part of a cache hit.
    pub fn load(&self) -> Option<Entry> {
        if self.protection == Protection::Sealed { None } else { self.load_open() }
    }

    /// The entry as it lies open on the disk, also where it should be sealed.
    pub fn load_open(&self) -> Option<Entry> {
        Entry::decode(&Zeroizing::new(fs::read(self.token()).ok()?))
    }

    /// Whether the entry is to be sealed.
    pub fn is_sealed(&self) -> bool {
        self.protection != Protection::Open
    }

    /// Whether it may lie open where it cannot be sealed.
    pub fn may_lie_open(&self) -> bool {
        self.protection != Protection::Sealed
    }

    /// The sealed entry, if there is one.
    pub fn load_sealed(&self) -> Option<Vec<u8>> {
        fs::read(self.file(SEALED)).ok()
    }

    /// Replaces the sealed entry. An open one of the same name goes.
    pub fn save_sealed(&self, sealed: &[u8], entropy: &dyn Entropy) -> io::Result<()> {
        self.create_directory()?;
        replace(&self.file(SEALED), sealed, entropy)?;
        remove(&self.token()).map(drop)
    }

    /// Notes that it was said that the entry cannot be kept; says whether that was noted before.
    pub fn note_unkept(&self) -> bool {
        let note = private(fs::File::options().write(true).create_new(true)).open(self.file(UNKEPT));
        note.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
    }

    /// Takes that note back.
    pub fn forget_unkept(&self) {
        // A note that stays costs one warning.
        let _ = remove(&self.file(UNKEPT));
    }

    /// Replaces the entry, at once or not at all. A sealed one of the same name goes where this one is in its place.
    pub fn save(&self, entry: &Entry, entropy: &dyn Entropy) -> io::Result<()> {
        self.create_directory()?;
        replace(&self.token(), &entry.encode()?, entropy)?;
        if self.protection == Protection::SealedWherePossible {
            remove(&self.file(SEALED))?;
        }
        Ok(())
    }

    /// What the entry is for, if that was noted.
    pub fn load_about(&self) -> Option<About> {
        About::decode(&fs::read(self.file(ABOUT)).ok()?)
    }

    /// Notes what the entry is for.
    pub fn save_about(&self, about: &About, entropy: &dyn Entropy) -> io::Result<()> {
        replace(&self.file(ABOUT), &about.encode()?, entropy)
    }

    /// The entries in `directory`, sorted by key. A file that does not read back counts, so that it can be deleted.
    pub fn all(directory: &Path) -> Vec<Self> {
        let Ok(files) = fs::read_dir(directory) else { return Vec::new() };
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let entry = |name: String| {
            let (stem, protection) = match name.strip_suffix(SEALED) {
                Some(stem) => (stem, Protection::Sealed),
                None => (name.strip_suffix(TOKEN)?, Protection::Open),
            };
            is_key(stem.strip_suffix(SUFFIX)?).then(|| (stem.to_owned(), protection))
        };
        let mut found: Vec<_> = names.filter_map(entry).collect();
        found.sort_unstable();
        let paths = |(stem, protection)| Self { directory: directory.to_owned(), stem, protection };
        found.into_iter().map(paths).collect()
    }

    /// The 64 digits that name the entry.
    pub fn key(&self) -> &str {
        self.stem.strip_suffix(SUFFIX).unwrap_or(&self.stem)
    }

    /// Deletes all of the entry but its lock; says whether there was a token.
    pub fn delete(&self) -> io::Result<bool> {
        for kind in [ATTEMPT, ABOUT, UNKEPT] {
            remove(&self.file(kind))?;
        }
        Ok(remove(&self.file(SEALED))? | remove(&self.token())?)
    }
}

impl Entry {
    /// The entry as it is stored. The text is secret.
    pub fn encode(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let stored = Stored {
            version: FORMAT_VERSION,
            token: self.token.expose(),
            issued_at: self.issued_at.map(Timestamp::as_second),
            expires_at: self.expires_at.as_second(),
            refresh_token: self.refresh_token.as_ref().map(Secret::expose),
            scope: self.scope.as_deref().map(Cow::Borrowed),
        };
        Ok(Zeroizing::new(serde_json::to_vec(&stored)?))
    }

    /// Reads what [`encode`](Self::encode) wrote; anything else is none.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(text).ok()?;
        if stored.version != FORMAT_VERSION || !is_header_safe(stored.token) {
            return None;
        }
        Some(Self {
            token: Secret::from(stored.token.to_owned()),
            issued_at: stored.issued_at.and_then(|second| Timestamp::from_second(second).ok()),
            expires_at: Timestamp::from_second(stored.expires_at).ok()?,
            refresh_token: stored.refresh_token.map(|token| Secret::from(token.to_owned())),
            scope: stored.scope.map(Cow::into_owned),
        })
    }

    /// The claims of the token, unverified; none if it is no JWT.
    pub fn claims(&self) -> Option<Map<String, Value>> {
        claims(self.token.expose())
    }
}

/// The claims of a compact JWS, unverified.
pub(crate) fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Deletes a file; says whether it was there.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates a directory for its owner only, and those above it. One that is there stays as it is.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Deletes what processes have left that were killed while they wrote, at least a moment before `now`.
pub fn sweep(directory: &Path, now: Timestamp) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_temporary = name.to_str().is_some_and(|name| name.contains(TEMPORARY) && is_our_name(name));
        if is_temporary && entry.metadata().is_ok_and(|file| is_abandoned(&file, now)) {
            // Whoever sweeps at the same time may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file is written in much less time.
fn is_abandoned(file: &fs::Metadata, now: Timestamp) -> bool {
    let modified = file.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    modified.is_some_and(|modified| now.duration_since(modified) > SignedDuration::from_secs(10))
}

/// Writes `bytes` beside `path` and renames them onto it, so that a reader sees the old or the new, never a part.
pub fn replace(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> io::Result<()> {
    let unique = u64::from_le_bytes(draw(entropy));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("{TEMPORARY}{unique:016x}"));
    let temporary = path.with_file_name(name);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the first error is the one that tells.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(fs::File::options().write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// New files are for their owner only.
pub fn private(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A token goes into an HTTP header; anything that could not is no token.
pub(crate) fn is_header_safe(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The directory of the cache: `--token-cache-dir`, else `$KUBECACHEDIR/oidc-login` if that variable is set, else
/// `~/.kube/cache/oidc-login`.
pub fn directory(arguments: &CacheDirectory, surroundings: &Surroundings) -> Result<PathBuf, Error> {
    let home = surroundings.home.as_deref();
    if let Some(given) = arguments.token_cache_dir.as_deref().filter(|path| !path.as_os_str().is_empty()) {
        return Ok(expand_home(given, home));
    }
    if let Some(kube_cache) = surroundings.variable("KUBECACHEDIR") {
        return Ok(Path::new(&kube_cache).join("oidc-login"));
    }
    let home = home.ok_or(Error::NoCacheDirectory)?;
    Ok(home.join(".kube").join("cache").join("oidc-login"))
}

/// The file for what a provider published, in the directory of the cache. `name` is 64 digits, as of a
/// [`hex_digest`](crate::key::hex_digest).
pub fn provider_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}{SUFFIX}{PROVIDER}"))
}

/// Whether a file name is one that this module makes.
pub fn is_our_name(name: &str) -> bool {
    let Some((key, rest)) = name.split_at_checked(64) else { return false };
    let Some(kind) = rest.strip_prefix(SUFFIX) else { return false };
    let kind = kind.split_once(TEMPORARY).map_or(kind, |(kind, _)| kind);
    is_key(key) && [TOKEN, SEALED, LOCK, ATTEMPT, ABOUT, UNKEPT, PROVIDER].contains(&kind)
}

/// 64 lower-case hexadecimal digits.
pub fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Tells our files from kubelogin's, which share the directory and are named by a bare key.
const SUFFIX: &str = ".kubesso";
const TOKEN: &str = ".json";
/// The ending of lock files, ours and kubelogin's.
pub const LOCK: &str = ".lock";
const ATTEMPT: &str = ".attempt";
const ABOUT: &str = ".about";
const SEALED: &str = ".sealed";
const UNKEPT: &str = ".unkept";
const PROVIDER: &str = ".provider";
const TEMPORARY: &str = ".new-";

#[cfg(test)]
mod tests;
