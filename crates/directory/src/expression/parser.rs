//! Reads the text of an expression into a tree.
//!
//! From loose to tight: `? :` and `?:`, `OR`, `AND`, `NOT`, one comparison, `+` and `-`, `[…]`. That is the order of SpEL,
//! from which Okta's language comes, except that there `NOT` binds tighter than a comparison: of booleans both ways
//! give the same.

use serde_json::{Number, Value};

use super::functions::{self, Function};
use super::{DEEPEST, ExpressionError, LONGEST, MOST_PARTS};

/// An expression that was read.
pub(super) struct Parsed {
    pub(super) root: Node,
    /// Where the first attribute of the application stands.
    pub(super) application: Option<usize>,
}

/// A part of an expression.
pub(super) struct Node {
    /// Where it begins, in characters from 1.
    pub(super) at: usize,
    pub(super) part: Part,
}

pub(super) enum Part {
    Literal(Value),
    /// An attribute of the user, without `user.` and `profile.`.
    User(String),
    /// An attribute of the application, without `app.`.
    Application(String),
    List(Vec<Node>),
    Not(Box<Node>),
    /// `AND`
    All(Vec<Node>),
    /// `OR`
    Any(Vec<Node>),
    Compare(Box<Node>, Comparison, Box<Node>),
    /// The first, and what is added to it or (`true`) taken from it.
    Sum(Box<Node>, Vec<(bool, Node)>),
    /// `a ? b : c`
    Choice(Box<Node>, Box<Node>, Box<Node>),
    /// `a ?: b`
    Fallback(Box<Node>, Box<Node>),
    /// `a[0]`
    Element(Box<Node>, Box<Node>),
    Call(&'static Function, Vec<Node>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What can come out of a part, as far as the text tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Boolean,
    List,
    Number,
    Text,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Number => "a number",
            Self::Text => "a text",
        }
    }
}

impl Node {
    pub(super) fn kind(&self) -> Kind {
        match &self.part {
            Part::Literal(Value::Bool(_))
            | Part::Not(_)
            | Part::All(_)
            | Part::Any(_)
            | Part::Compare(..) => Kind::Boolean,
            // A sum is a text or a number, of which the text is the likelier.
            Part::Literal(Value::String(_)) | Part::Sum(..) => Kind::Text,
            Part::Literal(Value::Number(_)) => Kind::Number,
            Part::List(_) => Kind::List,
            Part::User(name) => match name.as_str() {
                "id" | "status" | "login" | "email" | "firstName" | "lastName" | "displayName" => Kind::Text,
                _ => Kind::Any,
            },
            Part::Choice(_, one, other) | Part::Fallback(one, other) => {
                let kind = one.kind();
                if matches!(kind, Kind::Boolean | Kind::Any) { other.kind() } else { kind }
            }
            Part::Call(function, _) => function.gives,
            Part::Literal(_) | Part::Application(_) | Part::Element(..) => Kind::Any,
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Parsed, ExpressionError> {
    if text.len() > LONGEST {
        return Err(ExpressionError::TooLong);
    }
    let mut parser = Parser { text, at: 0, parts: 0, application: None };
    let root = parser.expression(0)?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(Parsed { root, application: parser.application })
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    parts: usize,
    application: Option<usize>,
}

/// Operators in signs before those that they begin with, and SpEL's words for them.
const COMPARISONS: [(&str, &str, Comparison); 6] = [
    ("==", "eq", Comparison::Equal),
    ("!=", "ne", Comparison::NotEqual),
    ("<=", "le", Comparison::LessOrEqual),
    (">=", "ge", Comparison::GreaterOrEqual),
    ("<", "lt", Comparison::Less),
    (">", "gt", Comparison::Greater),
];

/// What `app.` may be followed by; or `profile.` and a name.
const APPLICATION_ATTRIBUTES: [&str; 3] = ["id", "clientId", "label"];

impl<'a> Parser<'a> {
    /// `a ? b : c`, `a ?: b`, or what is tighter.
    fn expression(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        if depth > DEEPEST {
            return Err(ExpressionError::TooDeep);
        }
        let first = self.any_of(depth)?;
        let at = first.at;
        if self.takes("?:") {
            let other = self.expression(depth + 1)?;
            return self.node(at, Part::Fallback(Box::new(first), Box::new(other)));
        }
        if !self.takes("?") {
            return Ok(first);
        }
        let one = self.expression(depth + 1)?;
        self.require(":", "`:` and what it is otherwise")?;
        let other = self.expression(depth + 1)?;
        self.node(at, Part::Choice(Box::new(first), Box::new(one), Box::new(other)))
    }

    fn any_of(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut all = vec![self.all_of(depth)?];
        while self.takes("||") || self.takes_word("or") {
            all.push(self.all_of(depth)?);
        }
        self.joined(all, Part::Any)
    }

    fn all_of(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut all = vec![self.negated(depth)?];
        while self.takes("&&") || self.takes_word("and") {
            all.push(self.negated(depth)?);
        }
        self.joined(all, Part::All)
    }

    fn joined(&mut self, mut all: Vec<Node>, join: fn(Vec<Node>) -> Part) -> Result<Node, ExpressionError> {
        if all.len() == 1 {
            return Ok(all.swap_remove(0));
        }
        let at = all.first().map_or(1, |node| node.at);
        self.node(at, join(all))
    }

    /// `NOT a` around a comparison.
    fn negated(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        if depth > DEEPEST {
            return Err(ExpressionError::TooDeep);
        }
        self.skip_space();
        let at = self.position();
        if self.takes("!") || self.takes_word("not") {
            let inner = self.negated(depth + 1)?;
            return self.node(at, Part::Not(Box::new(inner)));
        }
        self.comparison(depth)
    }

    fn comparison(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let left = self.sum(depth)?;
        let found = COMPARISONS.into_iter().find(|(sign, word, _)| self.takes(sign) || self.takes_word(word));
        let Some((_, _, comparison)) = found else { return Ok(left) };
        let right = self.sum(depth)?;
        let at = left.at;
        self.node(at, Part::Compare(Box::new(left), comparison, Box::new(right)))
    }

    fn sum(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let first = self.operand(depth)?;
        let mut rest = Vec::new();
        loop {
            let minus = self.takes("-");
            if !minus && !self.takes("+") {
                break;
            }
            rest.push((minus, self.operand(depth)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let at = first.at;
        self.node(at, Part::Sum(Box::new(first), rest))
    }

    /// A primary with `[…]` after it.
    fn operand(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut node = self.primary(depth)?;
        let mut depth = depth;
        while self.takes("[") {
            depth += 1;
            let index = self.expression(depth)?;
            self.require("]", "`]`")?;
            let at = node.at;
            node = self.node(at, Part::Element(Box::new(node), Box::new(index)))?;
        }
        Ok(node)
    }

    fn primary(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        self.skip_space();
        let at = self.position();
        if self.takes("(") {
            let inner = self.expression(depth + 1)?;
            self.require(")", "an operator or `)`")?;
            return Ok(inner);
        }
        if self.takes("!") {
            let inner = self.negated(depth + 1)?;
            return self.node(at, Part::Not(Box::new(inner)));
        }
        if self.takes("{") {
            let elements = self.list("}", "an operator, `,` or `}`", depth)?;
            return self.node(at, Part::List(elements));
        }
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let text = self.quoted(quote)?;
                self.node(at, Part::Literal(Value::String(text)))
            }
            Some(c) if c.is_ascii_digit() || c == '-' => {
                let number = self.number()?;
                self.node(at, Part::Literal(Value::Number(number)))
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.named(at, depth),
            _ => {
                Err(self
                    .unexpected("a value: an attribute, a function, a text in quotation marks or a number"))
            }
        }
    }

    /// `true`, `user.login`, `String.len(…)`
    fn named(&mut self, at: usize, depth: usize) -> Result<Node, ExpressionError> {
        let before = self.at;
        let word = self.word();
        if self.takes("(") {
            let function = functions::find(word)
                .ok_or_else(|| ExpressionError::UnknownFunction { position: at, name: shortened(word) })?;
            let arguments = self.list(")", "an operator, `,` or `)`", depth)?;
            if !function.takes(arguments.len()) {
                return Err(ExpressionError::Arguments { position: at, usage: function.usage });
            }
            return self.node(at, Part::Call(function, arguments));
        }
        match word.to_ascii_lowercase().as_str() {
            "true" => return self.node(at, Part::Literal(true.into())),
            "false" => return self.node(at, Part::Literal(false.into())),
            "null" => return self.node(at, Part::Literal(Value::Null)),
            _ => {}
        }
        if matches!(word, "user" | "user.profile" | "appuser") && self.takes("[") {
            self.skip_space();
            let Some(quote @ ('"' | '\'')) = self.rest().chars().next() else {
                return Err(self.unexpected("an attribute's name in quotation marks"));
            };
            let name = self.quoted(quote)?;
            self.require("]", "`]`")?;
            return self.node(at, Part::User(name));
        }
        let user =
            ["user.profile.", "appuser.", "user."].into_iter().find_map(|root| word.strip_prefix(root));
        if let Some(name) = user
            && name.split('.').all(|name| !name.is_empty())
        {
            return self.node(at, Part::User(name.to_owned()));
        }
        if let Some(name) = word.strip_prefix("app.")
            && (APPLICATION_ATTRIBUTES.contains(&name) || name.starts_with("profile."))
        {
            self.application.get_or_insert(at);
            return self.node(at, Part::Application(name.to_owned()));
        }
        self.at = before;
        Err(self.unexpected(
            "user.<attribute>, appuser.<attribute>, app.id, app.clientId, app.label, app.profile.<attribute> or a function",
        ))
    }

    /// Expressions with commas between, up to `end`.
    fn list(
        &mut self,
        end: &str,
        expected: &'static str,
        depth: usize,
    ) -> Result<Vec<Node>, ExpressionError> {
        let mut all = Vec::new();
        if self.takes(end) {
            return Ok(all);
        }
        loop {
            all.push(self.expression(depth + 1)?);
            if self.takes(end) {
                return Ok(all);
            }
            self.require(",", expected)?;
        }
    }

    /// A text. A quotation mark in it is written twice or after `\`, a `\` may be written twice; before anything else, as
    /// in regular expressions, it stands for itself.
    fn quoted(&mut self, quote: char) -> Result<String, ExpressionError> {
        let begin = self.at;
        let mut text = String::new();
        let mut rest = self.rest().chars();
        rest.next();
        loop {
            let after = rest.clone();
            match rest.next() {
                None => {
                    self.at = begin;
                    return Err(self.unexpected("a text that ends with the quotation mark it begins with"));
                }
                Some('\\') => match rest.clone().next() {
                    Some(escaped @ ('\\' | '"' | '\'')) => {
                        text.push(escaped);
                        rest.next();
                    }
                    _ => text.push('\\'),
                },
                Some(c) if c == quote => {
                    if rest.clone().next() != Some(quote) {
                        self.at = self.text.len() - after.as_str().len() + quote.len_utf8();
                        return Ok(text);
                    }
                    rest.next();
                    text.push(quote);
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn number(&mut self) -> Result<Number, ExpressionError> {
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let length = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        let end = rest.len() - digits.len() + length;
        match rest.get(..end).and_then(|text| serde_json::from_str(text).ok()) {
            Some(number) => {
                self.at += end;
                Ok(number)
            }
            None => Err(self.unexpected("a number")),
        }
    }

    /// Names with dots between.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        self.skip_space();
        let before = self.at;
        let found = self.word().eq_ignore_ascii_case(wanted);
        // `not(…)` is `NOT (…)`; there are no functions of these names.
        if !found {
            self.at = before;
        }
        found
    }

    fn takes(&mut self, wanted: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(wanted);
        // `!` must not take the beginning of `!=`.
        if !found || (wanted == "!" && self.rest().starts_with("!=")) {
            return false;
        }
        self.at += wanted.len();
        true
    }

    fn require(&mut self, wanted: &str, expected: &'static str) -> Result<(), ExpressionError> {
        if self.takes(wanted) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn node(&mut self, at: usize, part: Part) -> Result<Node, ExpressionError> {
        self.parts += 1;
        if self.parts > MOST_PARTS { Err(ExpressionError::TooManyParts) } else { Ok(Node { at, part }) }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn position(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn unexpected(&mut self, expected: &'static str) -> ExpressionError {
        self.skip_space();
        let position = self.position();
        let word = self.word();
        let found = match (word, self.rest().chars().next()) {
            ("", None) => "the end".to_owned(),
            ("", Some(sign)) => format!("`{sign}`"),
            _ => format!("`{}`", shortened(word)),
        };
        ExpressionError::Unexpected { position, expected, found }
    }
}

fn shortened(word: &str) -> String {
    word.chars().take(60).collect()
}
