//! The functions: Okta's names, arguments and results.
//!
//! One rule for what is not set: a text made of it is not set either, a question about it is answered false, and it has
//! no length and no elements. Numbers and booleans pass as texts.

use std::collections::BTreeSet;

use regex::RegexBuilder;
use serde_json::{Number, Value};

use super::parser::Kind;
use super::value::{Scene, element, equal, internal_property, mismatch, text_of};
use super::{ExpressionError, LONGEST_RESULT};
use crate::group::{Group, GroupType};

/// A function.
pub(super) struct Function {
    name: &'static str,
    least: usize,
    most: usize,
    /// How it is called; for errors.
    pub(super) usage: &'static str,
    pub(super) gives: Kind,
    pub(super) run: fn(&Call<'_, '_>) -> Result<Value, ExpressionError>,
}

impl Function {
    pub(super) fn takes(&self, arguments: usize) -> bool {
        (self.least..=self.most).contains(&arguments)
    }
}

/// A function with what it is given.
pub(super) struct Call<'a, 'b> {
    pub(super) at: usize,
    /// Each with where it begins.
    pub(super) arguments: Vec<(usize, Value)>,
    pub(super) scene: &'a Scene<'b>,
}

/// The function of that name; of Okta's older names without `String.` too.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| {
        function.name == name
            || (OLDER.contains(&name) && function.name.strip_prefix("String.") == Some(name))
    })
}

const OLDER: [&str; 5] = ["substring", "substringAfter", "substringBefore", "toLowerCase", "toUpperCase"];
const ANY_NUMBER: usize = usize::MAX;

macro_rules! functions {
    ($($usage:literal: $name:literal, $least:expr, $most:expr, $gives:ident, $run:expr;)*) => {
        &[$(Function {
            name: $name, least: $least, most: $most, usage: $usage, gives: Kind::$gives, run: $run,
        }),*]
    };
}

#[rustfmt::skip]
static FUNCTIONS: &[Function] = functions! {
    "String.append(text, suffix)": "String.append", 2, 2, Text, |call| call.map2(|text, suffix| format!("{text}{suffix}"));
    "String.join(separator, text, …)": "String.join", 1, ANY_NUMBER, Text, join;
    "String.len(text)": "String.len", 1, 1, Number, |call| Ok(call.text(0)?.map_or(0, |text| text.chars().count()).into());
    "String.removeSpaces(text)": "String.removeSpaces", 1, 1, Text, |call| call.map(|text| text.split_whitespace().collect());
    "String.replace(text, match, replacement)": "String.replace", 3, 3, Text, |call| replace(call, usize::MAX);
    "String.replaceFirst(text, match, replacement)": "String.replaceFirst", 3, 3, Text, |call| replace(call, 1);
    "String.startsWith(text, beginning)": "String.startsWith", 2, 2, Boolean, |call| call.test(|text, other| text.starts_with(other));
    "String.stringContains(text, part)": "String.stringContains", 2, 2, Boolean, |call| call.test(|text, other| text.contains(other));
    "String.stringSwitch(text, default, key, value, …), a value with each key": "String.stringSwitch", 2, ANY_NUMBER, Text, switch;
    "String.substring(text, start, end)": "String.substring", 3, 3, Text, substring;
    "String.substringAfter(text, part)": "String.substringAfter", 2, 2, Text, |call| call.map2(|text, part| text.split_once(part).map_or("", |(_, after)| after).to_owned());
    "String.substringBefore(text, part)": "String.substringBefore", 2, 2, Text, |call| call.map2(|text, part| text.split_once(part).map_or(text, |(before, _)| before).to_owned());
    "String.toLowerCase(text)": "String.toLowerCase", 1, 1, Text, |call| call.map(str::to_lowercase);
    "String.toUpperCase(text)": "String.toUpperCase", 1, 1, Text, |call| call.map(str::to_uppercase);
    "Arrays.add(list, value)": "Arrays.add", 2, 2, List, |call| Ok(call.list(0)?.iter().chain([call.value(1)]).cloned().collect());
    "Arrays.clear(list)": "Arrays.clear", 1, 1, List, |call| call.list(0).map(|_| Value::Array(Vec::new()));
    "Arrays.contains(list, value)": "Arrays.contains", 2, 2, Boolean, |call| Ok(call.list(0)?.iter().any(|one| equal(one, call.value(1))).into());
    "Arrays.flatten(value, …)": "Arrays.flatten", 0, ANY_NUMBER, List, |call| Ok(Value::Array(call.flattened(0).map(|(_, value)| value.clone()).collect()));
    "Arrays.get(list, position)": "Arrays.get", 2, 2, Any, |call| element((call.position(0), call.value(0)), (call.position(1), call.value(1)));
    "Arrays.isEmpty(list)": "Arrays.isEmpty", 1, 1, Boolean, |call| Ok(call.list(0)?.is_empty().into());
    "Arrays.remove(list, value)": "Arrays.remove", 2, 2, List, |call| Ok(call.list(0)?.iter().filter(|one| !equal(one, call.value(1))).cloned().collect());
    "Arrays.size(list)": "Arrays.size", 1, 1, Number, |call| Ok(call.list(0)?.len().into());
    "Arrays.toCsvString(list)": "Arrays.toCsvString", 1, 1, Text, to_csv;
    "Convert.toInt(text or number)": "Convert.toInt", 1, 1, Number, |call| number(call, true);
    "Convert.toNum(text or number)": "Convert.toNum", 1, 1, Number, |call| number(call, false);
    "Groups.contains(\"OKTA\", part, limit)": "Groups.contains", 3, 3, List, |call| groups(call, |name, part| name.contains(part));
    "Groups.endsWith(\"OKTA\", end, limit)": "Groups.endsWith", 3, 3, List, |call| groups(call, |name, end| name.ends_with(end));
    "Groups.startsWith(\"OKTA\", beginning, limit)": "Groups.startsWith", 3, 3, List, |call| groups(call, |name, beginning| name.starts_with(beginning));
    "getFilteredGroups({id, …}, \"group.name\", limit)": "getFilteredGroups", 3, 3, List, filtered_groups;
    "hasDirectoryUser()": "hasDirectoryUser", 0, 0, Boolean, |_| Ok(false.into());
    "hasWorkdayUser()": "hasWorkdayUser", 0, 0, Boolean, |_| Ok(false.into());
    "isMemberOfAnyGroup(id, …)": "isMemberOfAnyGroup", 1, ANY_NUMBER, Boolean, any_group;
    "isMemberOfGroup(id)": "isMemberOfGroup", 1, 1, Boolean, |call| member(call, |group, id| group.id.as_str() == id);
    "isMemberOfGroupName(name)": "isMemberOfGroupName", 1, 1, Boolean, |call| member(call, |group, name| group.name.as_str() == name);
    "isMemberOfGroupNameContains(part)": "isMemberOfGroupNameContains", 1, 1, Boolean, |call| member(call, |group, part| group.name.as_str().contains(part));
    "isMemberOfGroupNameRegex(pattern)": "isMemberOfGroupNameRegex", 1, 1, Boolean, member_by_regex;
    "isMemberOfGroupNameStartsWith(beginning)": "isMemberOfGroupNameStartsWith", 1, 1, Boolean, |call| member(call, |group, beginning| group.name.as_str().starts_with(beginning));
    "user.getInternalProperty(name)": "user.getInternalProperty", 1, 1, Any, internal;
};

impl Call<'_, '_> {
    fn value(&self, index: usize) -> &Value {
        self.arguments.get(index).map_or(&Value::Null, |(_, value)| value)
    }

    fn position(&self, index: usize) -> usize {
        self.arguments.get(index).map_or(self.at, |(at, _)| *at)
    }

    fn text(&self, index: usize) -> Result<Option<String>, ExpressionError> {
        match self.value(index) {
            Value::Null => Ok(None),
            value => text_of(self.position(index), value).map(Some),
        }
    }

    fn list(&self, index: usize) -> Result<&[Value], ExpressionError> {
        match self.value(index) {
            Value::Null => Ok(&[]),
            Value::Array(elements) => Ok(elements),
            other => Err(mismatch(self.position(index), "a list", other)),
        }
    }

    fn whole(&self, index: usize) -> Result<i64, ExpressionError> {
        let value = self.value(index);
        value.as_i64().ok_or_else(|| mismatch(self.position(index), "a whole number", value))
    }

    /// The arguments from the one at `first`, and the elements in place of lists.
    fn flattened(&self, first: usize) -> impl Iterator<Item = (usize, &Value)> {
        self.arguments.iter().skip(first).flat_map(|(at, value)| {
            let all = match value {
                Value::Array(elements) => elements.as_slice(),
                one => std::slice::from_ref(one),
            };
            all.iter().map(|value| (*at, value))
        })
    }

    fn map(&self, change: fn(&str) -> String) -> Result<Value, ExpressionError> {
        Ok(self.text(0)?.map_or(Value::Null, |text| change(&text).into()))
    }

    fn map2(&self, change: fn(&str, &str) -> String) -> Result<Value, ExpressionError> {
        let (one, other) = (self.text(0)?, self.text(1)?);
        Ok(one.zip(other).map_or(Value::Null, |(one, other)| change(&one, &other).into()))
    }

    fn test(&self, test: fn(&str, &str) -> bool) -> Result<Value, ExpressionError> {
        let (one, other) = (self.text(0)?, self.text(1)?);
        Ok(one.zip(other).is_some_and(|(one, other)| test(&one, &other)).into())
    }
}

fn joined<'a>(
    separator: &str,
    values: impl Iterator<Item = (usize, &'a Value)>,
) -> Result<Value, ExpressionError> {
    let mut all = Vec::new();
    let mut length = 0_usize;
    for (at, value) in values.filter(|(_, value)| !value.is_null()) {
        let text = text_of(at, value)?;
        length = length.saturating_add(text.len()).saturating_add(separator.len());
        if length > LONGEST_RESULT.saturating_add(separator.len()) {
            return Err(ExpressionError::TooLarge { position: at });
        }
        all.push(text);
    }
    Ok(all.join(separator).into())
}

fn join(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    joined(&call.text(0)?.unwrap_or_default(), call.flattened(1))
}

fn to_csv(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    if call.value(0).is_null() {
        return Ok(Value::Null);
    }
    let at = call.position(0);
    joined(",", call.list(0)?.iter().map(|value| (at, value)))
}

fn replace(call: &Call<'_, '_>, most: usize) -> Result<Value, ExpressionError> {
    let (Some(text), Some(wanted), Some(replacement)) = (call.text(0)?, call.text(1)?, call.text(2)?) else {
        return Ok(Value::Null);
    };
    if wanted.is_empty() {
        return Ok(text.into());
    }
    // Measured first: replacements in each other would double and double again.
    let count = text.matches(&*wanted).take(most).count();
    if count.saturating_mul(replacement.len()).saturating_add(text.len()) > 2 * LONGEST_RESULT {
        return Err(ExpressionError::TooLarge { position: call.at });
    }
    Ok(text.replacen(&*wanted, &replacement, count).into())
}

/// The value of the first key, in the order in which they are written, that is part of the text.
fn switch(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    let text = call.text(0)?;
    let mut at = 2;
    while at < call.arguments.len() {
        if at + 1 == call.arguments.len() {
            return Err(ExpressionError::Arguments {
                position: call.at,
                usage: "String.stringSwitch(text, default, key, value, …), a value with each key",
            });
        }
        if let (Some(text), Some(key)) = (&text, call.text(at)?)
            && text.contains(&*key)
        {
            return Ok(call.value(at + 1).clone());
        }
        at += 2;
    }
    Ok(call.value(1).clone())
}

/// From one position up to before another, counted from 0; as far as the text goes.
fn substring(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    let Some(text) = call.text(0)? else { return Ok(Value::Null) };
    let bound = |index| call.whole(index).map(|number| usize::try_from(number.max(0)).unwrap_or(usize::MAX));
    let (start, end) = (bound(1)?, bound(2)?);
    Ok(text.chars().skip(start).take(end.saturating_sub(start)).collect::<String>().into())
}

fn number(call: &Call<'_, '_>, whole: bool) -> Result<Value, ExpressionError> {
    let at = call.position(0);
    let value = call.value(0);
    let parsed = match value {
        Value::Null => return Ok(Value::Null),
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => {
            let text = text.trim();
            let real = || text.parse::<f64>().ok().and_then(Number::from_f64);
            text.parse::<i64>().ok().map(Number::from).or_else(real)
        }
        _ => None,
    };
    let parsed = parsed.ok_or_else(|| mismatch(at, "a number, or a text that is one", value))?;
    if !whole || parsed.is_i64() {
        return Ok(Value::Number(parsed));
    }
    let rounded = parsed.as_f64().map(|real| format!("{:.0}", real.round()));
    let rounded = rounded.and_then(|text| text.parse::<i64>().ok());
    rounded.map(Value::from).ok_or(ExpressionError::TooLarge { position: at })
}

fn limit(call: &Call<'_, '_>, index: usize) -> Result<usize, ExpressionError> {
    let limit = usize::try_from(call.whole(index)?).ok().filter(|limit| (1..=100).contains(limit));
    limit.ok_or_else(|| ExpressionError::Unexpected {
        position: call.position(index),
        expected: "a limit from 1 to 100",
        found: "another number".to_owned(),
    })
}

/// The first names, in their order, of the groups that are kubesso's own.
fn groups(call: &Call<'_, '_>, passes: fn(&str, &str) -> bool) -> Result<Value, ExpressionError> {
    if call.text(0)?.as_deref() != Some("OKTA") {
        return Err(ExpressionError::Unexpected {
            position: call.position(0),
            expected: "\"OKTA\", as there are no groups of applications",
            found: "something else".to_owned(),
        });
    }
    let (pattern, limit) = (call.text(1)?, limit(call, 2)?);
    let Some(pattern) = pattern else { return Ok(Value::Array(Vec::new())) };
    let own = call.scene.groups().iter().filter(|group| group.group_type != GroupType::App);
    let names: BTreeSet<&str> =
        own.map(|group| group.name.as_str()).filter(|name| passes(name, &pattern)).collect();
    Ok(names.into_iter().take(limit).collect())
}

fn filtered_groups(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    let shows: fn(&Group) -> &str = match call.text(1)?.as_deref() {
        Some("group.name") => |group| group.name.as_str(),
        Some("group.id") => |group| group.id.as_str(),
        _ => {
            return Err(ExpressionError::Unexpected {
                position: call.position(1),
                expected: "\"group.name\" or \"group.id\"",
                found: "something else".to_owned(),
            });
        }
    };
    let (ids, limit) = (call.list(0)?, limit(call, 2)?);
    let listed = |group: &&Group| ids.iter().any(|id| id.as_str() == Some(group.id.as_str()));
    let found: BTreeSet<&str> = call.scene.groups().iter().filter(listed).map(shows).collect();
    Ok(found.into_iter().take(limit).collect())
}

fn member(call: &Call<'_, '_>, fits: fn(&Group, &str) -> bool) -> Result<Value, ExpressionError> {
    let wanted = call.text(0)?;
    Ok(wanted.is_some_and(|wanted| call.scene.groups().iter().any(|group| fits(group, &wanted))).into())
}

fn any_group(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    for (at, id) in call.flattened(0).filter(|(_, id)| !id.is_null()) {
        let id = text_of(at, id)?;
        if call.scene.groups().iter().any(|group| group.id.as_str() == id) {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

/// Whether the pattern matches the whole name of a group, as in a claim's group filter; in linear time.
fn member_by_regex(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    let Some(pattern) = call.text(0)? else { return Ok(false.into()) };
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(1 << 20).build();
    // Compiled alone first: `a)|(b` must not become valid inside the group.
    let regex = compile(&pattern).and_then(|_| compile(&format!("^(?:{pattern})$")));
    let regex = regex.map_err(|error| ExpressionError::Regex {
        position: call.position(0),
        cause: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    })?;
    Ok(call.scene.groups().iter().any(|group| regex.is_match(group.name.as_str())).into())
}

fn internal(call: &Call<'_, '_>) -> Result<Value, ExpressionError> {
    let name = call.text(0)?.unwrap_or_default();
    let Some(person) = call.scene.person else { return Ok(Value::Null) };
    internal_property(&person.user, &name).ok_or_else(|| ExpressionError::Unexpected {
        position: call.position(0),
        expected: "id, status, created, activated, statusChanged, lastLogin, lastUpdated or passwordChanged",
        found: "another name".to_owned(),
    })
}
