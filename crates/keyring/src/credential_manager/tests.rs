//! With credentials in memory behind the interface of the store for Windows.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Mutex;

use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, Result};

use super::*;
use crate::kubelogin;

type Blobs = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

struct Store(Blobs);

struct Target(Blobs, String);

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        String::new()
    }

    fn id(&self) -> String {
        String::new()
    }

    fn build(&self, _: &str, _: &str, modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        let modifiers = modifiers.unwrap();
        assert_eq!(modifiers["persistence"], "Local");
        let target = Target(Arc::clone(&self.0), modifiers["target"].to_owned());
        Ok(Entry::new_with_credential(Arc::new(target)))
    }

    fn search(&self, spec: &HashMap<&str, &str>) -> Result<Vec<Entry>> {
        let prefix = spec["pattern"].strip_prefix('^').unwrap();
        let targets: Vec<_> = self.0.lock().unwrap().keys().cloned().collect();
        let entry = |target| Entry::new_with_credential(Arc::new(Target(Arc::clone(&self.0), target)));
        Ok(targets.into_iter().filter(|target| target.starts_with(prefix)).map(entry).collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CredentialApi for Target {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        if secret.len() > 2560 {
            return Err(Error::TooLong("secret".to_owned(), 2560));
        }
        self.0.lock().unwrap().insert(self.1.clone(), secret.to_vec());
        Ok(())
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        self.0.lock().unwrap().get(&self.1).cloned().ok_or(Error::NoEntry)
    }

    fn delete_credential(&self) -> Result<()> {
        self.0.lock().unwrap().remove(&self.1).map(drop).ok_or(Error::NoEntry)
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn items_are_credentials_whose_target_is_service_and_account() {
    let blobs = Blobs::default();
    let manager = CredentialManager(Arc::new(Store(Arc::clone(&blobs))));
    let ours = Item::new("kubesso", "oidc-login/1");
    assert!(manager.read(&ours).unwrap().is_none());
    manager.write(&ours, b"key").unwrap();
    for hash in ["0a", "1b"] {
        let target = format!("kubelogin:kubelogin/tokencache/{hash}");
        blobs.lock().unwrap().insert(target, b"{}".to_vec());
    }
    assert_eq!(&**manager.read(&kubelogin::item("0a")).unwrap().unwrap(), b"{}");
    assert_eq!(manager.delete_all(kubelogin::SERVICE).unwrap(), 2);
    assert_eq!(blobs.lock().unwrap().keys().collect::<Vec<_>>(), ["kubesso:oidc-login/1"]);
    assert!(manager.delete(&ours).unwrap());
    assert!(!manager.delete(&ours).unwrap());
    let error = manager.write(&ours, &[0; 2561]).unwrap_err();
    assert!(error.to_string().contains("2560 bytes at most"), "{error}");
}

#[test]
fn no_error_shows_a_secrets_bytes() {
    for error in [
        Error::BadEncoding(b"hunter2".to_vec()),
        Error::BadDataFormat(b"hunter2".to_vec(), "x".into()),
        Error::NoStorageAccess("Windows ERROR_NO_SUCH_LOGON_SESSION".into()),
    ] {
        let shown = explain(&error);
        let shown = format!("{shown} {shown:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
}
