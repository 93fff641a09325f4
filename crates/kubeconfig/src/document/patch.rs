//! The next small change on the way from what a document says to what it shall say.

use serde_json::{Map, Value};

use super::EditError;
use super::flow::{self, Flow};
use super::lines::{self, column, is_first, line_end, line_start, next_line, same_line};
use super::render::{self, Habits};
use crate::place::{Place, Step, is_named};
use crate::yaml::{Item, Kind, Node, Pair, Parsed, Style};

/// Puts `text` in the place of a range of bytes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
}

impl Patch {
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { start: at, end: at, text: text.into() }
    }

    pub(super) fn delete(start: usize, end: usize) -> Self {
        Self { start, end, text: String::new() }
    }

    pub(super) fn replace(start: usize, end: usize, text: impl Into<String>) -> Self {
        Self { start, end, text: text.into() }
    }
}

/// The text with all patches applied, unless they overlap.
pub(super) fn apply(text: &str, mut patches: Vec<Patch>) -> Option<String> {
    patches.sort_by_key(|patch| (patch.start, patch.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for patch in patches {
        out.push_str(text.get(done..patch.start)?);
        out.push_str(&patch.text);
        done = patch.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

/// One change towards `wanted`, or nothing when the place says what it shall.
pub(super) fn next(
    text: &str,
    parsed: &Parsed,
    place: &Place,
    wanted: &Value,
) -> Result<Vec<Patch>, EditError> {
    let habits = lines::habits(text, parsed);
    let editor = Editor { text, habits, flow: Flow::of(text, parsed, habits.eol), place };
    match &parsed.root {
        None => Ok(vec![editor.append(wanted)]),
        Some(root) => editor.walk(Slot::Root, root, &parsed.value, wanted, place.steps()),
    }
}

/// What holds a node.
#[derive(Clone, Copy)]
enum Slot<'a> {
    Root,
    Pair { pair: &'a Pair, flow: bool },
    Item { item: &'a Item, flow: bool },
}

impl Slot<'_> {
    fn is_flow(self) -> bool {
        matches!(self, Self::Pair { flow: true, .. } | Self::Item { flow: true, .. })
    }
}

struct Editor<'a> {
    text: &'a str,
    habits: Habits,
    flow: Flow<'a>,
    place: &'a Place,
}

type Patches = Result<Vec<Patch>, EditError>;

impl Editor<'_> {
    /// Down to the place, as far as there is a way.
    fn walk(&self, slot: Slot<'_>, node: &Node, old: &Value, new: &Value, steps: &[Step]) -> Patches {
        let Some((step, rest)) = steps.split_first() else { return self.differ(slot, node, old, new) };
        if old == new {
            return Ok(Vec::new());
        }
        match (step, &node.kind, old, new) {
            (Step::Key(key), Kind::Mapping { flow, pairs }, Value::Object(was), Value::Object(is)) => {
                match (self.pair(pairs, key)?, is.get(key)) {
                    (Some(index), Some(value)) => {
                        let slot = Slot::Pair { pair: &pairs[index], flow: *flow };
                        self.walk(
                            slot,
                            &pairs[index].value,
                            was.get(key).unwrap_or(&Value::Null),
                            value,
                            rest,
                        )
                    }
                    (Some(index), None) => self.remove_pair(slot, node, pairs, index),
                    (None, Some(value)) => self.insert_pair(slot, node, pairs, key, value, new),
                    (None, None) => self.refuse(MERGED),
                }
            }
            (Step::Named(name), Kind::Sequence { flow, items }, Value::Array(was), Value::Array(is)) => {
                let mut found = was.iter().enumerate().filter(|(_, item)| is_named(item, name));
                let there = found.next();
                if found.next().is_some() {
                    return Err(EditError::Ambiguous { place: self.place.clone() });
                }
                match (there, is.iter().find(|item| is_named(item, name))) {
                    (Some((index, was)), Some(value)) => {
                        let slot = Slot::Item { item: &items[index], flow: *flow };
                        self.walk(slot, &items[index].node, was, value, rest)
                    }
                    (Some((index, _)), None) => self.remove_item(slot, node, items, index),
                    (None, Some(value)) => self.append_item(slot, node, items, value, new),
                    (None, None) => self.refuse(MERGED),
                }
            }
            (_, Kind::Scalar { .. }, Value::Null, _) => self.replace(slot, node, new),
            (_, Kind::Alias(_), ..) => self.refuse(ALIAS),
            _ => self.refuse("something else is in the way"),
        }
    }

    /// The first difference between what a node says and what it shall say.
    fn differ(&self, slot: Slot<'_>, node: &Node, old: &Value, new: &Value) -> Patches {
        if old == new {
            return Ok(Vec::new());
        }
        match (&node.kind, old, new) {
            (Kind::Alias(_), ..) => self.refuse(ALIAS),
            (Kind::Mapping { flow, pairs }, Value::Object(was), Value::Object(is))
                if !pairs.is_empty() && !is.is_empty() =>
            {
                self.differ_in_mapping(slot, node, (*flow, pairs), was, is)
            }
            (Kind::Sequence { flow, items }, Value::Array(was), Value::Array(is))
                if !items.is_empty() && !is.is_empty() =>
            {
                match was.iter().zip(is).position(|(was, is)| was != is) {
                    Some(index) if is.len() < was.len() => self.remove_item(slot, node, items, index),
                    Some(index) => {
                        let slot = Slot::Item { item: &items[index], flow: *flow };
                        self.differ(slot, &items[index].node, &was[index], &is[index])
                    }
                    None if is.len() < was.len() => self.remove_item(slot, node, items, is.len()),
                    None => self.append_item(slot, node, items, &is[was.len()], new),
                }
            }
            _ => self.replace(slot, node, new),
        }
    }

    fn differ_in_mapping(
        &self,
        slot: Slot<'_>,
        node: &Node,
        (flow, pairs): (bool, &[Pair]),
        was: &Map<String, Value>,
        is: &Map<String, Value>,
    ) -> Patches {
        for (index, pair) in pairs.iter().enumerate() {
            let Some(key) = key_of(pair) else { continue };
            self.pair(pairs, key)?;
            match (was.get(key), is.get(key)) {
                (Some(_), None) => return self.remove_pair(slot, node, pairs, index),
                (Some(was), Some(is)) if was != is => {
                    return self.differ(Slot::Pair { pair, flow }, &pair.value, was, is);
                }
                _ => {}
            }
        }
        match is.iter().find(|(key, _)| !was.contains_key(*key)) {
            Some((key, value)) => self.insert_pair(slot, node, pairs, key, value, &Value::Object(is.clone())),
            None => self.refuse(MERGED),
        }
    }

    /// The pair of that key.
    fn pair(&self, pairs: &[Pair], key: &str) -> Result<Option<usize>, EditError> {
        let mut found = pairs.iter().enumerate().filter(|(_, pair)| key_of(pair) == Some(key));
        let first = found.next();
        match found.next() {
            Some(_) => Err(EditError::Ambiguous { place: self.place.clone() }),
            None => Ok(first.map(|(index, _)| index)),
        }
    }

    fn insert_pair(
        &self,
        slot: Slot<'_>,
        node: &Node,
        pairs: &[Pair],
        key: &str,
        value: &Value,
        whole: &Value,
    ) -> Patches {
        if matches!(node.kind, Kind::Mapping { flow: true, .. }) {
            if pairs.is_empty() && self.may_open(slot, node) {
                return self.replace(slot, node, whole);
            }
            return self
                .flow
                .insert(node, &flow::pairs(pairs), |indent| self.flow.pair(key, value, indent))
                .ok_or_else(|| self.unsafe_(FORM));
        }
        let Some(first) = pairs.first().filter(|pair| !pair.explicit) else { return self.refuse(EXPLICIT) };
        let column = column(self.text, first.key.start);
        let pair = self.habits.pair(key, value, column);
        Ok(vec![self.insert_line(node.end, column, &pair)])
    }

    fn append_item(
        &self,
        slot: Slot<'_>,
        node: &Node,
        items: &[Item],
        value: &Value,
        whole: &Value,
    ) -> Patches {
        if matches!(node.kind, Kind::Sequence { flow: true, .. }) {
            if items.is_empty() && self.may_open(slot, node) {
                return self.replace(slot, node, whole);
            }
            return self
                .flow
                .insert(node, &flow::items(items), |indent| self.flow.value(value, indent))
                .ok_or_else(|| self.unsafe_(FORM));
        }
        let Some(first) = items.first() else { return self.refuse(FORM) };
        let column = column(self.text, first.dash);
        Ok(vec![self.insert_line(node.end, column, &self.habits.item(value, column))])
    }

    fn remove_pair(&self, slot: Slot<'_>, node: &Node, pairs: &[Pair], index: usize) -> Patches {
        let pair = &pairs[index];
        if matches!(node.kind, Kind::Mapping { flow: true, .. }) {
            return Ok(self.flow.remove(node, &flow::pairs(pairs), index));
        }
        if pair.explicit {
            return self.refuse(EXPLICIT);
        }
        if pairs.len() == 1 {
            return self.replace(slot, node, &Value::Object(Map::new()));
        }
        self.remove_lines(pair.key.start, pair.value.end, pairs.get(index + 1).map(|next| next.key.start))
    }

    fn remove_item(&self, slot: Slot<'_>, node: &Node, items: &[Item], index: usize) -> Patches {
        let item = &items[index];
        if matches!(node.kind, Kind::Sequence { flow: true, .. }) {
            return Ok(self.flow.remove(node, &flow::items(items), index));
        }
        if items.len() == 1 {
            return self.replace(slot, node, &Value::Array(Vec::new()));
        }
        self.remove_lines(item.dash, item.node.end, items.get(index + 1).map(|next| next.dash))
    }

    /// Removes what begins at `start`: its lines, or, where it shares its first line with a dash before it, all up to
    /// its next sibling.
    fn remove_lines(&self, start: usize, end: usize, next: Option<usize>) -> Patches {
        if is_first(self.text, start) {
            return Ok(vec![self.cut(start, end)]);
        }
        match next {
            Some(next) if self.text[end..next].trim().is_empty() => Ok(vec![Patch::delete(start, next)]),
            _ => self.refuse(FORM),
        }
    }

    /// The lines from one offset to another. A file that does not end with a line break still does not.
    fn cut(&self, start: usize, end: usize) -> Patch {
        let (from, to) = (line_start(self.text, start), next_line(self.text, end));
        let open_end = to == self.text.len() && !self.text.ends_with('\n');
        let from = if open_end { line_end(self.text, from.saturating_sub(1)).min(from) } else { from };
        Patch::delete(from, to)
    }

    fn replace(&self, slot: Slot<'_>, node: &Node, new: &Value) -> Patches {
        let scalar = match (&node.kind, new) {
            (Kind::Scalar { style, .. }, Value::String(text)) => render::scalar(text, *style),
            _ => render::inline(new),
        };
        let empty = node.start == node.end;
        match slot {
            Slot::Root if empty => Ok(vec![self.append(new)]),
            Slot::Root => {
                let first = line_start(self.text, node.start) == node.start;
                let before = if first { "" } else { self.habits.eol };
                let text = format!("{before}{}", self.habits.block(new, 0));
                Ok(vec![Patch::replace(node.start, node.end, text)])
            }
            Slot::Pair { flow: true, .. } | Slot::Item { flow: true, .. } => {
                let value = match (&node.kind, new) {
                    (Kind::Scalar { style: Style::SingleQuoted, .. }, Value::String(_)) => scalar,
                    _ => self.flow.value(new, &self.flow.indent(node.start)),
                };
                Ok(vec![match slot {
                    Slot::Pair { pair: Pair { colon: None, key, .. }, .. } => {
                        Patch::insert(key.end, format!(": {value}"))
                    }
                    _ if empty => Patch::insert(node.start, format!(" {value}")),
                    _ => Patch::replace(node.start, node.end, value),
                }])
            }
            Slot::Item { item, .. } if empty => {
                let column = column(self.text, item.dash) + 2;
                Ok(vec![Patch::insert(item.dash + 1, format!(" {}", self.habits.block(new, column)))])
            }
            Slot::Item { .. } => {
                let column = column(self.text, node.start);
                let text = if render::is_block(new) { self.habits.block(new, column) } else { scalar };
                Ok(vec![Patch::replace(node.start, node.end, text)])
            }
            Slot::Pair { pair, .. } => self.replace_in_pair(pair, new, &scalar),
        }
    }

    fn replace_in_pair(&self, pair: &Pair, new: &Value, scalar: &str) -> Patches {
        let node = &pair.value;
        let Some(colon) = pair.colon.filter(|_| !pair.explicit) else { return self.refuse(EXPLICIT) };
        let beside = same_line(self.text, colon, node.start);
        let empty = node.start == node.end;
        if render::is_block(new) {
            let block = self.habits.block_of_key(new, column(self.text, pair.key.start));
            return Ok(if beside {
                let line =
                    Patch::insert(line_end(self.text, node.end), format!("{}{block}", self.habits.eol));
                if empty { vec![line] } else { vec![Patch::delete(colon + 1, node.end), line] }
            } else {
                vec![Patch::replace(line_start(self.text, node.start), node.end, block)]
            });
        }
        let inserted = Patch::insert(colon + 1, format!(" {scalar}"));
        Ok(if empty {
            vec![inserted]
        } else if beside {
            vec![Patch::replace(node.start, node.end, scalar)]
        } else if self.text[node.end..line_end(self.text, node.end)].trim().is_empty() {
            vec![inserted, self.cut(node.start, node.end)]
        } else {
            // Only a comment stays on the line.
            let rest = &self.text[node.end..];
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            vec![inserted, Patch::delete(node.start, node.end + blank)]
        })
    }

    /// A line of its own behind the line of `after`.
    fn insert_line(&self, after: usize, column: usize, content: &str) -> Patch {
        let text = format!("{}{:column$}{content}", self.habits.eol, "");
        Patch::insert(line_end(self.text, after), text)
    }

    /// Behind a text that says nothing yet.
    fn append(&self, new: &Value) -> Patch {
        let eol = self.habits.eol;
        let open_end = !self.text.trim_start_matches('\u{feff}').is_empty() && !self.text.ends_with('\n');
        let before = if open_end { eol } else { "" };
        Patch::insert(self.text.len(), format!("{before}{}{eol}", self.habits.block(new, 0)))
    }

    /// Whether `{}` or `[]` may become a block: somebody who wrote it in a block meant "none", not a style.
    fn may_open(&self, slot: Slot<'_>, node: &Node) -> bool {
        let in_block = matches!(slot, Slot::Pair { .. } | Slot::Item { .. }) && !slot.is_flow();
        in_block && !self.text[node.start..node.end].contains('#')
    }

    fn refuse<T>(&self, why: &'static str) -> Result<T, EditError> {
        Err(self.unsafe_(why))
    }

    fn unsafe_(&self, why: &'static str) -> EditError {
        EditError::Unsafe { place: self.place.clone(), why }
    }
}

const ALIAS: &str = "it is written as an alias of something else";
const EXPLICIT: &str = "a key on the way is written with `?`";
const FORM: &str = "it is written in a form that only a person can change well";
const MERGED: &str = "it comes from a merge key, `<<`";

/// The text of a pair's key, unless it is something else or `<<`.
fn key_of(pair: &Pair) -> Option<&str> {
    match &pair.key.kind {
        Kind::Scalar { text, style } if text != "<<" || *style != Style::Plain => Some(text),
        _ => None,
    }
}
