//! Label selectors: `app in (web, db), tier!=cache, !old`.

use std::collections::{BTreeMap, BTreeSet};

use kubesso_k8s_types::go;

use super::SelectorError;
use super::validity::{label_key_problems, label_value_problems};

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

/// A NUL ends a word or symbol and is swallowed with it; where a token should begin, it ends the text.
fn tokens(text: &str) -> Vec<Token> {
    let blank = [' ', '\t', '\r', '\n'];
    let ends_word = |c: char| blank.contains(&c) || "=!(),><\0".contains(c);
    let mut rest = text.trim_start_matches(blank);
    let mut tokens = Vec::new();
    while !rest.is_empty() && !rest.starts_with('\0') {
        let length = if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        } else {
            let end = rest.find(ends_word).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            end
        };
        rest = &rest[length..];
        rest = rest.strip_prefix('\0').unwrap_or(rest).trim_start_matches(blank);
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
        let detail = label_key_problems(&key).join("; ");
        if !detail.is_empty() {
            return Err(SelectorError(invalid("<nil>", &key, &detail)));
        }
        let ends = matches!(self.peek(), Token::End | Token::Symbol(","));
        let (operator, values) = if negated {
            (LabelOperator::DoesNotExist, BTreeSet::new())
        } else if ends {
            (LabelOperator::Exists, BTreeSet::new())
        } else {
            self.comparison()?
        };
        let integers = matches!(operator, LabelOperator::GreaterThan | LabelOperator::LessThan);
        let mut problems = Vec::new();
        for (position, value) in values.iter().enumerate() {
            if integers && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                problems.push(invalid(&format!("values[{position}]"), value, detail));
            }
        }
        for (position, value) in values.iter().enumerate() {
            let detail = label_value_problems(value).join("; ");
            if !detail.is_empty() {
                problems.push(invalid(&format!("values[{position}][{key}]"), value, &detail));
            }
        }
        if let Some(problems) = go::aggregate(problems) {
            return Err(SelectorError(problems));
        }
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
    label_key_problems(key).is_empty() && values.iter().all(|value| label_value_problems(value).is_empty())
}

/// Upstream's field error; its path is `<nil>` where it has none.
fn invalid(path: &str, value: &str, detail: &str) -> String {
    format!("{path}: Invalid value: {}: {detail}", go::quote(value))
}

fn fail<T>(found: &Token, expected: &str) -> Result<T, SelectorError> {
    Err(SelectorError(format!("found '{}', expected: {expected}", found.text())))
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
            ("app \0,)", true),
            ("app\0=web", true),
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
