//! Groups of people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::GroupId;
use crate::name::GroupName;

/// Where a group comes from; Okta's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupType {
    /// Made by an administrator.
    #[default]
    #[serde(rename = "OKTA_GROUP")]
    Okta,
    /// Made by the system.
    #[serde(rename = "BUILT_IN")]
    BuiltIn,
    /// Imported from an application.
    #[serde(rename = "APP_GROUP")]
    App,
}

/// A group. Its members are in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The id.
    pub id: GroupId,
    /// The name; unique. What the `groups` claim carries.
    pub name: GroupName,
    /// What it is for.
    pub description: String,
    /// Where it comes from.
    pub group_type: GroupType,
    /// When it was created.
    pub created: Timestamp,
    /// When name or description last changed.
    pub last_updated: Timestamp,
    /// When somebody last joined or left; kept by the store.
    pub last_membership_updated: Timestamp,
}

impl Group {
    /// A new group of administrators' making.
    pub fn new(id: GroupId, name: GroupName, description: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            name,
            description: description.into(),
            group_type: GroupType::default(),
            created: now,
            last_updated: now,
            last_membership_updated: now,
        }
    }
}
