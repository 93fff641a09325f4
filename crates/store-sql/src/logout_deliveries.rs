//! Logout tokens that are yet to be delivered. Taking some, and saying what became of one, are statements that can lose.

use jiff::Timestamp;
use kubesso_directory::{DeliveryOutcome, LogoutDelivery, StoreError};

use crate::changes::audit;
use crate::connection::{Connection, Record};
use crate::database;
use crate::row::{Row, micros};
use crate::statement::Statement;

/// So many are told of one end at most, those with the latest tokens.
const MOST: u32 = 1000;

/// Whose sessions end.
#[derive(Clone, Copy)]
pub(crate) enum Ending<'a> {
    /// This session.
    Session(&'a str),
    /// All of this user.
    User(&'a str),
    /// All of this user but that session.
    Others(&'a str, &'a str),
}

/// Notes who is to be told that sessions end: the clients that got tokens in them, as far as their families are remembered
/// (a day beyond their end, which is longer than any session), and that have an address to be told at. Whether that is a
/// good one is seen at delivery. To be run before the sessions are removed.
pub(crate) fn note(ending: Ending<'_>, at: Timestamp) -> Statement {
    let mut statement = Statement::new(
        "INSERT INTO logout_deliveries (session_id, client_id, server_id, user_id, created, due, attempts) \
         SELECT f.session_id, f.client_id, f.server_id, f.user_id, ",
    );
    statement.push_bind(micros(at)).push(", ").push_bind(micros(at));
    statement.push(
        ", 0 FROM refresh_families f JOIN applications a ON a.client_id = f.client_id \
         WHERE a.status = 'ACTIVE' AND a.other LIKE '%\"backchannel_logout_uri\"%' AND ",
    );
    match ending {
        Ending::Session(session) => {
            statement.push("f.session_id = ").push_bind(session);
        }
        Ending::User(user) => {
            statement.push("f.user_id = ").push_bind(user);
        }
        Ending::Others(user, session) => {
            statement.push("f.user_id = ").push_bind(user);
            statement.push(" AND f.session_id <> ").push_bind(session);
        }
    }
    statement.push(
        " GROUP BY f.session_id, f.client_id, f.server_id, f.user_id ORDER BY max(f.created) DESC LIMIT ",
    );
    statement.push_bind(MOST).push(" ON CONFLICT (session_id, client_id, server_id) DO NOTHING");
    statement
}

/// Does `Store::next_logout_delivery`.
pub async fn next_due(connection: &mut dyn Connection) -> Result<Option<Timestamp>, StoreError> {
    let row = Statement::new("SELECT min(due) AS due FROM logout_deliveries")
        .fetch_one(connection)
        .await
        .map_err(database("look for logouts to be told"))?;
    Row::new(&row, "logout delivery", "due").optional_time("due")
}

/// Does `Store::take_logout_deliveries`.
pub async fn take_deliveries(
    connection: &mut dyn Connection,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<LogoutDelivery>, StoreError> {
    Statement::new(
        "UPDATE logout_deliveries SET due = ?, attempts = attempts + 1 \
         WHERE (session_id, client_id, server_id) IN \
         (SELECT session_id, client_id, server_id FROM logout_deliveries WHERE due <= ? ORDER BY due LIMIT ?) \
         RETURNING session_id, client_id, server_id, user_id, created, attempts",
    )
    .bind(micros(until))
    .bind(micros(now))
    .bind(limit)
    .fetch_all(connection)
    .await
    .map_err(database("take logouts to be told"))?
    .iter()
    .map(delivery)
    .collect()
}

fn delivery(row: &Record) -> Result<LogoutDelivery, StoreError> {
    let row = Row::new(row, "logout delivery", "session_id");
    Ok(LogoutDelivery {
        session: row.parsed("session_id")?,
        client: row.parsed("client_id")?,
        server: row.parsed("server_id")?,
        user: row.parsed("user_id")?,
        created: row.time("created")?,
        attempts: row.number("attempts")?,
    })
}

/// Does `Store::finish_logout_delivery`.
pub async fn finish_delivery(
    connection: &mut dyn Connection,
    delivery: &LogoutDelivery,
    outcome: &DeliveryOutcome,
) -> Result<bool, StoreError> {
    let mut statement = match outcome {
        DeliveryOutcome::Done | DeliveryOutcome::GivenUp(_) => {
            Statement::new("DELETE FROM logout_deliveries")
        }
        DeliveryOutcome::Postponed(due) => {
            Statement::new("UPDATE logout_deliveries SET due = ?").bind(micros(*due))
        }
    };
    statement.push(" WHERE session_id = ").push_bind(delivery.session.as_str());
    statement.push(" AND client_id = ").push_bind(delivery.client.as_str());
    statement.push(" AND server_id = ").push_bind(delivery.server.as_str());
    // Whoever took it later has another number.
    statement.push(" AND attempts = ").push_bind(delivery.attempts);
    statement.push(" AND created = ").push_bind(micros(delivery.created));
    let failed = || database("note what became of a logout to be told");
    let was_mine = statement.execute(connection).await.map_err(failed())? > 0;
    if let (true, DeliveryOutcome::GivenUp(entry)) = (was_mine, outcome) {
        audit(entry)?.execute(connection).await.map_err(failed())?;
    }
    Ok(was_mine)
}
