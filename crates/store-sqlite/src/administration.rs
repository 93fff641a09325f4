//! API tokens, administrators' roles, group rules, links that work once.

use jiff::Timestamp;
use kubesso_directory::{
    AdminRole, ApiToken, Change, Expression, GroupId, GroupRule, GroupRuleId, OneTimeToken, Page,
    RoleAssignment, RoleHolder, Status, StoreError, TokenHash, UserId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use crate::changes::Query;
use crate::database;
use crate::row::{Row, json, micros, word};

/// The statements of a change that this file is about; none for another.
pub(crate) fn statements(change: &Change, at: Timestamp) -> Result<Vec<Query>, StoreError> {
    Ok(match change {
        Change::PutApiToken(token) => vec![put_api_token(token)?],
        Change::RemoveApiToken(id) => vec![query("DELETE FROM api_tokens WHERE id = ?").bind(id.to_string())],
        Change::AssignRole(assignment) => vec![assign_role(assignment)],
        Change::UnassignRole(id) => {
            vec![query("DELETE FROM role_assignments WHERE id = ?").bind(id.to_string())]
        }
        Change::PutGroupRule(rule) => vec![put_group_rule(rule)?],
        Change::RemoveGroupRule(id) => {
            vec![query("DELETE FROM group_rules WHERE id = ?").bind(id.to_string())]
        }
        Change::AddRuleMember(rule, group, user) => add_rule_member(rule, group, user, at),
        Change::RemoveRuleMember(rule, group, user) => remove_rule_member(rule, group, user, at),
        Change::PutOneTimeToken(token) => vec![put_one_time_token(token)?],
        Change::RemoveOneTimeTokens(user) => {
            vec![query("DELETE FROM one_time_tokens WHERE user_id = ?").bind(user.to_string())]
        }
        _ => Vec::new(),
    })
}

fn put_api_token(token: &ApiToken) -> Result<Query, StoreError> {
    Ok(query(
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

fn assign_role(assignment: &RoleAssignment) -> Query {
    let (user, group, client) = match &assignment.holder {
        RoleHolder::User(id) => (Some(id.to_string()), None, None),
        RoleHolder::Group(id) => (None, Some(id.to_string()), None),
        RoleHolder::Client(id) => (None, None, Some(id.to_string())),
    };
    query(
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

fn put_group_rule(rule: &GroupRule) -> Result<Query, StoreError> {
    Ok(query(
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
fn add_rule_member(rule: &GroupRuleId, group: &GroupId, user: &UserId, at: Timestamp) -> Vec<Query> {
    vec![
        query(
            "UPDATE groups SET last_membership_updated = ? WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM group_members WHERE group_id = ? AND user_id = ?)",
        )
        .bind(micros(at))
        .bind(group.to_string())
        .bind(group.to_string())
        .bind(user.to_string()),
        query(
            "INSERT INTO group_members (group_id, user_id, by_rule) VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
        )
        .bind(group.to_string())
        .bind(user.to_string()),
        query(
            "INSERT INTO rule_members (rule_id, user_id, group_id) SELECT ?, user_id, group_id FROM group_members \
             WHERE group_id = ? AND user_id = ? AND by_rule = 1 ON CONFLICT DO NOTHING",
        )
        .bind(rule.to_string())
        .bind(group.to_string())
        .bind(user.to_string()),
    ]
}

fn remove_rule_member(rule: &GroupRuleId, group: &GroupId, user: &UserId, at: Timestamp) -> Vec<Query> {
    vec![
        query("DELETE FROM rule_members WHERE rule_id = ? AND user_id = ? AND group_id = ?")
            .bind(rule.to_string())
            .bind(user.to_string())
            .bind(group.to_string()),
        query(
            "DELETE FROM group_members WHERE group_id = ? AND user_id = ? AND by_rule = 1 AND NOT EXISTS \
             (SELECT 1 FROM rule_members WHERE rule_members.group_id = group_members.group_id \
             AND rule_members.user_id = group_members.user_id)",
        )
        .bind(group.to_string())
        .bind(user.to_string()),
        query("UPDATE groups SET last_membership_updated = ? WHERE changes() > 0 AND id = ?")
            .bind(micros(at))
            .bind(group.to_string()),
    ]
}

fn put_one_time_token(token: &OneTimeToken) -> Result<Query, StoreError> {
    Ok(query(
        "INSERT INTO one_time_tokens (user_id, hash, purpose, ends) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) \
         DO UPDATE SET hash = excluded.hash, purpose = excluded.purpose, ends = excluded.ends",
    )
    .bind(token.user.to_string())
    .bind(token.hash.as_bytes().to_vec())
    .bind(word(&token.purpose)?)
    .bind(micros(token.ends)))
}

pub(crate) async fn api_token(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
) -> Result<Option<ApiToken>, StoreError> {
    query("SELECT * FROM api_tokens WHERE hash = ?")
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .map_err(database("read an API token"))?
        .map(|row| read_api_token(&row))
        .transpose()
}

pub(crate) async fn api_tokens(connection: &mut SqliteConnection) -> Result<Vec<ApiToken>, StoreError> {
    query("SELECT * FROM api_tokens ORDER BY id")
        .fetch_all(connection)
        .await
        .map_err(database("list API tokens"))?
        .iter()
        .map(read_api_token)
        .collect()
}

fn read_api_token(row: &SqliteRow) -> Result<ApiToken, StoreError> {
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

pub(crate) async fn roles_of(
    connection: &mut SqliteConnection,
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
    let rows = query(sql).bind(id).fetch_all(connection).await.map_err(database("read roles"))?;
    rows.iter().map(role).collect()
}

pub(crate) async fn roles(connection: &mut SqliteConnection) -> Result<Vec<RoleAssignment>, StoreError> {
    let rows = query("SELECT * FROM role_assignments ORDER BY user_id, group_id, client_id, created, id")
        .fetch_all(connection)
        .await
        .map_err(database("read roles"))?;
    rows.iter().map(role).collect()
}

fn role(row: &SqliteRow) -> Result<RoleAssignment, StoreError> {
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

pub(crate) async fn group_rules(connection: &mut SqliteConnection) -> Result<Vec<GroupRule>, StoreError> {
    let rows = query("SELECT * FROM group_rules ORDER BY name, id")
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

pub(crate) async fn rule_memberships(
    connection: &mut SqliteConnection,
    user: &UserId,
) -> Result<Vec<(GroupRuleId, GroupId)>, StoreError> {
    query("SELECT rule_id, group_id FROM rule_members WHERE user_id = ? ORDER BY rule_id, group_id")
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

pub(crate) async fn rule_members(
    connection: &mut SqliteConnection,
    rule: &GroupRuleId,
    page: Page<'_, UserId>,
) -> Result<Vec<(UserId, GroupId)>, StoreError> {
    query(
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

pub(crate) async fn one_time_token(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<OneTimeToken>, StoreError> {
    query("SELECT * FROM one_time_tokens WHERE hash = ? AND ends > ?")
        .bind(hash.as_bytes().as_slice())
        .bind(micros(now))
        .fetch_optional(connection)
        .await
        .map_err(database("read a link"))?
        .map(|row| read_one_time_token(&row))
        .transpose()
}

pub(crate) async fn take_one_time_token(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<OneTimeToken>, StoreError> {
    query("DELETE FROM one_time_tokens WHERE hash = ? AND ends > ? RETURNING *")
        .bind(hash.as_bytes().as_slice())
        .bind(micros(now))
        .fetch_optional(connection)
        .await
        .map_err(database("take a link"))?
        .map(|row| read_one_time_token(&row))
        .transpose()
}

fn read_one_time_token(row: &SqliteRow) -> Result<OneTimeToken, StoreError> {
    let row = Row::new(row, "link", "user_id");
    Ok(OneTimeToken {
        hash: row.bytes("hash", TokenHash::from_bytes)?,
        user: row.parsed("user_id")?,
        purpose: row.word("purpose")?,
        ends: row.time("ends")?,
    })
}
