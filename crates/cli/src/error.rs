//! What a command that could not do its work says, and the exit code it ends with.

use std::fmt;
use std::process::ExitCode;

/// How a command ends when it does not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It could not be done, or the answer is no: 1.
    Failure,
    /// It was asked wrongly: 2.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Failure => Self::from(1),
            Exit::Usage => Self::from(2),
        }
    }
}

/// A sentence for the user, with what to do about it.
#[derive(Clone, Debug)]
pub struct CommandError {
    exit: Exit,
    message: String,
    mend: Option<String>,
}

impl CommandError {
    /// `message`: what happened, with what. Lower case, no full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, message: message.into(), mend: None }
    }

    /// As [`new`](Self::new), with an error's whole chain of causes behind `context`.
    pub fn because(context: impl fmt::Display, error: &dyn std::error::Error) -> Self {
        Self::new(format!("{context}: {}", chain(error)))
    }

    /// The command was asked wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// As an error of another kind: it could not be done.
    #[must_use]
    pub(crate) fn into_failure(self) -> Self {
        Self { exit: Exit::Failure, ..self }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for CommandError {
    /// One line: what happened; what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.mend {
            Some(mend) => write!(f, "; {mend}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CommandError {}

/// An error and its causes, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_ends_with_what_to_do() {
        let error = CommandError::new("port 8443 is taken").mend("choose another with --provider-port");
        assert_eq!(error.to_string(), "port 8443 is taken; choose another with --provider-port");
    }

    #[test]
    fn a_cause_that_the_error_already_says_is_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read it: {0}")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "cannot read it: disk on fire");
    }
}
