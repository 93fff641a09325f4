//! The files of a kubeconfig, changed together.
//!
//! As `kubectl config` does it: every file that it might write is locked, in the order of their names; what is there
//! already is changed in the file that it comes from, and what is new goes into one of them
//! ([`Locations::default_file`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::difference::difference;
use crate::document::{Document, EditError, Excerpt};
use crate::kubeconfig::{Kubeconfig, LoadError};
use crate::locations::{Locations, Source};
use crate::locked_file::{FileError, LockedFile, Patience, Saved};
use crate::place::Place;

/// A kubeconfig under change. Nothing is written before [`Self::save`].
#[derive(Debug)]
pub struct Editing {
    kubeconfig: Kubeconfig,
    default_file: Option<PathBuf>,
    drafts: Vec<Draft>,
    patience: Patience,
}

/// Whether the files are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They are locked.
    Change,
    /// They are only read: to see what would be changed.
    Preview,
}

/// Why a kubeconfig was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditingError {
    /// A file cannot be changed as it is asked for.
    #[error("{}: {cause}", file.display())]
    Edit {
        /// The file.
        file: PathBuf,
        /// Where and why.
        cause: EditError,
    },
    /// A file could not be locked, read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The kubeconfig could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// One file was written and another was not.
    #[error("{cause}; {} was changed before that, and stays changed", list(saved))]
    Halfway {
        /// What was changed.
        saved: Vec<PathBuf>,
        /// What stopped it.
        cause: FileError,
    },
    /// There is neither `--kubeconfig` nor `KUBECONFIG` nor a home directory.
    #[error("there is no kubeconfig to change: name one with --kubeconfig")]
    Nowhere,
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[derive(Debug)]
struct Draft {
    /// As it was named, also by a second name for it.
    names: Vec<PathBuf>,
    before: Document,
    held: Held,
    /// It could not be locked, and what stands in the way counts only if it shall change.
    is_to_be_locked: bool,
}

#[derive(Debug)]
enum Held {
    Locked(LockedFile),
    Read(Document),
}

impl Editing {
    /// Locks the files and reads them. A file that is not there is empty, if something new would go into it. One that
    /// cannot be locked is an obstacle only if it shall be changed.
    ///
    /// # Errors
    /// A file is locked by somebody else for longer than `patience`, or is no kubeconfig.
    pub fn open(locations: &Locations, purpose: Purpose, patience: Patience) -> Result<Self, EditingError> {
        let default_file = locations.default_file().map(Path::to_owned);
        let mut files: Vec<_> = locations.files().to_vec();
        files.sort();
        let mut drafts: Vec<Draft> = Vec::new();
        for file in files {
            if !file.exists() && Some(&file) != default_file.as_ref() {
                continue;
            }
            let same = |one: &Path| match (fs::canonicalize(one), fs::canonicalize(&file)) {
                (Ok(one), Ok(other)) => one == other,
                _ => false,
            };
            if let Some(known) = drafts.iter_mut().find(|draft| draft.names.iter().any(|name| same(name))) {
                known.names.push(file);
                continue;
            }
            drafts.push(Draft::open(file, purpose, patience)?);
        }
        let kubeconfig = match Kubeconfig::load(locations) {
            // The file is about to be made.
            Err(LoadError::Missing { .. }) if locations.source() == Source::Explicit => Kubeconfig::default(),
            loaded => loaded?,
        };
        Ok(Self { kubeconfig, default_file, drafts, patience })
    }

    /// What the files said when they were opened.
    pub fn kubeconfig(&self) -> &Kubeconfig {
        &self.kubeconfig
    }

    /// Where goes what is in no file yet.
    ///
    /// # Errors
    /// There is no place.
    pub fn default_file(&self) -> Result<PathBuf, EditingError> {
        self.default_file.clone().ok_or(EditingError::Nowhere)
    }

    /// Sets a value in one of the files ([`Document::set`]).
    ///
    /// # Errors
    /// The file cannot be changed so, or not at all.
    pub fn set(&mut self, file: &Path, place: &Place, value: impl Serialize) -> Result<(), EditingError> {
        let cause = |cause| EditingError::Edit { file: file.to_owned(), cause };
        self.begun(file)?.set(place, value).map_err(cause)
    }

    /// Sets an entry that is not there yet, as it stands in another file ([`Document::set_as_written`]); whether it does.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_as_written(
        &mut self,
        file: &Path,
        place: &Place,
        value: impl Serialize,
        excerpt: &Excerpt,
    ) -> Result<bool, EditingError> {
        let cause = |cause| EditingError::Edit { file: file.to_owned(), cause };
        self.begun(file)?.set_as_written(place, value, excerpt).map_err(cause)
    }

    /// Removes a value from one of the files ([`Document::remove`]); whether there was one.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn remove(&mut self, file: &Path, place: &Place) -> Result<bool, EditingError> {
        let cause = |cause| EditingError::Edit { file: file.to_owned(), cause };
        self.document(file)?.remove(place).map_err(cause)
    }

    /// Sets the current context where `kubectl config use-context` does.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn use_context(&mut self, name: &str) -> Result<(), EditingError> {
        if self.kubeconfig.current_context() == Some(name) {
            return Ok(());
        }
        let file = self.default_file()?;
        self.set(&file, &Place::top("current-context"), name)
    }

    /// Whether anything is to be written.
    pub fn is_changed(&self) -> bool {
        self.drafts.iter().any(Draft::is_changed)
    }

    /// What [`save`](Self::save) will do, in the form of `diff -u`, without secrets.
    pub fn difference(&self) -> String {
        let of = |draft: &Draft| difference(&draft.names[0], &draft.before, draft.now());
        self.drafts.iter().map(of).collect()
    }

    /// Writes the files that are changed, each whole or not at all, and gives the locks back.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(self) -> Result<Vec<Saved>, EditingError> {
        let mut all: Vec<Saved> = Vec::new();
        for draft in self.drafts.into_iter().filter(Draft::is_changed) {
            let Held::Locked(file) = draft.held else { continue };
            match file.save() {
                Ok(saved) => all.push(saved),
                Err(cause) if all.is_empty() => return Err(cause.into()),
                Err(cause) => {
                    let saved = all.into_iter().map(|saved| saved.file).collect();
                    return Err(EditingError::Halfway { saved, cause });
                }
            }
        }
        Ok(all)
    }

    /// The file, which says what it is.
    fn begun(&mut self, file: &Path) -> Result<&mut Document, EditingError> {
        let cause = |cause| EditingError::Edit { file: file.to_owned(), cause };
        let document = self.document(file)?;
        if document.is_empty() {
            document.set(&Place::top("apiVersion"), "v1").map_err(cause)?;
            document.set(&Place::top("kind"), "Config").map_err(cause)?;
        }
        Ok(document)
    }

    fn document(&mut self, file: &Path) -> Result<&mut Document, EditingError> {
        let patience = self.patience;
        let at = self.drafts.iter().position(|draft| draft.names.iter().any(|name| name == file));
        let draft = match at {
            Some(at) => &mut self.drafts[at],
            None => return Err(EditingError::Nowhere),
        };
        if let Held::Read(_) = draft.held
            && draft.is_to_be_locked
        {
            draft.held = Held::Locked(LockedFile::open(file, patience)?);
        }
        Ok(match &mut draft.held {
            Held::Locked(file) => file.document_mut(),
            Held::Read(document) => document,
        })
    }
}

impl Draft {
    fn open(file: PathBuf, purpose: Purpose, patience: Patience) -> Result<Self, EditingError> {
        if purpose == Purpose::Change {
            match LockedFile::open(&file, patience) {
                Ok(locked) => {
                    let before = locked.document().clone();
                    let held = Held::Locked(locked);
                    return Ok(Self { names: vec![file], before, held, is_to_be_locked: false });
                }
                Err(FileError::ReadOnly { .. } | FileError::Write { .. }) if file.exists() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let document = read(&file)?;
        let is_to_be_locked = purpose == Purpose::Change;
        Ok(Self { names: vec![file], before: document.clone(), held: Held::Read(document), is_to_be_locked })
    }

    fn now(&self) -> &Document {
        match &self.held {
            Held::Locked(file) => file.document(),
            Held::Read(document) => document,
        }
    }

    fn is_changed(&self) -> bool {
        self.now().text() != self.before.text()
    }
}

fn read(file: &Path) -> Result<Document, FileError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(FileError::Read { file: file.to_owned(), cause }),
    };
    Document::parse(text).map_err(|cause| FileError::Unreadable { file: file.to_owned(), cause })
}
