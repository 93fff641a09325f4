//! `clean`: deletes the tokens on this machine, and nothing else.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use kubesso_keyring::{EntryKey, LOCK_FILE, kubelogin};
use kubesso_token_cache::{
    CacheDirectory,
    cache::{self, LOCK},
};
use serde_json::Value;

use crate::environment::Environment;
use crate::error::Error;

/// Deletes our files and kubelogin's in the cache directory, and the directory if nothing is left in it.
pub(crate) fn run(arguments: &CacheDirectory, environment: &Environment) -> Result<(), Error> {
    let directory = cache::directory(arguments, &environment.surroundings)?;
    // The key's item is named after the directory's real path, which is known while it is there.
    let place = directory.canonicalize().unwrap_or_else(|_| directory.clone());
    clean_directory(&directory, environment)?;
    clean_keyring(&place, environment);
    Ok(())
}

fn clean_directory(directory: &Path, environment: &Environment) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| Error::Clean { path, source }
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            environment.say(&format!("There is no token cache at {}", directory.display()));
            return Ok(());
        }
        Err(error) => return Err(failed(directory)(error)),
    };
    let (mut deleted, mut kept) = (0, 0);
    for entry in entries {
        let entry = entry.map_err(failed(directory))?;
        let path = entry.path();
        // A link or a directory of such a name is not our making.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_of_the_cache(&path) || is_locked(&path) {
            kept += 1;
            continue;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&path)(error)),
            _ => deleted += 1,
        }
    }
    if kept == 0 {
        // It may be a mount point, or a place that somebody else is filling again.
        let _ = fs::remove_dir(directory);
    }
    let directory = directory.display();
    let kept = match kept {
        0 => String::new(),
        kept => format!("; left {kept} that are in use or not of the cache"),
    };
    environment.say(&format!("Deleted {deleted} files of the token cache in {directory}{kept}"));
    Ok(())
}

/// Deletes the key of the sealed files, and what kubelogin keeps in the keyring. A machine without a keyring is no failure.
fn clean_keyring(directory: &Path, environment: &Environment) {
    let keyring = &*environment.keyring;
    let deleted = EntryKey::forget(keyring, directory)
        .and_then(|key| Ok(usize::from(key) + keyring.delete_all(kubelogin::SERVICE)?));
    environment.say(&match deleted {
        Ok(deleted) => format!("Deleted {deleted} items of the keyring"),
        Err(error) => format!("The keyring was not cleaned: {error}"),
    });
}

fn is_of_the_cache(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name == LOCK_FILE || cache::is_our_name(name) || is_kubelogins(path, name)
}

/// kubelogin names a token by its bare key. Others name files by 64 digits too, so the content must be a token's.
fn is_kubelogins(path: &Path, name: &str) -> bool {
    if name.strip_suffix(LOCK).is_some_and(cache::is_key) {
        return fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    }
    if !cache::is_key(name) {
        return false;
    }
    let content = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(Value::Object(members)) = content else { return false };
    members
        .iter()
        .all(|(name, value)| matches!(name.as_str(), "id_token" | "refresh_token") && value.is_string())
}

/// A lock that somebody holds stays, so that there are never two of them.
fn is_locked(path: &Path) -> bool {
    let is_lock = path.extension().is_some_and(|extension| extension == LOCK.trim_start_matches('.'));
    is_lock && File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn clean(directory: &Path) -> String {
        let (environment, output) = testing::recording_environment();
        run(&CacheDirectory { token_cache_dir: Some(directory.to_owned()) }, &environment).unwrap();
        assert_eq!(output.stdout(), "");
        output.stderr()
    }

    #[test]
    fn only_files_of_the_cache_are_deleted() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("oidc-login");
        fs::create_dir_all(directory.join("sub")).unwrap();
        let key = "ab".repeat(32);
        let ours = ["json", "lock", "attempt", "provider"].map(|kind| format!("{key}.kubesso.{kind}"));
        for name in &ours {
            fs::write(directory.join(name), "anything").unwrap();
        }
        fs::write(directory.join(&key), r#"{"id_token":"a.b.c","refresh_token":"r"}"#).unwrap();
        fs::write(directory.join(format!("{key}.lock")), "").unwrap();
        let foreign = ["config", "notes.json", &"cd".repeat(32), &format!("{}.lock", "cd".repeat(32))];
        for name in foreign {
            fs::write(directory.join(name), "precious").unwrap();
        }
        assert!(clean(&directory).starts_with("Deleted 6 files"));
        let mut left: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected: Vec<_> = foreign.into_iter().map(str::to_owned).chain(["sub".to_owned()]).collect();
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn an_emptied_directory_goes_and_an_absent_one_is_no_error() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("oidc-login");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(format!("{}.kubesso.json", "0".repeat(64))), "{}").unwrap();
        clean(&directory);
        assert!(!directory.exists());
        assert!(clean(&directory).starts_with("There is no token cache"));
    }

    #[test]
    fn a_lock_that_is_held_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(format!("{}.kubesso.lock", "0".repeat(64)));
        let held = File::create(&path).unwrap();
        held.lock().unwrap();
        clean(directory.path());
        assert!(path.exists());
        drop(held);
        // A process that another test starts at this moment has the file open until it executes its program.
        while is_locked(&path) {
            std::thread::yield_now();
        }
        clean(directory.path());
        assert!(!path.exists());
    }
}
