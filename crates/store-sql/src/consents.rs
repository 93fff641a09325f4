//! What people have allowed applications.

use kubesso_directory::{ApplicationId, ConsentGrant, ConsentId, StoreError, UserId};

use crate::connection::{Connection, Record};
use crate::database;
use crate::row::{Row, micros};
use crate::statement::Statement;

/// Writes a consent. One that was given before keeps its id, and counts as given now.
pub(crate) fn give(grant: &ConsentGrant) -> Statement {
    Statement::new(
        "INSERT INTO consents (id, user_id, application_id, scope_id, created) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (user_id, application_id, scope_id) DO UPDATE SET created = excluded.created",
    )
    .bind(grant.id.to_string())
    .bind(grant.user.to_string())
    .bind(grant.application.to_string())
    .bind(grant.scope.to_string())
    .bind(micros(grant.created))
}

/// Takes a consent away.
pub(crate) fn withdraw(id: &ConsentId) -> Statement {
    Statement::new("DELETE FROM consents WHERE id = ?").bind(id.to_string())
}

/// Does `Store::consents`.
pub async fn consents(
    connection: &mut dyn Connection,
    user: &UserId,
    application: Option<&ApplicationId>,
) -> Result<Vec<ConsentGrant>, StoreError> {
    let narrowed = if application.is_some() { "AND consents.application_id = ? " } else { "" };
    let statement = Statement::new(format!(
        "SELECT consents.id, consents.user_id, consents.application_id, consents.scope_id, consents.created, \
         scopes.server_id, scopes.name FROM consents JOIN scopes ON scopes.id = consents.scope_id \
         WHERE consents.user_id = ? {narrowed}ORDER BY consents.id"
    ))
    .bind(user.as_str());
    let statement = match application {
        Some(application) => statement.bind(application.as_str()),
        None => statement,
    };
    let rows = statement.fetch_all(connection).await.map_err(database("list consents"))?;
    rows.iter().map(consent).collect()
}

fn consent(row: &Record) -> Result<ConsentGrant, StoreError> {
    let row = Row::new(row, "consent", "id");
    Ok(ConsentGrant {
        id: row.parsed("id")?,
        user: row.parsed("user_id")?,
        application: row.parsed("application_id")?,
        scope: row.parsed("scope_id")?,
        server: row.parsed("server_id")?,
        scope_name: row.parsed("name")?,
        created: row.time("created")?,
    })
}
