//! Label selectors: `app in (web, db), tier!=cache, !old`.

use std::collections::{BTreeMap, BTreeSet};

use super::SelectorError;

/// Requirements that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<LabelRequirement>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// Sorted, without duplicates; exactly one for comparisons of one value.
    pub values: BTreeSet<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// `!key`
    DoesNotExist,
    /// `=` or `==`
    Equals,
    /// `key`
    Exists,
    /// `>`, as integers.
    GreaterThan,
    /// `in (…)`
    In,
    /// `<`, as integers.
    LessThan,
    /// `!=`: also without the label.
    NotEquals,
    /// `notin (…)`: also without the label.
    NotIn,
}

impl LabelSelector {
    /// Reads a selector; the empty text selects all.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser { tokens: tokens(text), position: 0 };
        let mut requirements = parser.requirements()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements })
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.requirements
    }

    /// Whether the labels fulfil all requirements.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels.get(&requirement.key)))
    }
}

impl LabelRequirement {
    fn matches(&self, label: Option<&String>) -> bool {
        let compare = |holds: fn(i64, i64) -> bool| {
            let numbers = label.and_then(|label| label.parse().ok());
            let numbers = numbers.zip(self.values.first().and_then(|value| value.parse().ok()));
            numbers.is_some_and(|(label, value)| holds(label, value))
        };
        match self.operator {
            LabelOperator::Exists => label.is_some(),
            LabelOperator::DoesNotExist => label.is_none(),
            LabelOperator::Equals | LabelOperator::In => {
                label.is_some_and(|label| self.values.contains(label))
            }
            LabelOperator::NotEquals | LabelOperator::NotIn => {
                label.is_none_or(|label| !self.values.contains(label))
            }
            LabelOperator::GreaterThan => compare(|label, value| label > value),
            LabelOperator::LessThan => compare(|label, value| label < value),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Also the keywords `in` and `notin`, which are values where a value is expected.
    Word(String),
    Symbol(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Symbol(symbol) => symbol,
            Self::End => "",
        }
    }
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

/// A NUL ends the text, as it does upstream.
fn tokens(text: &str) -> Vec<Token> {
    let text = text.split('\0').next().unwrap_or_default();
    let blank = [' ', '\t', '\r', '\n'];
    let special = ['=', '!', '(', ')', ',', '>', '<'];
    let mut rest = text.trim_start_matches(blank);
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let end = rest.find(|c| blank.contains(&c) || special.contains(&c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(blank);
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        self.tokens.get(self.position).cloned().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn requirements(&mut self) -> Result<Vec<LabelRequirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(requirements),
                Token::Word(_) | Token::Symbol("!") => {}
                token @ Token::Symbol(_) => return fail(&token, "!, identifier, or 'end of string'"),
            }
            let requirement = self.requirement().map_err(|SelectorError(cause)| {
                SelectorError(format!("unable to parse requirement: {cause}"))
            })?;
            requirements.push(requirement);
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Symbol(",") => match self.peek() {
                    Token::Word(_) | Token::Symbol("!") => {}
                    token => return fail(&token, "identifier after ','"),
                },
                token => return fail(&token, "',' or 'end of string'"),
            }
        }
    }

    fn requirement(&mut self) -> Result<LabelRequirement, SelectorError> {
        let mut token = self.next();
        let negated = token == Token::Symbol("!");
        if negated {
            token = self.next();
        }
        let Token::Word(key) = token else { return fail(&token, "identifier") };
        check_key(&key)?;
        let ends = matches!(self.peek(), Token::End | Token::Symbol(","));
        let (operator, values) = if negated {
            (LabelOperator::DoesNotExist, BTreeSet::new())
        } else if ends {
            (LabelOperator::Exists, BTreeSet::new())
        } else {
            self.comparison()?
        };
        let integers = matches!(operator, LabelOperator::GreaterThan | LabelOperator::LessThan);
        if let Some(value) = values.iter().find(|value| integers && value.parse::<i64>().is_err()) {
            return Err(invalid(
                "values[0]",
                value,
                "for 'Gt', 'Lt' operators, the value must be an integer",
            ));
        }
        values.iter().try_for_each(|value| check_value(&key, value))?;
        Ok(LabelRequirement { key, operator, values })
    }

    fn comparison(&mut self) -> Result<(LabelOperator, BTreeSet<String>), SelectorError> {
        let token = self.next();
        let operator = match token.text() {
            "in" => LabelOperator::In,
            "notin" => LabelOperator::NotIn,
            "=" | "==" => LabelOperator::Equals,
            "!=" => LabelOperator::NotEquals,
            ">" => LabelOperator::GreaterThan,
            "<" => LabelOperator::LessThan,
            _ => return fail(&token, "in, notin, =, ==, !=, gt, lt"),
        };
        let values = match operator {
            LabelOperator::In | LabelOperator::NotIn => self.value_set()?,
            _ => BTreeSet::from([self.value()?]),
        };
        Ok((operator, values))
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(String::new());
        }
        match self.next() {
            Token::Word(word) => Ok(word),
            token => fail(&token, "identifier"),
        }
    }

    /// `(a, b)`; `()` and commas without a value stand for the empty value.
    fn value_set(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        let token = self.next();
        if token != Token::Symbol("(") {
            return Err(SelectorError(format!("found '{}' expected: '('", token.text())));
        }
        let mut values = BTreeSet::new();
        match self.peek() {
            Token::Word(_) | Token::Symbol(",") => {}
            Token::Symbol(")") => {
                self.next();
                return Ok(BTreeSet::from([String::new()]));
            }
            token => return fail(&token, "',', ')' or identifier"),
        }
        loop {
            match self.next() {
                Token::Word(word) => {
                    values.insert(word);
                    match self.peek() {
                        Token::Symbol(",") => {}
                        Token::Symbol(")") => break,
                        token => return fail(&token, "',' or ')'"),
                    }
                }
                Token::Symbol(",") => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek() {
                        Token::Symbol(")") => {
                            values.insert(String::new());
                            break;
                        }
                        Token::Symbol(",") => {
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                token => return fail(&token, "',', or identifier"),
            }
        }
        self.next();
        Ok(values)
    }
}

/// Whether key and values may stand in a requirement.
pub(crate) fn is_valid_requirement(key: &str, values: &[String]) -> bool {
    check_key(key).is_ok() && values.iter().all(|value| check_value(key, value).is_ok())
}

fn fail<T>(found: &Token, expected: &str) -> Result<T, SelectorError> {
    Err(SelectorError(format!("found '{}', expected: {expected}", found.text())))
}

/// `[prefix/]name`: a DNS subdomain and up to 63 name characters.
fn check_key(key: &str) -> Result<(), SelectorError> {
    let (prefix, name) = match key.split_once('/') {
        None => (None, key),
        Some((prefix, name)) => (Some(prefix), name),
    };
    if name.contains('/') || !is_name(name) || prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        let detail = "a label key is a name of 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit, optionally after a DNS subdomain and '/'";
        return Err(invalid("key", key, detail));
    }
    Ok(())
}

fn check_value(key: &str, value: &str) -> Result<(), SelectorError> {
    if value.is_empty() || is_name(value) {
        return Ok(());
    }
    let detail = "a label value is empty or up to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit";
    Err(invalid(key, value, detail))
}

fn invalid(field: &str, value: &str, detail: &str) -> SelectorError {
    SelectorError(format!("{field}: Invalid value: {}: {detail}", kubesso_k8s_types::go::quote(value)))
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    bytes.len() <= 63
        && ends.into_iter().all(|byte| byte.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_subdomain(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            [bytes.first(), bytes.last()].into_iter().all(|byte| byte.is_some_and(inner))
                && bytes.iter().all(|byte| inner(byte) || *byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_choose_by_label() {
        let labels = BTreeMap::from([
            ("app".to_owned(), "web".to_owned()),
            ("n".to_owned(), "5".to_owned()),
            ("in".to_owned(), "notin".to_owned()),
        ]);
        for (text, chosen) in [
            ("", true),
            (" app = web , n", true),
            ("app==web,!old", true),
            ("app!=web", false),
            ("old!=x", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("old notin ()", true),
            ("app in (,)", false),
            ("n>4,n<6", true),
            ("n>5", false),
            ("app>1", false),
            ("in in (notin)", true),
            ("in=notin", true),
            ("old=", false),
            ("example.com/x", false),
            ("app\0,)", true),
        ] {
            assert_eq!(
                LabelSelector::parse(text).map(|selector| selector.matches(&labels)),
                Ok(chosen),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            ",",
            "a,",
            "a b",
            "a=b c",
            "=",
            "!",
            "!a=b",
            "a in b",
            "a in (",
            "a in (b",
            "a in (b c)",
            "a in (b,=)",
            "a=)",
            "a>x",
            "a>",
            "-a",
            "a-",
            "a/b/c",
            "/a",
            "A/",
            "A/b",
            "a=-",
            "a=é",
            "é",
            "a,,b",
        ] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
        assert!(LabelSelector::parse(&"a".repeat(64)).is_err());
    }
}
