//! Group rules: who is put into groups by what an expression says of them.
//!
//! A membership that a rule made is remembered as such: when the person no longer fits, the membership goes; one that
//! an administrator made stays. As with Okta, deactivating a rule leaves the memberships that it made.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::application::Status;
use crate::expression::Expression;
use crate::id::{GroupId, GroupRuleId, UserId};
use crate::name::Label;

/// A rule that puts people into groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// The id.
    pub id: GroupRuleId,
    /// What administrators call it; unique.
    pub name: Label,
    /// Whether it takes part. A new rule does not.
    pub status: Status,
    /// Who: an expression that comes out as a boolean.
    pub expression: Expression,
    /// Who not, whatever the expression says.
    pub excluded_users: BTreeSet<UserId>,
    /// Into which groups.
    pub groups: BTreeSet<GroupId>,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_updated: Timestamp,
}
