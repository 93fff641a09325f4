//! One YAML document: what it says, by the rules of the parser that kubectl is built with, and where it says it.

mod evaluate;
pub(crate) mod scalar;
mod tree;

use std::borrow::Cow;

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
///
/// A carriage return alone ends a line as a line feed does (YAML 1.2.2, §5.4), and is given to the parser as one: of some
/// files with the other granit-parser 2.1.0 never makes an end. No position moves by it.
pub(crate) fn parse(text: &str) -> Result<Parsed, Unreadable> {
    let (root, alone) = tree::grow(&with_line_feeds(text))?;
    let value = root.as_ref().map_or(Ok(Value::Null), evaluate::evaluate)?;
    Ok(Parsed { root, value, alone })
}

/// Every carriage return that no line feed follows as a line feed.
fn with_line_feeds(text: &str) -> Cow<'_, str> {
    let mut following = text.chars().skip(1).chain(['\0']);
    let mut is_alone = |c| following.next() != Some('\n') && c == '\r';
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_alone(c) { '\n' } else { c }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_alone_ends_a_line() {
        for (text, expected) in
            [("a\rb", "a\nb"), ("a\r\nb\r", "a\r\nb\n"), ("\r\r\n\ré", "\n\r\n\né"), ("a\n", "a\n")]
        {
            assert_eq!(with_line_feeds(text), expected, "{text:?}");
        }
    }

    /// Found by fuzzing.
    #[test]
    fn a_file_with_carriage_returns_alone_comes_to_an_end() {
        let text = "users:\n- nAme:ser:\n    token: >-\n     s ken:\rtosers:\n- nAs \n";
        let with_line_feeds = parse(&text.replace('\r', "\n"));
        assert_eq!(
            parse(text).ok().map(|parsed| parsed.value),
            with_line_feeds.ok().map(|parsed| parsed.value)
        );
    }
}
