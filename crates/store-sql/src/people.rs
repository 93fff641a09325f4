//! Reading users and groups.

use kubesso_directory::{
    ApplicationId, Group, GroupId, GroupName, Login, Page, PasswordHash, Person, StoreError, User,
    UserAssignment, UserId, UserStatus,
};

use crate::connection::{Connection, Record};
use crate::database;
use crate::row::Row;
use crate::statement::Statement;

pub(crate) fn user(row: &Record) -> Result<User, StoreError> {
    let row = Row::new(row, "user", "id");
    Ok(User {
        id: row.parsed("id")?,
        status: row.known("status", UserStatus::parse)?,
        profile: row.json("profile")?,
        created: row.time("created")?,
        activated: row.optional_time("activated")?,
        status_changed: row.optional_time("status_changed")?,
        last_updated: row.time("last_updated")?,
        last_login: row.optional_time("last_login")?,
        password_changed: row.optional_time("password_changed")?,
    })
}

pub(crate) fn group(row: &Record) -> Result<Group, StoreError> {
    let row = Row::new(row, "group", "id");
    Ok(Group {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        description: row.text("description")?,
        group_type: row.word("group_type")?,
        other: row.json("other")?,
        created: row.time("created")?,
        last_updated: row.time("last_updated")?,
        last_membership_updated: row.time("last_membership_updated")?,
    })
}

/// Does `Store::user`.
pub async fn user_by_id(connection: &mut dyn Connection, id: &UserId) -> Result<Option<User>, StoreError> {
    Statement::new("SELECT * FROM users WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a user"))?
        .map(|row| user(&row))
        .transpose()
}

/// Does `Store::user_by_login`.
pub async fn user_by_login(
    connection: &mut dyn Connection,
    login: &Login,
) -> Result<Option<User>, StoreError> {
    Statement::new("SELECT * FROM users WHERE login_folded = ?")
        .bind(login.folded())
        .fetch_optional(connection)
        .await
        .map_err(database("read a user"))?
        .map(|row| user(&row))
        .transpose()
}

/// Does `Store::users`.
pub async fn list_users(
    connection: &mut dyn Connection,
    page: Page<'_, UserId>,
) -> Result<Vec<User>, StoreError> {
    Statement::new("SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ?")
        .bind(page.after.map_or("", UserId::as_str))
        .bind(page.limit)
        .fetch_all(connection)
        .await
        .map_err(database("list users"))?
        .iter()
        .map(user)
        .collect()
}

/// Does `Store::group`.
pub async fn group_by_id(connection: &mut dyn Connection, id: &GroupId) -> Result<Option<Group>, StoreError> {
    Statement::new("SELECT * FROM groups WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a group"))?
        .map(|row| group(&row))
        .transpose()
}

/// Does `Store::group_by_name`.
pub async fn group_by_name(
    connection: &mut dyn Connection,
    name: &GroupName,
) -> Result<Option<Group>, StoreError> {
    Statement::new("SELECT * FROM groups WHERE name = ?")
        .bind(name.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a group"))?
        .map(|row| group(&row))
        .transpose()
}

/// Does `Store::groups`.
pub async fn list_groups(
    connection: &mut dyn Connection,
    page: Page<'_, GroupId>,
) -> Result<Vec<Group>, StoreError> {
    Statement::new("SELECT * FROM groups WHERE id > ? ORDER BY id LIMIT ?")
        .bind(page.after.map_or("", GroupId::as_str))
        .bind(page.limit)
        .fetch_all(connection)
        .await
        .map_err(database("list groups"))?
        .iter()
        .map(group)
        .collect()
}

/// Does `Store::person`.
pub async fn person(connection: &mut dyn Connection, id: &UserId) -> Result<Option<Person>, StoreError> {
    let found = Statement::new("SELECT * FROM users WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a user"))?;
    let Some(row) = found else { return Ok(None) };
    let user = user(&row)?;
    let groups = Statement::new(
        "SELECT groups.* FROM groups JOIN group_members ON group_members.group_id = groups.id \
         WHERE group_members.user_id = ? ORDER BY groups.name",
    )
    .bind(id.as_str())
    .fetch_all(connection)
    .await
    .map_err(database("read a user's groups"))?
    .iter()
    .map(group)
    .collect::<Result<_, _>>()?;
    let applications = Statement::new("SELECT application_id FROM application_users WHERE user_id = ?")
        .bind(id.as_str())
        .fetch_all(connection)
        .await
        .map_err(database("read a user's applications"))?
        .iter()
        .map(|row| Row::new(row, "assignment", "application_id").parsed("application_id"))
        .collect::<Result<_, _>>()?;
    Ok(Some(Person { user, groups, applications }))
}

/// Does `Store::old_passwords`.
pub async fn old_passwords(
    connection: &mut dyn Connection,
    id: &UserId,
    limit: u32,
) -> Result<Vec<PasswordHash>, StoreError> {
    Statement::new(
        "SELECT user_id, hash FROM password_history WHERE user_id = ? ORDER BY replaced DESC, id DESC LIMIT ?",
    )
    .bind(id.as_str())
    .bind(limit)
    .fetch_all(connection)
    .await
    .map_err(database("read old password hashes"))?
    .iter()
    .map(|row| Row::new(row, "old password", "user_id").known("hash", PasswordHash::parse))
    .collect()
}

/// Does `Store::password_hash`.
pub async fn password_hash(
    connection: &mut dyn Connection,
    id: &UserId,
) -> Result<Option<PasswordHash>, StoreError> {
    let found = Statement::new("SELECT id, password FROM users WHERE id = ? AND password IS NOT NULL")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a password hash"))?;
    found.map(|row| Row::new(&row, "user", "id").known("password", PasswordHash::parse)).transpose()
}

/// A page of a group's members. The order of the tables is fixed, because SQLite otherwise sorts the whole group for each page: with everybody in it,
/// 36 ms instead of 0.3.
pub const MEMBERS: &str = "SELECT users.* FROM group_members \
    CROSS JOIN users WHERE users.id = group_members.user_id AND group_members.group_id = ? \
    AND group_members.user_id > ? ORDER BY group_members.user_id LIMIT ?";

/// Does `Store::members`.
pub async fn members(
    connection: &mut dyn Connection,
    group: &GroupId,
    page: Page<'_, UserId>,
) -> Result<Vec<User>, StoreError> {
    Statement::new(MEMBERS)
        .bind(group.as_str())
        .bind(page.after.map_or("", UserId::as_str))
        .bind(page.limit)
        .fetch_all(connection)
        .await
        .map_err(database("read a group's members"))?
        .iter()
        .map(user)
        .collect()
}

/// Does `Store::assigned_users`.
pub async fn assigned_users(
    connection: &mut dyn Connection,
    application: &ApplicationId,
    page: Page<'_, UserId>,
) -> Result<Vec<UserAssignment>, StoreError> {
    Statement::new(
        "SELECT * FROM application_users WHERE application_id = ? AND user_id > ? ORDER BY user_id LIMIT ?",
    )
    .bind(application.as_str())
    .bind(page.after.map_or("", UserId::as_str))
    .bind(page.limit)
    .fetch_all(connection)
    .await
    .map_err(database("read an application's users"))?
    .iter()
    .map(assignment)
    .collect()
}

/// Does `Store::user_assignment`.
pub async fn user_assignment(
    connection: &mut dyn Connection,
    application: &ApplicationId,
    user: &UserId,
) -> Result<Option<UserAssignment>, StoreError> {
    Statement::new("SELECT * FROM application_users WHERE application_id = ? AND user_id = ?")
        .bind(application.as_str())
        .bind(user.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read an assignment"))?
        .map(|row| assignment(&row))
        .transpose()
}

fn assignment(row: &Record) -> Result<UserAssignment, StoreError> {
    let row = Row::new(row, "assignment", "user_id");
    Ok(UserAssignment {
        application: row.parsed("application_id")?,
        user: row.parsed("user_id")?,
        user_name: row.optional_text("user_name")?,
        profile: row.json("profile")?,
        last_updated: row.time("last_updated")?,
    })
}
