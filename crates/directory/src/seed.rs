//! The first world: what a new directory begins with, written in one transaction or not at all.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kubesso_ambient::{Clock, Entropy};

use crate::admin::{AdminRole, RoleAssignment, RoleHolder};
use crate::application::{Application, GrantType, GroupAssignment, Status, UserAssignment};
use crate::authorization_server::{AuthorizationServer, Scope};
use crate::claim::{Claim, ClaimType, ClaimValue, FilterError, FilterType, GroupFilter};
use crate::group::Group;
use crate::id::{
    ApplicationId, AuthorizationServerId, ClaimId, GroupId, PolicyId, RoleAssignmentId, RuleId, UserId,
};
use crate::name::{Audience, ClaimName, Email, GroupName, Label, Login, NameError};
use crate::password::PasswordHash;
use crate::policy::{Lifetimes, Policy, PolicyClients, Rule, RulePeople, RuleScopes};
use crate::redirect::{RedirectUri, RedirectUriError};
use crate::store::{Batch, Change, Expectation, Store};
use crate::store_error::StoreError;
use crate::user::{User, UserProfile};

/// A group of the first world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstGroup {
    /// Its name.
    pub name: GroupName,
    /// What it is for.
    pub description: String,
    /// Whether the application is assigned to it.
    pub assigned: bool,
}

/// A person of the first world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstUser {
    /// Names and addresses.
    pub profile: UserProfile,
    /// The password's hash; without one the person cannot sign in yet.
    pub password: Option<PasswordHash>,
    /// The groups, by name.
    pub groups: Vec<GroupName>,
    /// Whether the application is assigned to the person directly.
    pub assigned: bool,
    /// What the person may manage.
    pub role: Option<AdminRole>,
}

/// What a new directory begins with: people and groups, one native application, one authorization server with
/// a `groups` claim in its ID tokens, one policy for that application with one rule. Or the people only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstWorld {
    /// Groups.
    pub groups: Vec<FirstGroup>,
    /// People.
    pub users: Vec<FirstUser>,
    /// The application's name.
    pub application: Label,
    /// Where its codes may go, and the browser after logout.
    pub redirect_uris: Vec<RedirectUri>,
    /// The authorization server's name.
    pub server: Label,
    /// Its access tokens' audience.
    pub audience: Audience,
    /// Which groups its ID tokens name.
    pub group_filter: GroupFilter,
    /// The policy's name.
    pub policy: Label,
    /// The rule's name.
    pub rule: Label,
    /// The rule's lifetimes.
    pub lifetimes: Lifetimes,
    /// Whether it begins with the people only: groups, application and authorization server come from elsewhere.
    pub people_only: bool,
}

/// Why there is no first world.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A redirect URI that cannot be one.
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriError),
    /// A group filter that cannot be one.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A user in a group that the world does not have.
    #[error("`{user}` should be in the group `{group}`, which the first world does not have")]
    UnknownGroup {
        /// The user.
        user: Login,
        /// The group.
        group: GroupName,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What there is after [`seed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// Whether it was written now. If not, all was there before and nothing was changed.
    pub created: bool,
    /// The application of that name; `None` if somebody has removed it since.
    pub application: Option<Application>,
    /// The authorization server of that name; `None` if somebody has removed it since.
    pub server: Option<AuthorizationServer>,
    /// Those of the world's people that there are, in its order.
    pub users: Vec<User>,
}

impl FirstWorld {
    /// The world of the tutorial, without passwords: `admin@` in `k8s-admins`, `dev@` in
    /// `k8s-restricted-users`, `guest@` in no group but assigned to the application, `outsider@` not
    /// assigned, all at example.com, `admin@` a super administrator; the native application `k8s OIDC`; the authorization server `k8s-auth`.
    pub fn tutorial() -> Result<Self, SeedError> {
        let group = |name, description: &str| {
            Ok::<_, NameError>(FirstGroup {
                name: GroupName::parse(name)?,
                description: description.to_owned(),
                assigned: true,
            })
        };
        let user = |login: &str, first_name: &str, group: Option<&str>, assigned| {
            let mut profile = UserProfile::with_email(Email::parse(&format!("{login}@example.com"))?)?;
            profile.first_name = Some(first_name.to_owned());
            profile.last_name = Some("Example".to_owned());
            let groups = group.map(GroupName::parse).transpose()?.into_iter().collect();
            Ok::<_, NameError>(FirstUser { profile, password: None, groups, assigned, role: None })
        };
        let mut admin = user("admin", "Ada", Some("k8s-admins"), false)?;
        admin.role = Some(AdminRole::SuperAdmin);
        Ok(Self {
            groups: vec![
                group("k8s-admins", "May do everything in the cluster")?,
                group("k8s-restricted-users", "May look at pods and services in the namespace default")?,
            ],
            users: vec![
                admin,
                user("dev", "Dev", Some("k8s-restricted-users"), false)?,
                user("guest", "Guest", None, true)?,
                user("outsider", "Otto", None, false)?,
            ],
            application: Label::parse("k8s OIDC")?,
            redirect_uris: vec![RedirectUri::parse("http://localhost:8000")?],
            server: Label::parse("k8s-auth")?,
            audience: Audience::parse("http://localhost:8000")?,
            group_filter: GroupFilter::new(FilterType::StartsWith, "k8s-")?,
            policy: Label::parse("k8s_policy")?,
            rule: Label::parse("AuthCode + PKCE")?,
            lifetimes: Lifetimes::default(),
            people_only: false,
        })
    }

    fn changes(&self, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<Vec<Change>, SeedError> {
        let now = clock.now();
        let mut changes = vec![Change::PutGroup(Group::everyone(entropy, now)?)];
        if self.people_only {
            for first in &self.users {
                self.add_person(first, &[], &mut changes, entropy, now)?;
            }
            return Ok(changes);
        }
        let server = AuthorizationServer::new(
            AuthorizationServerId::generate(entropy),
            self.server.clone(),
            vec![self.audience.clone()],
            now,
        );
        let mut application = Application::native(
            ApplicationId::generate(entropy),
            self.application.clone(),
            self.redirect_uris.clone(),
            now,
        );
        // Over SSH there is no browser that could come back to the plugin.
        application.grant_types.insert(GrantType::DeviceCode);
        changes.push(Change::PutAuthorizationServer(server.clone()));
        changes.extend(Scope::system(&server.id, entropy).into_iter().map(Change::PutScope));
        changes.push(Change::PutClaim(Claim {
            id: ClaimId::generate(entropy),
            server: server.id.clone(),
            name: ClaimName::parse("groups")?,
            status: Status::Active,
            claim_type: ClaimType::Identity,
            value: ClaimValue::Groups(self.group_filter.clone()),
            always_include_in_token: true,
            scopes: BTreeSet::new(),
            system: false,
        }));
        changes.push(Change::PutApplication(application.clone()));

        let mut groups = Vec::new();
        for (first, priority) in self.groups.iter().zip(0_u32..) {
            let group =
                Group::new(GroupId::generate(entropy), first.name.clone(), first.description.clone(), now);
            changes.push(Change::PutGroup(group.clone()));
            if first.assigned {
                changes.push(Change::AssignGroup(GroupAssignment::new(
                    application.id.clone(),
                    group.id.clone(),
                    priority,
                    now,
                )));
            }
            groups.push(group);
        }
        for first in &self.users {
            let user = self.add_person(first, &groups, &mut changes, entropy, now)?;
            if first.assigned {
                changes.push(Change::AssignUser(UserAssignment::new(application.id.clone(), user, now)));
            }
        }
        let policy = Policy {
            id: PolicyId::generate(entropy),
            server: server.id,
            name: self.policy.clone(),
            description: format!("Who gets tokens for {}", self.application),
            status: Status::Active,
            priority: 1,
            clients: PolicyClients::Only([application.client_id].into()),
            system: false,
            created: now,
            last_updated: now,
        };
        let rule = Rule {
            id: RuleId::generate(entropy),
            policy: policy.id.clone(),
            name: self.rule.clone(),
            status: Status::Active,
            priority: 1,
            grant_types: [GrantType::AuthorizationCode, GrantType::DeviceCode].into(),
            people: RulePeople::everyone(),
            scopes: RuleScopes::Any,
            lifetimes: self.lifetimes,
            system: false,
            created: now,
            last_updated: now,
        };
        changes.extend([Change::PutPolicy(policy), Change::PutRule(rule)]);
        Ok(changes)
    }

    /// A person in those of `groups` that it should be in. Without any groups, the person is in none.
    fn add_person(
        &self,
        first: &FirstUser,
        groups: &[Group],
        changes: &mut Vec<Change>,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<UserId, SeedError> {
        let user = User::new(UserId::generate(entropy), first.profile.clone(), now);
        let user = user.clone().activate(now).unwrap_or(user);
        changes.push(Change::PutUser(user.clone()));
        if let Some(hash) = &first.password {
            changes.push(Change::SetPassword(user.id.clone(), hash.clone()));
        }
        for name in first.groups.iter().filter(|_| !self.people_only) {
            let group = groups.iter().find(|group| group.name == *name).ok_or_else(|| {
                SeedError::UnknownGroup { user: first.profile.login.clone(), group: name.clone() }
            })?;
            changes.push(Change::AddMember(group.id.clone(), user.id.clone()));
        }
        if let Some(role) = first.role {
            changes.push(Change::AssignRole(RoleAssignment {
                id: RoleAssignmentId::generate(entropy),
                holder: RoleHolder::User(user.id.clone()),
                role,
                created: now,
            }));
        }
        Ok(user.id)
    }
}

/// Writes `world` into an empty store, all of it in one transaction. A store that is not empty is left as it
/// is: what an administrator removed stays removed. Of two that seed at once, one creates and the other
/// finds.
pub async fn seed(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    world: &FirstWorld,
) -> Result<Seeded, SeedError> {
    let batch = Batch::new(clock.now(), world.changes(clock, entropy)?).expecting(Expectation::Empty);
    let created = match store.commit(batch).await {
        Ok(_) => true,
        Err(StoreError::Stale) => false,
        Err(error) => return Err(error.into()),
    };
    let snapshot = store.snapshot().await?;
    let mut users = Vec::new();
    for first in &world.users {
        users.extend(store.user_by_login(&first.profile.login).await?);
    }
    Ok(Seeded {
        created,
        application: snapshot.applications().find(|found| found.label == world.application).cloned(),
        server: snapshot
            .servers()
            .map(|found| &found.server)
            .find(|found| found.name == world.server)
            .cloned(),
        users,
    })
}
