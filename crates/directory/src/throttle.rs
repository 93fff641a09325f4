//! Slowing down who guesses passwords.
//!
//! # What an anonymous flood can do to the store
//!
//! Nothing is written for somebody who has not signed in, with this one exception: a counter a key, where the
//! key is the **hash** of what was typed or of a network (32 bytes, however long the input). The store keeps
//! at most [`MOST_THROTTLES`] of them, about a megabyte, and when a new one does not fit, the one with the
//! fewest attempts goes, the oldest of them first. So a flood of invented logins pushes out other invented
//! logins (one attempt each) before it touches the counter of a login that is really being guessed, and every
//! try costs the flooder the turn of an Argon2 computation at the provider. A pending authorization request
//! is not stored at all: it travels sealed with the browser. Codes, sessions, refresh tokens and audit events
//! are written for people who did sign in.
//!
//! An attempt is counted **before** the password is looked at, in one atomic step, so that a hundred parallel
//! guesses are a hundred attempts. Signing in takes the login's count away, and as many attempts off the network's:
//! they were the person's own typing errors. What was tried on other logins stays, so that an account of one's own
//! wipes out nothing. Logins that do not exist are counted like those that do, so that the delay tells nobody which
//! is which.
//!
//! What this cannot do: whoever goes on guessing at a login can take the free attempt of each minute before the
//! person does. That needs a place to sign in from that is known to be the person's.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::id::UserId;
use crate::secret::TokenHash;

/// At so many failures in a row the audit trail notes that an account is being guessed at; from the sixth on each has
/// to wait ([`ThrottleRule::LOGIN`]), so that this takes half a minute at least.
pub const NOTED_AT: u32 = 10;

/// How many counters the store keeps.
pub const MOST_THROTTLES: u32 = 10_000;

/// What is counted, as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThrottleKey(TokenHash);

impl ThrottleKey {
    /// Attempts on one login, from wherever.
    pub fn login(typed: &str) -> Self {
        Self(TokenHash::of(format!("login\0{}", typed.trim().to_lowercase()).as_bytes()))
    }

    /// Attempts from one network, on whatever login: an IPv4 address or an IPv6 /64, which is what one
    /// customer has.
    pub fn network(address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => format!("network\0{address}"),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("network\0{a:x}:{b:x}:{c:x}:{d:x}")
            }
        };
        Self(TokenHash::of(network.as_bytes()))
    }

    /// User codes that were typed from one network (RFC 8628 §5.1); where the address is unknown, all count together.
    pub fn user_codes(address: Option<IpAddr>) -> Self {
        let network = address.map(|address| Self::network(address).0);
        let from = network.as_ref().map_or(&[][..], |network| network.as_bytes());
        Self(TokenHash::of(&[b"user codes\0", from].concat()))
    }

    /// Passwords that were tried as new ones for a user.
    pub fn new_password(user: &UserId) -> Self {
        Self(TokenHash::of(format!("new password\0{user}").as_bytes()))
    }

    /// Clients that were registered from one network without a token; where the address is unknown, all count together.
    pub fn registrations(address: Option<IpAddr>) -> Self {
        let network = address.map(|address| Self::network(address).0);
        let from = network.as_ref().map_or(&[][..], |network| network.as_bytes());
        Self(TokenHash::of(&[b"registrations\0", from].concat()))
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// How attempts slow the next one down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleRule {
    /// So many attempts are free.
    pub free: u32,
    /// The first delay; each further attempt doubles it.
    pub first_delay: SignedDuration,
    /// No delay is longer: a minute after others stopped guessing, who knows the password is in.
    pub longest_delay: SignedDuration,
    /// After so long without an attempt the count begins anew.
    pub forgotten_after: SignedDuration,
}

impl ThrottleRule {
    /// For one login: five free, then 1 s, 2 s, 4 s … up to a minute; forgotten after a quarter of an hour.
    pub const LOGIN: Self = Self {
        free: 5,
        first_delay: SignedDuration::from_secs(1),
        longest_delay: SignedDuration::from_secs(60),
        forgotten_after: SignedDuration::from_mins(15),
    };

    /// For user codes, of which a wrong one is a typing error: ten free.
    pub const USER_CODES: Self = Self { free: 10, ..Self::LOGIN };

    /// For clients that are registered without a token: ten free, then a minute, two, four … up to an hour; forgotten after a
    /// day.
    pub const REGISTRATIONS: Self = Self {
        free: 10,
        first_delay: SignedDuration::from_secs(60),
        longest_delay: SignedDuration::from_hours(1),
        forgotten_after: SignedDuration::from_hours(24),
    };

    /// For one network, in which many people may sit: fifty free.
    pub const NETWORK: Self = Self { free: 50, ..Self::LOGIN };
}

impl Default for ThrottleRule {
    fn default() -> Self {
        Self::LOGIN
    }
}

/// The attempts under one key since the last success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// How many.
    pub attempts: u32,
    /// The last of them that was let through.
    pub last: Timestamp,
}

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It may, and is counted.
    Allowed {
        /// As which one since the last success.
        number: u32,
    },
    /// Not before that moment; nothing was counted.
    Wait {
        /// When to try again.
        until: Timestamp,
    },
}

impl Throttle {
    /// Decides on an attempt at `now` and says what to store then. `before` is what is stored, if anything.
    pub fn attempt(before: Option<Self>, rule: &ThrottleRule, now: Timestamp) -> (Attempt, Self) {
        let fresh = Self { attempts: 1, last: now };
        let first = (Attempt::Allowed { number: 1 }, fresh);
        let Some(before) = before else { return first };
        // A clock that was set back must not keep anybody waiting for the difference.
        let since = now.duration_since(before.last).max(SignedDuration::ZERO);
        if since >= rule.forgotten_after {
            return first;
        }
        let delay = before.delay(rule);
        if since < delay {
            let until = now.saturating_add(delay - since).unwrap_or(Timestamp::MAX);
            return (Attempt::Wait { until }, before);
        }
        let number = before.attempts.saturating_add(1);
        (Attempt::Allowed { number }, Self { attempts: number, last: now })
    }

    fn delay(self, rule: &ThrottleRule) -> SignedDuration {
        match self.attempts.checked_sub(rule.free) {
            None => SignedDuration::ZERO,
            Some(beyond) => {
                let factor = 1_i32.checked_shl(beyond).filter(|factor| *factor > 0).unwrap_or(i32::MAX);
                rule.first_delay.checked_mul(factor).unwrap_or(rule.longest_delay).min(rule.longest_delay)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn five_attempts_are_free_then_each_waits_twice_as_long_up_to_a_minute() {
        let mut stored = None;
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..14 {
            let (attempt, after) = Throttle::attempt(stored, &ThrottleRule::LOGIN, now);
            if let Attempt::Wait { until } = attempt {
                waits.push(until.duration_since(now).as_secs());
                assert_eq!(Some(after), stored, "waiting is not counted");
                now = until;
                let (attempt, after) = Throttle::attempt(stored, &ThrottleRule::LOGIN, now);
                let number = waits.len().try_into().unwrap();
                assert_eq!(attempt, Attempt::Allowed { number }, "at the moment said");
                stored = Some(after);
            } else {
                waits.push(0);
                stored = Some(after);
            }
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_quarter_of_an_hour_without_an_attempt_and_all_is_forgotten() {
        let many = Throttle { attempts: 1_000_000, last: at(0) };
        let (attempt, after) = Throttle::attempt(Some(many), &ThrottleRule::LOGIN, at(900));
        assert_eq!(
            (attempt, after),
            (Attempt::Allowed { number: 1 }, Throttle { attempts: 1, last: at(900) })
        );
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting_for_longer_than_the_delay() {
        let later = Throttle { attempts: 9, last: at(1_000_000) };
        let (attempt, _) = Throttle::attempt(Some(later), &ThrottleRule::LOGIN, at(0));
        assert_eq!(attempt, Attempt::Wait { until: at(16) });
    }

    #[test]
    fn a_key_is_the_login_in_any_case_or_the_network_of_one_customer() {
        let network = |text: &str| ThrottleKey::network(text.parse().unwrap());
        assert_eq!(ThrottleKey::login(" Dev@Example.com "), ThrottleKey::login("dev@example.com"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
