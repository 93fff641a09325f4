//! How new values are written.

use std::fmt::Write as _;

use serde_json::Value;

use crate::yaml::Style;
use crate::yaml::scalar::is_plain;

/// The habits of a file, which new text follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    /// What ends a line.
    pub(super) eol: &'static str,
    /// How far a mapping is set in from the key that holds it.
    pub(super) step: usize,
    /// How far the dashes of a list are.
    pub(super) dash_step: usize,
}

impl Habits {
    /// `key: value` for a block mapping at `column`. The first line has no indentation and the last no line break.
    pub(super) fn pair(self, key: &str, value: &Value, column: usize) -> String {
        format!("{}:{}", scalar(key, Style::Plain), self.after_colon(value, column))
    }

    /// What comes behind the colon of a key at `column`.
    pub(super) fn after_colon(self, value: &Value, column: usize) -> String {
        if is_block(value) {
            format!("{}{}", self.eol, self.block_of_key(value, column))
        } else {
            format!(" {}", inline(value))
        }
    }

    /// The lines of a collection that a key at `column` holds, each with its indentation.
    pub(super) fn block_of_key(self, value: &Value, column: usize) -> String {
        let column = column + if value.is_array() { self.dash_step } else { self.step };
        format!("{:column$}{}", "", self.block(value, column))
    }

    /// `- value` for a block list whose dashes are at `column`.
    pub(super) fn item(self, value: &Value, column: usize) -> String {
        format!("- {}", self.block(value, column + 2))
    }

    /// A value at `column`; its first line has no indentation.
    pub(super) fn block(self, value: &Value, column: usize) -> String {
        let parts: Vec<_> = match value {
            Value::Object(object) if !object.is_empty() => {
                object.iter().map(|(key, value)| self.pair(key, value, column)).collect()
            }
            Value::Array(list) if !list.is_empty() => {
                list.iter().map(|value| self.item(value, column)).collect()
            }
            value => return inline(value),
        };
        parts.join(&format!("{}{:column$}", self.eol, ""))
    }
}

/// Whether a value takes lines of its own.
pub(super) fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

/// A value that takes no lines of its own.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text, Style::Plain),
        value => value.to_string(),
    }
}

/// A text in the style of the one that it replaces, as far as it can be written so.
pub(super) fn scalar(text: &str, style: Style) -> String {
    match style {
        Style::SingleQuoted if text.chars().all(is_printable) => format!("'{}'", text.replace('\'', "''")),
        Style::Plain | Style::Empty | Style::Block if is_plain(text) => text.to_owned(),
        _ => quoted(text),
    }
}

/// In double quotes, so that it is the same in JSON, in YAML 1.1 and in YAML 1.2.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// What YAML lets stand for itself on one line.
fn is_printable(c: char) -> bool {
    !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
