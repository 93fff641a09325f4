//! A sign-in in a process of its own, so that it outlives the one who called: dashboards kill a plugin that takes long,
//! and terminals are closed while the browser is still open.
//!
//! The helper is this program with the same command line and the first word `--detached=…`. It inherits no stream of the
//! caller's: whoever reads those to their end does not wait for it. What it has to say goes to the caller through a pipe,
//! a line of JSON each, and the token too, so that a full disk loses nothing. The caller tells it to stop when a person
//! does; when the caller is killed, the pipe only ends, and the helper goes on and keeps the token for the next call.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use kubesso_token_cache::{Entry, GetTokenArguments, Secret, helper};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::environment::{Environment, Output, Terminal};
use crate::errand::Errand;
use crate::error::Error;
use crate::launcher::Helper;
use crate::runtime::block_on;

/// What a helper process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detached {
    /// The sign-in of a call that waits.
    SignIn,
    /// The refresh of a token that is still good. Nobody waits.
    Refresh,
}

impl Detached {
    /// The first word of a helper's command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::SignIn => helper::SIGN_IN,
            Self::Refresh => helper::REFRESH,
        }
    }

    pub(crate) fn from_word(word: &OsStr) -> Option<Self> {
        [Self::SignIn, Self::Refresh].into_iter().find(|errand| word == errand.word())
    }
}

/// What the helper says, one line each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Report<'a> {
    /// It has left the caller's session, and waits for the lock.
    Ready,
    /// For the person.
    Text(Cow<'a, str>),
    /// The end.
    SignedIn { token: Cow<'a, str>, expires_at: i64 },
    /// The other end.
    Failed(Cow<'a, str>),
}

/// What the caller says: stop, because of a person, or without one.
const STOP_ATTENDED: &str = "stop, says a person";
const STOP: &str = "stop";

/// A helper, from the side of the one who waits for it. Dropped early, it is stopped.
pub(crate) struct Supervised<'e> {
    environment: &'e Environment,
    orders: Box<dyn Write + Send>,
    reports: mpsc::UnboundedReceiver<Report<'static>>,
    /// Ends with the helper.
    end: std::sync::mpsc::Receiver<()>,
    is_over: bool,
}

impl<'e> Supervised<'e> {
    /// Starts a helper and waits until it stands on its own. `None` if there can be none: then the work is the caller's.
    pub(crate) async fn start(environment: &'e Environment) -> Option<Self> {
        let Helper { orders, reports } = environment.launcher.sign_in().ok()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (alive, end) = std::sync::mpsc::channel();
        let reading = std::thread::Builder::new().name("helper".to_owned()).spawn(move || {
            let _alive = alive;
            read_reports(BufReader::new(reports), &sender);
        });
        let mut helper = Self { environment, orders, reports: receiver, end, is_over: reading.is_err() };
        let first = tokio::time::timeout(environment.pacing.helper, helper.reports.recv()).await;
        matches!(first, Ok(Some(Report::Ready))).then_some(helper)
    }

    /// Passes on what it says, up to the result.
    pub(crate) async fn result(mut self) -> Result<Entry, Error> {
        while let Some(report) = self.reports.recv().await {
            let result = match report {
                Report::Ready => continue,
                Report::Text(text) => {
                    let _ = self.environment.stderr.write(&text);
                    continue;
                }
                Report::SignedIn { token, expires_at } => entry(token.into_owned(), expires_at),
                Report::Failed(message) => Err(Error::Leader(message.into_owned())),
            };
            self.is_over = true;
            return result;
        }
        self.is_over = true;
        Err(Error::HelperEnded)
    }
}

impl Drop for Supervised<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let order = if self.environment.terminal.is_attended() { STOP_ATTENDED } else { STOP };
        if writeln!(self.orders, "{order}").and_then(|()| self.orders.flush()).is_ok() {
            // Its lock and its port are free when this process ends; it does not take longer than that.
            let _ = self.end.recv_timeout(self.environment.pacing.helper);
        }
    }
}

fn read_reports(mut reports: impl BufRead, sender: &mpsc::UnboundedSender<Report<'static>>) {
    let mut line = Zeroizing::new(String::new());
    while reports.read_line(&mut line).is_ok_and(|length| length > 0) {
        // A line of another version is not understood, and the end will tell.
        if let Ok(report) = serde_json::from_str::<Report<'static>>(&line)
            && sender.send(report).is_err()
        {
            return;
        }
        line.clear();
    }
}

/// As much as the caller needs; what is kept was saved by the helper.
fn entry(token: String, expires_at: i64) -> Result<Entry, Error> {
    let expires_at = Timestamp::from_second(expires_at).map_err(|_| Error::HelperEnded)?;
    Ok(Entry { token: Secret::from(token), issued_at: None, expires_at, refresh_token: None, scope: None })
}

impl Report<'_> {
    /// The caller may be gone; the work is done for the next call then.
    fn send(&self, output: &Output) {
        if let Ok(line) = serde_json::to_string(self) {
            let line = Zeroizing::new(line + "\n");
            let _ = output.write(&line);
        }
    }
}

/// Does the helper's part.
pub(crate) fn run(
    errand: Detached,
    arguments: &GetTokenArguments,
    environment: &Environment,
) -> Result<(), Error> {
    environment.launcher.detach();
    match errand {
        Detached::SignIn => sign_in(arguments, environment),
        Detached::Refresh => refresh(arguments, environment),
    }
}

fn sign_in(arguments: &GetTokenArguments, environment: &Environment) -> Result<(), Error> {
    let reports = &environment.stdout;
    let caller = Arc::new(Caller::default());
    let of_helper = Environment {
        stderr: Output::new(Texts(reports.clone())),
        terminal: caller.clone(),
        ..environment.clone()
    };
    let errand = Errand::of_heir(arguments, &of_helper)?;
    let stopped = stop_order(&environment.terminal, caller);
    Report::Ready.send(reports);
    let result = block_on(&of_helper, async {
        tokio::select! {
            result = errand.obtain() => result,
            () = stopped => Err(Error::Interrupted),
        }
    });
    match &result {
        Ok(entry) => {
            Report::SignedIn { token: entry.token.expose().into(), expires_at: entry.expires_at.as_second() }
                .send(reports);
        }
        Err(error) => Report::Failed(error.to_string().into()).send(reports),
    }
    result.map(drop)
}

fn refresh(arguments: &GetTokenArguments, environment: &Environment) -> Result<(), Error> {
    let silent = Environment {
        stdout: Output::new(io::sink()),
        stderr: Output::new(io::sink()),
        ..environment.clone()
    };
    let errand = Errand::new(arguments, &silent)?;
    block_on(&silent, errand.refresh_if_due())
}

/// Ends when the caller says so. That the caller has ended says nothing.
fn stop_order(orders: &Arc<dyn Terminal>, caller: Arc<Caller>) -> impl Future<Output = ()> + use<> {
    let (sender, receiver) = oneshot::channel();
    let orders = Arc::clone(orders);
    let listening = std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
        while let Ok(Some(order)) = orders.read_line() {
            if order == STOP_ATTENDED || order == STOP {
                caller.is_attended.store(order == STOP_ATTENDED, Ordering::Release);
                let _ = sender.send(());
                return;
            }
        }
    });
    // Without a thread nobody can stop the helper but its time limit.
    drop(listening);
    async {
        if receiver.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The caller's terminal, which the helper has left.
#[derive(Default)]
struct Caller {
    /// Whether a person sat there, as the caller said with its last order.
    is_attended: AtomicBool,
}

impl Terminal for Caller {
    fn read_line(&self) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn is_attended(&self) -> bool {
        self.is_attended.load(Ordering::Acquire)
    }

    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

/// Writes for the person, by way of the caller.
struct Texts(Output);

impl Write for Texts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Report::Text(String::from_utf8_lossy(bytes)).send(&self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
