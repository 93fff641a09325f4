//! What the parts of an expression come out as.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value};

use super::functions::Call;
use super::parser::{Comparison, Node, Part};
use super::{ExpressionError, LONGEST_RESULT, MOST_ELEMENTS};
use crate::application::Application;
use crate::group::Group;
use crate::user::{Person, User};

/// What an expression is evaluated for.
pub(super) struct Scene<'a> {
    pub(super) person: Option<&'a Person>,
    pub(super) application: Option<&'a Application>,
}

impl Scene<'_> {
    pub(super) fn groups(&self) -> &[Group] {
        self.person.map_or(&[], |person| &person.groups)
    }
}

pub(super) fn evaluate(node: &Node, scene: &Scene<'_>) -> Result<Value, ExpressionError> {
    match &node.part {
        Part::Literal(value) => Ok(value.clone()),
        Part::User(name) => Ok(scene.person.map_or(Value::Null, |person| user_attribute(&person.user, name))),
        Part::Application(name) => match scene.application {
            Some(application) => Ok(application_attribute(application, name)),
            None => Err(unexpected(node.at, "an attribute of the user", "one of the application")),
        },
        Part::List(elements) => elements
            .iter()
            .map(|element| evaluate(element, scene))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Part::Not(inner) => Ok((!condition(inner, scene)?).into()),
        Part::All(all) => {
            for one in all {
                if !condition(one, scene)? {
                    return Ok(false.into());
                }
            }
            Ok(true.into())
        }
        Part::Any(all) => {
            for one in all {
                if condition(one, scene)? {
                    return Ok(true.into());
                }
            }
            Ok(false.into())
        }
        Part::Compare(left, comparison, right) => {
            let (left, value) = (evaluate(left, scene)?, evaluate(right, scene)?);
            compare(&left, *comparison, right.at, &value).map(Value::Bool)
        }
        Part::Sum(first, rest) => {
            let mut sum = evaluate(first, scene)?;
            let mut at = first.at;
            for (minus, next) in rest {
                let value = evaluate(next, scene)?;
                sum = if *minus {
                    subtract((at, &sum), (next.at, &value))?
                } else {
                    add((at, &sum), (next.at, &value))?
                };
                at = next.at;
            }
            Ok(sum)
        }
        Part::Choice(which, one, other) => {
            evaluate(if condition(which, scene)? { one } else { other }, scene)
        }
        Part::Fallback(one, other) => match evaluate(one, scene)? {
            Value::Null => evaluate(other, scene),
            Value::String(text) if text.is_empty() => evaluate(other, scene),
            value => Ok(value),
        },
        Part::Element(of, index) => {
            element((of.at, &evaluate(of, scene)?), (index.at, &evaluate(index, scene)?))
        }
        Part::Call(function, arguments) => {
            let arguments = arguments
                .iter()
                .map(|argument| evaluate(argument, scene).map(|value| (argument.at, value)))
                .collect::<Result<_, _>>()?;
            let value = (function.run)(&Call { at: node.at, arguments, scene })?;
            bounded(node.at, value)
        }
    }
}

/// A boolean; what is not set is false.
pub(super) fn truth(at: usize, value: &Value) -> Result<bool, ExpressionError> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Null => Ok(false),
        other => Err(mismatch(at, "true or false", other)),
    }
}

fn condition(node: &Node, scene: &Scene<'_>) -> Result<bool, ExpressionError> {
    truth(node.at, &evaluate(node, scene)?)
}

/// Numbers by what they say (`1` is `1.0`); case counts in texts.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        _ => a == b,
    }
}

fn order(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn compare(left: &Value, comparison: Comparison, at: usize, right: &Value) -> Result<bool, ExpressionError> {
    let ordering = match (comparison, left, right) {
        (Comparison::Equal, ..) => return Ok(equal(left, right)),
        (Comparison::NotEqual, ..) => return Ok(!equal(left, right)),
        // What is not set is neither more nor less than anything.
        (_, Value::Null, _) | (_, _, Value::Null) => return Ok(false),
        (_, Value::Number(left), Value::Number(right)) => order(left, right),
        (_, Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (_, Value::Number(_), _) => {
            return Err(mismatch(at, "a number, like what it is compared with", right));
        }
        (_, Value::String(_), _) => return Err(mismatch(at, "a text, like what it is compared with", right)),
        _ => return Err(mismatch(at, "numbers or texts on both sides", left)),
    };
    Ok(ordering.is_some_and(|ordering| match comparison {
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Equal | Comparison::NotEqual => false,
    }))
}

/// The sum of numbers, or texts one after the other; of what is not set, nothing.
fn add(left: (usize, &Value), right: (usize, &Value)) -> Result<Value, ExpressionError> {
    match (left.1, right.1) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Number(a), Value::Number(b)) => calculate(right.0, a, b, i64::checked_add, |a, b| a + b),
        _ => {
            let mut text = text_of(left.0, left.1)?;
            text.push_str(&text_of(right.0, right.1)?);
            bounded(right.0, Value::String(text))
        }
    }
}

fn subtract(left: (usize, &Value), right: (usize, &Value)) -> Result<Value, ExpressionError> {
    match (left.1, right.1) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Number(a), Value::Number(b)) => calculate(right.0, a, b, i64::checked_sub, |a, b| a - b),
        (Value::Number(_), other) => Err(mismatch(right.0, "a number", other)),
        (other, _) => Err(mismatch(left.0, "a number", other)),
    }
}

fn calculate(
    at: usize,
    a: &Number,
    b: &Number,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Result<Value, ExpressionError> {
    if let Some(result) = a.as_i64().zip(b.as_i64()).and_then(|(a, b)| whole(a, b)) {
        return Ok(result.into());
    }
    let result = a.as_f64().zip(b.as_f64()).and_then(|(a, b)| Number::from_f64(real(a, b)));
    result.map(Value::Number).ok_or(ExpressionError::TooLarge { position: at })
}

/// An element of a list, counted from 0, or a member of an object; nothing if there is none.
pub(super) fn element(of: (usize, &Value), index: (usize, &Value)) -> Result<Value, ExpressionError> {
    let found = match (of.1, index.1) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Array(elements), Value::Number(index)) => {
            index.as_u64().and_then(|index| elements.get(usize::try_from(index).ok()?))
        }
        (Value::Object(members), Value::String(name)) => members.get(name),
        (Value::Array(_), other) => return Err(mismatch(index.0, "a number", other)),
        (Value::Object(_), other) => return Err(mismatch(index.0, "a text", other)),
        (other, _) => return Err(mismatch(of.0, "a list", other)),
    };
    Ok(found.cloned().unwrap_or(Value::Null))
}

/// The text that stands for a text, a number or a boolean.
pub(super) fn text_of(at: usize, value: &Value) -> Result<String, ExpressionError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        other => Err(mismatch(at, "a text", other)),
    }
}

fn bounded(at: usize, value: Value) -> Result<Value, ExpressionError> {
    let fits = match &value {
        Value::String(text) => text.len() <= LONGEST_RESULT,
        Value::Array(elements) => elements.len() <= MOST_ELEMENTS,
        _ => true,
    };
    if fits { Ok(value) } else { Err(ExpressionError::TooLarge { position: at }) }
}

/// The error of a value of the wrong kind, which it names without showing it.
pub(super) fn mismatch(at: usize, expected: &'static str, found: &Value) -> ExpressionError {
    let found = match found {
        Value::Null => "nothing (null)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    unexpected(at, expected, found)
}

fn unexpected(position: usize, expected: &'static str, found: &str) -> ExpressionError {
    ExpressionError::Unexpected { position, expected, found: found.to_owned() }
}

fn user_attribute(user: &User, path: &str) -> Value {
    let profile = &user.profile;
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
    match path {
        "id" => user.id.as_str().into(),
        "status" => user.status.as_str().into(),
        "login" => profile.login.as_str().into(),
        "email" => profile.email.as_str().into(),
        "firstName" => text(&profile.first_name),
        "lastName" => text(&profile.last_name),
        "displayName" => profile.name().map_or(Value::Null, Value::String),
        _ => {
            let mut names = path.split('.');
            let first = names.next().and_then(|name| profile.other.get(name));
            let found = names.fold(first, |value, name| value.and_then(|value| value.get(name)));
            found.cloned().unwrap_or(Value::Null)
        }
    }
}

/// What Okta keeps of a user beside the profile; `None` if it keeps nothing of that name.
pub(super) fn internal_property(user: &User, name: &str) -> Option<Value> {
    let time = |at: Option<Timestamp>| at.map_or(Value::Null, |at| format!("{at:.3}").into());
    Some(match name {
        "id" => user.id.as_str().into(),
        "status" => user.status.as_str().into(),
        "created" => time(Some(user.created)),
        "activated" => time(user.activated),
        "statusChanged" => time(user.status_changed),
        "lastLogin" => time(user.last_login),
        "lastUpdated" => time(Some(user.last_updated)),
        "passwordChanged" => time(user.password_changed),
        _ => return None,
    })
}

fn application_attribute(application: &Application, path: &str) -> Value {
    match path {
        "id" => application.id.as_str().into(),
        "clientId" => application.client_id.as_str().into(),
        "label" => application.label.as_str().into(),
        // The parser lets nothing else through than `profile.…`.
        _ => {
            let mut names = path.split('.');
            let first = names.next().and_then(|name| application.other.get(name));
            let found = names.fold(first, |value, name| value.and_then(|value| value.get(name)));
            found.cloned().unwrap_or(Value::Null)
        }
    }
}
