//! A keyring that opens for nobody is not opened at a second try: whoever dismissed its prompt is not shown another in the
//! same run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kubesso_keyring::{Item, Keyring, KeyringError};
use zeroize::Zeroizing;

/// The keyring behind it, until that says that it stays closed.
#[derive(Debug)]
pub(crate) struct AskedOnce {
    keyring: Arc<dyn Keyring>,
    closed: Mutex<Option<Closed>>,
}

/// How the person answered.
#[derive(Clone, Debug)]
enum Closed {
    Refused(String),
    Locked(Duration),
}

impl From<Closed> for KeyringError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Refused(reason) => Self::Refused { reason },
            Closed::Locked(waited) => Self::Locked { waited },
        }
    }
}

impl AskedOnce {
    pub(crate) fn around(keyring: Arc<dyn Keyring>) -> Self {
        Self { keyring, closed: Mutex::new(None) }
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&dyn Keyring) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        // Held while a prompt is shown: a second question waits for the answer to the first.
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(closed) = &*closed {
            return Err(closed.clone().into());
        }
        let answer = question(&*self.keyring);
        *closed = match &answer {
            Err(KeyringError::Refused { reason }) => Some(Closed::Refused(reason.clone())),
            Err(KeyringError::Locked { waited }) => Some(Closed::Locked(*waited)),
            _ => None,
        };
        answer
    }
}

impl Keyring for AskedOnce {
    fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.ask(|keyring| keyring.read(item))
    }

    fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        self.ask(|keyring| keyring.write(item, secret))
    }

    fn delete(&self, item: &Item) -> Result<bool, KeyringError> {
        self.ask(|keyring| keyring.delete(item))
    }

    fn delete_all(&self, service: &str) -> Result<usize, KeyringError> {
        self.ask(|keyring| keyring.delete_all(service))
    }
}
