//! What is kept on this machine, by us and by kubelogin.

use std::path::{Path, PathBuf};

use kubesso_token_cache::cache;
use kubesso_token_cache::legacy::KubeloginEntry;
use kubesso_token_cache::{About, Entry, EntryPaths, Person};
use serde_json::Value;

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
    Disk(EntryPaths),
    /// The file is kubelogin's.
    Kubelogin(PathBuf),
}

impl Kept {
    /// All that is kept in `directory`: ours first.
    pub(crate) fn all(directory: &Path) -> Vec<Self> {
        let ours = EntryPaths::all(directory).into_iter().map(|paths| Self {
            id: paths.key().to_owned(),
            entry: paths.load(),
            about: paths.load_about(),
            place: Place::Disk(paths),
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

    /// The entry of one call.
    pub(crate) fn at(paths: EntryPaths) -> Self {
        let (entry, about) = (paths.load(), paths.load_about());
        Self { id: paths.key().to_owned(), entry, about, place: Place::Disk(paths) }
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
            Place::Disk(paths) => paths.delete(),
            Place::Kubelogin(file) => cache::remove(file),
        }
    }

    /// The files' directory and name, for an error.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.place {
            Place::Disk(paths) => paths.directory().join(&self.id),
            Place::Kubelogin(file) => file.clone(),
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
