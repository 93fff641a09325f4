//! Why the keyring gave nothing, in words for the person at the keyboard.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a call to the keyring failed. No message holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// This machine, or this session, has no keyring.
    #[error("no keyring answers here ({reason}); keep tokens in files instead, or start a keyring service")]
    Absent {
        /// What was looked for.
        reason: String,
    },
    /// There is something in the item, but not what belongs there.
    #[error(
        "the keyring's item {account} of {service} is broken ({problem}); delete it in your keyring's program and sign in again"
    )]
    Broken {
        /// Whose item it is.
        service: String,
        /// Which item it is.
        account: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The service answered with an error, or with something that is no answer.
    #[error("the keyring failed: {0}")]
    Failed(String),
    /// Nobody unlocked it in time, or nobody was to be asked.
    #[error("the keyring is locked{}; unlock it and try again", shown_for(*.waited))]
    Locked {
        /// How long its prompt was shown; zero if nobody was asked.
        waited: Duration,
    },
    /// The lock that keeps two processes from making two keys cannot be had.
    #[error("{} cannot be locked ({source}); a key for the cache can only be made in a directory that you may write to", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The person, or the keyring's own rules, said no; or there is no way to show a prompt.
    #[error("the keyring was not opened ({reason}); unlock it and try again, and answer its prompt with yes")]
    Refused {
        /// What was refused.
        reason: String,
    },
    /// The service took the question and did not answer.
    #[error("the keyring did not answer within {} s; restart its service, or keep tokens in files", .waited.as_secs_f32())]
    Timeout {
        /// How long was waited.
        waited: Duration,
    },
}

fn shown_for(waited: Duration) -> String {
    if waited.is_zero() {
        String::new()
    } else {
        format!(" and was not unlocked within {} s", waited.as_secs_f32())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_happened_and_what_to_do() {
        for (error, message) in [
            (
                KeyringError::Locked { waited: Duration::ZERO },
                "the keyring is locked; unlock it and try again",
            ),
            (
                KeyringError::Locked { waited: Duration::from_secs(30) },
                "the keyring is locked and was not unlocked within 30 s; unlock it and try again",
            ),
            (
                KeyringError::Timeout { waited: Duration::from_millis(2500) },
                "the keyring did not answer within 2.5 s; restart its service, or keep tokens in files",
            ),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }
}
