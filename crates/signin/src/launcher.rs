//! Starting this program again, for work that must outlive the one who called it.

use std::io::{self, Read, Write};

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
