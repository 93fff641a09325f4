//! Access policies and their rules: who may get which token, and for how long.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::application::{GrantType, Status};
use crate::id::{AuthorizationServerId, ClientId, GroupId, PolicyId, RuleId, UserId};
use crate::name::{Label, ScopeName};

mod decision;
mod lifetimes;

pub use decision::{AccessRequest, Grant, Miss, Refusal, decide, decide_with_reasons};
pub use lifetimes::{LifetimeError, LifetimeWarning, lifetime_warnings, rule_warnings, server_warnings};

/// Which clients a policy is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyClients {
    /// Every application (`ALL_CLIENTS`).
    All,
    /// These.
    Only(BTreeSet<ClientId>),
}

impl PolicyClients {
    /// Whether the policy is for `client`.
    pub fn contain(&self, client: &ClientId) -> bool {
        match self {
            Self::All => true,
            Self::Only(clients) => clients.contains(client),
        }
    }
}

/// An access policy. Smaller priorities come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The id.
    pub id: PolicyId,
    /// The server.
    pub server: AuthorizationServerId,
    /// The name; unique in its server.
    pub name: Label,
    /// What it is for.
    pub description: String,
    /// Whether it takes part.
    pub status: Status,
    /// Its place in the order, from 1.
    pub priority: u32,
    /// For whom.
    pub clients: PolicyClients,
    /// Whether it came with the server.
    pub system: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_updated: Timestamp,
}

/// Which groups a rule includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleGroups {
    /// Whoever the application is assigned to (`EVERYONE`).
    Everyone,
    /// Who is in one of these.
    Only(BTreeSet<GroupId>),
}

/// Which people a rule is for. A person matches who is not excluded, and is named or is in an included group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulePeople {
    /// Included by name.
    pub include_users: BTreeSet<UserId>,
    /// Excluded by name, whatever else says.
    pub exclude_users: BTreeSet<UserId>,
    /// Included groups.
    pub include_groups: RuleGroups,
    /// Excluded groups, whatever else says.
    pub exclude_groups: BTreeSet<GroupId>,
}

impl RulePeople {
    /// Everybody whom the application is assigned to.
    pub fn everyone() -> Self {
        Self {
            include_users: BTreeSet::new(),
            exclude_users: BTreeSet::new(),
            include_groups: RuleGroups::Everyone,
            exclude_groups: BTreeSet::new(),
        }
    }
}

/// Which scopes a rule allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleScopes {
    /// All that the server has (`*`).
    Any,
    /// These; a request that asks for another does not match.
    Only(BTreeSet<ScopeName>),
}

/// A whole number of minutes, at least one: how Okta writes lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minutes(NonZeroU32);

impl Minutes {
    /// So many minutes; `None` for zero.
    pub fn new(minutes: u32) -> Option<Self> {
        NonZeroU32::new(minutes).map(Self)
    }

    /// How many.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// As a duration.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.get()))
    }
}

/// How long tokens live. Made by [`Lifetimes::new`], which holds Okta's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetimes {
    access_token: Minutes,
    refresh_token: Option<Minutes>,
    refresh_window: Minutes,
    id_token: Option<Minutes>,
}

/// A rule of a policy. Smaller priorities come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The id.
    pub id: RuleId,
    /// The policy.
    pub policy: PolicyId,
    /// The name; unique in its policy.
    pub name: Label,
    /// Whether it takes part.
    pub status: Status,
    /// Its place in the order, from 1.
    pub priority: u32,
    /// Which grants it allows. Refreshing is judged by the grant that began it.
    pub grant_types: BTreeSet<GrantType>,
    /// For whom.
    pub people: RulePeople,
    /// For what.
    pub scopes: RuleScopes,
    /// For how long.
    pub lifetimes: Lifetimes,
    /// Whether it came with the server.
    pub system: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_updated: Timestamp,
}

#[cfg(test)]
mod tests;
