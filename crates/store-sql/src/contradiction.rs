//! What a refused change is about, in words.

use kubesso_directory::{Change, StoreError};

use crate::connection::{ErrorKind, SqlError};
use crate::database;

/// What a refused statement means.
pub(crate) fn contradiction(change: &Change, error: SqlError) -> StoreError {
    match error.kind() {
        ErrorKind::UniqueViolation => {
            let (what, name) = subject(change);
            StoreError::Conflict { what, name }
        }
        ErrorKind::ForeignKeyViolation => dangling(change),
        _ => database("write a change")(error),
    }
}

pub(crate) fn dangling(change: &Change) -> StoreError {
    let (what, name) = subject(change);
    let what = match change {
        Change::SetPassword(..) => format!("the password of `{name}`"),
        _ => format!("the {what} `{name}`"),
    };
    StoreError::Dangling { what }
}

/// What a change is about, in words.
fn subject(change: &Change) -> (&'static str, String) {
    match change {
        Change::PutUser(user) => ("user", user.profile.login.to_string()),
        Change::RemoveUser(id)
        | Change::SetPassword(id, _)
        | Change::KeepOldPassword(id, _)
        | Change::EndSessions(id)
        | Change::EndOtherSessions(id, _)
        | Change::RemoveOneTimeTokens(id)
        | Change::EndGrants(id) => ("user", id.to_string()),
        Change::EndSession(id) => ("session", id.to_string()),
        Change::EndGrant(id) => ("grant", id.to_string()),
        Change::EndClientGrants(id) => ("client", id.to_string()),
        Change::EndServerGrants(id) | Change::RemoveAuthorizationServer(id) => {
            ("authorization server", id.to_string())
        }
        Change::GiveConsent(grant) => {
            ("consent", format!("{} to {} of {}", grant.scope, grant.application, grant.user))
        }
        Change::WithdrawConsent(id) => ("consent", id.to_string()),
        Change::PutOneTimeToken(token) => ("link", token.user.to_string()),
        Change::PutGroup(group) => ("group", group.name.to_string()),
        Change::RemoveGroup(id) => ("group", id.to_string()),
        Change::AddMember(group, user)
        | Change::RemoveMember(group, user)
        | Change::AddRuleMember(_, group, user)
        | Change::RemoveRuleMember(_, group, user) => ("membership", format!("{user} in {group}")),
        Change::PutGroupRule(rule) => ("group rule", rule.name.to_string()),
        Change::RemoveGroupRule(id) => ("group rule", id.to_string()),
        Change::PutApiToken(token) => ("API token", token.name.to_string()),
        Change::PutInitialAccessToken(token) => ("initial access token", token.name.to_string()),
        Change::RemoveApiToken(id) => ("API token", id.to_string()),
        Change::RemoveInitialAccessToken(id) => ("initial access token", id.to_string()),
        Change::AssignRole(assignment) => ("role assignment", assignment.role.as_str().to_owned()),
        Change::UnassignRole(id) => ("role assignment", id.to_string()),
        Change::PutApplication(application) => ("application", application.client_id.to_string()),
        Change::RemoveApplication(id) => ("application", id.to_string()),
        Change::AssignGroup(assigned) => {
            ("assignment", format!("{} to {}", assigned.application, assigned.group))
        }
        Change::UnassignGroup(application, group) => ("assignment", format!("{application} to {group}")),
        Change::AssignUser(assigned) => {
            ("assignment", format!("{} to {}", assigned.application, assigned.user))
        }
        Change::UnassignUser(application, user) => ("assignment", format!("{application} to {user}")),
        Change::PutAuthorizationServer(server) => ("authorization server", server.name.to_string()),
        Change::PutScope(scope) => ("scope", scope.name.to_string()),
        Change::RemoveScope(id) => ("scope", id.to_string()),
        Change::PutClaim(claim) => ("claim", claim.name.to_string()),
        Change::RemoveClaim(id) => ("claim", id.to_string()),
        Change::PutPolicy(policy) => ("policy", policy.name.to_string()),
        Change::RemovePolicy(id) => ("policy", id.to_string()),
        Change::PutRule(rule) => ("policy rule", rule.name.to_string()),
        Change::RemoveRule(id) => ("policy rule", id.to_string()),
        Change::Reseal(_) => ("sealing key", String::new()),
        Change::PutSigningKey(key) => ("signing key", key.kid.to_string()),
        Change::RemoveSigningKey(_, kid) => ("signing key", kid.to_string()),
        Change::Audit(event) => ("audit event", event.id.to_string()),
    }
}
