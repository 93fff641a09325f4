//! API tokens, administrators' roles, group rules, links that work once.

use jiff::Timestamp;
use kubesso_directory::{
    AdminRole, ApiToken, Change, Expression, GroupId, GroupRule, GroupRuleId, OneTimeToken, Page,
    RoleAssignment, RoleHolder, Status, StoreError, TokenHash, UserId,
};

use crate::connection::{Connection, Record};
use crate::row::{Row, json, micros, word};
use crate::statement::Statement;
use crate::{consents, database, initial_access_tokens};

/// The statements of a change that this file is about; none for another.
pub fn statements(change: &Change, at: Timestamp) -> Result<Vec<Statement>, StoreError> {
    Ok(match change {
        Change::PutApiToken(token) => vec![put_api_token(token)?],
        Change::RemoveApiToken(id) => {
            vec![Statement::new("DELETE FROM api_tokens WHERE id = ?").bind(id.to_string())]
        }
        Change::PutInitialAccessToken(token) => vec![initial_access_tokens::put(token)],
        Change::RemoveInitialAccessToken(id) => vec![initial_access_tokens::remove(id)],
        Change::AssignRole(assignment) => vec![assign_role(assignment)],
        Change::UnassignRole(id) => {
            vec![Statement::new("DELETE FROM role_assignments WHERE id = ?").bind(id.to_string())]
        }
        Change::PutGroupRule(rule) => vec![put_group_rule(rule)?],
        Change::RemoveGroupRule(id) => {
            vec![Statement::new("DELETE FROM group_rules WHERE id = ?").bind(id.to_string())]
        }
        Change::AddRuleMember(rule, group, user) => add_rule_member(rule, group, user, at),
        Change::RemoveRuleMember(rule, group, user) => remove_rule_member(rule, group, user, at),
        Change::GiveConsent(grant) => vec![consents::give(grant)],
        Change::WithdrawConsent(id) => vec![consents::withdraw(id)],
        Change::PutOneTimeToken(token) => vec![put_one_time_token(token)?],
        Change::RemoveOneTimeTokens(user) => {
            vec![Statement::new("DELETE FROM one_time_tokens WHERE user_id = ?").bind(user.to_string())]
        }
        _ => Vec::new(),
    })
}

fn put_api_token(token: &ApiToken) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO api_tokens (id, hash, name, roles, user_id, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, name = excluded.name, roles = excluded.roles, \
         user_id = excluded.user_id, created = excluded.created, expires = excluded.expires",
    )
    .bind(token.id.to_string())
    .bind(token.hash.as_bytes().to_vec())
    .bind(token.name.to_string())
    .bind(json(&token.roles)?)
    .bind(token.user.as_ref().map(ToString::to_string))
    .bind(micros(token.created))
    .bind(token.expires.map(micros)))
}

fn assign_role(assignment: &RoleAssignment) -> Statement {
    let (user, group, client) = match &assignment.holder {
        RoleHolder::User(id) => (Some(id.to_string()), None, None),
        RoleHolder::Group(id) => (None, Some(id.to_string()), None),
        RoleHolder::Client(id) => (None, None, Some(id.to_string())),
    };
    Statement::new(
        "INSERT INTO role_assignments (id, role, user_id, group_id, client_id, created) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT DO NOTHING",
    )
    .bind(assignment.id.to_string())
    .bind(assignment.role.as_str())
    .bind(user)
    .bind(group)
    .bind(client)
    .bind(micros(assignment.created))
}

fn put_group_rule(rule: &GroupRule) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO group_rules (id, name, status, expression, excluded_users, groups, created, last_updated) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
         status = excluded.status, expression = excluded.expression, excluded_users = excluded.excluded_users, \
         groups = excluded.groups, created = excluded.created, last_updated = excluded.last_updated",
    )
    .bind(rule.id.to_string())
    .bind(rule.name.to_string())
    .bind(rule.status.as_str())
    .bind(rule.expression.as_str().to_owned())
    .bind(json(&rule.excluded_users)?)
    .bind(json(&rule.groups)?)
    .bind(micros(rule.created))
    .bind(micros(rule.last_updated)))
}

/// A membership that is there already and that no rule made is an administrator's, and stays one.
fn add_rule_member(rule: &GroupRuleId, group: &GroupId, user: &UserId, at: Timestamp) -> Vec<Statement> {
    vec![
        Statement::new(
            "UPDATE groups SET last_membership_updated = ? WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM group_members WHERE group_id = ? AND user_id = ?)",
        )
        .bind(micros(at))
        .bind(group.to_string())
        .bind(group.to_string())
        .bind(user.to_string()),
        Statement::new(
            "INSERT INTO group_members (group_id, user_id, by_rule) VALUES (?, ?, true) ON CONFLICT DO NOTHING",
        )
        .bind(group.to_string())
        .bind(user.to_string()),
        Statement::new(
            "INSERT INTO rule_members (rule_id, user_id, group_id) SELECT ?, user_id, group_id FROM group_members \
             WHERE group_id = ? AND user_id = ? AND by_rule = true ON CONFLICT DO NOTHING",
        )
        .bind(rule.to_string())
        .bind(group.to_string())
        .bind(user.to_string()),
    ]
}

/// A membership that rules made, and no rule makes any more.
const GONE: &str = "group_id = ? AND user_id = ? AND by_rule = true AND NOT EXISTS (SELECT 1 FROM rule_members \
     WHERE rule_members.group_id = group_members.group_id AND rule_members.user_id = group_members.user_id)";

/// The group's note of a change of its members, before the change, if there is such a membership.
pub(crate) fn noted(at: Timestamp, condition: &str, group: &GroupId, user: &UserId) -> Statement {
    Statement::new(format!(
        "UPDATE groups SET last_membership_updated = ? WHERE id = ? AND EXISTS \
         (SELECT 1 FROM group_members WHERE {condition})"
    ))
    .bind(micros(at))
    .bind(group.to_string())
    .bind(group.to_string())
    .bind(user.to_string())
}

fn remove_rule_member(rule: &GroupRuleId, group: &GroupId, user: &UserId, at: Timestamp) -> Vec<Statement> {
    vec![
        Statement::new("DELETE FROM rule_members WHERE rule_id = ? AND user_id = ? AND group_id = ?")
            .bind(rule.to_string())
            .bind(user.to_string())
            .bind(group.to_string()),
        noted(at, GONE, group, user),
        Statement::new(format!("DELETE FROM group_members WHERE {GONE}"))
            .bind(group.to_string())
            .bind(user.to_string()),
    ]
}

fn put_one_time_token(token: &OneTimeToken) -> Result<Statement, StoreError> {
    Ok(Statement::new(
        "INSERT INTO one_time_tokens (user_id, hash, purpose, ends) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) \
         DO UPDATE SET hash = excluded.hash, purpose = excluded.purpose, ends = excluded.ends",
    )
    .bind(token.user.to_string())
    .bind(token.hash.as_bytes().to_vec())
    .bind(word(&token.purpose)?)
    .bind(micros(token.ends)))
}

/// Does `Store::api_token`.
pub async fn api_token(
    connection: &mut dyn Connection,
    hash: &TokenHash,
) -> Result<Option<ApiToken>, StoreError> {
    Statement::new("SELECT * FROM api_tokens WHERE hash = ?")
        .bind(hash.as_bytes().to_vec())
        .fetch_optional(connection)
        .await
        .map_err(database("read an API token"))?
        .map(|row| read_api_token(&row))
        .transpose()
}

/// Does `Store::api_tokens`.
pub async fn api_tokens(connection: &mut dyn Connection) -> Result<Vec<ApiToken>, StoreError> {
    Statement::new("SELECT * FROM api_tokens ORDER BY id")
        .fetch_all(connection)
        .await
        .map_err(database("list API tokens"))?
        .iter()
        .map(read_api_token)
        .collect()
}

fn read_api_token(row: &Record) -> Result<ApiToken, StoreError> {
    let row = Row::new(row, "API token", "id");
    Ok(ApiToken {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        hash: row.bytes("hash", TokenHash::from_bytes)?,
        roles: row.json("roles")?,
        user: row.optional_parsed("user_id")?,
        created: row.time("created")?,
        expires: row.optional_time("expires")?,
    })
}

/// Does `Store::roles_of`.
pub async fn roles_of(
    connection: &mut dyn Connection,
    holder: &RoleHolder,
) -> Result<Vec<RoleAssignment>, StoreError> {
    let (sql, id) = match holder {
        RoleHolder::User(id) => {
            ("SELECT * FROM role_assignments WHERE user_id = ? ORDER BY created, id", id.as_str())
        }
        RoleHolder::Group(id) => {
            ("SELECT * FROM role_assignments WHERE group_id = ? ORDER BY created, id", id.as_str())
        }
        RoleHolder::Client(id) => {
            ("SELECT * FROM role_assignments WHERE client_id = ? ORDER BY created, id", id.as_str())
        }
    };
    let rows = Statement::new(sql).bind(id).fetch_all(connection).await.map_err(database("read roles"))?;
    rows.iter().map(role).collect()
}

/// Does `Store::roles`.
pub async fn roles(connection: &mut dyn Connection) -> Result<Vec<RoleAssignment>, StoreError> {
    let rows = Statement::new(
        "SELECT * FROM role_assignments \
         ORDER BY user_id NULLS FIRST, group_id NULLS FIRST, client_id, created, id",
    )
    .fetch_all(connection)
    .await
    .map_err(database("read roles"))?;
    rows.iter().map(role).collect()
}

fn role(row: &Record) -> Result<RoleAssignment, StoreError> {
    let row = Row::new(row, "role assignment", "id");
    let holder = if let Some(user) = row.optional_parsed("user_id")? {
        RoleHolder::User(user)
    } else if let Some(group) = row.optional_parsed("group_id")? {
        RoleHolder::Group(group)
    } else {
        RoleHolder::Client(row.parsed("client_id")?)
    };
    Ok(RoleAssignment {
        id: row.parsed("id")?,
        holder,
        role: row.known("role", AdminRole::parse)?,
        created: row.time("created")?,
    })
}

/// Does `Store::group_rules`.
pub async fn group_rules(connection: &mut dyn Connection) -> Result<Vec<GroupRule>, StoreError> {
    let rows = Statement::new("SELECT * FROM group_rules ORDER BY name, id")
        .fetch_all(connection)
        .await
        .map_err(database("read group rules"))?;
    rows.iter()
        .map(|row| {
            let row = Row::new(row, "group rule", "id");
            Ok(GroupRule {
                id: row.parsed("id")?,
                name: row.parsed("name")?,
                status: row.known("status", Status::parse)?,
                expression: Expression::new(row.text("expression")?),
                excluded_users: row.json("excluded_users")?,
                groups: row.json("groups")?,
                created: row.time("created")?,
                last_updated: row.time("last_updated")?,
            })
        })
        .collect()
}

/// Does `Store::rule_memberships`.
pub async fn rule_memberships(
    connection: &mut dyn Connection,
    user: &UserId,
) -> Result<Vec<(GroupRuleId, GroupId)>, StoreError> {
    Statement::new("SELECT rule_id, group_id FROM rule_members WHERE user_id = ? ORDER BY rule_id, group_id")
        .bind(user.as_str())
        .fetch_all(connection)
        .await
        .map_err(database("read memberships by rule"))?
        .iter()
        .map(|row| {
            let row = Row::new(row, "membership by rule", "rule_id");
            Ok((row.parsed("rule_id")?, row.parsed("group_id")?))
        })
        .collect()
}

/// Does `Store::rule_members`.
pub async fn rule_members(
    connection: &mut dyn Connection,
    rule: &GroupRuleId,
    page: Page<'_, UserId>,
) -> Result<Vec<(UserId, GroupId)>, StoreError> {
    Statement::new(
        "SELECT user_id, group_id FROM rule_members WHERE rule_id = ? AND user_id IN \
         (SELECT DISTINCT user_id FROM rule_members WHERE rule_id = ? AND user_id > ? ORDER BY user_id LIMIT ?) \
         ORDER BY user_id, group_id",
    )
    .bind(rule.as_str())
    .bind(rule.as_str())
    .bind(page.after.map_or("", UserId::as_str))
    .bind(page.limit)
    .fetch_all(connection)
    .await
    .map_err(database("read memberships by rule"))?
    .iter()
    .map(|row| {
        let row = Row::new(row, "membership by rule", "user_id");
        Ok((row.parsed("user_id")?, row.parsed("group_id")?))
    })
    .collect()
}

/// Does `Store::one_time_token`.
pub async fn one_time_token(
    connection: &mut dyn Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<OneTimeToken>, StoreError> {
    Statement::new("SELECT * FROM one_time_tokens WHERE hash = ? AND ends > ?")
        .bind(hash.as_bytes().to_vec())
        .bind(micros(now))
        .fetch_optional(connection)
        .await
        .map_err(database("read a link"))?
        .map(|row| read_one_time_token(&row))
        .transpose()
}

/// Does `Store::take_one_time_token`.
pub async fn take_one_time_token(
    connection: &mut dyn Connection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<OneTimeToken>, StoreError> {
    Statement::new("DELETE FROM one_time_tokens WHERE hash = ? AND ends > ? RETURNING *")
        .bind(hash.as_bytes().to_vec())
        .bind(micros(now))
        .fetch_optional(connection)
        .await
        .map_err(database("take a link"))?
        .map(|row| read_one_time_token(&row))
        .transpose()
}

fn read_one_time_token(row: &Record) -> Result<OneTimeToken, StoreError> {
    let row = Row::new(row, "link", "user_id");
    Ok(OneTimeToken {
        hash: row.bytes("hash", TokenHash::from_bytes)?,
        user: row.parsed("user_id")?,
        purpose: row.word("purpose")?,
        ends: row.time("ends")?,
    })
}
