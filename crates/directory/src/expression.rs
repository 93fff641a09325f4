//! Expressions: what claims say and whom group rules mean, in the part of Okta's expression language that such are
//! written in: `user.department == "IT" AND String.startsWith(user.login, "svc-")`.
//!
//! An expression is kept as it was written. [`Expression::check`] and [`Expression::check_condition`] judge it when it is
//! written; one that cannot be evaluated all the same leaves its claim out, and the reason goes to the log. Text, nesting,
//! parts and results are bounded. Every position is counted in characters, from 1. docs/languages.md is for users.

use std::fmt;

use serde_json::Value;

use crate::application::Application;
use crate::user::Person;

mod functions;
mod parser;
mod value;

use parser::{Kind, Parsed};
use value::Scene;

/// The longest expression that is read, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024;
/// How deep parentheses, arguments and alternatives may go.
pub(crate) const DEEPEST: usize = 32;
/// How many attributes, literals, operations and calls an expression may have.
pub(crate) const MOST_PARTS: usize = 500;
/// The longest text that may come out of a step, in bytes.
pub(crate) const LONGEST_RESULT: usize = 64 * 1024;
/// The longest list that may come out of a step.
pub(crate) const MOST_ELEMENTS: usize = 1000;

/// An expression, as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Expression(String);

/// Why an expression cannot be read or has no value. Attributes' values are not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Something else stands there, or comes out there.
    #[error("at position {position} of the expression: expected {expected}, found {found}")]
    Unexpected {
        /// Counted in characters, from 1.
        position: usize,
        /// What should be there.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// There is no such function.
    #[error(
        "at position {position} of the expression: there is no function `{name}`; docs/languages.md lists those there are"
    )]
    UnknownFunction {
        /// Where its name begins.
        position: usize,
        /// Its name.
        name: String,
    },
    /// A function is given too few or too many arguments.
    #[error("at position {position} of the expression: use {usage}")]
    Arguments {
        /// Where the function's name begins.
        position: usize,
        /// How it is called.
        usage: &'static str,
    },
    /// A regular expression does not compile, or is too large.
    #[error("at position {position} of the expression: this is no regular expression: {cause}")]
    Regex {
        /// Where the argument begins.
        position: usize,
        /// Why not.
        cause: String,
    },
    /// A text, a list or a number that comes out is too large.
    #[error(
        "at position {position} of the expression: what comes out is larger than {LONGEST_RESULT} bytes, {MOST_ELEMENTS} \
         elements or a number's range"
    )]
    TooLarge {
        /// Where.
        position: usize,
    },
    /// Too long to be read.
    #[error("the expression is longer than {LONGEST} bytes")]
    TooLong,
    /// Too many parentheses, calls or alternatives in each other.
    #[error("the expression has more than {DEEPEST} parentheses, calls or alternatives in each other")]
    TooDeep,
    /// Too many parts.
    #[error("the expression has more than {MOST_PARTS} attributes, literals, operations and calls")]
    TooManyParts,
}

impl Expression {
    /// Takes the text in, whatever it says.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be read: its syntax, the names in it, and how many arguments functions get.
    pub fn check(&self) -> Result<(), ExpressionError> {
        parser::parse(&self.0).map(drop)
    }

    /// Whether it can be read and can come out as true or false, without an application: what a group rule needs.
    ///
    /// An attribute of the administrators' own may hold a boolean and passes; a text, a number or a list does not.
    pub fn check_condition(&self) -> Result<(), ExpressionError> {
        let Parsed { root, application } = parser::parse(&self.0)?;
        if let Some(position) = application {
            return Err(ExpressionError::Unexpected {
                position,
                expected: "an attribute of the user",
                found: "one of the application, which a condition does not know".to_owned(),
            });
        }
        match root.kind() {
            Kind::Boolean | Kind::Any => Ok(()),
            kind => Err(ExpressionError::Unexpected {
                position: root.at,
                expected: "a condition, which is true or false",
                found: kind.as_str().to_owned(),
            }),
        }
    }

    /// The value for `person` and `application`; `Null` where an attribute is not set. Without a person (a client's own
    /// token) every attribute of the user is `Null`, and it is in no group.
    pub fn evaluate<'a>(
        &self,
        person: impl Into<Option<&'a Person>>,
        application: &'a Application,
    ) -> Result<Value, ExpressionError> {
        let scene = Scene { person: person.into(), application: Some(application) };
        value::evaluate(&parser::parse(&self.0)?.root, &scene)
    }

    /// Whether it is true of `person`. What is not set is false; a text, a number or a list is an error.
    pub fn condition(&self, person: &Person) -> Result<bool, ExpressionError> {
        let scene = Scene { person: Some(person), application: None };
        let root = parser::parse(&self.0)?.root;
        value::truth(root.at, &value::evaluate(&root, &scene)?)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
