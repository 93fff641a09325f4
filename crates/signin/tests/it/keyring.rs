//! `--token-cache-storage=keyring`: files that are sealed under a key in the system's keyring.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use kubesso_keyring::{Item, Keyring, KeyringError, kubelogin};
use serde_json::json;

use crate::logout::kubelogins_name;
use crate::world::{Recording, Run, World};

const KEYRING: &str = "--token-cache-storage=keyring";

/// A session without a keyring.
#[derive(Debug)]
struct Absent;

fn absent<T>() -> Result<T, KeyringError> {
    Err(KeyringError::Absent { reason: "no bus".to_owned() })
}

impl Keyring for Absent {
    fn read(&self, _: &Item) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyringError> {
        absent()
    }

    fn write(&self, _: &Item, _: &[u8]) -> Result<(), KeyringError> {
        absent()
    }

    fn delete(&self, _: &Item) -> Result<bool, KeyringError> {
        absent()
    }

    fn delete_all(&self, _: &str) -> Result<usize, KeyringError> {
        absent()
    }
}

/// A keyring whose prompt is dismissed.
#[derive(Debug, Default)]
struct Dismissed(AtomicUsize);

impl Dismissed {
    fn refused<T>(&self) -> Result<T, KeyringError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(KeyringError::Refused { reason: "its prompt was dismissed".to_owned() })
    }
}

impl Keyring for Dismissed {
    fn read(&self, _: &Item) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyringError> {
        self.refused()
    }

    fn write(&self, _: &Item, _: &[u8]) -> Result<(), KeyringError> {
        self.refused()
    }

    fn delete(&self, _: &Item) -> Result<bool, KeyringError> {
        self.refused()
    }

    fn delete_all(&self, _: &str) -> Result<usize, KeyringError> {
        self.refused()
    }
}

fn line(world: &World, words: &[&str]) -> Run {
    let words = ["kubelogin"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    world.run_line(words, &Recording::default())
}

#[track_caller]
fn assert_nothing_lies_open(world: &World, token: &str) {
    for file in world.cache_files("") {
        let content = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!content.contains(token) && !content.contains("REFRESH_TOKEN"), "{}", file.display());
    }
}

#[test]
fn a_sealed_token_is_found_again_refreshed_and_listed() {
    let world = World::new();
    let token = world.get_token(&[KEYRING]).token();
    assert_nothing_lies_open(&world, &token);
    let asked = world.stub.behaviour().requests.len();
    assert_eq!(world.get_token(&[KEYRING]).token(), token);
    assert_eq!(world.stub.behaviour().requests.len(), asked);
    let listed = line(&world, &["list", "-o", "json"]).stdout;
    assert!(
        listed.contains(r#""kept_by":"keyring""#) && listed.contains(r#""can_refresh":true"#),
        "{listed}"
    );

    world.clock.advance(SignedDuration::from_hours(2));
    let renewed = world.get_token(&[KEYRING]).token();
    assert_ne!(renewed, token);
    assert_nothing_lies_open(&world, &renewed);
    assert_eq!(world.browser.openings(), 1);
    assert_ne!(world.get_token(&[]).token(), renewed, "who asks for the disk is not given what is sealed");
}

#[test]
fn without_a_keyring_the_token_is_printed_with_one_warning_and_nothing_is_kept() {
    let mut world = World::new();
    world.keyring = Arc::new(Absent);
    let first = world.get_token(&[KEYRING]);
    assert_nothing_lies_open(&world, &first.token());
    assert_eq!(first.stderr.matches("warning: ").count(), 1, "{}", first.stderr);
    assert!(
        first.stderr.contains("no keyring answers here")
            && first.stderr.contains("--token-cache-storage=disk")
    );
    let second = world.get_token(&[KEYRING]);
    second.token();
    assert_eq!(second.stderr, "", "it was said");
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn auto_seals_where_a_keyring_answers_and_keeps_an_open_file_where_none_does() {
    const AUTO: &str = "--token-cache-storage=auto";
    let mut world = World::new();
    let keyring = std::mem::replace(&mut world.keyring, Arc::new(Absent));
    let first = world.get_token(&[AUTO]);
    let token = first.token();
    assert_eq!(first.stderr.matches("warning: ").count(), 1, "{}", first.stderr);
    assert!(first.stderr.contains("a file that only you can read"), "{}", first.stderr);
    let asked = world.stub.behaviour().requests.len();
    assert_eq!(world.get_token(&[AUTO]).token(), token);
    assert_eq!(world.stub.behaviour().requests.len(), asked, "it was kept");

    // The keyring is there now: the next token is sealed, and the open one goes.
    world.keyring = keyring.clone();
    world.clock.advance(SignedDuration::from_hours(2));
    let sealed = world.get_token(&[AUTO]).token();
    assert_nothing_lies_open(&world, &sealed);
    assert_eq!(world.get_token(&[AUTO]).token(), sealed);

    // It is gone again: the person signs in, and there is one entry, which is open.
    world.keyring = Arc::new(Absent);
    let open = world.get_token(&[AUTO]);
    assert_eq!(world.get_token(&[AUTO]).token(), open.token());
    assert_eq!((world.cache_files(".sealed").len(), world.cache_files(".json").len()), (0, 1));
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn who_dismisses_the_prompt_is_shown_one_in_a_run() {
    let mut world = World::new();
    world.get_token(&[KEYRING]).token();
    let dismissed = Arc::new(Dismissed::default());
    world.keyring = dismissed.clone();
    let run = world.get_token(&[KEYRING]);
    run.token();
    assert_eq!(dismissed.0.load(Ordering::Relaxed), 1);
    assert_eq!(run.stderr.matches("the kept token cannot be read").count(), 1, "{}", run.stderr);
}

#[test]
fn a_key_that_went_away_is_a_miss() {
    let world = World::new();
    let token = world.get_token(&[KEYRING]).token();
    world.keyring.delete_all("kubesso").unwrap();
    let again = world.get_token(&[KEYRING]);
    assert_ne!(again.token(), token);
    assert_eq!(world.get_token(&[KEYRING]).token(), again.token());
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn an_open_entry_is_sealed_when_the_keyring_is_chosen() {
    let world = World::new();
    let token = world.get_token(&[]).token();
    assert_eq!(world.get_token(&[KEYRING]).token(), token);
    assert_nothing_lies_open(&world, &token);
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn kubelogins_item_is_taken_over_and_deleted_at_logout() {
    let world = World::new();
    let token = world.get_token(&["--profile=elsewhere"]).token();
    let name = kubelogins_name(&world);
    let content = json!({"id_token": token, "refresh_token": "THEIRS"}).to_string();
    world.keyring.write(&kubelogin::item(&name), content.as_bytes()).unwrap();
    assert_eq!(world.get_token(&[KEYRING]).token(), token);
    assert!(kubelogin::read(&*world.keyring, &name).unwrap().is_some(), "kubelogin may still be used");

    let run = world.run("logout", &[KEYRING, "--local"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(kubelogin::read(&*world.keyring, &name).unwrap().is_none());
    assert!(world.cache_files(".sealed").is_empty());
    assert_eq!(world.cache_files(".json").len(), 1, "the other profile stays");
}

#[test]
fn clean_empties_the_disk_and_the_keyring_and_a_missing_keyring_is_only_reported() {
    let mut world = World::new();
    world.get_token(&[KEYRING]).token();
    world.keyring.write(&kubelogin::item("any"), b"{}").unwrap();
    let run = line(&world, &["clean"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(
        run.stderr.starts_with("Deleted ") && run.stderr.ends_with("Deleted 2 items of the keyring\n"),
        "{}",
        run.stderr
    );
    assert!(!world.cache_directory().exists());
    assert_eq!(world.keyring.delete_all("kubesso").unwrap(), 0);

    world.get_token(&[]).token();
    world.keyring = Arc::new(Absent);
    let run = line(&world, &["clean"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.contains("The keyring was not cleaned: no keyring answers here"), "{}", run.stderr);
    assert!(!world.cache_directory().exists());
}
