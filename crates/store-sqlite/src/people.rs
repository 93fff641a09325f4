//! Reading users and groups.

use kubesso_directory::{
    ApplicationId, Group, GroupId, Page, PasswordHash, Person, StoreError, User, UserAssignment, UserId,
    UserStatus,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use crate::database;
use crate::row::Row;

pub(crate) fn user(row: &SqliteRow) -> Result<User, StoreError> {
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

pub(crate) fn group(row: &SqliteRow) -> Result<Group, StoreError> {
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

pub(crate) async fn person(
    connection: &mut SqliteConnection,
    id: &UserId,
) -> Result<Option<Person>, StoreError> {
    let found = query("SELECT * FROM users WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(database("read a user"))?;
    let Some(row) = found else { return Ok(None) };
    let user = user(&row)?;
    let groups = query(
        "SELECT groups.* FROM groups JOIN group_members ON group_members.group_id = groups.id \
         WHERE group_members.user_id = ? ORDER BY groups.name",
    )
    .bind(id.as_str())
    .fetch_all(&mut *connection)
    .await
    .map_err(database("read a user's groups"))?
    .iter()
    .map(group)
    .collect::<Result<_, _>>()?;
    let applications = query("SELECT application_id FROM application_users WHERE user_id = ?")
        .bind(id.as_str())
        .fetch_all(connection)
        .await
        .map_err(database("read a user's applications"))?
        .iter()
        .map(|row| Row::new(row, "assignment", "application_id").parsed("application_id"))
        .collect::<Result<_, _>>()?;
    Ok(Some(Person { user, groups, applications }))
}

pub(crate) async fn password_hash(
    connection: &mut SqliteConnection,
    id: &UserId,
) -> Result<Option<PasswordHash>, StoreError> {
    let found = query("SELECT id, password FROM users WHERE id = ? AND password IS NOT NULL")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read a password hash"))?;
    found.map(|row| Row::new(&row, "user", "id").known("password", PasswordHash::parse)).transpose()
}

/// The latest first.
pub(crate) async fn old_passwords(
    connection: &mut SqliteConnection,
    id: &UserId,
    limit: u32,
) -> Result<Vec<PasswordHash>, StoreError> {
    query("SELECT user_id, hash FROM password_history WHERE user_id = ? ORDER BY replaced DESC, id DESC LIMIT ?")
        .bind(id.as_str())
        .bind(limit)
        .fetch_all(connection)
        .await
        .map_err(database("read old password hashes"))?
        .iter()
        .map(|row| Row::new(row, "old password", "user_id").known("hash", PasswordHash::parse))
        .collect()
}

/// The order of the tables is fixed, because SQLite otherwise sorts the whole group for each page: with everybody in it,
/// 36 ms instead of 0.3.
pub(crate) const MEMBERS: &str = "SELECT users.* FROM group_members \
    CROSS JOIN users ON users.id = group_members.user_id \
    WHERE group_members.group_id = ? AND group_members.user_id > ? ORDER BY group_members.user_id LIMIT ?";

pub(crate) async fn members(
    connection: &mut SqliteConnection,
    group: &GroupId,
    page: Page<'_, UserId>,
) -> Result<Vec<User>, StoreError> {
    query(MEMBERS)
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

pub(crate) async fn assigned_users(
    connection: &mut SqliteConnection,
    application: &ApplicationId,
    page: Page<'_, UserId>,
) -> Result<Vec<UserAssignment>, StoreError> {
    query("SELECT * FROM application_users WHERE application_id = ? AND user_id > ? ORDER BY user_id LIMIT ?")
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

pub(crate) async fn user_assignment(
    connection: &mut SqliteConnection,
    application: &ApplicationId,
    user: &UserId,
) -> Result<Option<UserAssignment>, StoreError> {
    query("SELECT * FROM application_users WHERE application_id = ? AND user_id = ?")
        .bind(application.as_str())
        .bind(user.as_str())
        .fetch_optional(connection)
        .await
        .map_err(database("read an assignment"))?
        .map(|row| assignment(&row))
        .transpose()
}

fn assignment(row: &SqliteRow) -> Result<UserAssignment, StoreError> {
    let row = Row::new(row, "assignment", "user_id");
    Ok(UserAssignment {
        application: row.parsed("application_id")?,
        user: row.parsed("user_id")?,
        user_name: row.optional_text("user_name")?,
        profile: row.json("profile")?,
        last_updated: row.time("last_updated")?,
    })
}
