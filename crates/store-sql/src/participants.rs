//! Which clients took part in sessions.

use kubesso_directory::{Participant, SessionsOf, StoreError};

use crate::connection::{Connection, Record};
use crate::database;
use crate::row::Row;
use crate::statement::Statement;

/// So many are told of one logout at most.
const MOST: u32 = 100;

/// Does `Store::participants`.
pub async fn participants(
    connection: &mut dyn Connection,
    of: &SessionsOf,
) -> Result<Vec<Participant>, StoreError> {
    let (column, id) = match of {
        SessionsOf::Session(session) => ("session_id", session.as_str()),
        SessionsOf::User(user) => ("user_id", user.as_str()),
    };
    Statement::new(format!(
        "SELECT DISTINCT server_id, client_id, user_id, session_id FROM refresh_families WHERE {column} = ? \
         ORDER BY server_id, client_id, user_id, session_id LIMIT ?"
    ))
    .bind(id)
    .bind(MOST)
    .fetch_all(connection)
    .await
    .map_err(database("list the clients of a session"))?
    .iter()
    .map(participant)
    .collect()
}

fn participant(row: &Record) -> Result<Participant, StoreError> {
    let row = Row::new(row, "refresh token family", "session_id");
    Ok(Participant {
        server: row.parsed("server_id")?,
        client: row.parsed("client_id")?,
        user: row.parsed("user_id")?,
        session: row.parsed("session_id")?,
    })
}
