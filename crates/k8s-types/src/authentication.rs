//! `authentication.k8s.io/v1`: who a credential belongs to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::meta::ObjectMeta;
use crate::secret::Secret;
use crate::wire::{is_default, nullable};

/// The group and version of this module's objects.
pub const API_VERSION: &str = "authentication.k8s.io/v1";

/// An authenticated person, service account or component, as every authorizer sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInfo {
    /// Unique among active users, e.g. `dev@example.com` or `system:serviceaccount:default:build`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Unique over time, where the authenticator knows one.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// In the authenticator's order, duplicates kept.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Whatever else the authenticator says, e.g. `authentication.kubernetes.io/credential-id`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Asks whom a bearer token belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenReview {
    /// `TokenReview`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// [`API_VERSION`]
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Must be empty in a request.
    #[serde(default, deserialize_with = "nullable")]
    pub metadata: ObjectMeta,
    /// The question.
    #[serde(default, deserialize_with = "nullable")]
    pub spec: TokenReviewSpec,
    /// The answer.
    #[serde(default, deserialize_with = "nullable")]
    pub status: TokenReviewStatus,
}

impl Default for TokenReview {
    fn default() -> Self {
        Self {
            kind: "TokenReview".to_owned(),
            api_version: API_VERSION.to_owned(),
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec::default(),
            status: TokenReviewStatus::default(),
        }
    }
}

/// What a [`TokenReview`] asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReviewSpec {
    /// The opaque bearer token.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Any one of these must be an audience of the token; empty means the API server's own.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

/// What a [`TokenReview`] answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReviewStatus {
    /// Whether the token belongs to a known user.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub authenticated: bool,
    /// The user of the token; `{}` when there is none.
    #[serde(default, deserialize_with = "nullable")]
    pub user: UserInfo,
    /// The audiences that both the token and the question name.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Why the token could not be checked.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// Tells the caller who the API server thinks it is (`kubectl auth whoami`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfSubjectReview {
    /// `SelfSubjectReview`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// [`API_VERSION`]
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The creation time is set in the answer.
    #[serde(default, deserialize_with = "nullable")]
    pub metadata: ObjectMeta,
    /// The answer.
    #[serde(default, deserialize_with = "nullable")]
    pub status: SelfSubjectReviewStatus,
}

impl Default for SelfSubjectReview {
    fn default() -> Self {
        Self {
            kind: "SelfSubjectReview".to_owned(),
            api_version: API_VERSION.to_owned(),
            metadata: ObjectMeta::default(),
            status: SelfSubjectReviewStatus::default(),
        }
    }
}

/// What a [`SelfSubjectReview`] answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfSubjectReviewStatus {
    /// The caller, `system:authenticated` and extra included.
    #[serde(default, deserialize_with = "nullable")]
    pub user_info: UserInfo,
}
