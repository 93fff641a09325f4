//! What can be asked of the long lists: people, groups, grants, the audit trail.
//!
//! A query goes to the store as it is, so that a database can answer it by its indexes. Lists come in pages; the next
//! page begins after the last object of the one before.

use jiff::Timestamp;

use crate::filter::{AttributePath, Filter};
use crate::id::{
    ApplicationId, AuditEventId, AuthorizationServerId, ClientId, GrantId, GroupId, SessionId, UserId,
};

/// Which way a list goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// Smaller, earlier first.
    #[default]
    Ascending,
    /// Greater, later first.
    Descending,
}

/// By what a list is sorted; equal ones by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Which attribute.
    pub attribute: AttributePath,
    /// Which way.
    pub order: SortOrder,
}

/// Which users.
#[derive(Clone, Debug)]
pub struct UserQuery<'a> {
    /// Those that it fits; attributes: `id`, `status`, `created`, `activated`, `statusChanged`, `lastUpdated`,
    /// `lastLogin`, `passwordChanged`, `profile.…`.
    pub filter: Option<&'a Filter>,
    /// Those whose first name, last name or e-mail address begins so, whatever the case.
    pub prefix: Option<&'a str>,
    /// Without one, by id.
    pub sort: Option<&'a Sort>,
    /// The last user of the part before.
    pub after: Option<&'a UserId>,
    /// How many at most.
    pub limit: u32,
}

impl UserQuery<'_> {
    /// All users, by id.
    pub fn all(limit: u32) -> Self {
        Self { filter: None, prefix: None, sort: None, after: None, limit }
    }
}

/// Which groups.
#[derive(Clone, Debug)]
pub struct GroupQuery<'a> {
    /// Those that it fits; attributes: `id`, `type`, `created`, `lastUpdated`, `lastMembershipUpdated`, `profile.…`.
    pub filter: Option<&'a Filter>,
    /// Those whose name begins so, whatever the case.
    pub prefix: Option<&'a str>,
    /// Those that are assigned to this application.
    pub application: Option<&'a ApplicationId>,
    /// Without one, by id.
    pub sort: Option<&'a Sort>,
    /// The last group of the part before.
    pub after: Option<&'a GroupId>,
    /// How many at most.
    pub limit: u32,
}

impl GroupQuery<'_> {
    /// All groups, by id.
    pub fn all(limit: u32) -> Self {
        Self { filter: None, prefix: None, application: None, sort: None, after: None, limit }
    }
}

/// Which living refresh token families; what is `None` does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct FamilyQuery<'a> {
    /// This one.
    pub grant: Option<&'a GrantId>,
    /// Of this session.
    pub session: Option<&'a SessionId>,
    /// Of this user.
    pub user: Option<&'a UserId>,
    /// Of this client.
    pub client: Option<&'a ClientId>,
    /// Of this authorization server.
    pub server: Option<&'a AuthorizationServerId>,
    /// The last family of the part before.
    pub after: Option<&'a GrantId>,
    /// How many at most.
    pub limit: u32,
    /// The present moment: families whose time is over are left out.
    pub now: Timestamp,
}

/// Which entries of the audit trail.
#[derive(Clone, Debug)]
pub struct AuditQuery<'a> {
    /// Not before.
    pub since: Timestamp,
    /// Before.
    pub until: Timestamp,
    /// Those that it fits; attributes: `uuid`, `published`, `eventType`, `displayMessage`, `actor.id`, `target.id`,
    /// `outcome.result`.
    pub filter: Option<&'a Filter>,
    /// Those that contain all of these words, whatever the case.
    pub words: &'a [String],
    /// By time.
    pub order: SortOrder,
    /// Time and id of the last entry of the part before.
    pub after: Option<(Timestamp, &'a AuditEventId)>,
    /// How many at most.
    pub limit: u32,
}
