//! Real processes, many at once, killed at any point: the sign-in goes on, no lock stays, the cache is never broken.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use jiff::SignedDuration;
use kubesso_ambient::{Clock, Entropy, ManualClock, SeededEntropy, SystemClock, draw};
use kubesso_https::{Timeouts, Trust};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::stub::Stub;

/// A machine whose processes live by the real clock.
struct Machine {
    stub: Stub,
    person: Person,
    /// Last, because the person's pipe is in it.
    home: TempDir,
}

/// Opens what the browser command is told to, when allowed to.
struct Person {
    fifo: PathBuf,
    /// What was opened.
    tabs: Arc<AtomicUsize>,
    is_there: Arc<(Mutex<bool>, Condvar)>,
    watching: Option<JoinHandle<()>>,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let stub = Stub::start(Arc::new(ManualClock::at(SystemClock.now())), false);
        let person = Person::new(home.path().join("browser"));
        Self { stub, person, home }
    }

    /// The provider's clock is set by hand.
    fn set_clock(&self) {
        self.stub.clock.set(SystemClock.now());
    }

    fn command(&self, command: &str) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_signin-plugin"));
        process.arg(command).args([
            format!("--oidc-issuer-url={}", self.stub.issuer),
            "--oidc-client-id=kubernetes".to_owned(),
            "--listen-address=127.0.0.1:0".to_owned(),
            "--authentication-timeout-sec=30".to_owned(),
            format!("--token-cache-dir={}", self.cache().display()),
            format!("--browser-command=sh -c 'echo \"$0\" > {}'", self.person.fifo.display()),
        ]);
        process.env("HOME", self.home.path()).stdin(Stdio::null());
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        process
    }

    fn get_token(&self) -> Command {
        self.command("get-token")
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    fn files(&self, part: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| path.to_str().unwrap().contains(part)).collect()
    }

    /// A token's file is whole or not there.
    fn assert_whole(&self) {
        for file in self.files(".json").iter().filter(|file| file.extension().unwrap() == "json") {
            if let Ok(text) = fs::read(file) {
                let entry: serde_json::Value = serde_json::from_slice(&text).unwrap();
                assert!(entry["token"].is_string(), "{entry}");
            }
        }
    }

    /// Waits until no process of this machine holds the lock.
    fn await_quiet(&self) {
        for file in self.files(".lock") {
            File::open(file).unwrap().lock().unwrap();
        }
    }

    fn token_requests(&self) -> usize {
        self.stub.behaviour().requests_to("/token").len()
    }
}

impl Person {
    fn new(fifo: PathBuf) -> Self {
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let (tabs, is_there) = (Arc::new(AtomicUsize::new(0)), Arc::new((Mutex::new(true), Condvar::new())));
        // Open for writing too, so that it never ends.
        let calls = File::options().read(true).write(true).open(&fifo).unwrap();
        let (counted, present) = (tabs.clone(), is_there.clone());
        let watching = thread::spawn(move || {
            for url in BufReader::new(calls).lines().map_while(Result::ok).take_while(|line| line != "end") {
                let seen = present.0.lock().unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                drop(seen);
                present.1.notify_all();
                let present = present.clone();
                thread::spawn(move || {
                    let waiting = present.0.lock().unwrap();
                    drop(present.1.wait_while(waiting, |is_there| !*is_there).unwrap());
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.unwrap().block_on(async {
                        let client = kubesso_https::client(&Trust::System, Timeouts::default()).unwrap();
                        // Whoever asked may have been killed.
                        let _ = client.get(url).send().await;
                    });
                });
            }
        });
        Self { fifo, tabs, is_there, watching: Some(watching) }
    }

    fn tabs(&self) -> usize {
        self.tabs.load(Ordering::SeqCst)
    }

    fn leave(&self) {
        *self.is_there.0.lock().unwrap() = false;
    }

    fn come_back(&self) {
        *self.is_there.0.lock().unwrap() = true;
        self.is_there.1.notify_all();
    }

    /// Waits for the `count`-th tab of an absent person.
    fn await_tab(&self, count: usize) {
        let waiting = self.is_there.0.lock().unwrap();
        drop(self.is_there.1.wait_while(waiting, |_| self.tabs() < count).unwrap());
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        if let Ok(mut fifo) = File::options().write(true).open(&self.fifo) {
            let _ = fifo.write_all(b"end\n");
        }
        if let Some(watching) = self.watching.take() {
            let _ = watching.join();
        }
    }
}

fn token(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let credential: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    credential["status"]["token"].as_str().unwrap().to_owned()
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

#[test]
fn fifty_processes_at_once_are_one_sign_in_and_then_one_refresh() {
    let machine = Machine::new();
    let all_at_once = || {
        let calls: Vec<_> = (0..50).map(|_| machine.get_token().spawn().unwrap()).collect();
        calls.into_iter().map(|call| token(&call.wait_with_output().unwrap())).collect::<BTreeSet<_>>()
    };
    let first = all_at_once();
    assert_eq!(first.len(), 1);
    assert_eq!((machine.person.tabs(), machine.token_requests()), (1, 1));

    // In the last part of its life all of them get the token at hand, and one process fetches the next.
    let file = machine.files(".json").remove(0);
    let mut entry: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let now = SystemClock.now().as_second();
    (entry["issued_at"], entry["expires_at"]) = ((now - 3500).into(), (now + 100).into());
    fs::write(&file, entry.to_string()).unwrap();
    // Those that come late may get the next one already.
    assert!(all_at_once().is_superset(&first));
    while all_at_once() == first {}
    machine.await_quiet();
    assert_eq!(all_at_once().len(), 1);
    assert_eq!((machine.person.tabs(), machine.token_requests()), (1, 2));
}

/// KDash kills kubectl after three seconds, and its children with it; terminals are closed.
#[test]
fn a_sign_in_outlives_the_death_of_all_who_called_and_the_next_call_finds_the_token() {
    let machine = Machine::new();
    machine.person.leave();
    let call = machine.get_token().process_group(0).spawn().unwrap();
    machine.person.await_tab(1);
    kill_process_group(pid(&call), Signal::KILL).unwrap();
    // Both streams end with the caller: the helper holds none of them.
    let output = call.wait_with_output().unwrap();
    assert_eq!((output.status.signal(), output.stdout.len()), (Some(9), 0));

    let next = machine.get_token().spawn().unwrap();
    machine.person.come_back();
    token(&next.wait_with_output().unwrap());
    assert_eq!((machine.person.tabs(), machine.token_requests()), (1, 1));
}

#[test]
fn a_person_who_stops_the_call_stops_the_sign_in() {
    for signal in [Signal::INT, Signal::TERM] {
        let machine = Machine::new();
        machine.person.leave();
        let call = machine.get_token().spawn().unwrap();
        machine.person.await_tab(1);
        kill_process(pid(&call), signal).unwrap();
        let output = call.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.as_str()), (Some(1), "error: get-token: interrupted\n"));
        // The helper has ended too: its lock is free, without waiting for its time limit.
        File::open(&machine.files(".lock")[0]).unwrap().try_lock().unwrap();
        assert_eq!(machine.files(".new-"), [] as [PathBuf; 0]);
        machine.person.come_back();
    }
}

#[test]
fn whoever_reads_our_streams_to_their_end_does_not_wait_for_the_helper() {
    let machine = Machine::new();
    machine.person.leave();
    let mut call = machine.get_token().spawn().unwrap();
    machine.person.await_tab(1);
    call.kill().unwrap();
    let mut text = String::new();
    call.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    call.wait().unwrap();
    machine.person.come_back();
    token(&machine.get_token().output().unwrap());
}

/// For how long to kill: some rounds, or as long as the variable says.
#[expect(clippy::disallowed_methods, reason = "a knob of this test")]
fn kill_seconds() -> Option<Duration> {
    std::env::var("KUBESSO_KILL_SECONDS").ok()?.parse().ok().map(Duration::from_secs)
}

#[test]
fn killed_at_any_point_it_leaves_a_whole_cache_and_no_lock() {
    let machine = Machine::new();
    let entropy = SeededEntropy::new(20_261_122);
    let below = |bound: usize| usize::from_le_bytes(draw(&entropy as &dyn Entropy)) % bound;
    let (begin, wanted) = (Instant::now(), kill_seconds());
    let (mut rounds, mut killed, mut printed) = (0, 0, 0);
    while wanted.map_or(rounds < 12, |wanted| begin.elapsed() < wanted) {
        rounds += 1;
        machine.set_clock();
        machine.stub.behaviour().lifetime = SignedDuration::from_secs([1, 2, 3, 3600][below(4)]);
        // Cold, or with whatever the round before has left.
        for (part, one_in) in [(".json", 4), (".attempt", 2)] {
            if below(one_in) == 0 {
                machine.files(part).iter().for_each(|file| drop(fs::remove_file(file)));
            }
        }
        let mut calls = Vec::new();
        for _ in 0..6 {
            calls.push(machine.get_token().spawn().unwrap());
            thread::sleep(Duration::from_millis(below(20) as u64));
            if below(2) == 0 {
                let victim = below(calls.len());
                let signal = if below(2) == 0 { Signal::KILL } else { Signal::TERM };
                let _ = kill_process(pid(&calls[victim]), signal);
                killed += 1;
            }
            if below(4) == 0 {
                // Whoever signs in at the moment: a call, or a helper.
                let record = machine.files(".attempt").first().and_then(|file| fs::read(file).ok());
                let record = record.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
                let latest = record.map(|record| record["latest"].clone()).filter(|l| l["outcome"].is_null());
                if let Some(leader) =
                    latest.and_then(|l| Pid::from_raw(i32::try_from(l["process"].as_i64()?).ok()?))
                {
                    let _ = kill_process(leader, Signal::KILL);
                    killed += 1;
                }
            }
            machine.assert_whole();
        }
        for call in calls {
            let output = call.wait_with_output().unwrap();
            match output.status.code() {
                Some(0) => {
                    token(&output);
                    printed += 1;
                }
                Some(1) => assert!(output.stdout.is_empty(), "{output:?}"),
                Some(_) => panic!("{output:?}"),
                None => assert!(matches!(output.status.signal(), Some(9 | 15)), "{output:?}"),
            }
        }
        machine.assert_whole();
    }
    println!("{rounds} rounds, {killed} killed, {printed} tokens, {} tabs", machine.person.tabs());

    // Helpers may still be at it; then there is no lock, and whoever comes next signs in.
    machine.await_quiet();
    machine.set_clock();
    machine.stub.behaviour().lifetime = SignedDuration::from_hours(1);
    for file in machine.files(".new-") {
        let long_ago = SystemTime::UNIX_EPOCH;
        File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
    let output = machine.command("login").arg("--force-refresh").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    token(&machine.get_token().output().unwrap());
    assert_eq!(machine.files(".new-"), [] as [PathBuf; 0], "what the killed have left is swept");
}
