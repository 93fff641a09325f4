//! Lines and columns of a text, and the habits of its writer.

use crate::yaml::{Kind, Node, Parsed};

use super::render::Habits;

/// Where the line of this offset begins. (A byte order mark belongs to no line.)
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    if start == 0 && before.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { start }
}

/// Where the line of this offset ends, before its line break.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    if text[..end].ends_with('\r') { end - 1 } else { end }
}

/// Where the next line begins, or the text ends.
pub(super) fn next_line(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// How many characters stand before this offset on its line.
pub(super) fn column(text: &str, offset: usize) -> usize {
    text[line_start(text, offset)..offset].chars().count()
}

/// Whether two offsets are on one line.
pub(super) fn same_line(text: &str, one: usize, other: usize) -> bool {
    line_start(text, one) == line_start(text, other)
}

/// Whether only blanks stand before this offset on its line.
pub(super) fn is_first(text: &str, offset: usize) -> bool {
    text[line_start(text, offset)..offset].bytes().all(|byte| byte == b' ')
}

/// The habits of the one who wrote the file; kubectl's where it does not show any.
pub(super) fn habits(text: &str, parsed: &Parsed) -> Habits {
    let eol = match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    };
    let mut seen = Seen { text, step: None, dash_step: None };
    if let Some(root) = &parsed.root {
        seen.look(root);
    }
    Habits { eol, step: seen.step.unwrap_or(2), dash_step: seen.dash_step.unwrap_or(0) }
}

struct Seen<'a> {
    text: &'a str,
    step: Option<usize>,
    dash_step: Option<usize>,
}

impl Seen<'_> {
    fn look(&mut self, node: &Node) {
        match &node.kind {
            Kind::Mapping { flow: false, pairs } => {
                for pair in pairs {
                    let key = column(self.text, pair.key.start);
                    match &pair.value.kind {
                        Kind::Mapping { flow: false, pairs } => {
                            let inner = pairs.first().map(|pair| column(self.text, pair.key.start));
                            let step =
                                inner.and_then(|inner| inner.checked_sub(key)).filter(|step| *step > 0);
                            self.step = self.step.or(step);
                        }
                        Kind::Sequence { flow: false, items } => {
                            let dash = items.first().map(|item| column(self.text, item.dash));
                            self.dash_step = self.dash_step.or(dash.and_then(|dash| dash.checked_sub(key)));
                        }
                        _ => {}
                    }
                    if self.step.is_some() && self.dash_step.is_some() {
                        return;
                    }
                    self.look(&pair.value);
                }
            }
            Kind::Sequence { flow: false, items } => items.iter().for_each(|item| self.look(&item.node)),
            _ => {}
        }
    }
}
