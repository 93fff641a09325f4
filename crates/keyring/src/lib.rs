//! The operating system's keyring, for token files that are of no use to whoever copies them.
//!
//! Tokens stay files, because a keyring's items may be too small for them (2560 bytes on Windows). What lies in
//! the keyring is one 256-bit [`EntryKey`] per cache directory; the files are sealed under it. On Linux the
//! keyring is the Secret Service (GNOME Keyring, KWallet, KeePassXC) on the session's D-Bus, spoken by this
//! room itself; on macOS the Keychain; on Windows the Credential Manager.
//!
//! Every call blocks its thread, uses no async runtime, and ends: when [`Patience`] is over, or earlier. Without
//! a runtime call it as it is. Inside one, also a current-thread one, call it on a thread of its own (a
//! [`SystemKeyring`] may be cloned and shared), since a locked keyring waits for a person; `spawn_blocking` does
//! too, but then a runtime that is dropped at Ctrl-C waits for that person as well.
//!
//! With [`KeyringError::Absent`] and the others alike nothing is stored in clear: what happens then is for the
//! caller to choose. A sign-in needs no keyring, so a token that cannot be kept can still be handed out.
//!
//! ```
//! use kubesso_ambient::OsEntropy;
//! use kubesso_keyring::{EntryKey, Keyring, MemoryKeyring, OpenError};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = std::env::temp_dir().join(format!("kubesso-keyring-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&home)?;
//! # let cache = home.as_path();
//! // In the plugin: `SystemKeyring::new(Session { bus_address, runtime_directory }, Patience::default())`, from
//! // the variables DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR.
//! let keyring = MemoryKeyring::default();
//!
//! // Saving: the key is made at the first use, by one process however many ask.
//! let key = EntryKey::obtain(&keyring, cache, &OsEntropy)?;
//! let file = key.seal("the entry's key name", b"{\"token\": \"secret\"}", &OsEntropy);
//!
//! // Loading: without a key there is no entry. So it is with a file that does not open.
//! let key = EntryKey::find(&keyring, cache)?.expect("it was made above");
//! assert_eq!(*key.open("the entry's key name", &file)?, b"{\"token\": \"secret\"}");
//! assert_eq!(key.open("another entry", &file), Err(OpenError::Foreign));
//!
//! // Moving in: what kubelogin left in the keyring, by the hash that names its entry.
//! let json = kubesso_keyring::kubelogin::read(&keyring, &"0".repeat(64))?;
//! assert!(json.is_none());
//!
//! // Cleaning: without its key no copy of a file can be read any more.
//! EntryKey::forget(&keyring, cache)?;
//! keyring.delete_all(kubesso_keyring::kubelogin::SERVICE)?;
//! # std::fs::remove_dir_all(&home)?;
//! # Ok(())
//! # }
//! ```

#[cfg(any(windows, test))]
mod credential_manager;
#[cfg(all(unix, not(target_os = "macos")))]
mod dbus;
mod entry_key;
mod error;
#[cfg(any(target_os = "macos", all(test, unix)))]
mod keychain;
pub mod kubelogin;
mod memory;
mod seal;
#[cfg(all(unix, not(target_os = "macos")))]
mod secret_service;
mod system;
#[cfg(all(unix, not(target_os = "macos")))]
#[doc(hidden)]
pub mod testkit;

use std::fmt::Debug;

pub use entry_key::{EntryKey, LOCK_FILE};
pub use error::KeyringError;
pub use memory::MemoryKeyring;
pub use seal::{OpenError, is_sealed};
pub use system::{Patience, Session, SystemKeyring};
use zeroize::Zeroizing;

/// Where secrets lie that the operating system guards.
pub trait Keyring: Debug + Send + Sync {
    /// The secret of `item`, or `None` if there is none.
    fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError>;

    /// Puts `secret` into `item`, in the place of what was there.
    fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError>;

    /// Deletes `item`; says whether there was one.
    fn delete(&self, item: &Item) -> Result<bool, KeyringError>;

    /// Deletes every item of `service`; says how many there were.
    fn delete_all(&self, service: &str) -> Result<usize, KeyringError>;
}

/// The name of a secret: which program's it is, and which of that program's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The program, as people see it in their keyring (`kubesso`).
    pub service: String,
    /// What tells the program's items apart.
    pub account: String,
}

impl Item {
    /// The item `account` of `service`.
    pub fn new(service: impl Into<String>, account: impl Into<String>) -> Self {
        Self { service: service.into(), account: account.into() }
    }
}
