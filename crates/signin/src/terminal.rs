//! Reading from the person at the keyboard, for real.

use std::io::{self, BufRead, IsTerminal};

use crate::environment::Terminal;

/// Standard input.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTerminal;

impl Terminal for SystemTerminal {
    fn read_line(&self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn is_attended(&self) -> bool {
        self.is_terminal() && self.is_watched()
    }

    fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    #[cfg(unix)]
    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

        struct Shown(rustix::termios::Termios);

        impl Drop for Shown {
            fn drop(&mut self) {
                // The terminal may be gone; then there is nothing to put back.
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
            }
        }

        if !self.is_terminal() {
            return Ok(Box::new(()));
        }
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Box::new(Shown(before)))
    }

    /// There is no safe interface to the console's echo here, and a shown password is worse than none.
    #[cfg(not(unix))]
    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        if io::stdin().is_terminal() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the typed text cannot be hidden on this system",
            ));
        }
        Ok(Box::new(()))
    }
}
