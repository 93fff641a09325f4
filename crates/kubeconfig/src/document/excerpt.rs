//! An entry of one document as its writer has it, for another document: with its comments, its order and its quotes.

use serde::Serialize;
use serde_json::Value;

use super::lines::{column, habits, is_first, line_end, line_start, next_line};
use super::{Document, EditError};
use crate::place::{Place, Step, is_named};
use crate::yaml::{Item, Kind, Pair};

/// The lines of an entry, without the indentation of its list.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt {
    lines: Vec<String>,
}

/// Where an entry stands.
struct Lines {
    /// With the comments that are its own.
    start: usize,
    end: usize,
    dash: usize,
    /// Of the line with its last word.
    last: usize,
}

impl Document {
    /// An entry of a list with the comments that stand with it: right above its dash, in it, and behind it, set in deeper than
    /// the dash. Nothing, if it is not written in a block of its own, or has no comments.
    pub fn excerpt(&self, list: &str, name: &str) -> Option<Excerpt> {
        let Lines { start, end, dash, .. } = self.lines_of(&Place::entry(list, name))?;
        let text = &self.text[start..end];
        let is_comment = |line: &str| line.trim_start().starts_with('#') || line.contains(" #");
        if !text.lines().any(is_comment) {
            return None;
        }
        let indent = column(&self.text, dash);
        let without_indent = |line: &str| {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            line[blanks.min(indent)..].trim_end_matches('\r').to_owned()
        };
        Some(Excerpt { lines: text.split('\n').map(without_indent).collect() })
    }

    /// As [`set`](Self::set) of an entry that is not there yet, written as the excerpt has it, if that says the same here;
    /// whether it does. An alias, for one, means something else in another document.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_as_written(
        &mut self,
        place: &Place,
        value: impl Serialize,
        excerpt: &Excerpt,
    ) -> Result<bool, EditError> {
        self.set(place, value)?;
        let Some(written) = self.with_excerpt(place, excerpt) else { return Ok(false) };
        let says_the_same = written.parsed.alone && written.parsed.value == self.parsed.value;
        if says_the_same {
            *self = written;
        }
        Ok(says_the_same)
    }

    fn with_excerpt(&self, place: &Place, excerpt: &Excerpt) -> Option<Self> {
        let Lines { dash, last, .. } = self.lines_of(place)?;
        let (indent, eol) = (column(&self.text, dash), habits(&self.text, &self.parsed).eol);
        let indented = |line: &String| {
            if line.is_empty() { String::new() } else { format!("{:indent$}{line}", "") }
        };
        let lines: Vec<_> = excerpt.lines.iter().map(indented).collect();
        let (before, after) = (&self.text[..line_start(&self.text, dash)], &self.text[last..]);
        Self::parse(format!("{before}{}{after}", lines.join(eol))).ok()
    }

    fn lines_of(&self, place: &Place) -> Option<Lines> {
        let [Step::Key(list), Step::Named(name)] = place.steps() else { return None };
        let Kind::Mapping { flow: false, pairs } = &self.parsed.root.as_ref()?.kind else { return None };
        let is_list = |pair: &&Pair| matches!(&pair.key.kind, Kind::Scalar { text, .. } if text == list);
        let pair = pairs.iter().find(is_list)?;
        let Kind::Sequence { flow: false, items } = &pair.value.kind else { return None };
        let values = self.parsed.value.get(list).and_then(Value::as_array)?;
        let at = values.iter().position(|value| is_named(value, name))?;
        let Item { dash, node } = items.get(at)?;
        if !is_first(&self.text, *dash) {
            return None;
        }
        let before = at.checked_sub(1).and_then(|before| items.get(before));
        let bound = before.map_or(pair.colon?, |item| item.node.end);
        Some(self.with_comments(*dash, node.end, bound))
    }

    /// Nothing before `bound` belongs to it.
    fn with_comments(&self, dash: usize, end: usize, bound: usize) -> Lines {
        let text = &self.text;
        let deep = column(text, dash);
        // Where a comment stands on a line of its own.
        let comment = |start: usize| {
            let line = &text[start..line_end(text, start)];
            let blanks = line.len() - line.trim_start_matches(' ').len();
            line[blanks..].starts_with('#').then_some(blanks)
        };
        let mut start = line_start(text, dash);
        while start > 0 {
            let above = line_start(text, start - 1);
            // One that is set in deeper is of the entry above.
            if above <= bound || comment(above).is_none_or(|blanks| blanks > deep) {
                break;
            }
            start = above;
        }
        let last = line_end(text, end);
        let mut end = last;
        loop {
            let below = next_line(text, end);
            if below >= text.len() || comment(below).is_none_or(|blanks| blanks <= deep) {
                break;
            }
            end = line_end(text, below);
        }
        Lines { start, end, dash, last }
    }
}

/// Shows no text: it may be secret.
impl std::fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Excerpt").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FROM: &str = "\
# the file's own
clusters: # all
# of the first
- name: one   # since 2024
  cluster:
    server: 'https://one' # the old address
    # ends in May

  # of the second's line
# of the second
- cluster: {server: https://two}
  name: two
users:
  # set in
  - name: me
    user:
      # whose?
      token: |
        a
        b
- not: ours
";

    fn from(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    /// The entry of `text` in a document with that text.
    fn taken(text: &str, list: &str, name: &str, into: &str) -> (String, bool) {
        let other = from(text);
        let value = Place::entry(list, name).find(&other.parsed.value).unwrap().clone();
        let excerpt = other.excerpt(list, name).unwrap();
        let mut document = from(into);
        let is_as_written = document.set_as_written(&Place::entry(list, name), value, &excerpt).unwrap();
        (document.text().to_owned(), is_as_written)
    }

    #[test]
    fn comments_above_in_and_behind_an_entry_come_with_it() {
        let text = &FROM[..FROM.find("- not").unwrap()];
        let (written, is_as_written) = taken(text, "clusters", "one", "");
        assert!(is_as_written);
        assert_eq!(
            written,
            "clusters:\n# of the first\n- name: one   # since 2024\n  cluster:\n    server: 'https://one' # the old address\n    \
             # ends in May\n"
        );
        let into = "clusters:\n  - name: k\n    cluster: {}\n    # its own\nusers: []\n";
        let (written, _) = taken(text, "clusters", "two", into);
        assert_eq!(
            written,
            "clusters:\n  - name: k\n    cluster: {}\n  # of the second\n  - cluster: {server: https://two}\n    name: two\n    \
             # its own\nusers: []\n"
        );
        let (written, _) = taken(text, "users", "me", "users: []\r\nkind: Config\r\n");
        assert_eq!(
            written,
            "users:\r\n# set in\r\n- name: me\r\n  user:\r\n    # whose?\r\n    token: |\r\n      a\r\n      b\r\nkind: Config\r\n"
        );
    }

    #[test]
    fn what_has_no_comments_or_no_lines_of_its_own_is_no_excerpt() {
        let plain = from("clusters:\n- name: a\n  cluster: {}\nusers: [{name: b}] # c\n");
        assert_eq!(plain.excerpt("clusters", "a"), None);
        assert_eq!(plain.excerpt("users", "b"), None);
        assert_eq!(plain.excerpt("users", "nobody"), None);
    }

    #[test]
    fn what_would_say_something_else_here_is_written_anew() {
        let text = "x: &a {server: https://k}\nclusters:\n- name: k # mine\n  cluster: *a\n";
        let (written, is_as_written) = taken(text, "clusters", "k", "x: &a {server: https://other}\n");
        assert!(!is_as_written);
        assert_eq!(
            from(&written).parsed.value["clusters"],
            json!([{"name": "k", "cluster": {"server": "https://k"}}])
        );
    }
}
