//! The keyring of the operating system that this was compiled for: the one place that chooses.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

#[cfg(windows)]
use crate::credential_manager::CredentialManager as Platform;
#[cfg(target_os = "macos")]
use crate::keychain::Keychain as Platform;
#[cfg(all(unix, not(target_os = "macos")))]
use crate::secret_service::SecretService as Platform;
use crate::{Item, Keyring, KeyringError};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the service to answer; it may have to be started first.
    pub answer: Duration,
    /// For a person to answer the prompt that unlocks a keyring. With zero no prompt is shown where that can be
    /// chosen (Linux): a locked keyring is an error at once.
    pub unlock: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(5), unlock: Duration::from_secs(30) }
    }
}

/// Where the session's keyring is found. macOS and Windows know it by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `DBUS_SESSION_BUS_ADDRESS`.
    pub bus_address: Option<String>,
    /// `XDG_RUNTIME_DIR`: its socket `bus` is the address if there is no other.
    pub runtime_directory: Option<PathBuf>,
}

/// The operating system's keyring. Making one costs nothing: it connects at its first call, and its clones share
/// the connection.
#[derive(Clone, Debug)]
pub struct SystemKeyring {
    session: Session,
    patience: Patience,
    opened: Arc<Mutex<Option<Platform>>>,
}

impl SystemKeyring {
    /// The keyring of `session`.
    pub fn new(session: Session, patience: Patience) -> Self {
        Self { session, patience, opened: Arc::default() }
    }

    /// One connection for all calls, as long as they succeed. Not only for speed: GNOME Keyring 42 dies now and
    /// then when one program comes while another goes (about once in 2000 connections, 40 at a time, here), and
    /// what it had unlocked is locked then.
    fn call<T>(&self, call: impl Fn(&mut Platform) -> Result<T, KeyringError>) -> Result<T, KeyringError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut platform) = opened.take() {
            match call(&mut platform) {
                // The service may have been restarted since.
                Err(KeyringError::Failed(_)) => {}
                Err(error) => return Err(error),
                Ok(value) => {
                    *opened = Some(platform);
                    return Ok(value);
                }
            }
        }
        let mut platform = Platform::open(&self.session, self.patience)?;
        let value = call(&mut platform)?;
        *opened = Some(platform);
        Ok(value)
    }
}

impl Keyring for SystemKeyring {
    fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.call(|platform| platform.read(item))
    }

    fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        self.call(|platform| platform.write(item, secret))
    }

    fn delete(&self, item: &Item) -> Result<bool, KeyringError> {
        self.call(|platform| platform.delete(item))
    }

    fn delete_all(&self, service: &str) -> Result<usize, KeyringError> {
        self.call(|platform| platform.delete_all(service))
    }
}
