//! Which clients took part in sessions.

use kubesso_directory::{Participant, SessionsOf, StoreError};
use sqlx::{SqliteConnection, query};

use crate::database;
use crate::row::Row;

/// So many are told of one logout at most.
const MOST: u32 = 100;

pub(crate) async fn participants(
    connection: &mut SqliteConnection,
    of: &SessionsOf,
) -> Result<Vec<Participant>, StoreError> {
    let (sql, id) = match of {
        SessionsOf::Session(session) => (
            "SELECT DISTINCT server_id, client_id, user_id, session_id FROM refresh_families WHERE session_id = ? \
             ORDER BY server_id, client_id, user_id, session_id LIMIT ?",
            session.as_str(),
        ),
        SessionsOf::User(user) => (
            "SELECT DISTINCT server_id, client_id, user_id, session_id FROM refresh_families WHERE user_id = ? \
             ORDER BY server_id, client_id, user_id, session_id LIMIT ?",
            user.as_str(),
        ),
    };
    let rows = query(sql)
        .bind(id)
        .bind(MOST)
        .fetch_all(connection)
        .await
        .map_err(database("list the clients of a session"))?;
    let read = |row| {
        let row = Row::new(row, "refresh token family", "session_id");
        Ok(Participant {
            server: row.parsed("server_id")?,
            client: row.parsed("client_id")?,
            user: row.parsed("user_id")?,
            session: row.parsed("session_id")?,
        })
    };
    rows.iter().map(read).collect()
}
