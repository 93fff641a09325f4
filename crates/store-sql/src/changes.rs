//! Writing a batch: one statement or two a change, in the transaction that the caller commits.

use jiff::Timestamp;
use kubesso_directory::{
    Application, AuditEvent, AuthorizationServer, Batch, Change, Claim, ClaimValue, ClientAuthentication,
    ClientKeys, Expectation, Group, GroupId, GroupType, KeyState, PasswordHash, Policy, RefreshRotation,
    Resealing, Revision, Rule, Scope, Sealed, SigningKeyRecord, StoreError, User, UserId,
};

use crate::connection::Connection;
use crate::contradiction::{contradiction, dangling};
use crate::logout_deliveries::{Ending, note};
use crate::row::{Row, json, micros, word};
use crate::statement::Statement;
use crate::{administration, configuration, database, grants};

/// Writes the batch; the revision afterwards.
pub async fn apply(connection: &mut dyn Connection, batch: &Batch) -> Result<Revision, StoreError> {
    let revision = configuration::revision(connection).await?;
    let met = match &batch.expectation {
        Expectation::Any => true,
        Expectation::Revision(expected) => *expected == revision,
        Expectation::Group(id, read) => {
            is_as_read(connection, "SELECT id, last_updated FROM groups WHERE id = ?", id.as_str(), *read)
                .await?
        }
        Expectation::User(id, read) => {
            is_as_read(connection, "SELECT id, last_updated FROM users WHERE id = ?", id.as_str(), *read)
                .await?
        }
        Expectation::Empty => is_empty(connection).await?,
    };
    if !met {
        return Err(StoreError::Stale);
    }
    for change in &batch.changes {
        write(connection, change, batch.at).await?;
    }
    if !batch.changes.iter().any(Change::is_configuration) {
        return Ok(revision);
    }
    Statement::new("UPDATE directory SET revision = revision + 1")
        .execute(connection)
        .await
        .map_err(database("move the revision"))?;
    Ok(Revision(revision.0 + 1))
}

async fn is_empty(connection: &mut dyn Connection) -> Result<bool, StoreError> {
    let row = Statement::new(
        "SELECT NOT EXISTS (SELECT 1 FROM users) AND NOT EXISTS (SELECT 1 FROM groups) \
         AND NOT EXISTS (SELECT 1 FROM applications) AND NOT EXISTS (SELECT 1 FROM authorization_servers) AS empty",
    )
    .fetch_one(connection)
    .await
    .map_err(database("look whether the directory is empty"))?;
    Row::new(&row, "directory", "id").flag("empty")
}

/// Whether an object still is as it was read then.
async fn is_as_read(
    connection: &mut dyn Connection,
    sql: &'static str,
    id: &str,
    read: Timestamp,
) -> Result<bool, StoreError> {
    let found = Statement::new(sql)
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await
        .map_err(database("look whether an object was changed"))?;
    let Some(row) = found else { return Ok(false) };
    Ok(Row::new(&row, "object", "id").time("last_updated")? == read)
}

async fn write(connection: &mut dyn Connection, change: &Change, at: Timestamp) -> Result<(), StoreError> {
    let mut touched = 0;
    for query in statements(change, at)? {
        let done = query.execute(connection).await.map_err(|error| contradiction(change, error))?;
        touched += done;
    }
    // A password that was set for nobody must not look as if it had been set.
    if touched == 0 && matches!(change, Change::SetPassword(..)) {
        return Err(dangling(change));
    }
    Ok(())
}

fn statements(change: &Change, at: Timestamp) -> Result<Vec<Statement>, StoreError> {
    let delete = |sql: &'static str, id: &str| vec![Statement::new(sql).bind(id.to_owned())];
    Ok(match change {
        Change::PutUser(user) => vec![put_user(user)?, join_everyone(user)],
        Change::RemoveUser(id) => delete("DELETE FROM users WHERE id = ?", id.as_str()),
        Change::SetPassword(id, hash) => vec![set_password(id, hash, at)],
        Change::EndSessions(id) => vec![
            note(Ending::User(id.as_str()), at),
            Statement::new("DELETE FROM sessions WHERE user_id = ?").bind(id.to_string()),
        ],
        Change::KeepOldPassword(id, number) => keep_old_password(id, *number, at),
        Change::EndOtherSessions(id, session) => vec![
            note(Ending::Others(id.as_str(), session.as_str()), at),
            Statement::new("DELETE FROM sessions WHERE user_id = ? AND id <> ?")
                .bind(id.to_string())
                .bind(session.to_string()),
        ],
        Change::EndSession(id) => vec![
            note(Ending::Session(id.as_str()), at),
            Statement::new("DELETE FROM sessions WHERE id = ?").bind(id.to_string()),
        ],
        Change::EndGrants(id) => grants::end_statements("user_id", id.as_str(), at),
        Change::EndClientGrants(id) => grants::end_statements("client_id", id.as_str(), at),
        Change::EndServerGrants(id) => grants::end_statements("server_id", id.as_str(), at),
        Change::EndGrant(id) => grants::end_statements("grant_id", id.as_str(), at),
        Change::PutGroup(group) => put_group(group)?,
        Change::RemoveGroup(id) => delete("DELETE FROM groups WHERE id = ?", id.as_str()),
        Change::AddMember(group, user) => add_member(group, user, at),
        Change::RemoveMember(group, user) => remove_member(group, user, at),
        Change::PutGroupRule(_)
        | Change::RemoveGroupRule(_)
        | Change::AddRuleMember(..)
        | Change::RemoveRuleMember(..)
        | Change::PutApiToken(_)
        | Change::PutInitialAccessToken(_)
        | Change::RemoveInitialAccessToken(_)
        | Change::RemoveApiToken(_)
        | Change::AssignRole(_)
        | Change::UnassignRole(_)
        | Change::GiveConsent(_)
        | Change::WithdrawConsent(_)
        | Change::PutOneTimeToken(_)
        | Change::RemoveOneTimeTokens(_) => administration::statements(change, at)?,
        Change::PutApplication(application) => put_application(application)?,
        Change::RemoveApplication(id) => delete("DELETE FROM applications WHERE id = ?", id.as_str()),
        Change::AssignGroup(assigned) => vec![
            Statement::new(
                "INSERT INTO application_groups (application_id, group_id, priority, profile, last_updated) \
                 VALUES (?, ?, ?, ?, ?) ON CONFLICT (application_id, group_id) DO UPDATE SET \
                 priority = excluded.priority, profile = excluded.profile, last_updated = excluded.last_updated",
            )
            .bind(assigned.application.to_string())
            .bind(assigned.group.to_string())
            .bind(assigned.priority)
            .bind(json(&assigned.profile)?)
            .bind(micros(assigned.last_updated)),
        ],
        Change::UnassignGroup(application, group) => vec![
            Statement::new("DELETE FROM application_groups WHERE application_id = ? AND group_id = ?")
                .bind(application.to_string())
                .bind(group.to_string()),
        ],
        Change::AssignUser(assigned) => vec![
            Statement::new(
                "INSERT INTO application_users (application_id, user_id, user_name, profile, last_updated) \
                 VALUES (?, ?, ?, ?, ?) ON CONFLICT (application_id, user_id) DO UPDATE SET \
                 user_name = excluded.user_name, profile = excluded.profile, last_updated = excluded.last_updated",
            )
            .bind(assigned.application.to_string())
            .bind(assigned.user.to_string())
            .bind(assigned.user_name.clone())
            .bind(json(&assigned.profile)?)
            .bind(micros(assigned.last_updated)),
        ],
        Change::UnassignUser(application, user) => vec![
            Statement::new("DELETE FROM application_users WHERE application_id = ? AND user_id = ?")
                .bind(application.to_string())
                .bind(user.to_string()),
        ],
        Change::PutAuthorizationServer(server) => vec![put_server(server)?],
        Change::RemoveAuthorizationServer(id) => {
            delete("DELETE FROM authorization_servers WHERE id = ?", id.as_str())
        }
        Change::PutScope(scope) => vec![put_scope(scope)?],
        Change::RemoveScope(id) => delete("DELETE FROM scopes WHERE id = ?", id.as_str()),
        Change::PutClaim(claim) => vec![put_claim(claim)?],
        Change::RemoveClaim(id) => delete("DELETE FROM claims WHERE id = ?", id.as_str()),
        Change::PutPolicy(policy) => vec![put_policy(policy)?],
        Change::RemovePolicy(id) => delete("DELETE FROM policies WHERE id = ?", id.as_str()),
        Change::PutRule(rule) => vec![put_rule(rule)?],
        Change::RemoveRule(id) => delete("DELETE FROM rules WHERE id = ?", id.as_str()),
        Change::Reseal(resealing) => reseal(resealing),
        Change::PutSigningKey(key) => vec![put_signing_key(key)?],
        Change::RemoveSigningKey(server, kid) => vec![
            Statement::new("DELETE FROM signing_keys WHERE server_id = ? AND kid = ?")
                .bind(server.to_string())
                .bind(kid.to_string()),
        ],
        Change::Audit(event) => vec![audit(event)?],
    })
}

fn put_user(user: &User) -> Result<Statement, StoreError> {
    // Sign-in and password times are the store's own: a profile that was read before must not set them back.
    Ok(Statement::new(
        "INSERT INTO users (id, login_folded, email_folded, status, profile, created, activated, status_changed, \
         last_updated, last_login, password_changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET login_folded = excluded.login_folded, \
         email_folded = excluded.email_folded, status = excluded.status, \
         profile = excluded.profile, created = excluded.created, activated = excluded.activated, \
         status_changed = excluded.status_changed, last_updated = excluded.last_updated",
    )
    .bind(user.id.to_string())
    .bind(user.profile.login.folded())
    .bind(user.profile.email.as_str().to_lowercase())
    .bind(user.status.as_str())
    .bind(json(&user.profile)?)
    .bind(micros(user.created))
    .bind(user.activated.map(micros))
    .bind(user.status_changed.map(micros))
    .bind(micros(user.last_updated))
    .bind(user.last_login.map(micros))
    .bind(user.password_changed.map(micros)))
}

fn set_password(id: &UserId, hash: &PasswordHash, at: Timestamp) -> Statement {
    Statement::new("UPDATE users SET password = ?, password_changed = ? WHERE id = ?")
        .bind(hash.expose().to_owned())
        .bind(micros(at))
        .bind(id.to_string())
}

fn keep_old_password(id: &UserId, number: u32, at: Timestamp) -> Vec<Statement> {
    let keep = Statement::new(
        "INSERT INTO password_history (user_id, hash, replaced) \
         SELECT id, password, ? FROM users WHERE id = ? AND password IS NOT NULL",
    );
    let forget = Statement::new(
        "DELETE FROM password_history WHERE user_id = ? AND id NOT IN \
         (SELECT id FROM password_history WHERE user_id = ? ORDER BY replaced DESC, id DESC LIMIT ?)",
    );
    vec![
        keep.bind(micros(at)).bind(id.to_string()),
        forget.bind(id.to_string()).bind(id.to_string()).bind(number),
    ]
}

/// Everybody is in the built-in group.
pub const JOIN_EVERYONE: &str = "INSERT INTO group_members (group_id, user_id) \
    SELECT id, ? FROM groups WHERE group_type = 'BUILT_IN' ON CONFLICT DO NOTHING";

fn join_everyone(user: &User) -> Statement {
    Statement::new(JOIN_EVERYONE).bind(user.id.to_string())
}

fn put_group(group: &Group) -> Result<Vec<Statement>, StoreError> {
    let put = Statement::new(
        "INSERT INTO groups (id, name, description, group_type, other, created, last_updated, \
         last_membership_updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
         name = excluded.name, description = excluded.description, group_type = excluded.group_type, \
         other = excluded.other, created = excluded.created, last_updated = excluded.last_updated",
    )
    .bind(group.id.to_string())
    .bind(group.name.to_string())
    .bind(group.description.clone())
    .bind(word(&group.group_type)?)
    .bind(json(&group.other)?)
    .bind(micros(group.created))
    .bind(micros(group.last_updated))
    .bind(micros(group.last_membership_updated));
    let mut queries = vec![put];
    if group.group_type == GroupType::BuiltIn {
        queries.push(
            Statement::new(
                "INSERT INTO group_members (group_id, user_id) SELECT ?, id FROM users WHERE true \
                 ON CONFLICT DO NOTHING",
            )
            .bind(group.id.to_string()),
        );
    }
    Ok(queries)
}

/// A membership that rules made becomes an administrator's.
fn add_member(group: &GroupId, user: &UserId, at: Timestamp) -> Vec<Statement> {
    vec![
        Statement::new(
            "UPDATE groups SET last_membership_updated = ? WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM group_members WHERE group_id = ? AND user_id = ? AND by_rule = false)",
        )
        .bind(micros(at))
        .bind(group.to_string())
        .bind(group.to_string())
        .bind(user.to_string()),
        Statement::new(
            "INSERT INTO group_members (group_id, user_id) VALUES (?, ?) \
             ON CONFLICT (group_id, user_id) DO UPDATE SET by_rule = false WHERE group_members.by_rule = true",
        )
        .bind(group.to_string())
        .bind(user.to_string()),
    ]
}

fn remove_member(group: &GroupId, user: &UserId, at: Timestamp) -> Vec<Statement> {
    vec![
        administration::noted(at, "group_id = ? AND user_id = ?", group, user),
        Statement::new("DELETE FROM group_members WHERE group_id = ? AND user_id = ?")
            .bind(group.to_string())
            .bind(user.to_string()),
    ]
}

fn put_application(application: &Application) -> Result<Vec<Statement>, StoreError> {
    let (jwks, jwks_uri) = match &application.authentication {
        ClientAuthentication::PrivateKeyJwt(keys) | ClientAuthentication::SelfSignedTls(keys) => match keys {
            ClientKeys::Inline(jwks) => (Some(json(jwks)?), None),
            ClientKeys::At(uri) => (None, Some(uri.to_string())),
        },
        _ => (None, None),
    };
    let certificate_subject = match &application.authentication {
        ClientAuthentication::Tls(subject) => Some(json(subject)?),
        _ => None,
    };
    let leeway = match application.refresh_rotation {
        RefreshRotation::Rotate { leeway } => Some(i64::try_from(leeway.as_millis()).unwrap_or(i64::MAX)),
        RefreshRotation::Static => None,
    };
    let mut queries = vec![
        Statement::new(
            "INSERT INTO applications (id, client_id, label, status, application_type, \
             token_endpoint_auth_method, jwks, jwks_uri, certificate_subject, pkce_required, grant_types, response_types, \
             redirect_uris, post_logout_redirect_uris, refresh_leeway_ms, api_scopes, other, created, \
             last_updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
             client_id = excluded.client_id, label = excluded.label, status = excluded.status, \
             application_type = excluded.application_type, \
             token_endpoint_auth_method = excluded.token_endpoint_auth_method, jwks = excluded.jwks, \
             jwks_uri = excluded.jwks_uri, certificate_subject = excluded.certificate_subject, pkce_required = excluded.pkce_required, \
             grant_types = excluded.grant_types, response_types = excluded.response_types, \
             redirect_uris = excluded.redirect_uris, \
             post_logout_redirect_uris = excluded.post_logout_redirect_uris, \
             refresh_leeway_ms = excluded.refresh_leeway_ms, api_scopes = excluded.api_scopes, \
             other = excluded.other, created = excluded.created, last_updated = excluded.last_updated",
        )
        .bind(application.id.to_string())
        .bind(application.client_id.to_string())
        .bind(application.label.to_string())
        .bind(application.status.as_str())
        .bind(word(&application.application_type)?)
        .bind(application.authentication.method())
        .bind(jwks)
        .bind(jwks_uri)
        .bind(certificate_subject)
        .bind(application.pkce_required)
        .bind(json(&application.grant_types)?)
        .bind(json(&application.response_types)?)
        .bind(json(&application.redirect_uris)?)
        .bind(json(&application.post_logout_redirect_uris)?)
        .bind(leeway)
        .bind(json(&application.api_scopes)?)
        .bind(json(&application.other)?)
        .bind(micros(application.created))
        .bind(micros(application.last_updated)),
        Statement::new("DELETE FROM client_secrets WHERE application_id = ?").bind(application.id.to_string()),
    ];
    for secret in application.authentication.secrets() {
        queries.push(
            Statement::new(
                "INSERT INTO client_secrets (id, application_id, hash, sealed, status, created) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(secret.id.to_string())
            .bind(application.id.to_string())
            .bind(secret.hash.as_bytes().to_vec())
            .bind(secret.sealed.as_bytes().to_vec())
            .bind(secret.status.as_str())
            .bind(micros(secret.created)),
        );
    }
    Ok(queries)
}

fn put_server(server: &AuthorizationServer) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO authorization_servers (id, name, description, audiences, status, rotation_mode, issuer_mode, \
         algorithm, created, last_updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
         name = excluded.name, description = excluded.description, audiences = excluded.audiences, \
         status = excluded.status, rotation_mode = excluded.rotation_mode, issuer_mode = excluded.issuer_mode, \
         algorithm = excluded.algorithm, created = excluded.created, last_updated = excluded.last_updated",
    )
    .bind(server.id.to_string())
    .bind(server.name.to_string())
    .bind(server.description.clone())
    .bind(json(&server.audiences)?)
    .bind(server.status.as_str())
    .bind(word(&server.rotation_mode)?)
    .bind(word(&server.issuer_mode)?)
    .bind(server.algorithm.clone())
    .bind(micros(server.created))
    .bind(micros(server.last_updated)))
}

fn put_scope(scope: &Scope) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO scopes (id, server_id, name, display_name, description, consent, metadata_publish, \
         is_default, optional, system) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
         server_id = excluded.server_id, name = excluded.name, display_name = excluded.display_name, \
         description = excluded.description, consent = excluded.consent, \
         metadata_publish = excluded.metadata_publish, is_default = excluded.is_default, \
         optional = excluded.optional, system = excluded.system",
    )
    .bind(scope.id.to_string())
    .bind(scope.server.to_string())
    .bind(scope.name.to_string())
    .bind(scope.display_name.clone())
    .bind(scope.description.clone())
    .bind(word(&scope.consent)?)
    .bind(word(&scope.metadata_publish)?)
    .bind(scope.default)
    .bind(scope.optional)
    .bind(scope.system))
}

fn put_claim(claim: &Claim) -> Result<Statement, StoreError> {
    let (value, filter_type) = match &claim.value {
        ClaimValue::Expression(expression) => (expression.as_str().to_owned(), None),
        ClaimValue::Groups(filter) => (filter.value().to_owned(), Some(filter.filter_type().as_str())),
    };
    Ok(Statement::new(
        "INSERT INTO claims (id, server_id, name, status, claim_type, value, group_filter_type, \
         always_include_in_token, scopes, system) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET server_id = excluded.server_id, name = excluded.name, \
         status = excluded.status, claim_type = excluded.claim_type, value = excluded.value, \
         group_filter_type = excluded.group_filter_type, \
         always_include_in_token = excluded.always_include_in_token, scopes = excluded.scopes, \
         system = excluded.system",
    )
    .bind(claim.id.to_string())
    .bind(claim.server.to_string())
    .bind(claim.name.to_string())
    .bind(claim.status.as_str())
    .bind(claim.claim_type.as_str())
    .bind(value)
    .bind(filter_type)
    .bind(claim.always_include_in_token)
    .bind(json(&claim.scopes)?)
    .bind(claim.system))
}

fn put_policy(policy: &Policy) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO policies (id, server_id, name, description, status, priority, clients, system, created, \
         last_updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
         server_id = excluded.server_id, name = excluded.name, description = excluded.description, \
         status = excluded.status, priority = excluded.priority, clients = excluded.clients, \
         system = excluded.system, created = excluded.created, last_updated = excluded.last_updated",
    )
    .bind(policy.id.to_string())
    .bind(policy.server.to_string())
    .bind(policy.name.to_string())
    .bind(policy.description.clone())
    .bind(policy.status.as_str())
    .bind(policy.priority)
    .bind(json(&policy.clients)?)
    .bind(policy.system)
    .bind(micros(policy.created))
    .bind(micros(policy.last_updated)))
}

fn put_rule(rule: &Rule) -> Result<Statement, StoreError> {
    let lifetimes = &rule.lifetimes;
    Ok(Statement::new(
        "INSERT INTO rules (id, policy_id, name, status, priority, grant_types, people, scopes, \
         access_token_minutes, refresh_token_minutes, refresh_window_minutes, id_token_minutes, system, created, \
         last_updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
         policy_id = excluded.policy_id, name = excluded.name, status = excluded.status, \
         priority = excluded.priority, grant_types = excluded.grant_types, people = excluded.people, \
         scopes = excluded.scopes, access_token_minutes = excluded.access_token_minutes, \
         refresh_token_minutes = excluded.refresh_token_minutes, \
         refresh_window_minutes = excluded.refresh_window_minutes, id_token_minutes = excluded.id_token_minutes, \
         system = excluded.system, created = excluded.created, last_updated = excluded.last_updated",
    )
    .bind(rule.id.to_string())
    .bind(rule.policy.to_string())
    .bind(rule.name.to_string())
    .bind(rule.status.as_str())
    .bind(rule.priority)
    .bind(json(&rule.grant_types)?)
    .bind(json(&rule.people)?)
    .bind(json(&rule.scopes)?)
    .bind(lifetimes.access_token().get())
    .bind(lifetimes.refresh_token().map_or(0, kubesso_directory::Minutes::get))
    .bind(lifetimes.refresh_window().get())
    .bind(lifetimes.own_id_token().map(kubesso_directory::Minutes::get))
    .bind(rule.system)
    .bind(micros(rule.created))
    .bind(micros(rule.last_updated)))
}

fn reseal(resealing: &Resealing) -> Vec<Statement> {
    let bytes = |sealed: &Sealed| sealed.as_bytes().to_vec();
    let check = Statement::new("UPDATE directory SET sealed_check = ?").bind(bytes(&resealing.check));
    let secrets = resealing.secrets.iter().map(|(id, sealed)| {
        Statement::new("UPDATE client_secrets SET sealed = ? WHERE id = ?")
            .bind(bytes(sealed))
            .bind(id.to_string())
    });
    let keys = resealing.keys.iter().map(|(server, kid, sealed)| {
        Statement::new("UPDATE signing_keys SET sealed_pkcs8 = ? WHERE server_id = ? AND kid = ?")
            .bind(bytes(sealed))
            .bind(server.to_string())
            .bind(kid.to_string())
    });
    std::iter::once(check).chain(secrets).chain(keys).collect()
}

fn put_signing_key(key: &SigningKeyRecord) -> Result<Statement, StoreError> {
    let (state, time) = match key.state {
        KeyState::Pending { since } => ("PUBLISHED", since),
        KeyState::Active { since } => ("SIGNING", since),
        KeyState::Retiring { until } => ("RETIRED", until),
        KeyState::Revoked { at } => ("REVOKED", at),
    };
    Ok(Statement::new(
        "INSERT INTO signing_keys (server_id, kid, algorithm, public_jwk, sealed_pkcs8, state, state_time, \
         created) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (server_id, kid) DO UPDATE SET \
         algorithm = excluded.algorithm, public_jwk = excluded.public_jwk, \
         sealed_pkcs8 = excluded.sealed_pkcs8, state = excluded.state, state_time = excluded.state_time, \
         created = excluded.created",
    )
    .bind(key.server.to_string())
    .bind(key.kid.to_string())
    .bind(key.algorithm.clone())
    .bind(json(&key.public_jwk)?)
    .bind(key.sealed_pkcs8.as_bytes().to_vec())
    .bind(state)
    .bind(micros(time))
    .bind(micros(key.created)))
}

/// An entry of the audit trail.
pub(crate) fn audit(event: &AuditEvent) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO audit_events (id, published, event_type, actor, target, outcome, message, details) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.id.to_string())
    .bind(micros(event.published))
    .bind(event.event_type.clone())
    .bind(event.actor.clone())
    .bind(event.target.clone())
    .bind(event.outcome.as_str())
    .bind(event.message.clone())
    .bind(json(&event.details)?))
}
