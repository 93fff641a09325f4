//! The port to a database: what the rest of the system asks of a store, and what a store promises.
//!
//! - What must happen once is one method that can lose: [`Store::redeem_code`],
//!   [`Store::redeem_device_code`], [`Store::rotate_refresh_token`], [`Store::use_once`],
//!   [`Store::take_logout_deliveries`], [`Store::attempt`].
//! - Configuration and people change in batches ([`Store::commit`]): all of it or nothing. Whatever a
//!   [`Snapshot`] shows moves the [`Revision`].
//! - "Not found" is `Ok(None)`. An error means that the store could not answer, or that a batch contradicts
//!   what is there.
//! - Times come in; a store has no clock.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::admin::{RoleAssignment, RoleHolder};
use crate::api_token::ApiToken;
use crate::application::{Application, GroupAssignment, UserAssignment};
use crate::audit::AuditEvent;
use crate::authorization_server::{AuthorizationServer, Scope};
use crate::claim::Claim;
use crate::code::{AuthorizationCode, Redemption};
use crate::consent::ConsentGrant;
use crate::device::{DeviceDecision, DeviceRefusal};
use crate::group::Group;
use crate::group_rule::GroupRule;
use crate::id::{
    ApiTokenId, ApplicationId, AuthorizationServerId, ClaimId, ClientId, ConsentId, GrantId, GroupId,
    GroupRuleId, InitialAccessTokenId, Kid, PolicyId, RoleAssignmentId, RuleId, ScopeId, SessionId, UserId,
};
use crate::initial_access_token::InitialAccessToken;
use crate::logout_delivery::{DeliveryOutcome, LogoutDelivery};
use crate::name::{GroupName, Login};
use crate::one_time_token::OneTimeToken;
use crate::password::PasswordHash;
use crate::policy::{Policy, Rule};
use crate::query::{AuditQuery, FamilyQuery, GroupQuery, UserQuery};
use crate::refresh::{RefreshFamily, RefreshTerms, RefreshToken, Rotation};
use crate::resealing::Resealing;
use crate::seal::Sealed;
use crate::secret::TokenHash;
use crate::session::Session;
use crate::signing_key::SigningKeyRecord;
use crate::single_use::SingleUse;
use crate::snapshot::{Revision, Snapshot};
use crate::store_error::StoreError;
use crate::throttle::{Attempt, ThrottleKey, ThrottleRule};
use crate::user::{Person, User};

/// One change of people or configuration. `Put…` writes the whole object under its id: new or in place of the
/// old one. Removing what is not there changes nothing. With an object goes what is part of it or refers to
/// it: memberships, assignments, consents, sessions, codes and refresh families of a user; scopes, claims, policies,
/// rules and keys of a server.
#[derive(Clone, Debug)]
pub enum Change {
    /// A user; the password stays as it is.
    PutUser(User),
    /// Removes a user.
    RemoveUser(UserId),
    /// A user's password; the user must exist.
    SetPassword(UserId, PasswordHash),
    /// Keeps the hash of a user's present password, about to be replaced, as one of so many old ones; older ones go.
    /// Without a password nothing is kept.
    KeepOldPassword(UserId, u32),
    /// Ends all sessions of a user. With the end of sessions it is noted which clients are to be told of it.
    EndSessions(UserId),
    /// Ends all sessions of a user but that one.
    EndOtherSessions(UserId, SessionId),
    /// Ends a session.
    EndSession(SessionId),
    /// Ends all refresh token families of a user, with codes and device logins that wait to be redeemed.
    EndGrants(UserId),
    /// Ends one refresh token family.
    EndGrant(GrantId),
    /// Ends all refresh token families of a client, with codes and device logins that wait to be redeemed.
    EndClientGrants(ClientId),
    /// Ends all refresh token families of an authorization server, with codes and device logins that wait.
    EndServerGrants(AuthorizationServerId),
    /// A person allows an application a scope, or allows it anew.
    GiveConsent(ConsentGrant),
    /// A consent is withdrawn.
    WithdrawConsent(ConsentId),
    /// A link that works once, in place of an older one of the same person.
    PutOneTimeToken(OneTimeToken),
    /// Removes the links of a person that work once.
    RemoveOneTimeTokens(UserId),
    /// A group.
    PutGroup(Group),
    /// Removes a group.
    RemoveGroup(GroupId),
    /// The user is in the group.
    AddMember(GroupId, UserId),
    /// The user is not in the group.
    RemoveMember(GroupId, UserId),
    /// A group rule.
    PutGroupRule(GroupRule),
    /// Removes a group rule; the memberships that it made stay.
    RemoveGroupRule(GroupRuleId),
    /// A rule puts the user into the group. A membership that an administrator made stays one.
    AddRuleMember(GroupRuleId, GroupId, UserId),
    /// The user does not fit the rule any more: a membership that only this rule made goes.
    RemoveRuleMember(GroupRuleId, GroupId, UserId),
    /// An application.
    PutApplication(Application),
    /// A token that lets somebody register clients.
    PutInitialAccessToken(InitialAccessToken),
    /// It is not taken any more.
    RemoveInitialAccessToken(InitialAccessTokenId),
    /// Removes an application.
    RemoveApplication(ApplicationId),
    /// A group may use an application.
    AssignGroup(GroupAssignment),
    /// A group may not use an application.
    UnassignGroup(ApplicationId, GroupId),
    /// A user may use an application.
    AssignUser(UserAssignment),
    /// A user may not use an application by itself.
    UnassignUser(ApplicationId, UserId),
    /// An authorization server.
    PutAuthorizationServer(AuthorizationServer),
    /// Removes an authorization server.
    RemoveAuthorizationServer(AuthorizationServerId),
    /// A scope.
    PutScope(Scope),
    /// Removes a scope.
    RemoveScope(ScopeId),
    /// A claim.
    PutClaim(Claim),
    /// Removes a claim.
    RemoveClaim(ClaimId),
    /// A policy.
    PutPolicy(Policy),
    /// Removes a policy.
    RemovePolicy(PolicyId),
    /// A rule.
    PutRule(Rule),
    /// Removes a rule.
    RemoveRule(RuleId),
    /// A signing key.
    PutSigningKey(SigningKeyRecord),
    /// Removes a signing key.
    RemoveSigningKey(AuthorizationServerId, Kid),
    /// A token of the management API.
    PutApiToken(ApiToken),
    /// Removes a token of the management API.
    RemoveApiToken(ApiTokenId),
    /// Somebody holds an administrator's role. Who holds it already stays as it is.
    AssignRole(RoleAssignment),
    /// Somebody holds it no more.
    UnassignRole(RoleAssignmentId),
    /// Everything that is sealed, under another sealing key.
    Reseal(Resealing),
    /// An entry of the audit trail.
    Audit(AuditEvent),
}

impl Change {
    /// Whether it ends sessions, so that clients may have to be told.
    pub fn ends_sessions(&self) -> bool {
        matches!(self, Self::EndSession(_) | Self::EndSessions(_) | Self::EndOtherSessions(..))
    }

    /// Whether it changes what a [`Snapshot`] shows, and so moves the [`Revision`].
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::PutUser(_)
            | Self::RemoveUser(_)
            | Self::SetPassword(..)
            | Self::KeepOldPassword(..)
            | Self::EndOtherSessions(..)
            | Self::EndSessions(_)
            | Self::EndSession(_)
            | Self::EndGrants(_)
            | Self::EndGrant(_)
            | Self::EndClientGrants(_)
            | Self::EndServerGrants(_)
            | Self::GiveConsent(_)
            | Self::WithdrawConsent(_)
            | Self::PutOneTimeToken(_)
            | Self::RemoveOneTimeTokens(_)
            | Self::PutGroupRule(_)
            | Self::RemoveGroupRule(_)
            | Self::AddRuleMember(..)
            | Self::RemoveRuleMember(..)
            | Self::PutApiToken(_)
            | Self::PutInitialAccessToken(_)
            | Self::RemoveInitialAccessToken(_)
            | Self::RemoveApiToken(_)
            | Self::AssignRole(_)
            | Self::UnassignRole(_)
            | Self::PutGroup(_)
            | Self::AddMember(..)
            | Self::RemoveMember(..)
            | Self::AssignUser(_)
            | Self::UnassignUser(..)
            | Self::Audit(_) => false,
            // Its assignments go with a group, and they are in the snapshot.
            Self::RemoveGroup(_)
            | Self::PutApplication(_)
            | Self::RemoveApplication(_)
            | Self::AssignGroup(_)
            | Self::UnassignGroup(..)
            | Self::PutAuthorizationServer(_)
            | Self::RemoveAuthorizationServer(_)
            | Self::PutScope(_)
            | Self::RemoveScope(_)
            | Self::PutClaim(_)
            | Self::RemoveClaim(_)
            | Self::PutPolicy(_)
            | Self::RemovePolicy(_)
            | Self::PutRule(_)
            | Self::RemoveRule(_)
            | Self::PutSigningKey(_)
            | Self::RemoveSigningKey(..)
            | Self::Reseal(_) => true,
        }
    }
}

/// What must be true for a batch to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    #[default]
    Any,
    /// There is no user, no group, no application and no authorization server yet.
    Empty,
    /// The configuration is still this one: a replica that decided on an old snapshot loses.
    Revision(Revision),
    /// This group is still as it was read: of two that change it at once one loses.
    Group(GroupId, Timestamp),
    /// This user is still as it was read: of two that change it at once one loses.
    User(UserId, Timestamp),
}

/// Changes that are written together or not at all, in their order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The moment of writing.
    pub at: Timestamp,
    /// What must be true.
    pub expectation: Expectation,
    /// What to write.
    pub changes: Vec<Change>,
}

impl Batch {
    /// A batch without expectation.
    pub fn new(at: Timestamp, changes: Vec<Change>) -> Self {
        Self { at, expectation: Expectation::Any, changes }
    }

    /// With an expectation.
    #[must_use]
    pub fn expecting(self, expectation: Expectation) -> Self {
        Self { expectation, ..self }
    }
}

/// A part of a list, in the order of ids.
#[derive(Debug)]
pub struct Page<'a, Id> {
    /// The last id of the part before.
    pub after: Option<&'a Id>,
    /// How many at most.
    pub limit: u32,
}

// Also where an id itself is not `Copy`, which `derive` asks for.
impl<Id> Copy for Page<'_, Id> {}

impl<Id> Clone for Page<'_, Id> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Id> Page<'_, Id> {
    /// From the beginning.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// What [`Store::purge`] took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Codes.
    pub codes: u64,
    /// Decisions about user codes.
    pub device_decisions: u64,
    /// Sessions.
    pub sessions: u64,
    /// Refresh token families.
    pub families: u64,
    /// Clients that nobody told of the end of a session.
    pub logout_deliveries: u64,
    /// Uses of what may be used once.
    pub single_uses: u64,
    /// Throttle counters.
    pub throttles: u64,
    /// Entries of the audit trail.
    pub audit_events: u64,
}

/// A store; shared as `Arc<dyn Store>`. What every store must do, [`testkit`](crate::testkit) tests.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync {
    /// The present configuration's number; cheap, to see whether a snapshot is still good.
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// What says under which key secrets are sealed ([`SealingKey::is_of`](crate::SealingKey::is_of)).
    async fn key_check(&self) -> Result<Sealed, StoreError>;

    /// The whole configuration, as of one moment.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Writes a batch, all or nothing; the revision afterwards.
    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError>;

    /// A user.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// The user with that login, whatever its case.
    async fn user_by_login(&self, login: &Login) -> Result<Option<User>, StoreError>;

    /// A user with groups and direct assignments, as of one moment.
    async fn person(&self, id: &UserId) -> Result<Option<Person>, StoreError>;

    /// Users, by id.
    async fn users(&self, page: Page<'_, UserId>) -> Result<Vec<User>, StoreError>;

    /// The users that a query finds.
    async fn find_users(&self, query: &UserQuery<'_>) -> Result<Vec<User>, StoreError>;

    /// A user's password hash; `None` without a password or without a user.
    async fn password_hash(&self, id: &UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// The hashes of the passwords that a user had before, the latest first.
    async fn old_passwords(&self, id: &UserId, limit: u32) -> Result<Vec<PasswordHash>, StoreError>;

    /// A group.
    async fn group(&self, id: &GroupId) -> Result<Option<Group>, StoreError>;

    /// The group of exactly that name.
    async fn group_by_name(&self, name: &GroupName) -> Result<Option<Group>, StoreError>;

    /// Groups, by id.
    async fn groups(&self, page: Page<'_, GroupId>) -> Result<Vec<Group>, StoreError>;

    /// The groups that a query finds.
    async fn find_groups(&self, query: &GroupQuery<'_>) -> Result<Vec<Group>, StoreError>;

    /// All group rules, by name.
    async fn group_rules(&self) -> Result<Vec<GroupRule>, StoreError>;

    /// The memberships that rules made for a user.
    async fn rule_memberships(&self, user: &UserId) -> Result<Vec<(GroupRuleId, GroupId)>, StoreError>;

    /// The memberships that a rule made, by user.
    async fn rule_members(
        &self,
        rule: &GroupRuleId,
        page: Page<'_, UserId>,
    ) -> Result<Vec<(UserId, GroupId)>, StoreError>;

    /// A group's members, by id.
    async fn members(&self, group: &GroupId, page: Page<'_, UserId>) -> Result<Vec<User>, StoreError>;

    /// The users that an application is assigned to directly, by id.
    async fn assigned_users(
        &self,
        application: &ApplicationId,
        page: Page<'_, UserId>,
    ) -> Result<Vec<UserAssignment>, StoreError>;

    /// That an application is assigned to a user directly.
    async fn user_assignment(
        &self,
        application: &ApplicationId,
        user: &UserId,
    ) -> Result<Option<UserAssignment>, StoreError>;

    /// What a person has allowed, to that application or to all, by id.
    async fn consents(
        &self,
        user: &UserId,
        application: Option<&ApplicationId>,
    ) -> Result<Vec<ConsentGrant>, StoreError>;

    /// The token of the management API with that hash, whether it is still taken or not.
    async fn api_token(&self, hash: &TokenHash) -> Result<Option<ApiToken>, StoreError>;

    /// All tokens of the management API, by id.
    async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError>;

    /// All tokens that let somebody register clients, by id.
    async fn initial_access_tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError>;

    /// Uses the token with that hash for one client, in one step that can lose; `None`: there is none that has a use left and
    /// is taken at `now`.
    async fn use_initial_access_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<InitialAccessToken>, StoreError>;

    /// The roles that somebody holds directly, the oldest first.
    async fn roles_of(&self, holder: &RoleHolder) -> Result<Vec<RoleAssignment>, StoreError>;

    /// All roles that somebody holds, by holder.
    async fn roles(&self) -> Result<Vec<RoleAssignment>, StoreError>;

    /// Takes a link that works once: of two callers exactly one gets it.
    async fn take_one_time_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError>;

    /// Looks at a link that works once, and leaves it.
    async fn one_time_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError>;

    /// Stores a session of somebody who has just signed in, and the time of that sign-in with the user.
    async fn begin_session(&self, session: &Session) -> Result<(), StoreError>;

    /// The living session with that cookie, marked as used at `now`.
    async fn use_session(&self, token: &TokenHash, now: Timestamp) -> Result<Option<Session>, StoreError>;

    /// The session of that id, living or not.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError>;

    /// The sessions of a user, the latest first.
    async fn sessions_of(&self, user: &UserId) -> Result<Vec<Session>, StoreError>;

    /// Ends a session that another takes the place of, so that nobody is to be told; whether there was one.
    async fn end_session(&self, token: &TokenHash) -> Result<bool, StoreError>;

    /// Stores a code.
    async fn add_code(&self, code: &AuthorizationCode) -> Result<(), StoreError>;

    /// A code that may still be redeemed. Looking does not redeem it: that is [`Store::redeem_code`], once
    /// all else is checked.
    async fn code(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<AuthorizationCode>, StoreError>;

    /// Redeems a code and stores the refresh token family that comes of it, if any, in one step. Of two
    /// callers exactly one gets [`Redemption::Redeemed`]; the other's call ends the family.
    async fn redeem_code(
        &self,
        hash: &TokenHash,
        family: Option<&RefreshFamily>,
        now: Timestamp,
    ) -> Result<Redemption, StoreError>;

    /// Stores what somebody decided about a user code; whether it is the first decision about it. A second one
    /// changes nothing.
    async fn add_device_decision(&self, decision: &DeviceDecision) -> Result<bool, StoreError>;

    /// The decision about a user code.
    async fn device_decision(&self, user_code: &TokenHash) -> Result<Option<DeviceDecision>, StoreError>;

    /// Redeems a user code for the device that brings the family's grant ([`DeviceDecision::redeem`]) and stores
    /// the family, in one step. Of two callers exactly one redeems.
    async fn redeem_device_code(
        &self,
        user_code: &TokenHash,
        family: &RefreshFamily,
        now: Timestamp,
    ) -> Result<Result<(), DeviceRefusal>, StoreError>;

    /// Stores a family whose tokens are given without a code: the password grant's.
    async fn begin_family(&self, family: &RefreshFamily) -> Result<(), StoreError>;

    /// The family that `token` proves to be of, living or not.
    async fn refresh_family(&self, token: &RefreshToken) -> Result<Option<RefreshFamily>, StoreError>;

    /// The refresh token families that a query finds, by id; ended ones are left out.
    async fn families(&self, query: &FamilyQuery<'_>) -> Result<Vec<RefreshFamily>, StoreError>;

    /// Presents a refresh token ([`RefreshFamily::present`]) and stores what comes of it, in one step.
    async fn rotate_refresh_token(
        &self,
        token: &RefreshToken,
        terms: &RefreshTerms,
        now: Timestamp,
    ) -> Result<Rotation, StoreError>;

    /// Revokes a refresh token family; whether it lived.
    async fn end_family(&self, grant: &GrantId, now: Timestamp) -> Result<bool, StoreError>;

    /// Whether a refresh token family of that grant ended before its time: with it end the access tokens of the grant.
    async fn has_grant_ended(&self, grant: &GrantId) -> Result<bool, StoreError>;

    /// Uses something that may be used once; whether it is the first use, as far as that is remembered (until its end).
    /// Of two callers exactly one is the first. To be asked last, when all else about it is known to be right: a use is
    /// a row.
    async fn use_once(&self, what: &SingleUse, now: Timestamp) -> Result<bool, StoreError>;

    /// Whether something that may be used once was used. Asking is no use.
    async fn was_used(&self, what: &SingleUse, now: Timestamp) -> Result<bool, StoreError>;

    /// When the next client is to be told of the end of a session; cheap, to be asked again and again.
    async fn next_logout_delivery(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Takes so many deliveries that are due, for oneself until `until`: then another replica takes over what was not
    /// [finished](Store::finish_logout_delivery).
    async fn take_logout_deliveries(
        &self,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<LogoutDelivery>, StoreError>;

    /// Notes what became of a delivery that was taken; whether it was one's own still. If not, nothing changes.
    async fn finish_logout_delivery(
        &self,
        delivery: &LogoutDelivery,
        outcome: &DeliveryOutcome,
    ) -> Result<bool, StoreError>;

    /// Asks for and counts an attempt under `key`, in one step
    /// ([`Throttle::attempt`](crate::Throttle::attempt)).
    async fn attempt(
        &self,
        key: &ThrottleKey,
        rule: &ThrottleRule,
        now: Timestamp,
    ) -> Result<Attempt, StoreError>;

    /// Forgets the attempts under `key`: somebody signed in. How many they were.
    async fn forget_attempts(&self, key: &ThrottleKey) -> Result<u32, StoreError>;

    /// Takes `number` attempts off the count under `key`, and leaves the others.
    async fn take_back_attempts(&self, key: &ThrottleKey, number: u32) -> Result<(), StoreError>;

    /// The audit trail, the latest first.
    async fn audit_events(&self, limit: u32) -> Result<Vec<AuditEvent>, StoreError>;

    /// What of the audit trail a query finds.
    async fn find_audit_events(&self, query: &AuditQuery<'_>) -> Result<Vec<AuditEvent>, StoreError>;

    /// Takes away what has ended: codes an hour after their end (until then a second redeeming is noticed),
    /// decisions about user codes, sessions, families a day after their end, uses of what is too old by now, logouts
    /// that nobody told for a day, forgotten
    /// throttle counters, audit entries after 90 days (as long as Okta keeps them). To be called now and then.
    async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError>;
}
