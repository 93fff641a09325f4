//! One YAML document: what it says, by the rules of the parser that kubectl is built with, and where it says it.

mod evaluate;
pub(crate) mod scalar;
mod tree;

use serde_json::Value;

pub use evaluate::Unreadable;
pub(crate) use tree::{Item, Kind, Node, Pair, Style};

/// A parsed file. Positions are byte offsets in the text that was parsed.
#[derive(Clone)]
pub(crate) struct Parsed {
    /// Absent when the file holds nothing but blanks and comments.
    pub(crate) root: Option<Node>,
    /// What the first document says; `null` when there is none.
    pub(crate) value: Value,
    /// Whether it is the only document of the file. kubectl reads the first one and ignores the others.
    pub(crate) alone: bool,
}

/// Reads the first document.
pub(crate) fn parse(text: &str) -> Result<Parsed, Unreadable> {
    let (root, alone) = tree::grow(text)?;
    let value = root.as_ref().map_or(Ok(Value::Null), evaluate::evaluate)?;
    Ok(Parsed { root, value, alone })
}
