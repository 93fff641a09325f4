//! The nodes of a document with their places in the text.

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::evaluate::Unreadable;

/// A node with its anchor and tag.
#[derive(Clone)]
pub(crate) struct Node {
    /// Where it begins: at its anchor or tag if it has one. An empty node is where a value would be written.
    pub(crate) start: usize,
    /// Behind its last byte, without the line break. A block ends with its last child.
    pub(crate) end: usize,
    /// The parser's number of the anchor that names it, or 0.
    pub(crate) anchor: usize,
    /// Its explicit tag, e.g. `!!str`, with the long prefix.
    pub(crate) tag: Option<String>,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    /// `*name`, by the anchor's number.
    Alias(usize),
    Mapping {
        flow: bool,
        pairs: Vec<Pair>,
    },
    Scalar {
        text: String,
        style: Style,
    },
    Sequence {
        flow: bool,
        items: Vec<Item>,
    },
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `|` or `>`
    Block,
    DoubleQuoted,
    /// Nothing is written: `key:`
    Empty,
    Plain,
    SingleQuoted,
}

#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) key: Node,
    /// Where its colon is; a flow mapping may leave it out.
    pub(crate) colon: Option<usize>,
    /// Written as `? key`.
    pub(crate) explicit: bool,
    pub(crate) value: Node,
}

#[derive(Clone)]
pub(crate) struct Item {
    /// Where its dash is; in flow style, where the item is.
    pub(crate) dash: usize,
    pub(crate) node: Node,
}

/// The first document's root, and whether there is no other document.
pub(super) fn grow(text: &str) -> Result<(Option<Node>, bool), Unreadable> {
    let mut options = granit_parser::options! { emit_anchor_events: true };
    options.set_emit_comments(false);
    let mut grower = Grower {
        text,
        events: Parser::new_from_str_with_options(text, options),
        ahead: None,
        // Behind the byte order mark, which belongs to no node.
        cursor: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
    };
    loop {
        match grower.next()? {
            (Event::StreamEnd, _) => return Ok((None, true)),
            (Event::DocumentStart(..), span) => {
                grower.cursor = grower.cursor.max(range(&span).1);
                break;
            }
            _ => {}
        }
    }
    let (event, span) = grower.next()?;
    let root = grower.node(event, &span)?;
    // The first document is whole now; what is wrong behind it kubectl does not see.
    let alone = loop {
        match grower.next() {
            Ok((Event::StreamEnd, _)) => break true,
            Ok((Event::DocumentEnd, _)) => {}
            Ok(_) | Err(_) => break false,
        }
    };
    Ok((Some(root), alone))
}

struct Grower<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    ahead: Option<(Event<'a>, Span)>,
    /// Behind the last byte that belongs to a node or an indicator.
    cursor: usize,
}

impl<'a> Grower<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Unreadable> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(no_yaml(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, Unreadable> {
        let (mut start, mut end) = range(span);
        let line = span.start.line();
        let mut properties = span.tag_span().map(|tag| range(&tag));
        // The parser names the anchor behind the node's own event.
        if event_anchor(&event) != 0 {
            let ahead = self.next()?;
            if matches!(ahead.0, Event::Anchor(..)) {
                let anchor = range(&ahead.1);
                properties =
                    Some(properties.map_or(anchor, |tag| (tag.0.min(anchor.0), tag.1.max(anchor.1))));
            } else {
                self.ahead = Some(ahead);
            }
        }
        if let Some((from, to)) = properties {
            self.cursor = self.cursor.max(to);
            start = start.min(from);
        }
        let anchor = event_anchor(&event);
        let (kind, tag) = match event {
            Event::Alias(id) => (Kind::Alias(id), None),
            Event::Scalar(text, style, _, tag) => {
                let style = style_of(style, &text, span);
                match style {
                    Style::Empty => {
                        end = self.cursor;
                        start = properties.map_or(end, |(from, _)| from);
                    }
                    Style::Block => {
                        let header = self.blank_from(self.cursor);
                        start = properties.map_or(header, |(from, _)| from);
                        end = self.block_end(header, end);
                    }
                    Style::DoubleQuoted | Style::Plain | Style::SingleQuoted => {}
                }
                let mut text = if style == Style::Empty { String::new() } else { text.into_owned() };
                // Nothing ends the last line of the file, so kubectl's parser reads no line break there.
                if style == Style::Block
                    && range(span).1 == self.text.len()
                    && !self.text.ends_with(['\r', '\n'])
                {
                    text.truncate(text.trim_end_matches('\n').len());
                }
                (Kind::Scalar { text, style }, tag)
            }
            Event::SequenceStart(style, _, tag) => {
                let flow = style == StructureStyle::Flow;
                let (items, closed) = self.items(flow)?;
                end = if flow { closed } else { items.last().map_or(end, |item| item.node.end) };
                // The parser lets a block list begin behind its first dash.
                if let (false, None, Some(first)) = (flow, properties, items.first()) {
                    start = first.dash;
                }
                (Kind::Sequence { flow, items }, tag)
            }
            Event::MappingStart(style, _, tag) => {
                let flow = style == StructureStyle::Flow;
                let (pairs, closed) = self.pairs()?;
                end = if flow { closed } else { pairs.last().map_or(end, |pair| pair.value.end) };
                (Kind::Mapping { flow, pairs }, tag)
            }
            _ => return Err(Unreadable::syntax(line)),
        };
        self.cursor = self.cursor.max(end);
        let tag = tag.map(|tag| written(&tag));
        Ok(Node { start, end, anchor, tag, line, kind })
    }

    fn items(&mut self, flow: bool) -> Result<(Vec<Item>, usize), Unreadable> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok((items, range(&span).1));
            }
            let dash = self.blank_from(self.cursor);
            if !flow {
                self.cursor = dash + 1;
            }
            let node = self.node(event, &span)?;
            items.push(Item { dash: if flow { node.start } else { dash }, node });
        }
    }

    fn pairs(&mut self) -> Result<(Vec<Pair>, usize), Unreadable> {
        let mut pairs = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok((pairs, range(&span).1));
            }
            let first = self.blank_from(self.cursor);
            let key = self.node(event, &span)?;
            let explicit = self.text[first..].starts_with('?') && key.start != first;
            let colon = Some(self.blank_from(key.end)).filter(|at| self.text[*at..].starts_with(':'));
            if let Some(colon) = colon {
                self.cursor = colon + 1;
            }
            let (event, span) = self.next()?;
            let value = self.node(event, &span)?;
            pairs.push(Pair { key, colon, explicit, value });
        }
    }

    /// The first byte from `from` on that is neither blank nor in a comment.
    fn blank_from(&self, from: usize) -> usize {
        let mut rest = &self.text[from..];
        loop {
            rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !rest.starts_with('#') {
                return self.text.len() - rest.len();
            }
            rest = rest.find(['\r', '\n']).map_or("", |at| &rest[at..]);
        }
    }

    /// Where a block scalar ends that the parser lets run to the next node. The blank lines behind it are its own
    /// only if it says so (`|+`).
    fn block_end(&self, header: usize, end: usize) -> usize {
        let head = self.text[header..].lines().next().unwrap_or_default();
        let head_end = header + head.len();
        let indicators = head.split('#').next().unwrap_or_default();
        let body = self.text.get(head_end..end).unwrap_or_default();
        let kept = if indicators.contains('+') {
            body.strip_suffix('\n').map_or(body, |body| body.strip_suffix('\r').unwrap_or(body))
        } else {
            body.trim_end_matches([' ', '\r', '\n'])
        };
        head_end + kept.len()
    }
}

fn event_anchor(event: &Event<'_>) -> usize {
    match event {
        Event::Scalar(_, _, anchor, _)
        | Event::SequenceStart(_, anchor, _)
        | Event::MappingStart(_, anchor, _) => *anchor,
        _ => 0,
    }
}

fn style_of(style: ScalarStyle, text: &str, span: &Span) -> Style {
    let (start, end) = range(span);
    match style {
        // The parser invents the text of a value that nobody wrote.
        ScalarStyle::Plain if start == end && matches!(text, "" | "~") => Style::Empty,
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

fn written(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn range(span: &Span) -> (usize, usize) {
    let at = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or_default();
    (at(&span.start), at(&span.end))
}

/// Only the place and the kind of the error: a message with the text in it could hold a password that begins with
/// an unlucky character.
fn no_yaml(error: &ScanError) -> Unreadable {
    Unreadable::syntax(error.marker().line())
}
