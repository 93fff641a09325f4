//! Windows: the Credential Manager. **Read against Microsoft's documentation of `CredReadW`, `CredWriteW` and
//! `CREDENTIALW`, not run on Windows**; the tests here put a stand-in behind the same interface.
//!
//! A generic credential with the target `service:account`, which is kubelogin's form too; its blob is the secret
//! as it is, 2560 bytes at most. It stays on this machine ("local": it does not roam with the profile), and it is
//! never locked while the person is signed in to Windows.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use crate::{Item, KeyringError};

#[derive(Debug)]
pub(crate) struct CredentialManager(Arc<CredentialStore>);

impl CredentialManager {
    #[cfg(windows)]
    pub(crate) fn open(_: &crate::Session, _: crate::Patience) -> Result<Self, KeyringError> {
        let store = windows_native_keyring_store::Store::new().map_err(|error| explain(&error))?;
        Ok(Self(store))
    }

    pub(crate) fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        found(self.entry(item)?.get_secret()).map(|secret| secret.map(Zeroizing::new))
    }

    pub(crate) fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        self.entry(item)?.set_secret(secret).map_err(|error| explain(&error))
    }

    pub(crate) fn delete(&self, item: &Item) -> Result<bool, KeyringError> {
        found(self.entry(item)?.delete_credential()).map(|deleted| deleted.is_some())
    }

    pub(crate) fn delete_all(&self, service: &str) -> Result<usize, KeyringError> {
        // A regular expression over the targets; our services are words, without anything special in them.
        let pattern = format!("^{service}:");
        let entries = self.0.search(&HashMap::from([("pattern", pattern.as_str())]));
        let mut deleted = 0;
        for entry in entries.map_err(|error| explain(&error))? {
            deleted += usize::from(found(entry.delete_credential())?.is_some());
        }
        Ok(deleted)
    }

    fn entry(&self, item: &Item) -> Result<Entry, KeyringError> {
        let target = format!("{}:{}", item.service, item.account);
        let modifiers = HashMap::from([("target", target.as_str()), ("persistence", "Local")]);
        self.0.build(&item.service, &item.account, Some(&modifiers)).map_err(|error| explain(&error))
    }
}

fn found<T>(result: keyring_core::Result<T>) -> Result<Option<T>, KeyringError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(explain(&error)),
    }
}

fn explain(error: &Error) -> KeyringError {
    match error {
        // ERROR_NO_SUCH_LOGON_SESSION: a network logon, such as SSH with a key, has no credential set.
        Error::NoStorageAccess(cause) => {
            KeyringError::Absent { reason: format!("this logon session has no Credential Manager: {cause}") }
        }
        // Not every variant: some carry the secret's bytes.
        Error::PlatformFailure(cause) => KeyringError::Failed(format!("the Credential Manager: {cause}")),
        Error::TooLong(what, limit) => {
            KeyringError::Failed(format!("the Credential Manager takes {limit} bytes at most as {what}"))
        }
        Error::Invalid(what, problem) => {
            KeyringError::Failed(format!("the Credential Manager: {what} {problem}"))
        }
        _ => KeyringError::Failed("the Credential Manager gave no usable answer".to_owned()),
    }
}

#[cfg(test)]
mod tests;
