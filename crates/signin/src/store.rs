//! Reading and writing entries: open on the disk, or sealed under a key that lies in the system's keyring.

use std::io;
use std::sync::Arc;

use kubesso_keyring::{EntryKey, Keyring, KeyringError, kubelogin};
use kubesso_token_cache::legacy::{KubeloginEntry, KubeloginKey};
use kubesso_token_cache::{Entry, EntryPaths};

use crate::environment::Environment;

/// Why an entry could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unkept {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// So many of the names that kubelogin may have given are asked for in the keyring, each a question to another process.
const MOST_NAMES: usize = 120;

/// The entry, if it is there and can be read.
pub(crate) async fn load(paths: &EntryPaths, environment: &Environment) -> Option<Entry> {
    if !paths.is_sealed() {
        return paths.load();
    }
    let (paths, environment) = (paths.clone(), environment.clone());
    tokio::task::spawn_blocking(move || load_now(&paths, &environment)).await.ok()?
}

/// The same where nothing else waits: a locked keyring waits for a person.
pub(crate) fn load_now(paths: &EntryPaths, environment: &Environment) -> Option<Entry> {
    if !paths.is_sealed() {
        return paths.load();
    }
    let Some(sealed) = paths.load_sealed() else {
        // From before the person chose the keyring; it does not stay open a moment longer.
        let entry = paths.load_open()?;
        let _ = seal(paths, &entry, environment);
        return Some(entry);
    };
    let key = match EntryKey::find(&*environment.keyring, paths.directory()) {
        Ok(key) => key?,
        Err(error) => {
            // Who polls is told nothing each time; the sign-in that follows says enough.
            if environment.terminal.is_attended() {
                environment.warn(&format!("the kept token cannot be read: {error}"));
            }
            return None;
        }
    };
    Entry::decode(&key.open(paths.key(), &sealed).ok()?)
}

/// Keeps the entry, or says why not. What should be sealed is never written open.
pub(crate) async fn save(paths: &EntryPaths, entry: &Entry, environment: &Environment) -> Result<(), Unkept> {
    if !paths.is_sealed() {
        return Ok(paths.save(entry, &*environment.entropy)?);
    }
    let sealing = {
        let (paths, entry, environment) = (paths.clone(), entry.clone(), environment.clone());
        tokio::task::spawn_blocking(move || seal(&paths, &entry, &environment))
    };
    match sealing.await.unwrap_or_else(|error| Err(io::Error::other(error).into())) {
        Err(Unkept::Keyring(error)) if paths.may_lie_open() => {
            paths.save(entry, &*environment.entropy)?;
            if !paths.note_unkept() {
                environment.warn(&format!(
                    "{error}; the token is kept in a file that only you can read, as --token-cache-storage=auto has it"
                ));
            }
            Ok(())
        }
        kept => kept,
    }
}

fn seal(paths: &EntryPaths, entry: &Entry, environment: &Environment) -> Result<(), Unkept> {
    paths.create_directory()?;
    let entropy = &*environment.entropy;
    let key = EntryKey::obtain(&*environment.keyring, paths.directory(), entropy)?;
    paths.save_sealed(&key.seal(paths.key(), &entry.encode()?, entropy), entropy)?;
    paths.forget_unkept();
    Ok(())
}

/// kubelogin's entry of the same call: a file, or an item of the keyring where tokens are kept by that.
pub(crate) async fn find_kubelogins(
    paths: &EntryPaths,
    key: &KubeloginKey,
    environment: &Environment,
) -> Option<KubeloginEntry> {
    if let Some(found) = key.find_in(paths.directory()) {
        return Some(found);
    }
    if !paths.is_sealed() {
        return None;
    }
    let (key, keyring) = (key.clone(), Arc::clone(&environment.keyring));
    tokio::task::spawn_blocking(move || find_item(&key, &*keyring)).await.ok()?
}

/// kubelogin's entry of the same call in the keyring. A keyring that does not answer is asked once.
pub(crate) fn find_item(key: &KubeloginKey, keyring: &dyn Keyring) -> Option<KubeloginEntry> {
    for name in key.names(MOST_NAMES) {
        let content = kubelogin::read(keyring, &name).ok()?;
        let entry = content.and_then(|content| KubeloginEntry::parse(&name, &content));
        if let Some(found) = key.find_among(entry) {
            return Some(found);
        }
    }
    None
}
