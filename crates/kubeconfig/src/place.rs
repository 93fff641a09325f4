//! Places in a kubeconfig: `users[name=oidc].user.exec`.

use std::fmt;

use serde_json::{Map, Value};

use crate::document::EditError;

/// A place in a kubeconfig, as a path from the root.
///
/// ```
/// use kubesso_kubeconfig::Place;
///
/// assert_eq!(Place::user("oidc").key("exec").to_string(), "users[name=oidc].user.exec");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into a mapping, by key.
    Key(String),
    /// Into a list, to the item that has this `name`.
    Named(String),
}

impl Place {
    /// A key of the file itself, e.g. `current-context`.
    pub fn top(key: impl Into<String>) -> Self {
        Self { steps: vec![Step::Key(key.into())] }
    }

    /// The whole item of that name in a list, e.g. of `users`.
    pub fn entry(list: impl Into<String>, name: impl Into<String>) -> Self {
        Self { steps: vec![Step::Key(list.into()), Step::Named(name.into())] }
    }

    /// The cluster of that name.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::entry("clusters", name).key("cluster")
    }

    /// The context of that name.
    pub fn context(name: impl Into<String>) -> Self {
        Self::entry("contexts", name).key("context")
    }

    /// The user of that name.
    pub fn user(name: impl Into<String>) -> Self {
        Self::entry("users", name).key("user")
    }

    /// A key of the mapping at this place.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.steps.push(Step::Key(key.into()));
        self
    }

    /// The item of that name in the list at this place.
    #[must_use]
    pub fn item(mut self, name: impl Into<String>) -> Self {
        self.steps.push(Step::Named(name.into()));
        self
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The value here.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Named(name) => value.as_array()?.iter().find(|item| is_named(item, name)),
        })
    }

    /// Puts a value here, and what is missing on the way to it.
    pub(crate) fn put(&self, root: &mut Value, value: Value) -> Result<(), EditError> {
        let mut current = root;
        for step in &self.steps {
            current = match step {
                Step::Key(key) => {
                    if current.is_null() {
                        *current = Value::Object(Map::new());
                    }
                    let object = current.as_object_mut().ok_or_else(|| self.in_the_way("mapping"))?;
                    object.entry(key.clone()).or_insert(Value::Null)
                }
                Step::Named(name) => {
                    if current.is_null() {
                        *current = Value::Array(Vec::new());
                    }
                    let list = current.as_array_mut().ok_or_else(|| self.in_the_way("list"))?;
                    let at = if let Some(at) = list.iter().position(|item| is_named(item, name)) {
                        at
                    } else {
                        list.push(serde_json::json!({ "name": name }));
                        list.len() - 1
                    };
                    &mut list[at]
                }
            };
        }
        // An item of a list keeps the name that it was found by.
        match (self.steps.last(), value) {
            (Some(Step::Named(name)), Value::Object(mut item)) => {
                item.insert("name".to_owned(), Value::String(name.clone()));
                *current = Value::Object(item);
            }
            (_, value) => *current = value,
        }
        Ok(())
    }

    /// Takes the value here away; whether there was one.
    pub(crate) fn take(&self, root: &mut Value) -> bool {
        let Some((last, way)) = self.steps.split_last() else { return false };
        let holder = way.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Named(name) => value.as_array_mut()?.iter_mut().find(|item| is_named(item, name)),
        });
        match (last, holder) {
            (Step::Key(key), Some(Value::Object(object))) => object.remove(key).is_some(),
            (Step::Named(name), Some(Value::Array(list))) => {
                let before = list.len();
                list.retain(|item| !is_named(item, name));
                list.len() < before
            }
            _ => false,
        }
    }

    fn in_the_way(&self, wanted: &'static str) -> EditError {
        EditError::InTheWay { place: self.clone(), wanted }
    }
}

/// Whether an item of a list has this `name`.
pub(crate) fn is_named(item: &Value, name: &str) -> bool {
    item.get("name").and_then(Value::as_str) == Some(name)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Named(name) => write!(f, "[name={name}]")?,
            }
        }
        Ok(())
    }
}
