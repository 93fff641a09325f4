//! The process that signs in, or refreshes, in the caller's place. Threads stand for processes here; `processes` starts
//! real ones.

use std::sync::Arc;
use std::thread;

use jiff::SignedDuration;
use serde_json::json;

use crate::world::{Recording, Threads, World};

fn world() -> (World, Arc<Threads>) {
    let threads = Arc::new(Threads::default());
    let mut world = World::new();
    world.helpers = Some(threads.clone());
    (world, threads)
}

#[test]
fn a_sign_in_is_done_by_a_helper_and_looks_as_if_it_was_not() {
    let (world, threads) = world();
    let run = world.get_token(&["-v1"]);
    threads.join();
    assert!(run.stderr.contains("the token has these claims"), "{run:?}");
    assert_eq!(threads.started(), 1);
    assert_eq!(world.get_token(&[]).token(), run.token(), "it is kept");
    assert_eq!(threads.started(), 1);

    let mut alone = World::new();
    alone.helpers = None;
    let by_itself = alone.get_token(&[]);
    let shape = |text: &str| text.split("\"token\"").next().unwrap().to_owned();
    assert_eq!(shape(&run.stdout), shape(&by_itself.stdout));
}

#[test]
fn what_the_helper_says_reaches_the_person() {
    let (world, threads) = world();
    world.stub.behaviour().redirect.insert("error".into(), "access_denied".into());
    let recording = Recording::default();
    let run = thread::scope(|scope| {
        let call = scope.spawn(|| world.run_into("get-token", &["--skip-open-browser"], &recording));
        recording.wait_for("Please visit the following URL in your browser: ", 1);
        let url = recording.text().split("browser: ").nth(1).unwrap().trim().parse().unwrap();
        crate::world::visit(&kubesso_https::Trust::System, &url);
        call.join().unwrap()
    });
    threads.join();
    assert_eq!(run.error(), "error: get-token: the provider refused the sign-in: access_denied");
}

#[test]
fn a_full_disk_loses_no_token() {
    let (world, threads) = world();
    // A directory in the place of the token's file: nothing can be renamed onto it.
    world.get_token(&[]).token();
    let file = world.cache_files(".json").remove(0);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    let run = world.get_token(&[]);
    threads.join();
    run.token();
    assert!(run.stderr.contains("tokens cannot be kept"), "{run:?}");
}

#[test]
fn an_interrupted_caller_stops_its_helper() {
    let (world, threads) = world();
    world.browser.ignore();
    let recording = Recording::default();
    thread::scope(|scope| {
        let call = scope.spawn(|| world.run_into("get-token", &["--skip-open-browser"], &recording));
        recording.wait_for("Please visit", 1);
        world.interrupt.cancel();
        assert_eq!(call.join().unwrap().error(), "error: get-token: interrupted");
    });
    // It does not wait for its time limit, and leaves neither its lock nor its port.
    threads.join();
    std::fs::File::open(&world.cache_files(".lock")[0]).unwrap().try_lock().unwrap();
    let url: url::Url = recording.text().split("browser: ").nth(1).unwrap().trim().parse().unwrap();
    std::net::TcpListener::bind(("127.0.0.1", url.port().unwrap())).unwrap();
}

#[test]
fn eight_cold_calls_share_one_browser_with_helpers_too() {
    let (world, threads) = world();
    let recording = Recording::default();
    let runs: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> =
            (0..8).map(|_| scope.spawn(|| world.run_into("get-token", &[], &recording))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    threads.join();
    assert!(runs.iter().all(|run| run.token() == runs[0].token()));
    assert_eq!((world.browser.openings(), threads.started()), (1, 1));
}

#[test]
fn the_keyboard_stays_with_the_caller() {
    for flags in [
        &["--grant-type=password", "--username=dev"][..],
        &["--grant-type=authcode-keyboard", "--oidc-redirect-url=http://localhost:8000/"],
    ] {
        let (mut world, threads) = world();
        world.keyboard = vec!["correct horse".to_owned()];
        world.get_token(flags);
        assert_eq!(threads.started(), 0, "{flags:?}");
    }
}

#[test]
fn nothing_is_left_to_a_helper_that_could_keep_nothing() {
    let (world, threads) = world();
    world.get_token(&["--token-cache-storage=none"]).token();
    assert_eq!(threads.started(), 0);
}

#[test]
fn a_token_is_refreshed_in_the_background_before_its_end() {
    let (world, threads) = world();
    let first = world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_secs(3600 - 301));
    assert_eq!(world.get_token(&[]).token(), first);
    assert_eq!(threads.started(), 1, "only the sign-in: it is not due yet");

    world.clock.advance(SignedDuration::from_secs(1));
    let run = world.get_token(&[]);
    assert_eq!((run.token(), run.stderr.as_str()), (first.clone(), ""), "the one at hand, at once");
    threads.join();
    assert_eq!(threads.started(), 2);
    let second = world.get_token(&[]);
    assert_ne!(second.token(), first);
    assert!(second.stdout.contains("\"2020-01-01T01:55:00Z\""), "{second:?}");
    assert_eq!(threads.started(), 2);
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn a_token_without_a_refresh_token_is_left_alone() {
    let (world, threads) = world();
    world.stub.behaviour().token_answer.insert("refresh_token".into(), json!(null));
    world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_mins(57));
    world.get_token(&[]).token();
    assert_eq!(threads.started(), 1);
}

#[test]
fn a_provider_that_is_down_is_not_asked_by_every_call() {
    let (world, threads) = world();
    let first = world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_secs(3600 - 300));
    world.stub.behaviour().overrides.clear();
    for _ in 0..300 {
        world.stub.behaviour().answer_next("/token", 503, "text/plain", "busy");
    }
    let mut refreshes_at = Vec::new();
    for second in 0..100 {
        let before = threads.started();
        assert_eq!(world.get_token(&[]).token(), first);
        threads.join();
        if threads.started() > before {
            refreshes_at.push(second);
        }
        world.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(refreshes_at, [0, 10, 30, 70]);

    // When it is stale, the call asks by itself, and makes do with what there is.
    world.clock.advance(SignedDuration::from_secs(300 - 100 - 20));
    let run = world.get_token(&[]);
    assert_eq!(run.token(), first);
    assert!(
        run.stderr.contains("warning: the token could not be refreshed, and ends in a moment"),
        "{run:?}"
    );
    world.clock.advance(SignedDuration::from_secs(15));
    assert!(world.get_token(&[]).error().contains("HTTP status 503"));
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn a_refresh_token_that_has_ended_is_forgotten_in_the_background_and_nobody_is_asked_before_the_end() {
    let (world, threads) = world();
    let first = world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_mins(57));
    world.stub.behaviour().answer_next("/token", 400, "application/json", r#"{"error":"invalid_grant"}"#);
    for _ in 0..3 {
        assert_eq!(world.get_token(&[]).token(), first);
        threads.join();
    }
    assert_eq!((threads.started(), world.browser.openings()), (2, 1));
    world.clock.advance(SignedDuration::from_mins(3));
    assert_ne!(world.get_token(&[]).token(), first);
    assert_eq!(world.browser.openings(), 2);
}

#[test]
fn a_refresh_does_not_wait_for_one_that_is_under_way() {
    let (world, threads) = world();
    let first = world.get_token(&[]).token();
    threads.join();
    world.clock.advance(SignedDuration::from_mins(57));
    let lock = std::fs::File::open(&world.cache_files(".lock")[0]).unwrap();
    lock.lock().unwrap();
    let requests = world.stub.behaviour().requests.len();
    assert_eq!(world.get_token(&[]).token(), first);
    threads.join();
    assert_eq!(world.stub.behaviour().requests.len(), requests);
}
