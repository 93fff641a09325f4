//! The keyring of the operating system that this was compiled for: the one place that chooses.

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

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

/// The operating system's keyring. It connects at each call, so making one costs nothing.
#[derive(Clone, Debug)]
pub struct SystemKeyring {
    #[cfg_attr(
        any(target_os = "macos", windows),
        expect(dead_code, reason = "they have one keyring a person")
    )]
    session: Session,
    #[cfg_attr(windows, expect(dead_code, reason = "the Credential Manager is never locked"))]
    patience: Patience,
}

impl SystemKeyring {
    /// The keyring of `session`.
    pub fn new(session: Session, patience: Patience) -> Self {
        Self { session, patience }
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
impl SystemKeyring {
    fn platform(&self) -> Result<crate::secret_service::SecretService, KeyringError> {
        crate::secret_service::SecretService::connect(&self.session, self.patience)
    }
}

#[cfg(target_os = "macos")]
impl SystemKeyring {
    #[expect(clippy::unnecessary_wraps, reason = "as on the other platforms")]
    fn platform(&self) -> Result<crate::keychain::Keychain, KeyringError> {
        Ok(crate::keychain::Keychain::new(self.patience))
    }
}

#[cfg(windows)]
impl SystemKeyring {
    #[expect(clippy::unused_self, reason = "as on the other platforms")]
    fn platform(&self) -> Result<crate::credential_manager::CredentialManager, KeyringError> {
        crate::credential_manager::CredentialManager::open()
    }
}

impl Keyring for SystemKeyring {
    fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.platform()?.read(item)
    }

    fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        self.platform()?.write(item, secret)
    }

    fn delete(&self, item: &Item) -> Result<bool, KeyringError> {
        self.platform()?.delete(item)
    }

    fn delete_all(&self, service: &str) -> Result<usize, KeyringError> {
        self.platform()?.delete_all(service)
    }
}
