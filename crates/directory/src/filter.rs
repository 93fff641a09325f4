//! Filters: what the parameters `search` and `filter` of Okta's lists say, `profile.login eq "jo" and not (status pr)`.
//!
//! The language is SCIM's (RFC 7644 §3.4.2.2) without value paths. Keywords and operators are read whatever their case;
//! `and` binds tighter than `or`. A filter is read into a tree, which a store turns into its own query, or which
//! [`Filter::matches`] asks about one object.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

mod parser;

/// The longest filter that is read, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024;
/// How deep parentheses may go.
pub(crate) const DEEPEST: usize = 32;
/// How many comparisons a filter may have.
pub(crate) const MOST_TERMS: usize = 200;

/// A path to an attribute: names with dots between, `profile.login`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath(String);

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `co`
    Contains,
    /// `ew`
    EndsWith,
    /// `eq`
    Equal,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
    /// `ne`
    NotEqual,
    /// `sw`
    StartsWith,
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// True or false.
    Boolean(bool),
    /// Nothing.
    Null,
}

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A comparison.
    Compare {
        /// Of what.
        attribute: AttributePath,
        /// How.
        operator: Comparison,
        /// With what.
        value: Literal,
    },
    /// `pr`: the attribute is set.
    Present(AttributePath),
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterSyntaxError {
    /// Something else stands there.
    #[error("at character {position} of the filter there should be {expected}")]
    Unexpected {
        /// Counted from 1.
        position: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// Too long to be read.
    #[error("the filter is longer than {LONGEST} bytes")]
    TooLong,
    /// Too many parentheses in each other.
    #[error("the filter has more than {DEEPEST} parentheses in each other")]
    TooDeep,
    /// Too many comparisons.
    #[error("the filter has more than {MOST_TERMS} comparisons")]
    TooManyTerms,
    /// No attribute.
    #[error("`{0}` is no attribute: use names of letters, digits, - and _ with dots between")]
    Attribute(String),
}

impl AttributePath {
    /// Checks that it is names with dots between, at most 200 bytes.
    pub fn parse(text: &str) -> Result<Self, FilterSyntaxError> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        if text.len() <= 200 && text.split('.').all(is_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(FilterSyntaxError::Attribute(text.chars().take(100).collect()))
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Contains,
        Self::EndsWith,
        Self::Equal,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::NotEqual,
        Self::StartsWith,
    ];

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "co",
            Self::EndsWith => "ew",
            Self::Equal => "eq",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
            Self::NotEqual => "ne",
            Self::StartsWith => "sw",
        }
    }
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, FilterSyntaxError> {
        parser::parse(text)
    }

    /// Whether it fits an object, of which `attribute` tells what an attribute is. Text is compared whatever its case,
    /// times as times; of a list one element must fit. What is not set equals nothing and differs from everything.
    pub fn matches(&self, attribute: &impl Fn(&AttributePath) -> Option<Value>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.matches(attribute)),
            Self::Or(all) => all.iter().any(|one| one.matches(attribute)),
            Self::Not(one) => !one.matches(attribute),
            Self::Present(path) => attribute(path).is_some_and(|value| !value.is_null()),
            Self::Compare { attribute: path, operator, value } => {
                let found = attribute(path).unwrap_or(Value::Null);
                match (&found, operator) {
                    // Differs only if no element equals it.
                    (Value::Array(elements), Comparison::NotEqual) => {
                        !elements.iter().any(|element| compares(element, Comparison::Equal, value))
                    }
                    (Value::Array(elements), _) => {
                        elements.iter().any(|element| compares(element, *operator, value))
                    }
                    _ => compares(&found, *operator, value),
                }
            }
        }
    }
}

fn compares(found: &Value, operator: Comparison, wanted: &Literal) -> bool {
    use Comparison::{Contains, EndsWith, Equal, NotEqual, StartsWith};
    if operator == NotEqual {
        return !compares(found, Equal, wanted);
    }
    match (found, wanted) {
        (Value::Null, Literal::Null) => operator == Equal,
        (Value::Bool(found), Literal::Boolean(wanted)) => operator == Equal && found == wanted,
        (Value::Number(found), Literal::Number(wanted)) => {
            found.as_f64().zip(wanted.as_f64()).is_some_and(|(a, b)| is_ordered(operator, a.partial_cmp(&b)))
        }
        (Value::String(found), Literal::Text(wanted)) => {
            let (found, wanted) = (found.to_lowercase(), wanted.to_lowercase());
            match operator {
                Contains => found.contains(&wanted),
                EndsWith => found.ends_with(&wanted),
                StartsWith => found.starts_with(&wanted),
                _ => match (
                    found.to_uppercase().parse::<Timestamp>(),
                    wanted.to_uppercase().parse::<Timestamp>(),
                ) {
                    (Ok(found), Ok(wanted)) => is_ordered(operator, Some(found.cmp(&wanted))),
                    _ => is_ordered(operator, Some(found.cmp(&wanted))),
                },
            }
        }
        _ => false,
    }
}

fn is_ordered(operator: Comparison, ordering: Option<std::cmp::Ordering>) -> bool {
    let Some(ordering) = ordering else { return false };
    match operator {
        Comparison::Equal => ordering.is_eq(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Contains | Comparison::EndsWith | Comparison::NotEqual | Comparison::StartsWith => false,
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Value::String(text.clone()).fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Filter {
    /// As it would be written: reading it gives the same filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, all: &[Self], word: &str| {
            for (position, one) in all.iter().enumerate() {
                if position > 0 {
                    write!(f, " {word} ")?;
                }
                if matches!(one, Self::And(_) | Self::Or(_)) {
                    write!(f, "({one})")?;
                } else {
                    write!(f, "{one}")?;
                }
            }
            Ok(())
        };
        match self {
            Self::And(all) => joined(f, all, "and"),
            Self::Or(all) => joined(f, all, "or"),
            Self::Not(one) => write!(f, "not ({one})"),
            Self::Compare { attribute, operator, value } => {
                write!(f, "{attribute} {} {value}", operator.as_str())
            }
            Self::Present(attribute) => write!(f, "{attribute} pr"),
        }
    }
}

#[cfg(test)]
mod tests;
