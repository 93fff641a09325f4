//! The small part of Okta's expression language that claims are commonly written in: references to the person
//! and the application, literals, and `+` on texts.
//!
//! As with Okta, an expression is not judged when it is written; one that cannot be evaluated leaves its
//! claim out, and the reason goes to the log.

use std::fmt;

use serde_json::Value;

use crate::application::Application;
use crate::user::Person;

/// An expression, as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Expression(String);

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It says more than this evaluator reads.
    #[error("the expression `{0}` is not understood: use user.<attribute>, app.<attribute>, \"text\" and +")]
    NotUnderstood(String),
    /// `+` with something that is no text.
    #[error("in `{0}` something is added that is no text")]
    NotText(String),
}

impl Expression {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value for `person` and `application`; `Null` where an attribute is not set.
    pub fn evaluate(&self, person: &Person, application: &Application) -> Result<Value, ExpressionError> {
        let not_understood = || ExpressionError::NotUnderstood(self.0.clone());
        let mut values = Vec::new();
        let mut rest = self.0.trim();
        loop {
            let (value, after) = term(rest, person, application).ok_or_else(not_understood)?;
            values.push(value);
            rest = after.trim_start();
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix('+').ok_or_else(not_understood)?.trim_start();
        }
        if values.len() == 1 {
            return Ok(values.swap_remove(0));
        }
        let mut text = String::new();
        for value in &values {
            match value {
                Value::String(part) => text.push_str(part),
                Value::Null => return Ok(Value::Null),
                _ => return Err(ExpressionError::NotText(self.0.clone())),
            }
        }
        Ok(text.into())
    }
}

impl Expression {
    /// TEMPORARY
    pub fn check_condition(&self) -> Result<(), ExpressionError> {
        Ok(())
    }

    /// TEMPORARY
    pub fn condition(&self, _person: &Person) -> Result<bool, ExpressionError> {
        Ok(false)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One term at the beginning of `text`, and what is left.
fn term<'a>(text: &'a str, person: &Person, application: &Application) -> Option<(Value, &'a str)> {
    let first = text.chars().next()?;
    if matches!(first, '"' | '\'') {
        let (literal, rest) = text[1..].split_once(first)?;
        return Some((literal.into(), rest));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let value = match word {
        "true" => true.into(),
        "false" => false.into(),
        "null" => Value::Null,
        _ => {
            if let Ok(number) = word.parse::<i64>() {
                number.into()
            } else if let Some(attribute) = word.strip_prefix("user.") {
                user_attribute(attribute.strip_prefix("profile.").unwrap_or(attribute), person)
            } else {
                application_attribute(word.strip_prefix("app.")?, application)?
            }
        }
    };
    Some((value, rest))
}

fn user_attribute(attribute: &str, person: &Person) -> Value {
    let user = &person.user;
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
    match attribute {
        "id" => user.id.as_str().into(),
        "status" => user.status.as_str().into(),
        "login" => user.profile.login.as_str().into(),
        "email" => user.profile.email.as_str().into(),
        "firstName" => text(&user.profile.first_name),
        "lastName" => text(&user.profile.last_name),
        "displayName" => user.profile.name().map_or(Value::Null, Value::String),
        other => user.profile.other.get(other).cloned().unwrap_or(Value::Null),
    }
}

fn application_attribute(attribute: &str, application: &Application) -> Option<Value> {
    match attribute {
        "id" => Some(application.id.as_str().into()),
        "clientId" => Some(application.client_id.as_str().into()),
        "label" => Some(application.label.as_str().into()),
        _ => None,
    }
}
