//! Taking away what has ended.

use jiff::{SignedDuration, Timestamp};
use kubesso_directory::{CODE_LIFETIME, LOGOUT_DELIVERY_MEMORY, Purged, StoreError};

use crate::connection::Connection;
use crate::database;
use crate::row::micros;
use crate::statement::Statement;

/// How long a redeemed or ended code is remembered, so that a second redeeming is noticed.
const CODE_MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// How long a family is remembered after its end, so that a refusal can say why.
const FAMILY_MEMORY: SignedDuration = SignedDuration::from_hours(24);
/// How long a throttle counter may matter.
const THROTTLE_MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// How long the audit trail goes back.
const AUDIT_MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Does `Store::purge`.
pub async fn purge(connection: &mut dyn Connection, now: Timestamp) -> Result<Purged, StoreError> {
    let failed = || database("purge what has ended");
    let codes = Statement::new("DELETE FROM codes WHERE issued <= ?")
        .bind(micros(before(before(now, CODE_LIFETIME), CODE_MEMORY)))
        .execute(connection)
        .await
        .map_err(failed())?;
    let device_decisions = Statement::new("DELETE FROM device_decisions WHERE ends <= ?")
        .bind(micros(before(now, CODE_MEMORY)))
        .execute(connection)
        .await
        .map_err(failed())?;
    let sessions = Statement::new("DELETE FROM sessions WHERE last_used <= ? - idle OR absolute_end <= ?")
        .bind(micros(now))
        .bind(micros(now))
        .execute(connection)
        .await
        .map_err(failed())?;
    let families = Statement::new(
        "DELETE FROM refresh_families WHERE ended <= ? \
         OR (ended IS NULL AND (idle_end <= ? OR coalesce(absolute_end, idle_end) <= ?))",
    )
    .bind(micros(before(now, FAMILY_MEMORY)))
    .bind(micros(before(now, FAMILY_MEMORY)))
    .bind(micros(before(now, FAMILY_MEMORY)))
    .execute(connection)
    .await
    .map_err(failed())?;
    let logout_deliveries = Statement::new("DELETE FROM logout_deliveries WHERE created <= ?")
        .bind(micros(before(now, LOGOUT_DELIVERY_MEMORY)))
        .execute(connection)
        .await
        .map_err(failed())?;
    let single_uses = Statement::new("DELETE FROM single_uses WHERE ends <= ?")
        .bind(micros(now))
        .execute(connection)
        .await
        .map_err(failed())?;
    Statement::new("DELETE FROM one_time_tokens WHERE ends <= ?")
        .bind(micros(now))
        .execute(connection)
        .await
        .map_err(failed())?;
    let throttles = Statement::new("DELETE FROM throttles WHERE last <= ?")
        .bind(micros(before(now, THROTTLE_MEMORY)))
        .execute(connection)
        .await
        .map_err(failed())?;
    let audit_events = Statement::new("DELETE FROM audit_events WHERE published <= ?")
        .bind(micros(before(now, AUDIT_MEMORY)))
        .execute(connection)
        .await
        .map_err(failed())?;
    Ok(Purged {
        codes,
        device_decisions,
        sessions,
        families,
        logout_deliveries,
        single_uses,
        throttles,
        audit_events,
    })
}

/// So long before `now`.
pub(crate) fn before(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.saturating_sub(duration).unwrap_or(Timestamp::MIN)
}
