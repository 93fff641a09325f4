//! An environment for unit tests: nothing of the machine is in it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use kubesso_ambient::{ManualClock, SeededEntropy};
use kubesso_keyring::MemoryKeyring;
use kubesso_token_cache::Surroundings;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::browser::{BrowserChoice, BrowserError, OnFailure, OpenBrowser};
use crate::environment::{Environment, Interrupt, Output, Pacing, Terminal};
use crate::launcher::NoHelper;

/// What a run wrote.
#[derive(Default)]
pub(crate) struct Recording {
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Recording {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.stdout.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.stderr.lock().unwrap().clone()).unwrap()
    }
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Nobody;

impl Terminal for Nobody {
    fn read_line(&self) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

impl OpenBrowser for Nobody {
    fn open(&self, _: &Url, _: &BrowserChoice, _: OnFailure) -> Result<(), BrowserError> {
        Err(BrowserError::NoDisplay)
    }
}

pub(crate) fn environment() -> Environment {
    recording_environment().0
}

/// With these variables set, to something.
pub(crate) fn environment_with(variables: &[&str]) -> Environment {
    let variables = variables.iter().map(|name| ((*name).to_owned(), "set".to_owned())).collect();
    Environment { surroundings: Surroundings::of(variables, Some("/home/dev".into())), ..environment() }
}

pub(crate) fn recording_environment() -> (Environment, Recording) {
    let recording = Recording::default();
    let environment = Environment {
        surroundings: Surroundings::of(BTreeMap::new(), Some("/home/dev".into())),
        program: None,
        stdout: Output::new(Shared(recording.stdout.clone())),
        stderr: Output::new(Shared(recording.stderr.clone())),
        terminal: Arc::new(Nobody),
        clock: Arc::new(ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap())),
        entropy: Arc::new(SeededEntropy::new(1)),
        browser: Arc::new(Nobody),
        keyring: Arc::new(MemoryKeyring::default()),
        launcher: Arc::new(NoHelper),
        interrupt: Interrupt::Token(CancellationToken::new()),
        pacing: Pacing::default(),
        verbosity: 0,
    };
    (environment, recording)
}
