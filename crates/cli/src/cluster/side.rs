//! The cluster side of an access file: one cluster that is changed from here, whatever it is changed by.

use std::fmt::Write as _;

use kubesso_chain::{Action, SignInChange};
use kubesso_clusters::{Impossible, InForce, KubernetesVersion, Request, Verdict};
use kubesso_directory::Secret;

use super::apply::Say;
use super::cloud::{InCloud, is_cloud, texts};
use super::config;
use super::here::Done;
use super::on_machine::OnMachine;
use super::place::Place;
use crate::error::CommandError;

/// Why it is not known what would be changed.
pub(crate) enum Unprepared {
    /// The distribution cannot do it.
    Impossible(Impossible),
    /// What is there cannot be read, or not changed.
    Error(CommandError),
}

impl From<CommandError> for Unprepared {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

impl Unprepared {
    /// In words.
    pub(crate) fn into_error(self) -> CommandError {
        match self {
            Self::Impossible(impossible) => CommandError::usage(config::refusal(&impossible)),
            Self::Error(error) => error,
        }
    }
}

/// What becomes of a change that was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// All is there, and has yet to be proved.
    Finished,
    /// It is taken back first.
    TakenBack,
}

/// What an access file has changed, as it would be taken back.
pub(super) struct Brought {
    /// Name, now, and before.
    pub(super) texts: Vec<(String, Option<String>, Option<String>)>,
    pub(super) commands: Vec<(String, Vec<String>)>,
    /// None: by a cloud.
    pub(super) by: Option<InForce>,
    /// What somebody else has changed since.
    pub(super) later: Vec<String>,
}

/// One cluster.
pub(crate) enum Side {
    Machine(Box<OnMachine>),
    Cloud(Box<InCloud>),
}

impl Side {
    /// Finds out what has to be changed.
    pub(crate) async fn prepare<'a>(
        place: Place,
        request: impl FnOnce(KubernetesVersion) -> Request<'a>,
    ) -> Result<Self, Unprepared> {
        if is_cloud(place.target) {
            return Ok(Self::Cloud(Box::new(InCloud::prepare(place, request).await?)));
        }
        Ok(Self::Machine(Box::new(OnMachine::prepare(place, request).await?)))
    }

    /// What a process that was killed in the middle leaves to do.
    pub(crate) fn interrupted(&self) -> Option<Interrupted> {
        match self {
            Self::Machine(on) => on.interrupted.map(|(_, way)| way),
            Self::Cloud(of) => of.interrupted.map(|_| Interrupted::TakenBack),
        }
    }

    /// What would be changed, and what to know all the same.
    pub(crate) async fn change(&self) -> (Option<SignInChange>, Vec<String>) {
        let mut notes = Vec::new();
        let since = match self {
            Self::Machine(on) => on.interrupted,
            Self::Cloud(of) => of.interrupted.map(|began| (began, Interrupted::TakenBack)),
        };
        if let Some((began, way)) = since {
            let what = match way {
                Interrupted::Finished => "it is proved, or taken back",
                Interrupted::TakenBack => "what was done of it is taken back first",
            };
            notes.push(format!("a change of {began} was interrupted half way: {what}"));
        }
        let change = match self {
            Self::Machine(on) if on.is_done() => {
                if let Some(Verdict::Refused | Verdict::Another) = on.verdict().await {
                    notes.push(
                        "the files are as they should be, but its API server has not loaded them: see `kubesso cluster check`, \
                         and restart it"
                            .to_owned(),
                    );
                }
                None
            }
            Self::Machine(on) => Some(on.sign_in_change()),
            Self::Cloud(of) => of.sign_in_change(),
        };
        (change, notes)
    }

    /// Goes on with what was interrupted, or only takes it back.
    pub(crate) async fn take_up(&self, way: Interrupted, say: &Say) -> Result<(), CommandError> {
        match self {
            Self::Machine(on) => on.take_up(way, say).await,
            Self::Cloud(of) => of.take_up(say).await,
        }
    }

    /// Makes the change for the access file of that name, proves it, and takes it back if it is not well with it.
    pub(crate) async fn apply(
        &self,
        token: Option<Secret>,
        chain: &str,
        say: &Say,
    ) -> Result<String, CommandError> {
        let done = match self {
            Self::Machine(on) => on.ready(token).await?.apply(Some(chain), say).await?,
            Self::Cloud(of) => of.apply(token, Some(chain), say).await?,
        };
        match done {
            Done::Applied { proven, .. } => {
                let mut text = String::new();
                if let Some(proven) = proven {
                    proven.tell(&mut text);
                }
                Ok(text)
            }
            Done::TakenBack { reason, back } => {
                let mut text = format!("it was taken back, because {reason}");
                if let Some(back) = back {
                    // Writing to a String cannot fail.
                    let _ = write!(text, " ({} is ready with the old settings)", back.endpoint);
                }
                Err(CommandError::new(text))
            }
        }
    }

    /// How what the access file of that name has brought would be taken away; nothing if it brought nothing.
    pub(crate) fn withdrawal(&self, chain: &str) -> Result<Option<SignInChange>, CommandError> {
        let (brought, place) = match self {
            Self::Machine(on) => (on.brought(chain)?, &on.place),
            Self::Cloud(of) => (of.brought(chain)?, &of.place),
        };
        let Some(brought) = brought else { return Ok(None) };
        if !brought.later.is_empty() {
            return Err(CommandError::new(format!(
                "changed since by somebody else: {}",
                brought.later.join(", ")
            ))
            .mend(format!(
                "put it right by hand, or lose those changes: kubesso cluster rollback --for {} \
                     --danger-discard-later-changes",
                place.target.name()
            )));
        }
        Ok(Some(SignInChange {
            action: Action::Destroy,
            texts: brought.texts,
            commands: shown(brought.commands),
            in_force: in_force(brought.by),
            notes: Vec::new(),
        }))
    }

    /// Takes it away; what there is to say then.
    pub(crate) async fn withdraw(&self, chain: &str, say: &Say) -> Result<String, CommandError> {
        let back = match self {
            Self::Machine(on) => on.withdraw(chain, say).await?,
            Self::Cloud(of) => of.withdraw(chain, say).await.map(|()| None)?,
        };
        Ok(back.map(|back| format!("{} is ready without it.\n", back.endpoint)).unwrap_or_default())
    }
}

impl OnMachine {
    fn sign_in_change(&self) -> SignInChange {
        let plan = &self.plan;
        let files = plan
            .changes
            .iter()
            .map(|change| (change.path.clone(), change.before.clone(), Some(change.after.clone())));
        let map = self.beside.config_map.iter();
        let map = map.map(|map| (map.path.clone(), map.before.clone(), Some(map.after.clone())));
        SignInChange {
            action: if self.is_first { Action::Add } else { Action::Change },
            texts: files.chain(map).collect(),
            commands: shown(self.here.commands(plan, &plan.commands)),
            in_force: in_force(Some(plan.by)),
            notes: plan.warnings.clone(),
        }
    }
}

impl InCloud {
    fn sign_in_change(&self) -> Option<SignInChange> {
        if self.changes.is_empty() && self.interrupted.is_none() {
            return None;
        }
        Some(SignInChange {
            action: if self.is_first { Action::Add } else { Action::Change },
            texts: texts(&self.changes),
            commands: Vec::new(),
            in_force: in_force(None),
            notes: self.warnings.clone(),
        })
    }
}

fn shown(commands: Vec<(String, Vec<String>)>) -> Vec<(String, String)> {
    commands.into_iter().map(|(what, words)| (what, words.join(" "))).collect()
}

fn in_force(by: Option<InForce>) -> String {
    match by {
        Some(InForce::Restart) => "the API server begins anew",
        Some(InForce::Reload) => "the API server reads its file again within a minute, and goes on running",
        None => "the cloud changes its API server, which takes some minutes",
    }
    .to_owned()
}
