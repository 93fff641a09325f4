//! The plan as people read it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::line_diff::line_diff;
use crate::plan::{Action, Change, FieldChange, Plan, Summary};
use crate::resource::{FieldValue, Kind};

/// Whether the terminal shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// It does.
    Shown,
    /// It does not, or it is no terminal.
    None,
}

impl Action {
    /// `+`, `~`, `-/+` or `-`.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Change => "~",
            Self::Replace => "-/+",
            Self::Destroy => "-",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Add => "32",
            Self::Change => "33",
            Self::Replace | Self::Destroy => "31",
        }
    }

    /// What it is called when it is done.
    pub fn done(self) -> &'static str {
        match self {
            Self::Add => "made",
            Self::Change => "changed",
            Self::Replace => "made anew",
            Self::Destroy => "destroyed",
        }
    }
}

impl Plan {
    /// As people read it: a paragraph a step, notes, and how many of what.
    pub fn text(&self, colours: Colours) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for change in &self.changes {
            write_change(&mut text, change, colours);
        }
        for note in &self.notes {
            let _ = writeln!(text, "NOTE  {note}\n");
        }
        let Summary { add, change, destroy, unchanged } = self.summary();
        let _ = if self.is_empty() {
            writeln!(text, "No changes: all is as the file says it ({unchanged} unchanged).")
        } else {
            writeln!(
                text,
                "Plan: {add} to add, {change} to change, {destroy} to destroy; {unchanged} unchanged."
            )
        };
        text
    }
}

fn write_change(text: &mut String, change: &Change, colours: Colours) {
    let (before, after) = match colours {
        Colours::Shown => (format!("\x1b[{}m", change.action.colour()), "\x1b[0m"),
        Colours::None => (String::new(), ""),
    };
    let _ = writeln!(text, "  {before}{}{after} {}", change.action.sign(), change.address);
    let is_short = |field: &&FieldChange| {
        !field
            .old
            .iter()
            .chain([&field.new])
            .any(|value| lines_of(value).is_some_and(|text| text.contains('\n')))
    };
    let width = change.fields.iter().filter(is_short).map(|field| field.name.len()).max().unwrap_or_default();
    for FieldChange { name, old, new } in &change.fields {
        if change.action == Action::Add && is_nothing(new) {
            continue;
        }
        // A file that is only written says how long it is; what changes a machine is shown to the letter.
        let is_shown_whole = change.address.kind == Kind::ClusterSignIn;
        let old_lines = match old {
            None if is_shown_whole => Some(""),
            old => old.as_ref().and_then(lines_of),
        };
        if let (Some(old), Some(new)) = (old_lines, lines_of(new))
            && (old.contains('\n') || new.contains('\n'))
        {
            write_lines(text, name, old, new);
            continue;
        }
        let new = value(new);
        let _ = match (change.action, old) {
            (Action::Change | Action::Replace, Some(old)) => {
                writeln!(text, "      {before}~{after} {name:width$} = {} → {new}", value(old))
            }
            (Action::Change, None) => writeln!(text, "      {before}+{after} {name:width$} = {new}"),
            _ => writeln!(text, "        {name:width$} = {new}"),
        };
    }
    text.push('\n');
}

/// A text of several lines: only what changes, with what stands around it.
fn write_lines(text: &mut String, name: &str, old: &str, new: &str) {
    let sign = match (old.is_empty(), new.is_empty()) {
        (true, _) => '+',
        (_, true) => '-',
        _ => '~',
    };
    let _ = writeln!(text, "      {sign} {name}:");
    for (sign, line) in line_diff(old, new) {
        let line = format!("{sign} {line}");
        let _ = writeln!(text, "          {}", line.trim_end());
    }
}

/// A text; of what is not there the empty one.
fn lines_of(value: &FieldValue) -> Option<&str> {
    match value {
        FieldValue::Known(Value::String(text)) => Some(text),
        FieldValue::Known(Value::Null) => Some(""),
        _ => None,
    }
}

/// An empty list is what a new thing has anyway.
fn is_nothing(value: &FieldValue) -> bool {
    matches!(value, FieldValue::Known(Value::Array(values)) if values.is_empty())
}

fn value(value: &FieldValue) -> String {
    match value {
        FieldValue::Known(Value::Array(values)) => {
            let values: Vec<String> = values.iter().map(plain).collect();
            format!("[{}]", values.join(", "))
        }
        FieldValue::Known(value) => plain(value),
        FieldValue::Secret(_) => crate::resource::MASKED.to_owned(),
        FieldValue::AfterApply => crate::resource::LATER.to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => format!("({} lines)", text.lines().count()),
        value => value.to_string(),
    }
}
