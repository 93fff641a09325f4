//! Changes inside `{}` and `[]`, which is also how JSON is written.

use std::ops::Range;

use serde_json::Value;

use super::lines::{column, is_first, line_end, line_start};
use super::patch::Patch;
use super::render::{quoted, scalar};
use crate::yaml::{Item, Kind, Node, Pair, Parsed, Style};

/// How a file writes its flow collections.
pub(super) struct Flow<'a> {
    text: &'a str,
    eol: &'static str,
    /// Everything is quoted, because it is JSON.
    json: bool,
    /// JSON with a line an entry: how far each level is set in.
    step: Option<usize>,
}

/// Where the entries of a mapping are.
pub(super) fn pairs(pairs: &[Pair]) -> Vec<Range<usize>> {
    pairs.iter().map(|pair| pair.key.start..pair.value.end).collect()
}

/// Where the entries of a list are.
pub(super) fn items(items: &[Item]) -> Vec<Range<usize>> {
    items.iter().map(|item| item.node.start..item.node.end).collect()
}

impl<'a> Flow<'a> {
    pub(super) fn of(text: &'a str, parsed: &Parsed, eol: &'static str) -> Self {
        let is_quoted =
            |pair: &Pair| matches!(pair.key.kind, Kind::Scalar { style: Style::DoubleQuoted, .. });
        let (json, step) = match parsed.root.as_ref().map(|root| &root.kind) {
            Some(Kind::Mapping { flow: true, pairs }) => {
                let first = pairs.first().map(|pair| pair.key.start).filter(|key| is_first(text, *key));
                (pairs.iter().all(is_quoted), first.map(|key| column(text, key).max(1)))
            }
            _ => (false, None),
        };
        Self { text, eol, json, step: step.filter(|_| json) }
    }

    /// `key: value`, for a line with this indentation.
    pub(super) fn pair(&self, key: &str, value: &Value, indent: &str) -> String {
        format!("{}: {}", self.scalar(key), self.value(value, indent))
    }

    /// A value, for a line with this indentation.
    pub(super) fn value(&self, value: &Value, indent: &str) -> String {
        let deeper = format!("{indent}{:1$}", "", self.step.unwrap_or(0));
        let (open, close, parts): (_, _, Vec<_>) = match value {
            Value::Object(object) => {
                ('{', '}', object.iter().map(|(key, value)| self.pair(key, value, &deeper)).collect())
            }
            Value::Array(list) => ('[', ']', list.iter().map(|value| self.value(value, &deeper)).collect()),
            Value::String(text) => return self.scalar(text),
            value => return value.to_string(),
        };
        let eol = self.eol;
        match self.step {
            Some(_) if !parts.is_empty() => {
                let parts = parts.join(&format!(",{eol}{deeper}"));
                format!("{open}{eol}{deeper}{parts}{eol}{indent}{close}")
            }
            _ => format!("{open}{}{close}", parts.join(", ")),
        }
    }

    /// The blanks that the line of this offset begins with.
    pub(super) fn indent(&self, offset: usize) -> String {
        let line = &self.text[line_start(self.text, offset)..];
        line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
    }

    /// Adds an entry behind the others.
    pub(super) fn insert(
        &self,
        node: &Node,
        entries: &[Range<usize>],
        entry: impl Fn(&str) -> String,
    ) -> Option<Vec<Patch>> {
        let open = self.open(node)?;
        let Some(last) = entries.last() else { return Some(self.first(node, open, entry)) };
        let indent = self.indent(last.start);
        if !is_first(self.text, last.start) {
            return Some(vec![Patch::insert(last.end, format!(", {}", entry(&indent)))]);
        }
        let rest = self.text[last.end..line_end(self.text, last.end)].trim_start();
        let (comma, rest) = rest.strip_prefix(',').map_or((false, rest), |rest| (true, rest.trim_start()));
        if !(rest.is_empty() || rest.starts_with('#')) {
            return Some(vec![Patch::insert(last.end, format!(", {}", entry(&indent)))]);
        }
        let line = format!("{}{indent}{}", self.eol, entry(&indent));
        let at = line_end(self.text, last.end);
        Some(if comma {
            vec![Patch::insert(at, format!("{line},"))]
        } else if at == last.end {
            vec![Patch::insert(at, format!(",{line}"))]
        } else {
            vec![Patch::insert(last.end, ","), Patch::insert(at, line)]
        })
    }

    /// Takes an entry away, with the comma that it needed.
    pub(super) fn remove(&self, node: &Node, entries: &[Range<usize>], index: usize) -> Vec<Patch> {
        let entry = entries[index].clone();
        let quiet = |range: Range<usize>| !self.text[range].contains('#');
        let comma = |from: usize| {
            let rest = &self.text[from..];
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            rest[blank..].starts_with(',').then_some(from + blank + 1)
        };
        let previous = index.checked_sub(1).map(|index| entries[index].end);
        let next = entries.get(index + 1).map(|next| next.start);
        match (previous, next) {
            (_, Some(next)) if quiet(entry.end..next) => vec![Patch::delete(entry.start, next)],
            (Some(previous), None) if quiet(previous..entry.start) => {
                vec![Patch::delete(previous, entry.end)]
            }
            (None, None) if quiet(node.start + 1..entry.start) && quiet(entry.end..node.end) => {
                vec![Patch::delete(node.start + 1, node.end - 1)]
            }
            _ => vec![Patch::delete(entry.start, comma(entry.end).unwrap_or(entry.end))],
        }
    }

    /// The first entry of `{}` or `[]`.
    fn first(&self, node: &Node, open: usize, entry: impl Fn(&str) -> String) -> Vec<Patch> {
        let close = node.end - 1;
        if self.text[open..close].contains('#') {
            return vec![Patch::insert(close, entry(""))];
        }
        let text = match self.step {
            Some(step) => {
                let indent = self.indent(node.start);
                let deeper = format!("{indent}{:step$}", "");
                format!("{eol}{deeper}{}{eol}{indent}", entry(&deeper), eol = self.eol)
            }
            None => entry(""),
        };
        vec![Patch::replace(open, close, text)]
    }

    /// Behind the bracket that opens the collection. (`[a: b]` holds a mapping without any.)
    fn open(&self, node: &Node) -> Option<usize> {
        let bracket = if matches!(node.kind, Kind::Mapping { .. }) { ('{', '}') } else { ('[', ']') };
        let inside = &self.text[node.start..node.end];
        // An anchor or a tag may stand before it; neither can hold a bracket.
        let open = node.start + inside.find(bracket.0)? + 1;
        (inside.ends_with(bracket.1) && open < node.end).then_some(open)
    }

    fn scalar(&self, text: &str) -> String {
        if self.json || text.contains([':', '?']) { quoted(text) } else { scalar(text, Style::Plain) }
    }
}
