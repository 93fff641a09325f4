//! What is wanted against what is found: the steps from one to the other.

use std::borrow::Cow;

use serde::Serialize;

use crate::marker::Owner;
use crate::resource::{Address, FieldValue, Found, Kind, Wanted};

/// What is done to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Add,
    /// Some of its fields are changed.
    Change,
    /// It is destroyed and made anew, because what changes cannot be changed.
    Replace,
    /// It is destroyed.
    Destroy,
}

/// A field that is changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// As in the file; of a machine's file its path.
    pub name: Cow<'static, str>,
    /// What it says; nothing if the thing is made, or says nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<FieldValue>,
    /// What it will say.
    pub new: FieldValue,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// To what.
    pub address: Address,
    /// The fields, in the order of the kind.
    pub fields: Vec<FieldChange>,
    /// As it is wanted; nothing for what is destroyed.
    pub(crate) wanted: Option<Wanted>,
    /// As it is; nothing for what is made.
    pub(crate) found: Option<Found>,
}

/// The steps, in the order in which they are done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What is done.
    pub changes: Vec<Change>,
    /// So many things are as they are wanted.
    pub unchanged: usize,
    /// What to know before.
    pub notes: Vec<String>,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Made.
    pub add: usize,
    /// Changed.
    pub change: usize,
    /// Destroyed.
    pub destroy: usize,
    /// As they are wanted.
    pub unchanged: usize,
}

/// A thing of the file that another chain made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} belongs to another access file, whose `name` is `{other}`: take another name for it here, or give this file that name"
)]
pub struct Taken {
    address: Address,
    other: String,
}

impl Plan {
    /// The steps that bring `found` to `wanted`. What is ours and no longer wanted is destroyed.
    ///
    /// # Errors
    /// Something belongs to another chain.
    pub fn new(wanted: &[Wanted], found: &[Found]) -> Result<Self, Taken> {
        let mut plan = Self::default();
        for wanted in wanted {
            let Some(is) = found.iter().find(|found| found.address == wanted.address) else {
                plan.changes.push(addition(wanted));
                continue;
            };
            if let Owner::Another(other) = &is.owner {
                return Err(Taken { address: wanted.address.clone(), other: other.clone() });
            }
            let fields = differences(wanted, is);
            if fields.is_empty() {
                plan.unchanged += 1;
                continue;
            }
            if is.owner == Owner::Somebody && is.address.kind != Kind::File {
                plan.notes.push(format!(
                    "{} was not made by kubesso: it is changed where the file says so, and `destroy` leaves it",
                    is.address
                ));
            }
            // What a binding gives cannot be changed (Kubernetes refuses another roleRef).
            let is_of_binding = matches!(is.address.kind, Kind::ClusterRoleBinding | Kind::RoleBinding);
            let is_fixed = is_of_binding && fields.iter().any(|field| field.name == "role");
            plan.changes.push(Change {
                action: if is_fixed { Action::Replace } else { Action::Change },
                address: wanted.address.clone(),
                fields,
                wanted: Some(wanted.clone()),
                found: Some(is.clone()),
            });
        }
        let is_wanted = |found: &Found| wanted.iter().any(|wanted| wanted.address == found.address);
        plan.destroy(found.iter().filter(|found| !is_wanted(found)));
        plan.sort();
        Ok(plan)
    }

    /// The steps that destroy what this chain made, and nothing else.
    pub fn destroying(wanted: &[Wanted], found: &[Found]) -> Self {
        let mut plan = Self::default();
        let named = |found: &Found| wanted.iter().any(|wanted| wanted.address == found.address);
        for left in found.iter().filter(|found| named(found) && found.owner != Owner::Ours) {
            plan.unchanged += 1;
            plan.notes.push(format!("{} was not made by kubesso and stays", left.address));
        }
        plan.destroy(found.iter());
        plan.sort();
        plan
    }

    fn destroy<'a>(&mut self, candidates: impl Iterator<Item = &'a Found>) {
        for found in candidates.filter(|found| found.owner == Owner::Ours) {
            if let Some(why) = found.protected {
                self.notes.push(format!("{} stays: {why}", found.address));
                continue;
            }
            self.changes.push(Change {
                action: Action::Destroy,
                address: found.address.clone(),
                fields: Vec::new(),
                wanted: None,
                found: Some(found.clone()),
            });
        }
    }

    /// What is made and changed comes first, what needs others behind them; then what is destroyed, the other way round.
    fn sort(&mut self) {
        let (mut gone, mut kept): (Vec<_>, Vec<_>) =
            self.changes.drain(..).partition(|change| change.action == Action::Destroy);
        kept.sort_by_key(|change| change.address.kind);
        gone.sort_by_key(|change| std::cmp::Reverse(change.address.kind));
        self.changes = kept.into_iter().chain(gone).collect();
    }

    /// Puts another plan's steps behind these.
    pub fn append(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.unchanged += other.unchanged;
        self.notes.extend(other.notes);
        self.sort();
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many of what.
    pub fn summary(&self) -> Summary {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        Summary {
            add: count(Action::Add) + count(Action::Replace),
            change: count(Action::Change),
            destroy: count(Action::Destroy) + count(Action::Replace),
            unchanged: self.unchanged,
        }
    }
}

fn addition(wanted: &Wanted) -> Change {
    let fields = wanted.fields.iter();
    let fields =
        fields.map(|field| FieldChange { name: field.name.into(), old: None, new: field.value.clone() });
    Change {
        action: Action::Add,
        address: wanted.address.clone(),
        fields: fields.collect(),
        wanted: Some(wanted.clone()),
        found: None,
    }
}

fn differences(wanted: &Wanted, found: &Found) -> Vec<FieldChange> {
    let changed = wanted.fields.iter().filter(|field| found.field(field.name) != Some(&field.value));
    let changed = changed.map(|field| FieldChange {
        name: field.name.into(),
        old: found.field(field.name).cloned(),
        new: field.value.clone(),
    });
    changed.collect()
}

impl Kind {
    /// Whether it is the provider's.
    pub fn is_of_provider(self) -> bool {
        self <= Self::Rule
    }
}
