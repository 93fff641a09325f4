//! `authorization.k8s.io/v1`: may this subject do that?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::meta::{LabelSelectorRequirement, ObjectMeta};
use crate::wire::{is_default, nullable};

/// The group and version of this module's objects.
pub const API_VERSION: &str = "authorization.k8s.io/v1";

/// One of the three access reviews: they differ in kind and in what their spec may say.
macro_rules! access_review {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $spec:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            #[doc = concat!("`", $kind, "`")]
            #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
            pub kind: String,
            /// [`API_VERSION`]
            #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
            pub api_version: String,
            /// Empty, but for the namespace of a local review.
            #[serde(default, deserialize_with = "nullable")]
            pub metadata: ObjectMeta,
            /// The question.
            #[serde(default, deserialize_with = "nullable")]
            pub spec: $spec,
            /// The answer.
            #[serde(default, deserialize_with = "nullable")]
            pub status: SubjectAccessReviewStatus,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    kind: $kind.to_owned(),
                    api_version: API_VERSION.to_owned(),
                    metadata: ObjectMeta::default(),
                    spec: <$spec>::default(),
                    status: SubjectAccessReviewStatus::default(),
                }
            }
        }
    };
}

access_review!(
    /// Asks about any subject, in any namespace.
    SubjectAccessReview,
    "SubjectAccessReview",
    SubjectAccessReviewSpec
);
access_review!(
    /// Asks about the caller (`kubectl auth can-i`).
    SelfSubjectAccessReview,
    "SelfSubjectAccessReview",
    SelfSubjectAccessReviewSpec
);
access_review!(
    /// Asks about any subject, in the review's own namespace only.
    LocalSubjectAccessReview,
    "LocalSubjectAccessReview",
    SubjectAccessReviewSpec
);

/// What a [`SubjectAccessReview`] asks: exactly one of the two attributes, and a user or groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectAccessReviewSpec {
    /// The action on a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_attributes: Option<ResourceAttributes>,
    /// The action on a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_resource_attributes: Option<NonResourceAttributes>,
    /// The user name asked about.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The groups of that user; none is added.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The extra of that user.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
    /// The UID of that user.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// What a [`SelfSubjectAccessReview`] asks: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfSubjectAccessReviewSpec {
    /// The action on a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_attributes: Option<ResourceAttributes>,
    /// The action on a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_resource_attributes: Option<NonResourceAttributes>,
}

/// An action on a resource. `*` means all where upstream documents it so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAttributes {
    /// Empty for cluster-scoped resources and for "all namespaces".
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub verb: String,
    /// Empty for the core group.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The API version; empty counts as `*`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The plural, lower-case resource name.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// E.g. `log`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// Empty for "all".
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A limit on what a list, watch or deletecollection touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_selector: Option<FieldSelectorAttributes>,
    /// A limit on what a list, watch or deletecollection touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelectorAttributes>,
}

/// A field selector: either as text or as requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldSelectorAttributes {
    /// As in a query parameter; never together with requirements.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub raw_selector: String,
    /// All must hold.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<FieldSelectorRequirement>,
}

/// A label selector: either as text or as requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelectorAttributes {
    /// As in a query parameter; never together with requirements.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub raw_selector: String,
    /// All must hold.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<LabelSelectorRequirement>,
}

/// One term of a field selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSelectorRequirement {
    /// The field, e.g. `metadata.name`.
    #[serde(default, deserialize_with = "nullable")]
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    #[serde(default, deserialize_with = "nullable")]
    pub operator: String,
    /// Values for `In` and `NotIn`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// An action on a path that is no resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonResourceAttributes {
    /// The decoded URL path.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The lower-case HTTP method.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub verb: String,
}

/// What an access review answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectAccessReviewStatus {
    /// Whether the action would be allowed.
    #[serde(default, deserialize_with = "nullable")]
    pub allowed: bool,
    /// Only for an explicit denial; "no opinion" is neither allowed nor denied.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub denied: bool,
    /// The authorizer's reason.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What went wrong on the way; the answer can still be right.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub evaluation_error: String,
}

/// Lists what the caller may do in a namespace (`kubectl auth can-i --list`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfSubjectRulesReview {
    /// `SelfSubjectRulesReview`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// [`API_VERSION`]
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Empty.
    #[serde(default, deserialize_with = "nullable")]
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(default, deserialize_with = "nullable")]
    pub spec: SelfSubjectRulesReviewSpec,
    /// The answer.
    #[serde(default, deserialize_with = "nullable")]
    pub status: SubjectRulesReviewStatus,
}

impl Default for SelfSubjectRulesReview {
    fn default() -> Self {
        Self {
            kind: "SelfSubjectRulesReview".to_owned(),
            api_version: API_VERSION.to_owned(),
            metadata: ObjectMeta::default(),
            spec: SelfSubjectRulesReviewSpec::default(),
            status: SubjectRulesReviewStatus::default(),
        }
    }
}

/// What a [`SelfSubjectRulesReview`] asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfSubjectRulesReviewSpec {
    /// Required by the API server.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// What a [`SelfSubjectRulesReview`] answers: rules in resolution order, duplicates kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectRulesReviewStatus {
    /// Rules about resources; `[]` when there are none.
    #[serde(default, deserialize_with = "nullable")]
    pub resource_rules: Vec<ResourceRule>,
    /// Rules about paths; `[]` when there are none.
    #[serde(default, deserialize_with = "nullable")]
    pub non_resource_rules: Vec<NonResourceRule>,
    /// Whether some authorizer could not list its rules.
    #[serde(default, deserialize_with = "nullable")]
    pub incomplete: bool,
    /// Why the list is incomplete.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub evaluation_error: String,
}

/// Allowed actions on resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRule {
    /// `*` is all.
    #[serde(default, deserialize_with = "nullable", serialize_with = "crate::wire::null_if_empty")]
    pub verbs: Vec<String>,
    /// `*` is all.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `*` is all, `*/sub` all with that subresource.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Empty is all.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
}

/// Allowed actions on paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonResourceRule {
    /// `*` is all.
    #[serde(default, deserialize_with = "nullable", serialize_with = "crate::wire::null_if_empty")]
    pub verbs: Vec<String>,
    /// `*` as last character matches every continuation.
    #[serde(
        default,
        rename = "nonResourceURLs",
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}
