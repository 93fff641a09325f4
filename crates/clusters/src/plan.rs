//! What has to be changed on a machine so that its API server trusts whom it should; and how to see what that is.

mod edit;
mod minikube;
mod targets;

use serde::{Serialize, Serializer};

pub use minikube::{minikube_plan, minikube_profile_with_options_of};
pub use targets::{kubeadm_configuration, plan};

use crate::found::LookError;
use crate::instructions::{Form, Impossible};
use crate::mask::masked;
use crate::target::Target;

/// Changes of files, and what brings them into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// For what.
    pub target: Target,
    /// By what.
    pub form: Form,
    /// In the order in which they are made: what names a file comes after it. Only those that change something.
    pub changes: Vec<Change>,
    /// Run after the changes.
    pub commands: Vec<HostCommand>,
    /// Run after they are taken back.
    pub undo: Vec<HostCommand>,
    /// How the API server comes to know.
    pub by: InForce,
    /// What its metrics say once it has the file, as [`loaded_hash`](crate::loaded_hash); none by flags.
    pub hash: Option<String>,
    /// What to know before.
    pub warnings: Vec<String>,
}

/// A file of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path on the machine.
    pub path: String,
    /// What it says; none: it is not there.
    pub before: Option<String>,
    /// What it shall say.
    pub after: String,
}

/// How changed files come into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InForce {
    /// The API server begins anew.
    Restart,
    /// It reads its file again.
    Reload,
}

/// A program with its arguments; no shell is between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostCommand {
    /// In words.
    pub what: String,
    /// The program and its arguments.
    pub words: Vec<Word>,
}

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// As it is.
    Text(String),
    /// A path of the machine.
    Path(String),
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The target cannot do what is asked.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// What is there cannot be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// Something else on the machine says otherwise, and is not ours to change.
    #[error("{path} says {what} itself: take it out there, or the API server gets both and does not start")]
    SaidElsewhere {
        /// Where.
        path: String,
        /// What.
        what: String,
    },
    /// The file cannot be changed without touching the rest of it.
    #[error("{path}: {why}")]
    Edit {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// It is not done from a machine's files.
    #[error("{0} is not changed by files of this machine; see: kubesso cluster config --for {name}", name = .0.name())]
    NotHere(Target),
}

impl Plan {
    /// Whether all is as it should be.
    pub fn is_done(&self) -> bool {
        self.changes.is_empty() && self.commands.is_empty()
    }
}

impl HostCommand {
    fn of(what: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| Word::Text((*word).to_owned())).collect();
        Self { what: what.to_owned(), words }
    }
}

/// Whoever prints it prints no secrets.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            path: &'a str,
            before: Option<String>,
            after: String,
        }
        let Self { path, before, after } = self;
        Shown { path, before: before.as_deref().map(masked), after: masked(after) }.serialize(serializer)
    }
}

impl Change {
    /// The lines that change, with three around them, as `diff -u` prints them.
    pub fn diff(&self) -> String {
        diff(&self.path, self.before.as_deref(), Some(&self.after))
    }
}

/// From one text of a file to another, as `diff -u` prints it, secrets masked; none: the file is not there.
pub fn diff(path: &str, before: Option<&str>, after: Option<&str>) -> String {
    let name = |text: Option<&str>| if text.is_some() { path } else { "/dev/null" };
    let [from, to] = [before, after].map(|text| masked(text.unwrap_or_default()));
    similar::TextDiff::from_lines(&from, &to)
        .unified_diff()
        .context_radius(3)
        .header(name(before), name(after))
        .to_string()
}
