//! `kubesso user`: the people of an installation.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use kubesso_ambient::{Clock, Entropy, OsEntropy, SystemClock};
use kubesso_directory::password::{Password, PasswordHash, PasswordHasher};
use kubesso_directory::{
    AdminRole, AuditEvent, AuditEventId, Batch, Change, Email, Group, GroupName, GroupType, Login, Outcome,
    Page, RoleAssignment, RoleAssignmentId, RoleHolder, Store, StoreError, User, UserId, UserProfile,
};
use serde::Serialize;

use crate::args::{DataDir, User as Command};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// Runs `kubesso user …`.
pub(crate) async fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::List { data, output } => {
            let people = People::open(&data).await?.list().await?;
            output::print(output.format, &people, || table(&people))?;
        }
        Command::Create { email, first_name, last_name, groups, data, output } => {
            let people = People::open(&data).await?;
            let made = people.create(&email, &first_name, &last_name, &groups).await?;
            output::print(output.format, &made, || made.sentence("password, shown this once"))?;
        }
        Command::ResetPassword { login, data, output } => {
            let people = People::open(&data).await?;
            let made = people.reset_password(&login).await?;
            output::print(output.format, &made, || made.sentence("new password, shown this once"))?;
        }
        Command::AddToGroup { login, group, data } => {
            People::open(&data).await?.change_group(&login, &group, Membership::Added).await?;
            println!("{login} is in {group}: seen at the next sign-in or refresh");
        }
        Command::GrantRole { login, role, data } => {
            People::open(&data).await?.grant(&login, role.admin_role()).await?;
            println!("{login} is a {} now", role.admin_role().label());
        }
        Command::RevokeRole { login, role, data } => {
            People::open(&data).await?.revoke(&login, role.admin_role()).await?;
            println!("{login} is no {} any more", role.admin_role().label());
        }
        Command::RemoveFromGroup { login, group, data } => {
            People::open(&data).await?.change_group(&login, &group, Membership::Removed).await?;
            println!("{login} is not in {group}: seen at the next sign-in or refresh");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Somebody in the list.
#[derive(Debug, Serialize)]
struct Listed {
    login: String,
    status: String,
    groups: Vec<String>,
    roles: Vec<&'static str>,
    last_sign_in: Option<Timestamp>,
}

/// A password for its owner. Serialised only by the command that made it.
#[derive(Serialize)]
struct Made {
    login: String,
    password: String,
}

impl Made {
    fn sentence(&self, what: &str) -> String {
        format!("{}  {}  ({what})", self.login, self.password)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.password);
    }
}

#[derive(Clone, Copy)]
enum Membership {
    Added,
    Removed,
}

struct People {
    store: Arc<dyn Store>,
    now: Timestamp,
    entropy: OsEntropy,
}

impl People {
    async fn open(data: &DataDir) -> Result<Self, CommandError> {
        let (database, _) = Database::open_existing(&environment::data_dir(data)?).await?;
        Ok(Self { store: database.store(), now: SystemClock.now(), entropy: OsEntropy })
    }

    async fn list(&self) -> Result<Vec<Listed>, CommandError> {
        let mut listed = Vec::new();
        let all_roles = self.store.roles().await.map_err(|e| unreadable(&e))?;
        let mut after: Option<UserId> = None;
        loop {
            let page = Page { after: after.as_ref(), limit: 200 };
            let users = self.store.users(page).await.map_err(|e| unreadable(&e))?;
            let Some(last) = users.last() else { break };
            after = Some(last.id.clone());
            for user in users {
                let person = self.store.person(&user.id).await.map_err(|e| unreadable(&e))?;
                let groups = person.iter().flat_map(|person| &person.groups);
                let mut groups: Vec<_> = groups
                    .filter(|group| group.group_type != GroupType::BuiltIn)
                    .map(|group| group.name.to_string())
                    .collect();
                groups.sort();
                let is_held = |assignment: &&RoleAssignment| match &assignment.holder {
                    RoleHolder::User(holder) => *holder == user.id,
                    RoleHolder::Group(group) => person.as_ref().is_some_and(|person| person.is_in(group)),
                    RoleHolder::Client(_) => false,
                };
                let mut roles: Vec<_> =
                    all_roles.iter().filter(is_held).map(|assignment| assignment.role.as_str()).collect();
                roles.sort_unstable();
                roles.dedup();
                listed.push(Listed {
                    login: user.profile.login.to_string(),
                    status: user.status.as_str().to_owned(),
                    groups,
                    roles,
                    last_sign_in: user.last_login,
                });
            }
        }
        listed.sort_by(|a, b| a.login.cmp(&b.login));
        Ok(listed)
    }

    async fn create(
        &self,
        email: &str,
        first_name: &str,
        last_name: &str,
        groups: &[String],
    ) -> Result<Made, CommandError> {
        let email = Email::parse(email).map_err(|e| CommandError::usage(e.to_string()))?;
        let profile = UserProfile::with_email(email).map_err(|e| CommandError::usage(e.to_string()))?;
        if self.store.user_by_login(&profile.login).await.map_err(|e| unreadable(&e))?.is_some() {
            return Err(CommandError::new(format!(
                "there is somebody with the login {} already",
                profile.login
            ))
            .mend("give them a new password with `kubesso user reset-password`"));
        }
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let profile = UserProfile { first_name: named(first_name), last_name: named(last_name), ..profile };
        let login = profile.login.to_string();
        let user = User::new(UserId::generate(&self.entropy), profile, self.now)
            .activate(self.now)
            .map_err(|e| CommandError::new(e.to_string()))?;
        let (password, hash) = self.new_password()?;
        let id = user.id.clone();
        let mut changes = vec![Change::PutUser(user), Change::SetPassword(id.clone(), hash)];
        for name in groups {
            changes.push(Change::AddMember(self.group(name).await?.id, id.clone()));
        }
        changes.push(self.audit(
            "user.lifecycle.create",
            &id,
            format!("{login} was created by `kubesso user create`"),
        ));
        self.commit(changes).await?;
        Ok(Made { login, password: password.expose().to_owned() })
    }

    async fn reset_password(&self, login: &str) -> Result<Made, CommandError> {
        let user = self.user(login).await?;
        let (password, hash) = self.new_password()?;
        let id = user.id;
        let login = user.profile.login.to_string();
        let audit = self.audit(
            "user.account.reset_password",
            &id,
            format!("{login} got a new password by `kubesso user`"),
        );
        self.commit(vec![
            Change::SetPassword(id.clone(), hash),
            Change::EndSessions(id.clone()),
            Change::EndGrants(id),
            audit,
        ])
        .await?;
        Ok(Made { login, password: password.expose().to_owned() })
    }

    async fn change_group(
        &self,
        login: &str,
        group: &str,
        membership: Membership,
    ) -> Result<(), CommandError> {
        let user = self.user(login).await?.id;
        let group = self.group(group).await?;
        let (change, event, verb) = match membership {
            Membership::Added => {
                (Change::AddMember(group.id, user.clone()), "group.user_membership.add", "put into")
            }
            Membership::Removed => {
                (Change::RemoveMember(group.id, user.clone()), "group.user_membership.remove", "taken out of")
            }
        };
        let audit = self.audit(event, &user, format!("{login} was {verb} {} by `kubesso user`", group.name));
        self.commit(vec![change, audit]).await
    }

    async fn grant(&self, login: &str, role: AdminRole) -> Result<(), CommandError> {
        let user = self.user(login).await?;
        let assignment = RoleAssignment {
            id: RoleAssignmentId::generate(&self.entropy),
            holder: RoleHolder::User(user.id.clone()),
            role,
            created: self.now,
        };
        let message = format!("{login} was made {} by `kubesso user`", role.as_str());
        let audit = self.audit("user.account.privilege.grant", &user.id, message);
        self.commit(vec![Change::AssignRole(assignment), audit]).await
    }

    async fn revoke(&self, login: &str, role: AdminRole) -> Result<(), CommandError> {
        let user = self.user(login).await?;
        let held =
            self.store.roles_of(&RoleHolder::User(user.id.clone())).await.map_err(|e| unreadable(&e))?;
        let Some(assignment) = held.iter().find(|assignment| assignment.role == role) else {
            return Err(CommandError::new(format!("{login} has no role {} by itself", role.as_str()))
                .mend("see `kubesso user list`; a role may come by a group"));
        };
        let message = format!("{login} is no {} any more by `kubesso user`", role.as_str());
        let audit = self.audit("user.account.privilege.revoke", &user.id, message);
        self.commit(vec![Change::UnassignRole(assignment.id.clone()), audit]).await
    }

    async fn user(&self, login: &str) -> Result<User, CommandError> {
        let parsed = Login::parse(login).map_err(|e| CommandError::usage(e.to_string()))?;
        self.store.user_by_login(&parsed).await.map_err(|e| unreadable(&e))?.ok_or_else(|| {
            CommandError::new(format!("there is nobody with the login {login}"))
                .mend("see `kubesso user list`")
        })
    }

    async fn group(&self, name: &str) -> Result<Group, CommandError> {
        let parsed = GroupName::parse(name).map_err(|e| CommandError::usage(e.to_string()))?;
        if let Some(group) = self.store.group_by_name(&parsed).await.map_err(|e| unreadable(&e))? {
            return Ok(group);
        }
        let groups = self.store.groups(Page::first(50)).await.map_err(|e| unreadable(&e))?;
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        Err(CommandError::new(format!("there is no group {name:?}"))
            .mend(format!("there are: {}", names.join(", "))))
    }

    fn new_password(&self) -> Result<(Password, PasswordHash), CommandError> {
        let password = Password::generate(&self.entropy);
        let hash = PasswordHasher::default()
            .hash(&password, &self.entropy)
            .map_err(|e| CommandError::because("the password could not be hashed", &e))?;
        Ok((password, hash))
    }

    fn audit(&self, event_type: &str, target: &UserId, message: String) -> Change {
        Change::Audit(AuditEvent {
            id: AuditEventId::generate(&self.entropy as &dyn Entropy),
            published: self.now,
            event_type: event_type.to_owned(),
            actor: "system".to_owned(),
            target: Some(target.to_string()),
            outcome: Outcome::Success,
            message,
            details: serde_json::Map::new(),
        })
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), CommandError> {
        let committed = self.store.commit(Batch::new(self.now, changes)).await;
        committed.map(drop).map_err(|e| CommandError::because("nothing was changed", &e))
    }
}

fn unreadable(error: &StoreError) -> CommandError {
    CommandError::because("the directory cannot be read", error)
}

fn table(people: &[Listed]) -> String {
    output::table(
        &["LOGIN", "STATUS", "GROUPS", "ROLES", "LAST SIGN-IN"],
        people.iter().map(|person| {
            let last = person.last_sign_in.map_or_else(|| "never".to_owned(), |at| at.to_string());
            vec![
                person.login.clone(),
                person.status.clone(),
                person.groups.join(", "),
                person.roles.join(", "),
                last,
            ]
        }),
    )
}
