//! Starting this program again, for work that must outlive the one who called it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kubesso_token_cache::helper;

use crate::detached::Detached;

/// Starts helper processes.
pub trait Launch: Send + Sync {
    /// Starts a process of its own that does the same call up to the token.
    fn sign_in(&self) -> io::Result<Helper>;

    /// Starts a process that refreshes the token of the same call, if that is due. Nobody hears of its result.
    fn refresh(&self) -> io::Result<()>;

    /// Called by the helper, first of all: leaves the session of the one who started it, so that neither Ctrl-C nor the
    /// end of the terminal, nor a signal to all processes of the call reaches it.
    fn detach(&self);
}

/// A helper process, from the side of the one who started it.
pub struct Helper {
    /// Its standard input.
    pub orders: Box<dyn Write + Send>,
    /// Its standard output.
    pub reports: Box<dyn Read + Send>,
}

/// Starts nobody: every call does its own work.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHelper;

impl Launch for NoHelper {
    fn sign_in(&self) -> io::Result<Helper> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn refresh(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn detach(&self) {}
}

/// Starts this program itself.
#[derive(Clone, Debug)]
pub struct SystemLauncher {
    program: PathBuf,
    /// What makes the program the plugin: `oidc-login`, or nothing.
    role: Vec<OsString>,
    /// The command line of the plugin, without its name.
    arguments: Vec<OsString>,
}

impl SystemLauncher {
    /// Starts `program`, which is the plugin when called with `role`, and was called with `arguments` after that.
    pub fn new(program: PathBuf, role: Vec<OsString>, arguments: Vec<OsString>) -> Self {
        Self { program, role, arguments }
    }

    fn command(&self, errand: Detached) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.role).arg(errand.word()).args(&self.arguments);
        helper::set_free(&mut command);
        command
    }
}

impl Launch for SystemLauncher {
    fn sign_in(&self) -> io::Result<Helper> {
        let mut child =
            self.command(Detached::SignIn).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(orders), Some(reports)) => {
                Ok(Helper { orders: Box::new(orders), reports: Box::new(reports) })
            }
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn refresh(&self) -> io::Result<()> {
        self.command(Detached::Refresh).spawn().map(drop)
    }

    #[cfg(unix)]
    fn detach(&self) {
        // It fails only for the leader of a process group, which nobody makes a helper.
        let _ = rustix::process::setsid();
    }

    /// It was started on a console of its own.
    #[cfg(not(unix))]
    fn detach(&self) {}
}
