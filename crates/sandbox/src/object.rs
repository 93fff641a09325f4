//! Reading and changing objects that are kept as JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The text of a member; empty if it is missing or no text.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The text of a member of `metadata`.
pub(crate) fn meta<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get("metadata").map(|metadata| text(metadata, name)).unwrap_or_default()
}

/// `metadata.name`
pub(crate) fn name(object: &Value) -> &str {
    meta(object, "name")
}

/// The finalizers.
pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    strings(object.pointer("/metadata/finalizers"))
}

/// Whether a deletion has begun.
pub(crate) fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// The texts of a list.
pub(crate) fn strings(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// The texts of an object, by name.
pub(crate) fn string_map(map: Option<&Value>) -> BTreeMap<String, String> {
    map.and_then(Value::as_object)
        .map(|map| {
            map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        })
        .unwrap_or_default()
}

/// The object under `name`, made if it is missing or none.
pub(crate) fn child<'a>(object: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    members(members(object).entry(name).or_insert_with(|| Value::Object(Map::new())))
}

/// The members of an object; anything else becomes an empty object first.
pub(crate) fn members(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(members) => members,
        _ => unreachable!("made an object above"),
    }
}

/// Sets a member of `metadata`.
pub(crate) fn set_meta(object: &mut Value, name: &str, value: impl Into<Value>) {
    child(object, "metadata").insert(name.to_owned(), value.into());
}

/// Removes a member of `metadata`.
pub(crate) fn remove_meta(object: &mut Value, name: &str) -> Option<Value> {
    child(object, "metadata").remove(name)
}
