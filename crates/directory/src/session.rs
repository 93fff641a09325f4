//! Browser sessions at the provider.

use std::net::IpAddr;

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

/// The longest browser name that is kept, in bytes.
const LONGEST_USER_AGENT: usize = 256;

/// Where somebody signed in from, for that person to recognise the session by. Nothing is decided by it: whoever sends
/// a request chooses what it says about the browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOrigin {
    /// The address, where it is known.
    pub address: Option<IpAddr>,
    /// What the browser says about itself (`User-Agent`), cut to 256 bytes.
    pub user_agent: Option<String>,
}

impl SessionOrigin {
    /// From `address`, with a browser that calls itself `user_agent`. Control characters are left out.
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(|text| {
            let end = (0..=LONGEST_USER_AGENT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            let text = &text[..end.unwrap_or_default()];
            text.chars().filter(|character| !character.is_control()).collect::<String>().trim().to_owned()
        });
        Self {
            address: address.map(|address| address.to_canonical()),
            user_agent: user_agent.filter(|text| !text.is_empty()),
        }
    }
}

/// How sure a sign-in makes who it is (`acr`); Okta's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// By one factor: `urn:okta:loa:1fa:any`.
    OneFactor,
    /// By two of different kinds: `urn:okta:loa:2fa:any`.
    TwoFactors,
}

impl Assurance {
    /// What `amr` amounts to: two factors if it says so itself (`mfa`, RFC 8176).
    pub fn of(amr: &[String]) -> Self {
        if amr.iter().any(|method| method == "mfa") { Self::TwoFactors } else { Self::OneFactor }
    }

    /// Okta's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneFactor => "urn:okta:loa:1fa:any",
            Self::TwoFactors => "urn:okta:loa:2fa:any",
        }
    }

    /// The assurance of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::OneFactor, Self::TwoFactors].into_iter().find(|assurance| assurance.as_str() == text)
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
    /// How sure that is (`acr`).
    pub assurance: Assurance,
    /// Where from.
    pub origin: SessionOrigin,
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
    /// A session that begins now, with a sign-in from nobody knows where (see [`with_origin`](Self::with_origin)).
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
            assurance: Assurance::of(&amr),
            amr,
            origin: SessionOrigin::default(),
            created: now,
            last_used: now,
            idle: lifetime.idle,
            absolute_end: now.saturating_add(lifetime.absolute).unwrap_or(Timestamp::MAX),
        }
    }

    /// The same, from `origin`.
    #[must_use]
    pub fn with_origin(self, origin: SessionOrigin) -> Self {
        Self { origin, ..self }
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

    #[test]
    fn of_a_browser_is_kept_what_a_person_can_read_and_no_more() {
        let long = "ü".repeat(200);
        let cases = [
            (None, None),
            (Some(""), None),
            (Some(" \u{7}\n"), None),
            (Some("Mozilla/5.0 (X11)"), Some("Mozilla/5.0 (X11)".to_owned())),
            (Some("a\u{1b}[31mb"), Some("a[31mb".to_owned())),
            (Some(long.as_str()), Some("ü".repeat(128))),
        ];
        for (given, expected) in cases {
            assert_eq!(SessionOrigin::new(None, given).user_agent, expected, "{given:?}");
        }
        let mapped = SessionOrigin::new("::ffff:192.0.2.1".parse().ok(), None).address;
        assert_eq!(mapped, "192.0.2.1".parse().ok());
    }

    #[test]
    fn two_factors_are_what_says_that_it_is_two() {
        let cases = [
            (&["pwd"][..], Assurance::OneFactor),
            (&["pwd", "otp"], Assurance::OneFactor),
            (&["pwd", "otp", "mfa"], Assurance::TwoFactors),
            (&[], Assurance::OneFactor),
        ];
        for (amr, expected) in cases {
            let amr: Vec<_> = amr.iter().map(|method| (*method).to_owned()).collect();
            assert_eq!(Assurance::of(&amr), expected, "{amr:?}");
            assert_eq!(Assurance::parse(expected.as_str()), Some(expected));
        }
    }
}
