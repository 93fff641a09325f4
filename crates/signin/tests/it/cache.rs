//! Tokens on disk, seen from outside.

use std::fs;

use crate::world::{Recording, World};

#[test]
fn files_are_for_their_owner_only_and_nothing_else_is_left() {
    let world = World::new();
    world.get_token(&[]).token();
    assert_eq!(
        world.cache_files("").len(),
        5,
        "token, about, lock, attempt, provider: {:?}",
        world.cache_files("")
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&world.cache_directory()), 0o700);
        for file in world.cache_files("") {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

#[test]
fn a_broken_entry_is_a_miss() {
    let world = World::new();
    world.get_token(&[]).token();
    for broken in ["", "{}", "{\"version\":1", "\u{0}"] {
        for file in world.cache_files("") {
            fs::write(file, broken).unwrap();
        }
        let run = world.get_token(&[]);
        run.token();
        assert_eq!(run.stderr, "");
    }
    assert_eq!(world.browser.openings(), 5);
}

#[test]
fn a_valid_token_is_found_while_somebody_holds_the_lock_and_the_provider_is_gone() {
    let world = World::new();
    let first = world.get_token(&[]);
    let lock = fs::File::open(&world.cache_files(".lock")[0]).unwrap();
    lock.lock().unwrap();
    world.stub.stop();
    assert_eq!(world.get_token(&[]), first);
}

#[test]
fn a_place_that_cannot_be_written_costs_one_warning_and_no_token() {
    let world = World::new();
    fs::create_dir_all(world.cache_directory().parent().unwrap()).unwrap();
    // A file where the directory should be stops even root.
    fs::write(world.cache_directory(), "in the way").unwrap();
    let run = world.get_token(&[]);
    run.token();
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("tokens cannot be kept in") && run.stderr.contains("--token-cache-dir"));
}

#[test]
fn a_token_that_cannot_be_saved_is_still_printed() {
    let world = World::new();
    world.get_token(&[]).token();
    // A directory where the entry should be: the lock can be taken, the rename cannot be done.
    let entry = world.cache_files(".json").remove(0);
    fs::remove_file(&entry).unwrap();
    fs::create_dir_all(entry.join("in the way")).unwrap();
    let run = world.get_token(&[]);
    run.token();
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{}", run.stderr);
    assert!(world.cache_files("").iter().all(|path| !path.to_str().unwrap().contains(".new-")));
}

#[test]
fn different_questions_have_different_entries() {
    let world = World::new();
    let plain = world.get_token(&[]).token();
    let email = world.get_token(&["--oidc-extra-scope=email"]).token();
    assert_ne!(plain, email);
    assert_eq!(world.get_token(&["--skip-open-browser"]).token(), plain);
    assert_eq!(world.get_token(&["--oidc-extra-scope=openid email"]).token(), email);
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn nothing_is_kept_when_nothing_should_be() {
    let world = World::new();
    world.get_token(&["--token-cache-storage=none"]).token();
    world.get_token(&["--token-cache-storage=none"]).token();
    assert_eq!(world.browser.openings(), 2);
    assert!(!world.cache_directory().exists());
}

#[test]
fn clean_signs_out_of_this_machine() {
    let world = World::new();
    world.get_token(&[]).token();
    let line = |command: &str| vec!["kubelogin".to_owned(), command.to_owned()];
    let run = world.run_line(line("clean"), &Recording::default());
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(!world.cache_directory().exists());
    assert_eq!(world.run_line(line("clean"), &Recording::default()).code, 0);
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn version_goes_to_standard_error_and_the_flag_to_standard_output() {
    let world = World::new();
    let line = |argument: &str| vec!["kubelogin".to_owned(), argument.to_owned()];
    let run = world.run_line(line("version"), &Recording::default());
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.starts_with("kubectl-oidc_login version v") && run.stderr.lines().count() == 1);
    let run = world.run_line(line("--version"), &Recording::default());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("kubectl-oidc_login version v"), "{}", run.stdout);
}
