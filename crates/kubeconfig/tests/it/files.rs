//! Locks, modes, links, and what stops a file from being changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubesso_kubeconfig::{FileError, LockedFile, Patience, Place, Saved};
use serde_json::json;
use tempfile::TempDir;

/// Looks once and does not wait.
const NO_PATIENCE: Patience = Patience { tries: 0, pause: Duration::ZERO };

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    (home, file)
}

fn use_context(file: &Path, name: &str) -> Result<Saved, FileError> {
    let mut locked = LockedFile::open(file, NO_PATIENCE)?;
    locked.document_mut().set(&Place::top("current-context"), json!(name)).unwrap();
    locked.save()
}

/// The names in a directory, sorted.
fn listing(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_not_there_is_made_with_its_directory() {
    let (home, _) = home();
    let file = home.path().join(".kube/config");
    let saved = use_context(&file, "c").unwrap();
    assert_eq!(saved, Saved { file: file.clone(), changed: true, readable_by_others: false });
    assert_eq!(fs::read_to_string(&file).unwrap(), "current-context: c\n");
    assert_eq!(listing(file.parent().unwrap()), ["config"]);
}

#[test]
fn without_a_change_nothing_is_written() {
    let (home, file) = home();
    assert!(!LockedFile::open(&file, NO_PATIENCE).unwrap().save().unwrap().changed);
    assert_eq!(listing(home.path()), [""; 0]);
    fs::write(&file, "current-context:   c\n").unwrap();
    assert!(!use_context(&file, "c").unwrap().changed);
    assert_eq!(fs::read_to_string(&file).unwrap(), "current-context:   c\n");
}

#[test]
fn the_lock_is_kubectl_s_and_is_given_back() {
    let (home, file) = home();
    let locked = LockedFile::open(&file, NO_PATIENCE).unwrap();
    assert_eq!(listing(home.path()), ["config.lock"]);
    let error = LockedFile::open(&file, NO_PATIENCE).unwrap_err();
    let lock = home.path().join("config.lock");
    assert!(matches!(&error, FileError::Locked { lock: path, .. } if *path == lock));
    assert!(error.to_string().contains(&format!("if no kubectl runs, remove {}", lock.display())), "{error}");
    drop(locked);
    assert_eq!(listing(home.path()), [""; 0]);
    // One that kubectl holds is not removed.
    fs::write(&lock, "").unwrap();
    use_context(&file, "c").unwrap_err();
    assert_eq!(listing(home.path()), ["config.lock"]);
}

#[test]
fn a_lock_that_a_killed_process_of_ours_left_is_taken_over_and_kubectls_is_not() {
    let (home, file) = home();
    let lock = home.path().join("config.lock");
    let long = Patience { tries: 11, pause: Duration::from_millis(100) };
    // As it is while somebody holds it.
    let locked = LockedFile::open(&file, NO_PATIENCE).unwrap();
    let held = fs::read(&lock).unwrap();
    drop(locked);
    fs::write(&lock, &held).unwrap();
    assert!(LockedFile::open(&file, NO_PATIENCE).is_err(), "who does not wait does not know");
    LockedFile::open(&file, long).unwrap();
    assert_eq!(listing(home.path()), [""; 0]);

    fs::write(&lock, "").unwrap();
    assert!(matches!(LockedFile::open(&file, long).unwrap_err(), FileError::Locked { .. }));

    // Somebody else took it meanwhile, one after the other.
    fs::write(&lock, &held).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| LockedFile::open(&file, long).map(drop));
        while !waiting.is_finished() {
            fs::write(&lock, &held).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(matches!(waiting.join().unwrap(), Err(FileError::Locked { .. })));
    });
}

#[test]
fn whoever_waits_gets_the_lock_in_the_end() {
    let (_home, file) = home();
    let patience = Patience { tries: u32::MAX, pause: Duration::from_millis(1) };
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let mut locked = LockedFile::open(file, patience).unwrap();
                let place = Place::user(number.to_string()).key("username");
                locked.document_mut().set(&place, json!(number.to_string())).unwrap();
                locked.save().unwrap();
            });
        }
    });
    let locked = LockedFile::open(&file, NO_PATIENCE).unwrap();
    assert_eq!(locked.document().config().unwrap().users.len(), 8);
}

#[test]
fn what_a_killed_process_left_is_overwritten() {
    let (home, file) = home();
    fs::write(home.path().join("config.kubesso-new"), "half").unwrap();
    use_context(&file, "c").unwrap();
    assert_eq!(listing(home.path()), ["config"]);
}

#[test]
fn what_cannot_be_understood_is_left_alone_and_named_without_its_content() {
    let (_home, file) = home();
    for text in ["users: [\n  s3cret", "a: b: s3cret", "token: *s3cret", "x: !!int s3cret"] {
        fs::write(&file, text).unwrap();
        let error = use_context(&file, "c").unwrap_err();
        assert!(matches!(error, FileError::Unreadable { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, b"users: \xff").unwrap();
    assert!(matches!(use_context(&file, "c"), Err(FileError::Read { .. })));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(use_context(&file, "c"), Err(FileError::NoFile { .. })));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(file: &Path, mode: u32) {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_file_is_its_owner_s_alone() {
        let (home, _) = home();
        let file = home.path().join("new/config");
        use_context(&file, "c").unwrap();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn the_mode_stays_and_the_caller_learns_who_may_read() {
        for (mode_before, readable_by_others) in
            [(0o600, false), (0o644, true), (0o640, true), (0o700, false)]
        {
            let (_home, file) = home();
            fs::write(&file, "kind: Config\n").unwrap();
            set_mode(&file, mode_before);
            let saved = use_context(&file, "c").unwrap();
            assert_eq!((mode(&file), saved.readable_by_others), (mode_before, readable_by_others));
        }
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_changes() {
        let (home, file) = home();
        let target = home.path().join("dotfiles/kube");
        fs::create_dir(target.parent().unwrap()).unwrap();
        fs::write(&target, "kind: Config # mine\n").unwrap();
        symlink("dotfiles/kube", home.path().join("between")).unwrap();
        symlink(home.path().join("between"), &file).unwrap();
        // Both names are locked: kubectl may know either.
        let locked = LockedFile::open(&file, NO_PATIENCE).unwrap();
        assert!(matches!(LockedFile::open(&target, NO_PATIENCE), Err(FileError::Locked { .. })));
        drop(locked);
        use_context(&file, "c").unwrap();
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kind: Config # mine\ncurrent-context: c\n");
        assert_eq!(listing(target.parent().unwrap()), ["kube"]);
        // A link to what is not there yet.
        fs::remove_file(&target).unwrap();
        use_context(&file, "d").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "current-context: d\n");
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let (_home, file) = home();
        symlink(&file, &file).unwrap();
        assert!(matches!(use_context(&file, "c"), Err(FileError::Read { .. })));
    }

    #[test]
    fn the_file_is_replaced_and_never_half_written() {
        let (_home, file) = home();
        fs::write(&file, "kind: Config\n").unwrap();
        let before = fs::File::open(&file).unwrap();
        use_context(&file, "c").unwrap();
        // Whoever had it open goes on reading the old file, whole.
        assert_ne!(before.metadata().unwrap().ino(), fs::metadata(&file).unwrap().ino());
        assert_eq!(std::io::read_to_string(before).unwrap(), "kind: Config\n");
    }

    #[test]
    fn a_read_only_file_is_not_changed() {
        let (home, file) = home();
        fs::write(&file, "kind: Config\n").unwrap();
        set_mode(&file, 0o444);
        let error = use_context(&file, "c").unwrap_err();
        assert!(matches!(error, FileError::ReadOnly { .. }), "{error:?}");
        assert_eq!(listing(home.path()), ["config"]);
    }

    #[test]
    fn a_directory_that_takes_no_file_is_named() {
        // The one directory in which not even root makes files.
        let file = Path::new("/proc/kubeconfig");
        if !Path::new("/proc/self").exists() {
            println!("skipped: this system has no /proc");
            return;
        }
        let error = use_context(file, "c").unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error:?}");
        assert!(error.to_string().contains("/proc/kubeconfig.lock cannot be written"), "{error}");
    }
}
