//! Everything outside the process that a sign-in touches, as one value.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kubesso_ambient::{Clock, Entropy};
use kubesso_https::Timeouts;
use kubesso_keyring::Keyring;
use kubesso_token_cache::attempt::Attendance;
use kubesso_token_cache::{
    AuthenticationArguments, Options, ProviderArguments, Surroundings, TlsArguments, options::old_flags,
};
use tokio_util::sync::CancellationToken;

use crate::browser::OpenBrowser;
use crate::launcher::Launch;

/// The world around one run of the plugin. The binary builds it from the operating system, a test from doubles.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables and the home directory. Looked up are `KUBERNETES_EXEC_INFO`, `KUBECACHEDIR`, `BROWSER`, `KUBESSO_NEVER_ASK`,
    /// `DISPLAY` and `WAYLAND_DISPLAY`.
    pub surroundings: Surroundings,
    /// The file that this program was started by, if it is known: what kubectl can start again.
    pub program: Option<PathBuf>,
    /// Where the credential goes, and nothing else.
    pub stdout: Output,
    /// Where everything for people goes.
    pub stderr: Output,
    /// The person at the keyboard.
    pub terminal: Arc<dyn Terminal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for state, nonce and code verifier.
    pub entropy: Arc<dyn Entropy>,
    /// Opens the browser.
    pub browser: Arc<dyn OpenBrowser>,
    /// Where keys lie for what is kept sealed. A call may wait for a person.
    pub keyring: Arc<dyn Keyring>,
    /// Starts this program again, for work that must outlive the one who called.
    pub launcher: Arc<dyn Launch>,
    /// What stops a run before its end.
    pub interrupt: Interrupt,
    /// How long to pause in loops.
    pub pacing: Pacing,
    /// How much to tell of what is done; the command line's `-v` sets it. 1: what is done, and the claims; 2: requests
    /// and answers with their headers, secrets masked; 3: what else may help.
    pub verbosity: u8,
}

/// A stream to write to, shared between tasks.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// What was warned of.
    warnings: Arc<Mutex<BTreeSet<String>>>,
}

impl Output {
    /// Writes to `writer`.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(Box::new(writer))), warnings: Arc::default() }
    }

    /// Writes `text` and flushes it.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(text.as_bytes())?;
        writer.flush()
    }

    /// Whether `warning` has not been given yet.
    fn is_new(&self, warning: &str) -> bool {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
    }
}

/// The person at the keyboard.
pub trait Terminal: Send + Sync {
    /// Waits for one line of standard input, without its line break. `None` when the input has ended.
    fn read_line(&self) -> io::Result<Option<String>>;

    /// Whether a person types, so that the line ends on the screen when they press Enter.
    fn is_terminal(&self) -> bool {
        false
    }

    /// Whether somebody sits where questions are asked: both standard input and standard error are a terminal.
    fn is_attended(&self) -> bool {
        false
    }

    /// Whether somebody may watch standard error, so that progress is worth telling.
    fn is_watched(&self) -> bool {
        false
    }

    /// Stops showing what is typed until the returned value is dropped. On an input that is not a terminal
    /// there is nothing to do.
    fn hide_input(&self) -> io::Result<Box<dyn Send>>;
}

/// What stops a run before its end.
#[derive(Clone, Debug)]
pub enum Interrupt {
    /// Ctrl-C and, where it exists, SIGTERM.
    Signals,
    /// Somebody else, who cancels this.
    Token(CancellationToken),
}

/// How long to pause in loops, and when to speak of waiting.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    /// Between two tries to take the lock of a cache entry.
    pub lock_poll: Duration,
    /// How long to wait for a lock in silence.
    pub quiet_wait: Duration,
    /// How long a helper process may take to begin, or to stop.
    pub helper: Duration,
    /// For each request to the provider.
    pub request: Timeouts,
    /// Before the first repetition of a failed request; each further one waits twice as long.
    pub retry: Duration,
    /// How long the browser may take to collect its last page.
    pub farewell: Duration,
    /// The unit of the device flow's polling interval: one second.
    pub device_second: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            lock_poll: Duration::from_millis(20),
            quiet_wait: Duration::from_secs(1),
            helper: Duration::from_secs(5),
            request: Timeouts::default(),
            retry: Duration::from_millis(300),
            farewell: Duration::from_millis(500),
            device_second: Duration::from_secs(1),
        }
    }
}

impl Environment {
    /// An environment variable that is set, possibly to nothing.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.surroundings.variable(name)
    }

    /// Tells the person something: one line on standard error. That nobody may be listening is no failure.
    pub(crate) fn say(&self, line: &str) {
        let _ = self.stderr.write(&format!("{line}\n"));
    }

    /// Tells the person that something is not as it should be.
    /// Once: what is tried several times fails several times for one reason.
    pub(crate) fn warn(&self, line: &str) {
        if self.stderr.is_new(line) {
            self.say(&format!("warning: {line}"));
        }
    }

    /// Tells the person how far it is, if there may be one who watches: a log is no place for it.
    pub(crate) fn progress(&self, line: &str) {
        if self.terminal.is_watched() {
            self.say(line);
        }
    }

    /// Who asks.
    pub(crate) fn attendance(&self) -> Attendance {
        if self.terminal.is_attended() { Attendance::Attended } else { Attendance::Unattended }
    }

    /// Warns of each.
    pub(crate) fn warn_all(&self, lines: &[String]) {
        for line in lines {
            self.warn(line);
        }
    }

    /// Tells what is done, to whoever asked for that much with `-v`. Secrets are never told.
    pub(crate) fn explain(&self, level: u8, line: impl FnOnce() -> String) {
        if self.verbosity >= level {
            self.say(&line());
        }
    }

    /// Warns of flags that are old, and of those that let others read or forge the tokens.
    pub(crate) fn warn_of_flags(
        &self,
        options: &Options,
        provider: &ProviderArguments,
        tls: &TlsArguments,
        authentication: &AuthenticationArguments,
    ) {
        for line in old_flags(provider, tls, authentication) {
            self.warn(line);
        }
        for line in options.exposures() {
            self.warn(&line);
        }
    }
}
