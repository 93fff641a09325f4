//! Logout tokens that are yet to be delivered (OpenID Connect Back-Channel Logout 1.0 §2.5): one for each client that took
//! part in a session that was ended, and that wants to know. They are stored with the end of the session, taken by one
//! replica after the other until one could deliver, and made at delivery: no token lies in the store.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use crate::audit::AuditEvent;
use crate::id::{AuthorizationServerId, ClientId, SessionId, UserId};

/// How long a delivery is kept that nobody takes: no server that delivers is running.
pub const LOGOUT_DELIVERY_MEMORY: SignedDuration = SignedDuration::from_hours(24);

/// That a client is to be told of the end of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogoutDelivery {
    /// In which session the client got tokens.
    pub session: SessionId,
    /// Who is to be told.
    pub client: ClientId,
    /// Who gave it the tokens.
    pub server: AuthorizationServerId,
    /// For whom.
    pub user: UserId,
    /// When the session was ended.
    pub created: Timestamp,
    /// How many attempts there were, the one under way included. It tells whoever took it last from those before.
    pub attempts: u32,
}

/// What became of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The client knows, or need not know any more.
    Done,
    /// It is given up; with the entry of the audit trail that says so.
    GivenUp(Box<AuditEvent>),
    /// It is to be tried again from then on.
    Postponed(Timestamp),
}

impl LogoutDelivery {
    /// The `jti` of its logout token: the same at each attempt, by whichever replica, so that a client that was told and
    /// could not say so knows it again (§2.6, step 8).
    pub fn jti(&self) -> String {
        let created = self.created.as_microsecond().to_string();
        let parts = [self.session.as_str(), self.client.as_str(), self.server.as_str(), &created];
        let hash = digest::digest(&digest::SHA256, parts.join("\n").as_bytes());
        format!("LT.{}", BASE64_URL_SAFE_NO_PAD.encode(hash.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jti_is_the_same_at_each_attempt_and_another_for_another_end() {
        let first = LogoutDelivery {
            session: SessionId::parse("idx1").unwrap(),
            client: ClientId::parse("web").unwrap(),
            server: AuthorizationServerId::parse("default").unwrap(),
            user: UserId::parse("00u1").unwrap(),
            created: Timestamp::UNIX_EPOCH,
            attempts: 1,
        };
        assert_eq!(LogoutDelivery { attempts: 2, ..first.clone() }.jti(), first.jti());
        let others = [
            LogoutDelivery { session: SessionId::parse("idx2").unwrap(), ..first.clone() },
            LogoutDelivery { client: ClientId::parse("app").unwrap(), ..first.clone() },
            LogoutDelivery { server: AuthorizationServerId::parse("other").unwrap(), ..first.clone() },
            LogoutDelivery { created: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1), ..first.clone() },
        ];
        for other in others {
            assert_ne!(other.jti(), first.jti(), "{other:?}");
        }
    }
}
