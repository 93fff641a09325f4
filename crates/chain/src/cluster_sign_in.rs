//! What an API server is told, as a step of the plan: it is changed as a whole, proved, and taken back as a whole.

use kubesso_clusters::masked;

use crate::cluster_files::NOT_YET;
use crate::plan::{Action, Change, FieldChange, Plan};
use crate::resource::{Address, FieldValue, Kind, LATER};

/// A change of one cluster as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInChange {
    /// Whether sign-in comes, changes or goes.
    pub action: Action,
    /// The name, and the text before and after: files of the machine, or what a cloud is told.
    pub texts: Vec<(String, Option<String>, Option<String>)>,
    /// What is run then: in words, and as a command.
    pub commands: Vec<(String, String)>,
    /// How it comes into force.
    pub in_force: String,
    /// What to know before.
    pub notes: Vec<String>,
}

/// As a plan of one step; without a change, of none. `cluster` is the file's name for it. Secrets are masked.
pub fn in_plan(cluster: &str, change: Option<SignInChange>, notes: &[String]) -> Plan {
    let note = |note: &String| format!("cluster {cluster:?}: {note}");
    let Some(change) = change else {
        return Plan { unchanged: 1, notes: notes.iter().map(note).collect(), ..Plan::default() };
    };
    let text = |text: &Option<String>| match text {
        Some(text) => FieldValue::Known(masked(text).replace(NOT_YET, LATER).into()),
        None => FieldValue::Known(serde_json::Value::Null),
    };
    let mut fields: Vec<FieldChange> = Vec::new();
    for (name, before, after) in &change.texts {
        let old = before.as_ref().map(|_| text(before));
        fields.push(FieldChange { name: name.clone().into(), old, new: text(after) });
    }
    let said = |name: &'static str, what: String| FieldChange {
        name: name.into(),
        old: None,
        new: FieldValue::Known(what.into()),
    };
    for (what, command) in &change.commands {
        fields.push(said("then", format!("{what} $ {command}")));
    }
    fields.push(said("inForce", change.in_force));
    Plan {
        changes: vec![Change {
            action: change.action,
            address: Address::new(Kind::ClusterSignIn, cluster),
            fields,
            wanted: None,
            found: None,
        }],
        unchanged: 0,
        notes: notes.iter().chain(&change.notes).map(note).collect(),
    }
}
