//! A keyring that forgets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::{Item, Keyring, KeyringError};

/// A keyring in memory, for tests and examples.
#[derive(Default)]
pub struct MemoryKeyring(Mutex<BTreeMap<Item, Zeroizing<Vec<u8>>>>);

impl MemoryKeyring {
    fn items(&self) -> MutexGuard<'_, BTreeMap<Item, Zeroizing<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyring for MemoryKeyring {
    fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        Ok(self.items().get(item).cloned())
    }

    fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        self.items().insert(item.clone(), Zeroizing::new(secret.to_vec()));
        Ok(())
    }

    fn delete(&self, item: &Item) -> Result<bool, KeyringError> {
        Ok(self.items().remove(item).is_some())
    }

    fn delete_all(&self, service: &str) -> Result<usize, KeyringError> {
        let mut items = self.items();
        let before = items.len();
        items.retain(|item, _| item.service != service);
        Ok(before - items.len())
    }
}

impl fmt::Debug for MemoryKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.items().keys()).finish()
    }
}
