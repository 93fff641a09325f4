//! temporary
use std::fmt;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath(String);
impl AttributePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Contains,
    EndsWith,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
    StartsWith,
}
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Text(String),
    Number(serde_json::Number),
    Boolean(bool),
    Null,
}
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(t) => f.write_str(t),
            Self::Number(n) => n.fmt(f),
            Self::Boolean(b) => b.fmt(f),
            Self::Null => f.write_str("null"),
        }
    }
}
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare { attribute: AttributePath, operator: Comparison, value: Literal },
    Present(AttributePath),
}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter is not understood")]
pub struct FilterSyntaxError;
impl Filter {
    pub fn parse(_: &str) -> Result<Self, FilterSyntaxError> {
        Err(FilterSyntaxError)
    }
}
impl AttributePath {
    pub fn parse(_: &str) -> Result<Self, FilterSyntaxError> {
        Err(FilterSyntaxError)
    }
}
