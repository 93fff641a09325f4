//! `meta/v1`: what every Kubernetes object has, and the `Status` that every failure is.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::wire::{is_default, nullable};

mod status;

pub use status::{Status, StatusCause, StatusDetails, StatusReason};

/// What a stored kind is called and where it lives.
pub trait Object {
    /// E.g. `rbac.authorization.k8s.io`; empty for the core group.
    const GROUP: &'static str;
    /// E.g. `v1`.
    const VERSION: &'static str;
    /// E.g. `RoleBinding`.
    const KIND: &'static str;
    /// The plural, lower-case name in URLs and rules, e.g. `rolebindings`.
    const RESOURCE: &'static str;

    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// `group/version`, or the version alone for the core group.
    fn api_version() -> String {
        if Self::GROUP.is_empty() {
            Self::VERSION.to_owned()
        } else {
            format!("{}/{}", Self::GROUP, Self::VERSION)
        }
    }
}

/// A moment as Kubernetes writes it: RFC 3339 in UTC, whole seconds, `Z` (`metav1.Time`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// A resource with its group, printed as in upstream's messages: `deployments.apps`, `pods`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// Empty for the core group.
    pub group: String,
    /// Plural resource name (or, for `Status::invalid`, the kind).
    pub resource: String,
}

impl GroupResource {
    /// From group and resource.
    pub fn new(group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { group: group.into(), resource: resource.into() }
    }

    /// Neither group nor resource.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty() && self.resource.is_empty()
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// Name, identity, history and labels of an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Unique within namespace and resource.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A prefix from which the server makes a name when there is none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub generate_name: String,
    /// Empty for cluster-scoped objects.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Long out of use; kept because a stored object may have it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub self_link: String,
    /// Unique over time and space.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Opaque version for optimistic concurrency and watches.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Counts changes of the desired state.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub generation: i64,
    /// When the server stored it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Time>,
    /// When it will be, or was asked to be, gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Time>,
    /// Seconds of grace that the deletion was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// For selectors.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For tools.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Objects that this one goes away with.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
    /// Must be empty before the object really goes.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    /// Who set which field.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub managed_fields: Vec<ManagedFieldsEntry>,
}

impl ObjectMeta {
    /// Metadata of a cluster-scoped object.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Metadata of a namespaced object.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..Self::named(name) }
    }
}

/// An owner of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// Of the owner.
    #[serde(default, deserialize_with = "nullable")]
    pub api_version: String,
    /// Of the owner.
    #[serde(default, deserialize_with = "nullable")]
    pub kind: String,
    /// Of the owner.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Of the owner.
    #[serde(default, deserialize_with = "nullable")]
    pub uid: String,
    /// Whether the owner manages this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether a foreground deletion of the owner waits for this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// The fields that one manager has set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedFieldsEntry {
    /// The program.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub manager: String,
    /// `Apply` or `Update`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// Version of the object that the fields are of.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Of the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// `FieldsV1`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub fields_type: String,
    /// The set of fields; opaque here, carried as it came.
    #[serde(default, rename = "fieldsV1", skip_serializing_if = "Option::is_none")]
    pub fields_v1: Option<Value>,
    /// The subresource that the change went to.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// What a list says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    /// Long out of use.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub self_link: String,
    /// The version of the store that the list shows; a watch continues from it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Opaque token for the next page.
    #[serde(
        default,
        rename = "continue",
        deserialize_with = "nullable",
        skip_serializing_if = "String::is_empty"
    )]
    pub continue_token: String,
    /// How many items the following pages hold, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_item_count: Option<i64>,
}

/// Chooses objects by their labels; empty chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Each must be equal.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Each must hold.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

impl LabelSelector {
    /// Whether the labels fulfil every requirement. An unknown operator fulfils nothing, because
    /// validation refuses such a selector before it can be stored.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

/// One term of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSelectorRequirement {
    /// The label.
    #[serde(default, deserialize_with = "nullable")]
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    #[serde(default, deserialize_with = "nullable")]
    pub operator: String,
    /// Values for `In` and `NotIn`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl LabelSelectorRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            // A missing label fulfils NotIn (apimachinery/pkg/labels Requirement.Matches).
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_whole_seconds_in_utc() {
        let time: Time = serde_json::from_str(r#""2026-11-22T09:00:00.987+01:00""#).unwrap();
        assert_eq!(serde_json::to_string(&time).unwrap(), r#""2026-11-22T08:00:00Z""#);
    }

    #[test]
    fn empty_metadata_is_an_empty_object_and_null_reads_as_empty() {
        assert_eq!(serde_json::to_string(&ObjectMeta::default()).unwrap(), "{}");
        let read: ObjectMeta =
            serde_json::from_str(r#"{"name":"a","labels":null,"creationTimestamp":null,"unknown":1}"#)
                .unwrap();
        assert_eq!(read, ObjectMeta::named("a"));
    }

    #[test]
    fn selectors_choose_by_label() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let term = |key: &str, operator: &str, values: &[&str]| LabelSelector {
            match_expressions: vec![LabelSelectorRequirement {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values: values.iter().map(ToString::to_string).collect(),
            }],
            ..LabelSelector::default()
        };
        for (selector, chosen) in [
            (LabelSelector::default(), true),
            (LabelSelector { match_labels: labels.clone(), ..LabelSelector::default() }, true),
            (term("app", "In", &["db", "web"]), true),
            (term("app", "In", &["db"]), false),
            (term("tier", "In", &["db"]), false),
            (term("app", "NotIn", &["web"]), false),
            (term("tier", "NotIn", &["web"]), true),
            (term("app", "Exists", &[]), true),
            (term("app", "DoesNotExist", &[]), false),
            (term("app", "Gt", &["1"]), false),
        ] {
            assert_eq!(selector.matches(&labels), chosen, "{selector:?}");
        }
    }
}
