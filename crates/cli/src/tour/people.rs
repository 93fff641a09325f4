//! Who goes on the tour.

use std::sync::Arc;

use jiff::Timestamp;
use kubesso_ambient::{Clock, OsEntropy, SystemClock};
use kubesso_directory::password::{Password, PasswordHasher};
use kubesso_directory::{
    Batch, Change, Email, GroupName, Login, Store, StoreError, User, UserAssignment, UserId, UserProfile,
};
use zeroize::Zeroizing;

use crate::error::CommandError;
use crate::tour::form_browser::Credentials;
use crate::up::{Facts, Running};

/// What somebody is in the first world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Admin,
    Developer,
    Guest,
    Outsider,
}

const ROLES: [Role; 4] = [Role::Admin, Role::Developer, Role::Guest, Role::Outsider];

impl Role {
    /// Who has it in the first world.
    fn email(self) -> &'static str {
        match self {
            Self::Admin => "admin@example.com",
            Self::Developer => "dev@example.com",
            Self::Guest => "guest@example.com",
            Self::Outsider => "outsider@example.com",
        }
    }

    /// Who stands in for them when their password is not known. `.invalid` is nobody's (RFC 2606 §2).
    fn stand_in(self) -> &'static str {
        match self {
            Self::Admin => "tour-admin@kubesso.invalid",
            Self::Developer => "tour-dev@kubesso.invalid",
            Self::Guest => "tour-guest@kubesso.invalid",
            Self::Outsider => "tour-outsider@kubesso.invalid",
        }
    }

    fn group(self) -> Option<&'static str> {
        match self {
            Self::Admin => Some("k8s-admins"),
            Self::Developer => Some("k8s-restricted-users"),
            Self::Guest | Self::Outsider => None,
        }
    }
}

/// Somebody on the tour.
pub(super) struct Traveller {
    pub(super) role: Role,
    pub(super) email: String,
    pub(super) credentials: Credentials,
}

/// Everybody on the tour, and who has to be taken away afterwards.
pub(super) struct Travellers {
    all: Vec<Traveller>,
    stand_ins: Vec<UserId>,
    store: Arc<dyn Store>,
}

/// The four people if their passwords are known, stand-ins otherwise.
pub(super) async fn travellers(running: &Running) -> Result<Travellers, CommandError> {
    let store = running.store();
    if let Some(all) = the_four(running.facts()) {
        return Ok(Travellers { all, stand_ins: Vec::new(), store });
    }
    let now = SystemClock.now();
    let mut all = Vec::new();
    let mut stand_ins = Vec::new();
    let mut changes = Vec::new();
    for role in ROLES {
        let (traveller, user, made) =
            stand_in(&*store, role, &running.facts().registration()?.client_id, now).await?;
        all.push(traveller);
        stand_ins.push(user);
        changes.extend(made);
    }
    store.commit(Batch::new(now, changes)).await.map_err(|e| unstored(&e))?;
    Ok(Travellers { all, stand_ins, store })
}

impl Travellers {
    pub(super) fn all(&self) -> &[Traveller] {
        &self.all
    }

    /// Takes the stand-ins away, with whatever they left: sessions, codes, refresh tokens.
    pub(super) async fn leave(self) -> Result<(), CommandError> {
        let changes: Vec<_> = self.stand_ins.into_iter().map(Change::RemoveUser).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let left = self.store.commit(Batch::new(SystemClock.now(), changes)).await;
        left.map(drop).map_err(|e| unstored(&e))
    }
}

fn the_four(facts: &Facts) -> Option<Vec<Traveller>> {
    ROLES
        .into_iter()
        .map(|role| {
            let person = facts.users.iter().find(|person| person.email == role.email())?;
            let password = Zeroizing::new(person.password.as_ref()?.expose().to_owned());
            let credentials = Credentials { username: person.email.clone(), password };
            Some(Traveller { role, email: person.email.clone(), credentials })
        })
        .collect()
}

async fn stand_in(
    store: &dyn Store,
    role: Role,
    client_id: &str,
    now: Timestamp,
) -> Result<(Traveller, UserId, Vec<Change>), CommandError> {
    let entropy = OsEntropy;
    let mut changes = Vec::new();
    let login = Login::parse(role.stand_in()).map_err(|e| CommandError::new(e.to_string()))?;
    // Left behind by a tour that was cut off.
    let left_behind = store.user_by_login(&login).await.map_err(|e| unstored(&e))?;
    changes.extend(left_behind.map(|user| Change::RemoveUser(user.id)));
    let email = Email::parse(role.stand_in()).map_err(|e| CommandError::new(e.to_string()))?;
    let profile = UserProfile::with_email(email).map_err(|e| CommandError::new(e.to_string()))?;
    let user = User::new(UserId::generate(&entropy), profile, now)
        .activate(now)
        .map_err(|e| CommandError::new(e.to_string()))?;
    let id = user.id.clone();
    let password = Password::generate(&entropy);
    let hash = PasswordHasher::default()
        .hash(&password, &entropy)
        .map_err(|e| CommandError::because("a password could not be hashed", &e))?;
    changes.extend([Change::PutUser(user), Change::SetPassword(id.clone(), hash)]);
    if let Some(name) = role.group() {
        let parsed = GroupName::parse(name).map_err(|e| CommandError::new(e.to_string()))?;
        let group = store.group_by_name(&parsed).await.map_err(|e| unstored(&e))?;
        let group = group.ok_or_else(|| CommandError::new(format!("there is no group {name} any more")))?;
        changes.push(Change::AddMember(group.id, id.clone()));
    }
    if role == Role::Guest {
        let snapshot = store.snapshot().await.map_err(|e| unstored(&e))?;
        let application = snapshot
            .applications()
            .find(|application| application.client_id.as_str() == client_id)
            .ok_or_else(|| CommandError::new("the application is not there any more"))?;
        let assignment = UserAssignment::new(application.id.clone(), id.clone(), now);
        changes.push(Change::AssignUser(assignment));
    }
    let password = Zeroizing::new(password.expose().to_owned());
    let credentials = Credentials { username: role.stand_in().to_owned(), password };
    let traveller = Traveller { role, email: format!("stand-in for {}", role.email()), credentials };
    Ok((traveller, id, changes))
}

fn unstored(error: &StoreError) -> CommandError {
    CommandError::because("the tour cannot use the directory", error)
}
