//! Groups of people.

use jiff::Timestamp;
use kubesso_ambient::Entropy;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::GroupId;
use crate::name::{GroupName, NameError};

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
    /// Whatever else administrators keep of it.
    pub other: Map<String, Value>,
    /// When it was created.
    pub created: Timestamp,
    /// When name or description last changed.
    pub last_updated: Timestamp,
    /// When somebody last joined or left; kept by the store.
    pub last_membership_updated: Timestamp,
}

impl Group {
    /// The name of the built-in group.
    pub const EVERYONE: &'static str = "Everyone";

    /// A new group of administrators' making.
    pub fn new(id: GroupId, name: GroupName, description: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            name,
            description: description.into(),
            group_type: GroupType::default(),
            other: Map::new(),
            created: now,
            last_updated: now,
            last_membership_updated: now,
        }
    }

    /// The built-in group that everybody is in. The store puts every new user into it.
    pub fn everyone(entropy: &dyn Entropy, now: Timestamp) -> Result<Self, NameError> {
        let name = GroupName::parse(Self::EVERYONE)?;
        let group = Self::new(GroupId::generate(entropy), name, "All users in your organization", now);
        Ok(Self { group_type: GroupType::BuiltIn, ..group })
    }
}
