//! Child processes that end with the test process, even when that is killed.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::deadline::eventually;

/// A command for `program` whose process the kernel kills when ours has ended (`PR_SET_PDEATHSIG`, set by
/// util-linux' setpriv, because this workspace has no unsafe code).
pub fn tied(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A running child, killed when this value is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts `command` with its output in `<folder>/<name>.out` and `<name>.err`.
    ///
    /// # Errors
    /// The program or the files are not there.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.err"));
        command.stdin(Stdio::null()).stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
        let child = spawn(command).with_context(|| format!("{name} could not be started"))?;
        Ok(Self { name: name.to_owned(), child, stdout, stderr })
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        fs::read(&self.stdout).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        fs::read(&self.stderr).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Its process id: `setpriv` becomes the program that it starts.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, once it has ended.
    ///
    /// # Errors
    /// The operating system's.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails if it has ended, with what it said last.
    ///
    /// # Errors
    /// It has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        let ended = self.ended()?;
        ensure!(ended.is_none(), "{} ended ({ended:?}):\n{}", self.name, last_lines(&self.stderr(), 30));
        Ok(())
    }

    /// Ctrl-C, and then its exit status.
    ///
    /// # Errors
    /// It does not end.
    pub async fn interrupt(&mut self) -> Result<ExitStatus> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status()?;
        ensure!(sent.success(), "{} cannot be interrupted", self.name);
        self.wait(Duration::from_secs(20)).await
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// The operating system's.
    pub fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    /// Its exit status, when it ends by itself within `limit`.
    ///
    /// # Errors
    /// It does not end.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        eventually(&what, limit, async || self.ended()).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of the loopback interface for a program that must be told its port before it starts.
///
/// It lies below the ports that the kernel gives to outgoing connections (32768 and up on Linux): one of those may be
/// taken by any connection of another test before the program binds it. No two calls in one process get the same.
///
/// # Errors
/// No port is free.
pub fn free_port() -> Result<u16> {
    const FIRST: u16 = 20_000;
    const NUMBER: u16 = 10_000;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    for _ in 0..NUMBER {
        // Processes side by side have neighbouring numbers, and must not walk over the same ports.
        let walked = std::process::id().wrapping_mul(97).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(walked % u32::from(NUMBER))?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from {FIRST} on is free on the loopback interface")
}

/// The end of a long text.
pub fn last_lines(text: &str, number: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(number)..].join("\n")
}

struct Job {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

/// Starts processes from one thread that lives as long as the test process: the kernel's parent-death signal
/// watches the thread that started the child, and libtest's threads end with their test.
fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, receiver) = channel::<Job>();
        std::thread::spawn(move || {
            for mut job in receiver {
                // A test that has failed meanwhile no longer listens.
                let _ = job.answer.send(job.command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, child) = channel();
    let gone = |()| io::Error::other("the thread that starts processes is gone");
    jobs.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send(Job { command, answer })
        .map_err(|_| gone(()))?;
    child.recv().map_err(|_| gone(()))?
}
