//! Which of a person's groups a claim names.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// How a group name is compared; Okta's values (`group_filter_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FilterType {
    /// The value is part of the name.
    Contains,
    /// The value is the name.
    Equals,
    /// The value is a regular expression that the whole name matches.
    Regex,
    /// The name begins with the value.
    StartsWith,
}

impl FilterType {
    /// Okta's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::Equals => "EQUALS",
            Self::Regex => "REGEX",
            Self::StartsWith => "STARTS_WITH",
        }
    }

    /// The type of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Contains, Self::Equals, Self::Regex, Self::StartsWith]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A regular expression that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no regular expression: {cause}")]
pub struct FilterError {
    pattern: String,
    cause: String,
}

/// A filter of group names. Case counts, as it does in Kubernetes.
#[derive(Clone)]
pub struct GroupFilter {
    filter_type: FilterType,
    value: String,
    regex: Option<Regex>,
}

impl GroupFilter {
    /// A filter; a `REGEX` is compiled here, once, and matches in linear time.
    pub fn new(filter_type: FilterType, value: impl Into<String>) -> Result<Self, FilterError> {
        let value = value.into();
        let regex = match filter_type {
            FilterType::Regex => {
                let whole = format!("^(?:{value})$");
                // Compiled alone first: `a)|(b` must not become valid inside the group.
                let compiled =
                    Regex::new(&value).and_then(|_| Regex::new(&whole)).map_err(|error| FilterError {
                        pattern: value.clone(),
                        cause: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
                    })?;
                Some(compiled)
            }
            FilterType::Contains | FilterType::Equals | FilterType::StartsWith => None,
        };
        Ok(Self { filter_type, value, regex })
    }

    /// How it compares.
    pub fn filter_type(&self) -> FilterType {
        self.filter_type
    }

    /// What it compares with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a group of that name passes.
    pub fn matches(&self, name: &str) -> bool {
        match self.filter_type {
            FilterType::Contains => name.contains(&self.value),
            FilterType::Equals => name == self.value,
            FilterType::Regex => self.regex.as_ref().is_some_and(|regex| regex.is_match(name)),
            FilterType::StartsWith => name.starts_with(&self.value),
        }
    }
}

impl fmt::Debug for GroupFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.filter_type.as_str(), self.value)
    }
}

impl PartialEq for GroupFilter {
    fn eq(&self, other: &Self) -> bool {
        (self.filter_type, &self.value) == (other.filter_type, &other.value)
    }
}

impl Eq for GroupFilter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_type_takes_the_names_it_should() {
        let cases = [
            (FilterType::StartsWith, "k8s-", "k8s-admins", true),
            (FilterType::StartsWith, "k8s-", "my-k8s-admins", false),
            (FilterType::StartsWith, "k8s-", "K8S-admins", false),
            (FilterType::StartsWith, "", "anything", true),
            (FilterType::Equals, "k8s", "k8s", true),
            (FilterType::Equals, "k8s", "k8s-admins", false),
            (FilterType::Contains, "admin", "k8s-admins", true),
            (FilterType::Contains, "admin", "k8s", false),
            (FilterType::Regex, ".*", "anything", true),
            (FilterType::Regex, "k8s-(a|b)", "k8s-a", true),
            (FilterType::Regex, "k8s-(a|b)", "k8s-abc", false),
            (FilterType::Regex, "a|bc", "abc", false),
        ];
        for (filter_type, value, name, expected) in cases {
            let filter = GroupFilter::new(filter_type, value).unwrap();
            assert_eq!(filter.matches(name), expected, "{filter:?} on {name}");
        }
    }

    #[test]
    fn a_regular_expression_that_does_not_compile_is_refused_when_it_is_written() {
        for bad in ["(", "a)|(b", "[z-a]"] {
            let error = GroupFilter::new(FilterType::Regex, bad).unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{bad}` is no regular expression: ")), "{error}");
        }
    }
}
