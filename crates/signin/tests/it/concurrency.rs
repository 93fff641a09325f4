//! One sign-in, however many ask. Threads stand for processes: each opens the lock file by itself.

use std::thread;
use std::time::Duration;

use jiff::SignedDuration;

use crate::world::{Recording, Run, World};

const CALLS: usize = 8;

/// All calls at once, into one recording of standard error.
fn at_once(world: &World, recording: &Recording) -> Vec<Run> {
    thread::scope(|scope| {
        let calls: Vec<_> =
            (0..CALLS).map(|_| scope.spawn(|| world.run_into("get-token", &[], recording))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

#[test]
fn eight_cold_calls_open_one_browser_and_print_the_same() {
    let world = World::new();
    let runs = at_once(&world, &Recording::default());
    let token = runs[0].token();
    assert!(runs.iter().all(|run| run.code == 0 && run.stdout == runs[0].stdout), "{token}");
    assert_eq!(world.browser.openings(), 1);
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), 1);
}

#[test]
fn at_expiry_one_call_refreshes_for_all() {
    let world = World::new();
    world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_hours(2));
    let runs = at_once(&world, &Recording::default());
    assert!(runs.iter().all(|run| run.token() == runs[0].token()));
    assert_eq!(world.browser.openings(), 1);
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), 2);
}

#[test]
fn those_who_wait_fail_as_the_one_they_waited_for() {
    let mut world = World::new();
    world.quiet_wait = Duration::ZERO;
    world.stub.behaviour().redirect.extend([
        ("error".to_owned(), "access_denied".to_owned()),
        ("error_description".to_owned(), "not assigned".to_owned()),
    ]);
    let recording = Recording::default();
    let all_wait = recording.clone();
    // The person refuses only when all the others are waiting.
    world.browser.first(move |_| all_wait.wait_for("press Ctrl-C", CALLS - 1));
    let runs = at_once(&world, &recording);
    assert!(runs.iter().all(|run| (run.code, run.stdout.as_str()) == (1, "")));
    let text = recording.text();
    let line = "error: get-token: the provider refused the sign-in: access_denied: not assigned\n";
    assert_eq!(text.matches(line).count(), CALLS, "{text}");
    assert_eq!(world.browser.openings(), 1, "one tab");

    // Whoever comes later tries anew.
    world.stub.behaviour().redirect.clear();
    world.browser.first(|_| ());
    world.get_token(&[]).token();
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_killed_sign_in_leaves_nothing_that_stands_in_the_way() {
    let world = World::new();
    world.browser.ignore();
    let recording = Recording::default();
    thread::scope(|scope| {
        let call = scope.spawn(|| world.run_into("get-token", &["--skip-open-browser"], &recording));
        recording.wait_for("Please visit", 1);
        world.interrupt.cancel();
        assert_eq!(call.join().unwrap().error(), "error: get-token: interrupted");
    });
    let lock = std::fs::File::open(&world.cache_files(".lock")[0]).unwrap();
    lock.try_lock().unwrap();
}

#[test]
fn those_who_wait_say_for_whom() {
    let mut world = World::new();
    world.quiet_wait = Duration::ZERO;
    world.browser.ignore();
    let (leading, waiting) = (Recording::default(), Recording::default());
    thread::scope(|scope| {
        scope.spawn(|| world.run_into("get-token", &["--skip-open-browser"], &leading));
        leading.wait_for("Please visit", 1);
        scope.spawn(|| world.run_into("get-token", &[], &waiting));
        waiting.wait_for("has been waiting", 1);
        world.interrupt.cancel();
    });
    let text = waiting.text();
    assert!(text.contains(&format!("process {} has been waiting for", std::process::id())), "{text}");
    assert!(text.contains("until somebody signs in, in the browser"), "{text}");
    assert_eq!(world.browser.openings(), 0);
}

#[test]
fn waiting_for_the_lock_can_be_interrupted() {
    let mut world = World::new();
    world.quiet_wait = Duration::ZERO;
    world.get_token(&[]).token();
    let lock = std::fs::File::open(&world.cache_files(".lock")[0]).unwrap();
    lock.lock().unwrap();
    let recording = Recording::default();
    thread::scope(|scope| {
        let call = scope.spawn(|| world.run_into("get-token", &["--force-refresh"], &recording));
        recording.wait_for("waiting for", 1);
        world.interrupt.cancel();
        assert_eq!(call.join().unwrap().error(), "error: get-token: interrupted");
    });
}
