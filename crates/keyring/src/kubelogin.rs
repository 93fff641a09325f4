//! The items that kubelogin left: its `--token-cache-storage=keyring`, by the library `zalando/go-keyring`.
//!
//! | platform | item |
//! |---|---|
//! | Linux | attributes `service` = `kubelogin`, `username` = the account |
//! | macOS | generic password; the value in base64 after `go-keyring-base64:` |
//! | Windows | generic credential with the target `kubelogin:` and the account |
//!
//! The value is the JSON of its file cache. Deleting all of them is [`Keyring::delete_all`] with [`SERVICE`].

use zeroize::Zeroizing;

use crate::{Item, Keyring, KeyringError};

/// The service of all of kubelogin's items.
pub const SERVICE: &str = "kubelogin";

/// The item of one entry; `hash` is the 64 hexadecimal digits that name its file in the file cache.
pub fn item(hash: &str) -> Item {
    Item::new(SERVICE, format!("kubelogin/tokencache/{hash}"))
}

/// The JSON of one entry, or `None` if it is not in the keyring.
pub fn read(keyring: &dyn Keyring, hash: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
    keyring.read(&item(hash))
}

/// Deletes one entry; says whether there was one.
pub fn delete(keyring: &dyn Keyring, hash: &str) -> Result<bool, KeyringError> {
    keyring.delete(&item(hash))
}
