//! The files together, as kubectl sees them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kubesso_k8s_types::kubeconfig::{Cluster, Config, Context, User};

use crate::decode::Undecodable;
use crate::document::Document;
use crate::locations::{Locations, Source};
use crate::yaml::Unreadable;

/// What all files say together. The first file that names a cluster, context or user wins for it as a whole, and so
/// does the first that names a current context.
#[derive(Clone, Debug, Default)]
pub struct Kubeconfig {
    files: Vec<PathBuf>,
    clusters: Vec<Entry<Cluster>>,
    contexts: Vec<Entry<Context>>,
    users: Vec<Entry<User>>,
    current_context: Option<String>,
}

/// A cluster, context or user.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    /// Its name.
    pub name: String,
    /// The file that it comes from.
    pub file: PathBuf,
    /// What the file says, with paths as they are written there.
    pub value: T,
}

/// Why a kubeconfig could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file that was asked for is not there.
    #[error("there is no kubeconfig {}", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The system did not let us.
    #[error("the kubeconfig {} cannot be read: {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What it said.
        cause: io::Error,
    },
    /// Not YAML that kubectl reads.
    #[error("the kubeconfig {} cannot be understood: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Where and why.
        cause: Unreadable,
    },
    /// YAML, but no kubeconfig.
    #[error("the kubeconfig {} cannot be understood: {cause}", file.display())]
    Undecodable {
        /// The file.
        file: PathBuf,
        /// Where and why.
        cause: Undecodable,
    },
}

/// Whose credentials are asked for: `--user`, else `--context`, else the current context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// `--user`
    pub user: Option<&'a str>,
    /// `--context`
    pub context: Option<&'a str>,
}

/// Why no user could be selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Nothing was asked for, and there is no current context.
    #[error(
        "the kubeconfig has no current context; name one with --context, or set it: kubectl config use-context NAME"
    )]
    NoCurrentContext,
    /// No such context.
    #[error("the kubeconfig has no context {name:?}; see: kubectl config get-contexts")]
    NoContext {
        /// What was asked for.
        name: String,
    },
    /// No such user.
    #[error("the kubeconfig has no user {name:?}; see: kubectl config get-users")]
    NoUser {
        /// What was asked for.
        name: String,
    },
    /// The context has no user.
    #[error(
        "the context {context:?} names no user; set one: kubectl config set-context {context:?} --user=NAME"
    )]
    ContextWithoutUser {
        /// The context.
        context: String,
    },
}

impl Kubeconfig {
    /// Reads the files and merges them as kubectl does. Without any file it is empty.
    pub fn load(locations: &Locations) -> Result<Self, LoadError> {
        let mut all = Self::default();
        for file in locations.files() {
            let bytes = match fs::read(file) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if locations.source() == Source::Explicit {
                        return Err(LoadError::Missing { file: file.clone() });
                    }
                    continue;
                }
                Err(cause) => return Err(LoadError::Read { file: file.clone(), cause }),
            };
            let text = String::from_utf8(bytes).map_err(|_| LoadError::Read {
                file: file.clone(),
                cause: io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
            })?;
            let document =
                Document::parse(text).map_err(|cause| LoadError::Unreadable { file: file.clone(), cause })?;
            let config =
                document.config().map_err(|cause| LoadError::Undecodable { file: file.clone(), cause })?;
            all.add_file(file, config);
        }
        Ok(all)
    }

    /// Adds what `file` says, as kubectl does with the next file of the list: what is there already wins.
    pub fn add_file(&mut self, file: &Path, config: Config) {
        fn add<T>(entries: &mut Vec<Entry<T>>, file: &Path, later: impl Iterator<Item = (String, T)>) {
            for (name, value) in later {
                if !entries.iter().any(|entry| entry.name == name) {
                    entries.push(Entry { name, file: file.to_owned(), value });
                }
            }
        }
        self.files.push(file.to_owned());
        add(&mut self.clusters, file, config.clusters.into_iter().map(|entry| (entry.name, entry.cluster)));
        add(&mut self.contexts, file, config.contexts.into_iter().map(|entry| (entry.name, entry.context)));
        add(&mut self.users, file, config.users.into_iter().map(|entry| (entry.name, entry.user)));
        if self.current_context.is_none() && !config.current_context.is_empty() {
            self.current_context = Some(config.current_context);
        }
    }

    /// The files that were there and were read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The current context's name; it may name a context that does not exist.
    pub fn current_context(&self) -> Option<&str> {
        self.current_context.as_deref()
    }

    /// All clusters.
    pub fn clusters(&self) -> &[Entry<Cluster>] {
        &self.clusters
    }

    /// All contexts.
    pub fn contexts(&self) -> &[Entry<Context>] {
        &self.contexts
    }

    /// All users.
    pub fn users(&self) -> &[Entry<User>] {
        &self.users
    }

    /// The cluster of that name.
    pub fn cluster(&self, name: &str) -> Option<&Entry<Cluster>> {
        self.clusters.iter().find(|entry| entry.name == name)
    }

    /// The context of that name.
    pub fn context(&self, name: &str) -> Option<&Entry<Context>> {
        self.contexts.iter().find(|entry| entry.name == name)
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&Entry<User>> {
        self.users.iter().find(|entry| entry.name == name)
    }

    /// The context that is asked for, or the current one.
    pub fn select_context(&self, name: Option<&str>) -> Result<&Entry<Context>, SelectError> {
        let name = given(name).or(self.current_context()).ok_or(SelectError::NoCurrentContext)?;
        self.context(name).ok_or_else(|| SelectError::NoContext { name: name.to_owned() })
    }

    /// The name of the user that is asked for; that user need not exist.
    pub fn select_user_name<'a>(&'a self, selection: Selection<'a>) -> Result<&'a str, SelectError> {
        if let Some(user) = given(selection.user) {
            return Ok(user);
        }
        let context = self.select_context(selection.context)?;
        given(Some(&context.value.user))
            .ok_or_else(|| SelectError::ContextWithoutUser { context: context.name.clone() })
    }

    /// The user that is asked for.
    pub fn select_user(&self, selection: Selection<'_>) -> Result<&Entry<User>, SelectError> {
        let name = self.select_user_name(selection)?;
        self.user(name).ok_or_else(|| SelectError::NoUser { name: name.to_owned() })
    }
}

/// An empty flag is no flag.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

impl<T> Entry<T> {
    /// A path of this entry (a certificate, a token file) as seen from here: relative ones count from the directory
    /// of the file that they stand in.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

impl Entry<User> {
    /// The credential plugin's program as kubectl starts it: a bare name is left to `PATH`.
    pub fn exec_command(&self) -> Option<PathBuf> {
        let command = &self.value.exec.as_ref()?.command;
        let bare = !command.contains(std::path::MAIN_SEPARATOR);
        Some(if bare { PathBuf::from(command) } else { self.resolve(command) })
    }
}
