//! Short descriptions of the fields that people ask `kubectl explain` for, in our own words.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

/// Lines of `<package>.<version>.<Type>[.<field>]`, spaces, text.
const TABLE: &str = include_str!("../../data/descriptions.txt");

/// What every kind has.
const COMMON: [(&str, &str); 3] = [
    (
        "apiVersion",
        "The version of the schema in which this object is written, with its API group: `apps/v1`, or `v1` for the core group.",
    ),
    ("kind", "What the object is: `Pod`, `Role`."),
    ("metadata", "The object's name, namespace, labels and what the server keeps about it."),
];

/// Puts descriptions into a schema and its fields, where there are some.
pub(super) fn describe(name: &str, definition: &mut Value) {
    let short = name.trim_start_matches("io.k8s.api.").trim_start_matches("io.k8s.apimachinery.pkg.apis.");
    if let Some(text) = table().get(short) {
        definition["description"] = (*text).into();
    }
    let is_kind = definition.get("x-kubernetes-group-version-kind").is_some();
    let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (field, schema) in properties {
        let own = table().get(format!("{short}.{field}").as_str()).copied();
        let common = COMMON.iter().find(|(name, _)| is_kind && name == field).map(|(_, text)| *text);
        if let Some(text) = own.or(common) {
            schema["description"] = text.into();
        }
    }
}

/// The descriptions by place.
pub(super) fn table() -> &'static HashMap<&'static str, &'static str> {
    static BY_PLACE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .filter_map(|line| line.split_once(' '))
            .map(|(place, text)| (place, text.trim_start()))
            .collect()
    });
    &BY_PLACE
}
