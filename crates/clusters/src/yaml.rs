//! YAML as people write it: in the given order, several lines as a block.

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A document in the making.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    /// In this order.
    Map(Vec<(String, Yaml)>),
    /// A list.
    List(Vec<Yaml>),
    /// Anything else, or something whose order does not matter.
    Value(Value),
}

impl Serialize for Yaml {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Value(text.into())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Value(text.into())
    }
}

impl From<bool> for Yaml {
    fn from(is_so: bool) -> Self {
        Self::Value(is_so.into())
    }
}

impl From<Vec<Yaml>> for Yaml {
    fn from(values: Vec<Yaml>) -> Self {
        Self::List(values)
    }
}

/// A map of what is given, in that order.
pub(crate) fn map<const N: usize>(entries: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// `map([("a", …), ("b", …)])` for a path of keys with one value at its end.
pub(crate) fn nested(path: &[&str], value: Yaml) -> Yaml {
    path.iter().rev().fold(value, |value, key| map([(key, value)]))
}

/// The text of a document. What is made here is always writable.
pub(crate) fn to_string(value: &impl Serialize) -> String {
    // A long line stays one line: an expression, a certificate in base64.
    let options = serde_saphyr::ser_options! { min_fold_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).unwrap_or_default()
}
