//! The members of a JSON object, taken out one by one, each as what it must be. What is left can be kept and shown again.
//!
//! For objects of which clients send much more than is read here: errors name the member's whole path, null is as good as
//! absent, and nothing that was sent is lost.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// An object, with its path in the body.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    at: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The body itself.
    pub(crate) fn of_body(map: Map<String, Value>) -> Self {
        Self { at: String::new(), map }
    }

    /// An object without members, for one that is absent.
    fn empty(at: String) -> Self {
        Self { at, map: Map::new() }
    }

    /// The path of a member.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// A refusal that names a member.
    pub(crate) fn refuse(&self, name: &str, cause: impl std::fmt::Display) -> ApiError {
        ApiError::invalid(&self.path(name), cause)
    }

    /// Takes a member, whatever it is.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(name, "use a text")),
        }
    }

    /// Takes a text that must be there and must not be empty.
    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, ApiError> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.refuse(name, "The field cannot be left blank"))
    }

    /// Takes true or false.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(boolean)) => Ok(Some(boolean)),
            Some(_) => Err(self.refuse(name, "use true or false")),
        }
    }

    /// Takes a whole number that is not negative.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.refuse(name, "use a whole number from 0 to 4294967295"))
    }

    /// Takes a list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let refuse = |fields: &Self| Err(fields.refuse(name, "use a list of texts"));
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(elements)) => {
                let mut texts = Vec::with_capacity(elements.len());
                for element in elements {
                    let Value::String(text) = element else { return refuse(self) };
                    texts.push(text);
                }
                Ok(Some(texts))
            }
            Some(_) => refuse(self),
        }
    }

    /// Takes an object; an empty one if it is absent.
    pub(crate) fn object(&mut self, name: &str) -> Result<Self, ApiError> {
        let at = self.path(name);
        match self.value(name) {
            None => Ok(Self::empty(at)),
            Some(Value::Object(map)) => Ok(Self { at, map }),
            Some(_) => Err(self.refuse(name, "use an object")),
        }
    }

    /// Takes an object that must be there.
    pub(crate) fn required_object(&mut self, name: &str) -> Result<Self, ApiError> {
        if self.map.get(name).is_none_or(Value::is_null) {
            return Err(self.refuse(name, "The field cannot be left blank"));
        }
        self.object(name)
    }

    /// Takes a text and makes something of it.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| self.refuse(name, error))
    }

    /// Takes a text that must be there and makes something of it.
    pub(crate) fn required<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, ApiError> {
        let text = self.required_text(name)?;
        parse(&text).map_err(|error| self.refuse(name, error))
    }

    /// Takes a list of texts and makes something of each.
    pub(crate) fn all_parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>, ApiError> {
        let Some(texts) = self.texts(name)? else { return Ok(None) };
        let parsed: Result<Vec<T>, E> = texts.iter().map(|text| parse(text)).collect();
        parsed.map(Some).map_err(|error| self.refuse(name, error))
    }

    /// Takes one of some words.
    pub(crate) fn word<T>(
        &mut self,
        name: &str,
        known: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        self.parsed(name, |text| parse(text).ok_or_else(|| format!("`{text}` is not known: use {known}")))
    }

    /// Whether a member is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// What was not taken, nulls too.
    pub(crate) fn all(self) -> Map<String, Value> {
        self.map
    }

    /// What was not taken, without nulls.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.map.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::of_body(map),
            _ => Fields::empty(String::new()),
        }
    }

    #[test]
    fn each_member_is_taken_as_what_it_must_be_and_the_rest_is_kept() {
        let mut body = fields(
            json!({ "a": "x", "b": true, "n": 5, "l": ["x"], "o": { "inner": 1 }, "more": 1, "nil": null }),
        );
        assert_eq!(body.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(body.boolean("b").unwrap(), Some(true));
        assert_eq!(body.number("n").unwrap(), Some(5));
        assert_eq!(body.texts("l").unwrap(), Some(vec!["x".to_owned()]));
        let mut inner = body.object("o").unwrap();
        assert_eq!(
            inner.text("inner").unwrap_err().to_string(),
            "E0000001 Api validation failed: o.inner; o.inner: use a text"
        );
        assert_eq!(body.text("nil").unwrap(), None);
        assert_eq!(Value::Object(body.rest()), json!({ "more": 1 }));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let body = || fields(json!({ "a": 5, "n": -1, "l": ["x", 1], "o": [] }));
        assert!(body().text("a").is_err());
        assert!(body().boolean("a").is_err());
        assert!(body().number("n").is_err());
        assert!(body().texts("l").is_err());
        assert!(body().object("o").is_err());
        assert!(body().required_object("missing").is_err());
        assert!(body().required_text("missing").is_err());
    }
}
