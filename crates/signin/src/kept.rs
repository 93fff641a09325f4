//! What is kept on this machine, by us and by kubelogin.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kubesso_keyring::{Keyring, kubelogin};
use kubesso_token_cache::cache;
use kubesso_token_cache::legacy::{KubeloginEntry, KubeloginKey};
use kubesso_token_cache::{About, Entry, EntryPaths, Person};
use serde_json::Value;

use crate::environment::Environment;
use crate::store;

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The 64 digits that name it.
    pub(crate) id: String,
    pub(crate) place: Place,
    /// None when it cannot be read.
    pub(crate) entry: Option<Entry>,
    about: Option<About>,
}

/// Where an entry is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Ours(EntryPaths),
    /// The file is kubelogin's.
    Kubelogin(PathBuf),
    /// The item of the keyring is kubelogin's.
    KubeloginItem(Arc<dyn Keyring>),
}

impl Kept {
    /// All that is kept in `directory`: ours first.
    pub(crate) fn all(directory: &Path, environment: &Environment) -> Vec<Self> {
        let ours = EntryPaths::all(directory).into_iter().map(|paths| {
            let entry = store::load_now(&paths, environment);
            Self::ours(paths, entry)
        });
        let theirs =
            KubeloginEntry::all(directory).into_iter().map(|found| Self::kubelogins(found, directory));
        ours.chain(theirs).collect()
    }

    pub(crate) fn kubelogins(found: KubeloginEntry, directory: &Path) -> Self {
        Self {
            place: Place::Kubelogin(directory.join(&found.name)),
            id: found.name,
            entry: Some(found.entry),
            about: None,
        }
    }

    /// Our entry with what was read of it.
    pub(crate) fn ours(paths: EntryPaths, entry: Option<Entry>) -> Self {
        Self { id: paths.key().to_owned(), entry, about: paths.load_about(), place: Place::Ours(paths) }
    }

    /// kubelogin's entry of a call, in a file or in the keyring.
    pub(crate) fn of_kubelogin(
        key: &KubeloginKey,
        paths: &EntryPaths,
        environment: &Environment,
    ) -> Option<Self> {
        if let Some(found) = key.find_in(paths.directory()) {
            return Some(Self::kubelogins(found, paths.directory()));
        }
        let found = paths.is_sealed().then(|| store::find_item(key, &*environment.keyring)).flatten()?;
        let place = Place::KubeloginItem(Arc::clone(&environment.keyring));
        Some(Self { id: found.name, place, entry: Some(found.entry), about: None })
    }

    pub(crate) fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    pub(crate) fn person(&self) -> Person {
        let noted = self.about.as_ref().map(|about| about.person.clone());
        noted.filter(|person| person.name().is_some()).unwrap_or_else(|| {
            self.entry.as_ref().and_then(Entry::claims).map(|claims| Person::of(&claims)).unwrap_or_default()
        })
    }

    pub(crate) fn issuer(&self) -> Option<String> {
        self.about.as_ref().map(|about| about.issuer.clone()).or_else(|| self.claim("iss"))
    }

    pub(crate) fn client_id(&self) -> Option<String> {
        self.about.as_ref().map(|about| about.client_id.clone()).or_else(|| self.claim("aud"))
    }

    /// Deletes it. Says whether there was a token.
    pub(crate) fn delete(&self) -> std::io::Result<bool> {
        match &self.place {
            Place::Ours(paths) => paths.delete(),
            Place::Kubelogin(file) => cache::remove(file),
            Place::KubeloginItem(keyring) => {
                kubelogin::delete(&**keyring, &self.id).map_err(std::io::Error::other)
            }
        }
    }

    /// The files' directory and name, for an error.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.place {
            Place::Ours(paths) => paths.directory().join(&self.id),
            Place::Kubelogin(file) => file.clone(),
            Place::KubeloginItem(_) => PathBuf::from(kubelogin::item(&self.id).account),
        }
    }

    fn claim(&self, name: &str) -> Option<String> {
        match self.entry.as_ref()?.claims()?.get(name)? {
            Value::String(text) => Some(text.clone()),
            // Of several audiences the application's is the first by custom.
            Value::Array(texts) => texts.first()?.as_str().map(str::to_owned),
            _ => None,
        }
    }
}
