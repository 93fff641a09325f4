//! People: [`User`], its status and the transitions between them, and [`Person`], which is what a decision
//! needs to know of somebody.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::group::Group;
use crate::id::{ApplicationId, GroupId, UserId};
use crate::name::{Email, Login};

/// Where a user stands in its life; Okta's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserStatus {
    /// Created, not yet activated.
    Staged,
    /// Activated, has no password yet.
    Provisioned,
    /// May sign in.
    Active,
    /// A password reset is under way.
    Recovery,
    /// Must choose a new password before anything else.
    PasswordExpired,
    /// Kept out after too many failures, until unlocked.
    LockedOut,
    /// Kept out by an administrator, for a time.
    Suspended,
    /// Gone for good; what is left may be deleted.
    Deprovisioned,
}

impl UserStatus {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Staged,
        Self::Provisioned,
        Self::Active,
        Self::Recovery,
        Self::PasswordExpired,
        Self::LockedOut,
        Self::Suspended,
        Self::Deprovisioned,
    ];

    /// Okta's word: `PASSWORD_EXPIRED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "STAGED",
            Self::Provisioned => "PROVISIONED",
            Self::Active => "ACTIVE",
            Self::Recovery => "RECOVERY",
            Self::PasswordExpired => "PASSWORD_EXPIRED",
            Self::LockedOut => "LOCKED_OUT",
            Self::Suspended => "SUSPENDED",
            Self::Deprovisioned => "DEPROVISIONED",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether tokens may be given out. All but `ACTIVE` refuse: at sign-in and at every refresh.
    pub fn may_sign_in(self) -> bool {
        self == Self::Active
    }
}

/// What a user is called and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProfile {
    /// What is typed to sign in; unique, whatever its case.
    pub login: Login,
    /// The e-mail address; with Kubernetes' flags in general the user name.
    pub email: Email,
    /// The given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// How to write the whole name, if not as first and last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whatever else administrators keep (`department`, `mobilePhone` …).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl UserProfile {
    /// A profile with an e-mail address that is the login too.
    pub fn with_email(email: Email) -> Result<Self, crate::name::NameError> {
        let login = Login::parse(email.as_str())?;
        Ok(Self { login, email, first_name: None, last_name: None, display_name: None, other: Map::new() })
    }

    /// The name to greet with and to put in the `name` claim; `None` if no part of it is known.
    pub fn name(&self) -> Option<String> {
        if let Some(name) = self.display_name.as_deref().filter(|name| !name.is_empty()) {
            return Some(name.to_owned());
        }
        let parts: Vec<&str> =
            [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str).collect();
        let name = parts.join(" ").trim().to_owned();
        (!name.is_empty()).then_some(name)
    }
}

/// A person who can sign in. The password hash is not here: it leaves the store only for verification
/// ([`Store::password_hash`](crate::Store::password_hash)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id; the `sub` of ID tokens.
    pub id: UserId,
    /// Where the user stands.
    pub status: UserStatus,
    /// Names and addresses.
    pub profile: UserProfile,
    /// When it was created.
    pub created: Timestamp,
    /// When it was first activated.
    pub activated: Option<Timestamp>,
    /// When the status last changed.
    pub status_changed: Option<Timestamp>,
    /// When anything last changed.
    pub last_updated: Timestamp,
    /// When the person last signed in.
    pub last_login: Option<Timestamp>,
    /// When the password last changed; set by the store with the hash.
    pub password_changed: Option<Timestamp>,
}

/// A transition that the status does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user that is {} cannot be {verb}", .from.as_str())]
pub struct TransitionError {
    /// Where the user stands.
    pub from: UserStatus,
    verb: &'static str,
}

impl User {
    /// A new user, `STAGED`.
    pub fn new(id: UserId, profile: UserProfile, now: Timestamp) -> Self {
        Self {
            id,
            status: UserStatus::Staged,
            profile,
            created: now,
            activated: None,
            status_changed: None,
            last_updated: now,
            last_login: None,
            password_changed: None,
        }
    }

    /// `STAGED`, `PROVISIONED` or `DEPROVISIONED` → `ACTIVE`.
    pub fn activate(mut self, now: Timestamp) -> Result<Self, TransitionError> {
        use UserStatus::{Active, Deprovisioned, Provisioned, Staged};
        self.activated.get_or_insert(now);
        self.moved("activated", &[Staged, Provisioned, Deprovisioned], Active, now)
    }

    /// `STAGED` or `DEPROVISIONED` → `PROVISIONED`: activated, and asked to choose a password.
    pub fn provision(mut self, now: Timestamp) -> Result<Self, TransitionError> {
        use UserStatus::{Deprovisioned, Provisioned, Staged};
        self.activated.get_or_insert(now);
        self.moved("activated", &[Staged, Deprovisioned], Provisioned, now)
    }

    /// Any but `DEPROVISIONED` → `DEPROVISIONED`.
    pub fn deactivate(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.moved("deactivated", &UserStatus::ALL[..7], UserStatus::Deprovisioned, now)
    }

    /// `ACTIVE` → `SUSPENDED`.
    pub fn suspend(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.moved("suspended", &[UserStatus::Active], UserStatus::Suspended, now)
    }

    /// `SUSPENDED` → `ACTIVE`.
    pub fn unsuspend(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.moved("unsuspended", &[UserStatus::Suspended], UserStatus::Active, now)
    }

    /// `ACTIVE` → `LOCKED_OUT`.
    pub fn lock_out(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.moved("locked out", &[UserStatus::Active], UserStatus::LockedOut, now)
    }

    /// `LOCKED_OUT` → `ACTIVE`.
    pub fn unlock(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.moved("unlocked", &[UserStatus::LockedOut], UserStatus::Active, now)
    }

    /// `ACTIVE` → `PASSWORD_EXPIRED`.
    pub fn expire_password(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.moved("asked for a new password", &[UserStatus::Active], UserStatus::PasswordExpired, now)
    }

    /// `ACTIVE`, `PASSWORD_EXPIRED`, `LOCKED_OUT` or `RECOVERY` → `RECOVERY`.
    pub fn reset_password(self, now: Timestamp) -> Result<Self, TransitionError> {
        use UserStatus::{Active, LockedOut, PasswordExpired, Recovery};
        self.moved("reset", &[Active, PasswordExpired, LockedOut, Recovery], Recovery, now)
    }

    /// `PASSWORD_EXPIRED`, `RECOVERY` or `PROVISIONED` → `ACTIVE`: the person chose a password.
    pub fn password_chosen(mut self, now: Timestamp) -> Result<Self, TransitionError> {
        use UserStatus::{Active, PasswordExpired, Provisioned, Recovery};
        self.activated.get_or_insert(now);
        self.moved("given a password", &[PasswordExpired, Recovery, Provisioned], Active, now)
    }

    fn moved(
        mut self,
        verb: &'static str,
        from: &[UserStatus],
        to: UserStatus,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        if !from.contains(&self.status) {
            return Err(TransitionError { from: self.status, verb });
        }
        self.status = to;
        self.status_changed = Some(now);
        self.last_updated = now;
        Ok(self)
    }
}

/// A user with what decisions and claims are made of: read afresh at every sign-in and every refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub user: User,
    /// The groups the user is in, sorted by name.
    pub groups: Vec<Group>,
    /// The applications that are assigned to the user directly.
    pub applications: BTreeSet<ApplicationId>,
}

impl Person {
    /// Whether the person is in that group.
    pub fn is_in(&self, group: &GroupId) -> bool {
        self.groups.iter().any(|member| member.id == *group)
    }
}

#[cfg(test)]
mod tests;
