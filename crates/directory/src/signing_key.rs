//! Signing keys of an authorization server, and when each is published, signs and goes.
//!
//! A key is published before it signs, so that whoever caches the JWK set has it by then, and stays published
//! until the last token that it signed has ended. A state carries its time; the transitions consume the
//! record.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{AuthorizationServerId, Kid};
use crate::seal::Sealed;

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "state")]
pub enum KeyState {
    /// In the JWK set, does not sign yet (Okta: `NEXT`).
    Published {
        /// Since when it can be seen.
        since: Timestamp,
    },
    /// Signs (Okta: `ACTIVE`).
    Signing {
        /// Since when.
        since: Timestamp,
    },
    /// Signs no more; what it signed may still be verified (Okta: `EXPIRED`).
    Retired {
        /// Until when it stays in the JWK set: the end of the last token that it can have signed.
        until: Timestamp,
    },
}

/// A signing key as it is stored: the public part readable, the private part sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRecord {
    /// The key id.
    pub kid: Kid,
    /// Whose key it is.
    pub server: AuthorizationServerId,
    /// The JWS algorithm that it signs with: `RS256`, `ES256` …
    pub algorithm: String,
    /// The public key, as it stands in the JWK set (RFC 7517).
    pub public_jwk: Value,
    /// The private key (PKCS#8, DER), sealed for [`SigningKeyRecord::purpose`].
    pub sealed_pkcs8: Sealed,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
}

impl SigningKeyRecord {
    /// The purpose for which the private part is sealed: bound to server and key, so that records cannot be
    /// swapped.
    pub fn purpose(server: &AuthorizationServerId, kid: &Kid) -> String {
        format!("signing key {server} {kid}")
    }

    /// `PUBLISHED` → `SIGNING`.
    #[must_use]
    pub fn promoted(self, now: Timestamp) -> Self {
        match self.state {
            KeyState::Published { .. } => Self { state: KeyState::Signing { since: now }, ..self },
            KeyState::Signing { .. } | KeyState::Retired { .. } => self,
        }
    }

    /// `SIGNING` → `RETIRED`, to be kept for `longest_token` more.
    #[must_use]
    pub fn retired(self, now: Timestamp, longest_token: SignedDuration) -> Self {
        match self.state {
            KeyState::Signing { .. } | KeyState::Published { .. } => {
                let until = now.saturating_add(longest_token).unwrap_or(Timestamp::MAX);
                Self { state: KeyState::Retired { until }, ..self }
            }
            KeyState::Retired { .. } => self,
        }
    }
}

/// When keys are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationSchedule {
    /// How long a key signs. Okta exchanges keys about four times a year.
    pub signs_for: SignedDuration,
    /// How long before it signs a key is published: longer than anybody caches the JWK set. kube-apiserver
    /// fetches again when it meets an unknown `kid`, others keep the set for a day.
    pub published_ahead: SignedDuration,
    /// How long the longest token lives that a key can have signed; a margin for clocks included.
    pub longest_token: SignedDuration,
}

impl Default for RotationSchedule {
    /// 90 days, a day ahead, kept for a day and five minutes (no ID or access token lives longer than a day).
    fn default() -> Self {
        Self {
            signs_for: SignedDuration::from_hours(90 * 24),
            published_ahead: SignedDuration::from_hours(24),
            longest_token: SignedDuration::from_secs(24 * 3600 + 300),
        }
    }
}

/// What is to be done with a server's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// There is no key: make one that signs at once.
    MakeSigning,
    /// Make the next key and publish it.
    PublishNext,
    /// The published key `signs`, the one that signed (if any) retires.
    Exchange {
        /// The key that signs from now on.
        signs: Kid,
    },
    /// The last token that this key signed has ended.
    Remove(Kid),
}

impl RotationSchedule {
    /// What is due at `now` for one server's `keys`. Doing it and asking again ends with nothing to do.
    pub fn due(&self, keys: &[SigningKeyRecord], now: Timestamp) -> Vec<KeyStep> {
        let mut steps = Vec::new();
        let signing = keys.iter().find_map(|key| match key.state {
            KeyState::Signing { since } => Some(since),
            _ => None,
        });
        let next = keys.iter().find_map(|key| match key.state {
            KeyState::Published { since } => Some((&key.kid, since)),
            _ => None,
        });
        match (signing, next) {
            (None, None) => steps.push(KeyStep::MakeSigning),
            (None, Some((kid, _))) => steps.push(KeyStep::Exchange { signs: kid.clone() }),
            (Some(since), None) => {
                if now.duration_since(since) >= self.signs_for - self.published_ahead {
                    steps.push(KeyStep::PublishNext);
                }
            }
            (Some(since), Some((kid, published))) => {
                let old_enough = now.duration_since(since) >= self.signs_for;
                if old_enough && now.duration_since(published) >= self.published_ahead {
                    steps.push(KeyStep::Exchange { signs: kid.clone() });
                }
            }
        }
        for key in keys {
            if matches!(key.state, KeyState::Retired { until } if until <= now) {
                steps.push(KeyStep::Remove(key.kid.clone()));
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests;
