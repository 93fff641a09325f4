//! Browser sessions at the provider.

use jiff::{SignedDuration, Timestamp};

use crate::id::{SessionId, UserId};
use crate::secret::TokenHash;

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLifetime {
    /// After this long without use.
    pub idle: SignedDuration,
    /// After this long in any case.
    pub absolute: SignedDuration,
}

impl Default for SessionLifetime {
    /// Two hours idle (Okta's default), twelve hours in all.
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(2), absolute: SignedDuration::from_hours(12) }
    }
}

/// Somebody who signed in with this browser. Only the hash of the cookie is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id, which may be shown and logged.
    pub id: SessionId,
    /// The hash of the cookie's value.
    pub token: TokenHash,
    /// Who.
    pub user: UserId,
    /// When the person last proved who it is (`auth_time`).
    pub auth_time: Timestamp,
    /// How (`amr`, RFC 8176): `pwd` …
    pub amr: Vec<String>,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// How long it may lie unused.
    pub idle: SignedDuration,
    /// When it ends whatever happens.
    pub absolute_end: Timestamp,
}

impl Session {
    /// A session that begins now, with a sign-in.
    pub fn begin(
        id: SessionId,
        token: TokenHash,
        user: UserId,
        amr: Vec<String>,
        lifetime: SessionLifetime,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            token,
            user,
            auth_time: now,
            amr,
            created: now,
            last_used: now,
            idle: lifetime.idle,
            absolute_end: now.saturating_add(lifetime.absolute).unwrap_or(Timestamp::MAX),
        }
    }

    /// The moment from which it is over, if nobody uses it before.
    pub fn end(&self) -> Timestamp {
        let idle_end = self.last_used.saturating_add(self.idle).unwrap_or(Timestamp::MAX);
        idle_end.min(self.absolute_end)
    }

    /// Whether it still holds at `now`.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now < self.end()
    }

    /// Used at `now`; `None` if it was over by then.
    #[must_use]
    pub fn used(self, now: Timestamp) -> Option<Self> {
        self.is_alive(now).then(|| Self { last_used: now.max(self.last_used), ..self })
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;
    use crate::secret::SessionToken;

    #[test]
    fn a_session_ends_when_idle_and_at_its_absolute_end_to_the_second() {
        let entropy = SeededEntropy::new(1);
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let lifetime =
            SessionLifetime { idle: SignedDuration::from_mins(10), absolute: SignedDuration::from_mins(25) };
        let session = Session::begin(
            SessionId::generate(&entropy),
            SessionToken::generate(&entropy).hash(),
            UserId::generate(&entropy),
            vec!["pwd".to_owned()],
            lifetime,
            at(0),
        );
        assert!(session.is_alive(at(10) - SignedDuration::from_secs(1)));
        assert!(!session.is_alive(at(10)), "idle for ten minutes");
        assert_eq!(session.clone().used(at(10)), None);

        let session = session.used(at(9)).and_then(|session| session.used(at(18))).unwrap();
        assert_eq!(session.end(), at(25), "use does not move the absolute end");
        assert!(session.is_alive(at(25) - SignedDuration::from_secs(1)) && !session.is_alive(at(25)));
    }
}
