//! The answers of a real kube-apiserver to `data/recorded/cases.json`, for the tests of this room.

use serde::Deserialize;
use serde_json::Value;

use crate::catalog::{Catalog, ResourceType};

#[derive(Deserialize)]
pub(crate) struct Answer {
    path: String,
    /// What was sent.
    pub(crate) sent: Value,
    /// What the server answered.
    pub(crate) created: Value,
    /// What it kept after a write of the status.
    pub(crate) stored: Value,
    /// Name, type, format and priority of the Table's columns.
    pub(crate) columns: Vec<(String, String, String, i32)>,
    /// The row of the Table.
    pub(crate) row: Value,
    /// What it kept, in protobuf, in base64.
    pub(crate) protobuf: String,
}

impl Answer {
    pub(crate) fn resource(&self) -> &'static ResourceType {
        let segments: Vec<&str> = self.path.split('/').collect();
        let (group, version) = match segments[1] {
            "api" => ("", segments[2]),
            _ => (segments[2], segments[3]),
        };
        Catalog::get().resource(group, version, segments[segments.len() - 1]).unwrap()
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.resource().plural, self.sent["metadata"]["name"])
    }
}

pub(crate) fn answers() -> Vec<Answer> {
    serde_json::from_str(include_str!("../../data/recorded/answers.json")).unwrap()
}

/// A line for each place at which two values differ.
pub(crate) fn collect_differences(place: &str, found: &Value, expected: &Value, into: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let at = |fields: &serde_json::Map<String, Value>| fields.get(name).cloned();
                match (at(one), at(other)) {
                    (Some(one), Some(other)) => {
                        collect_differences(&format!("{place}/{name}"), &one, &other, into);
                    }
                    (one, other) => into.push(format!("{place}/{name}: {one:?} instead of {other:?}")),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                collect_differences(&format!("{place}/{index}"), one, other, into);
            }
        }
        (one, other) if one != other => into.push(format!("{place}: {one} instead of {other}")),
        _ => {}
    }
}
