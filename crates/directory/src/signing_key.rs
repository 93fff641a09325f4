//! Signing keys of an authorization server, and when each is published, signs and goes.
//!
//! A key is pending (published, does not sign) before it is active (signs), so that whoever caches the JWK set has it by
//! then, and retiring (published, signs no more) until the last token that it signed has ended. A key that somebody else
//! may have is revoked: at once it is published no more. A state carries its time; the transitions consume the record.
//!
//! A server signs ID tokens with its own algorithm, and with each other one that an application asks for
//! (`id_token_signed_response_alg`): of every one of them it has an active key.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::Entropy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::application::Application;
use crate::id::{AuthorizationServerId, Kid};
use crate::seal::{Sealed, SealingKey};
use crate::snapshot::{Server, Snapshot};

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "state")]
pub enum KeyState {
    /// In the JWK set, does not sign yet (Okta: `NEXT`).
    Pending {
        /// Since when it can be seen.
        since: Timestamp,
    },
    /// Signs (Okta: `ACTIVE`).
    Active {
        /// Since when.
        since: Timestamp,
    },
    /// Signs no more; what it signed may still be verified (Okta: `EXPIRED`).
    Retiring {
        /// Until when it stays in the JWK set: the end of the last token that it can have signed.
        until: Timestamp,
    },
    /// Not in the JWK set any more, and its private half is gone: nothing that it signed counts.
    Revoked {
        /// Since when.
        at: Timestamp,
    },
}

impl KeyState {
    /// All of them, in words.
    pub const NAMES: [&str; 4] = ["pending", "active", "retiring", "revoked"];

    /// The state in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Active { .. } => "active",
            Self::Retiring { .. } => "retiring",
            Self::Revoked { .. } => "revoked",
        }
    }
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

    /// Pending → active.
    #[must_use]
    pub fn promoted(self, now: Timestamp) -> Self {
        match self.state {
            KeyState::Pending { .. } => Self { state: KeyState::Active { since: now }, ..self },
            KeyState::Active { .. } | KeyState::Retiring { .. } | KeyState::Revoked { .. } => self,
        }
    }

    /// Active → retiring, to be kept for `longest_token` more.
    #[must_use]
    pub fn retired(self, now: Timestamp, longest_token: SignedDuration) -> Self {
        match self.state {
            KeyState::Active { .. } | KeyState::Pending { .. } => {
                let until = now.saturating_add(longest_token).unwrap_or(Timestamp::MAX);
                Self { state: KeyState::Retiring { until }, ..self }
            }
            KeyState::Retiring { .. } | KeyState::Revoked { .. } => self,
        }
    }

    /// Any → revoked. The private half goes: what takes its place is sealed by `sealing_key` and holds nothing.
    #[must_use]
    pub fn revoked(self, now: Timestamp, sealing_key: &SealingKey, entropy: &dyn Entropy) -> Self {
        if matches!(self.state, KeyState::Revoked { .. }) {
            return self;
        }
        let sealed_pkcs8 = sealing_key.seal(&Self::purpose(&self.server, &self.kid), b"", entropy);
        Self { state: KeyState::Revoked { at: now }, sealed_pkcs8, ..self }
    }

    /// Whether it signs.
    pub fn is_active(&self) -> bool {
        matches!(self.state, KeyState::Active { .. })
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

/// Which algorithms a server needs active keys of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedAlgorithms<'a> {
    /// Its own.
    pub own: &'a str,
    /// Those that applications ask for.
    pub others: BTreeSet<&'a str>,
}

impl<'a> WantedAlgorithms<'a> {
    /// What `server` and the active applications that its policies are for ask for.
    pub fn of(server: &'a Server, snapshot: &'a Snapshot) -> Self {
        let is_client = |application: &&Application| {
            let mut policies = server.policies().filter(|(policy, _)| policy.status.is_active());
            policies.any(|(policy, _)| policy.clients.contain(&application.client_id))
        };
        let applications = snapshot.applications().filter(|application| application.status.is_active());
        let asked = applications.filter(is_client).filter_map(Application::id_token_signed_response_alg);
        let own = server.server.algorithm.as_str();
        Self { own, others: asked.filter(|algorithm| *algorithm != own).collect() }
    }
}

/// What is to be done with a server's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// There is no key of this algorithm: make one that signs at once.
    MakeActive {
        /// The algorithm.
        algorithm: String,
    },
    /// Make the next key and publish it.
    PublishNext {
        /// Its algorithm.
        algorithm: String,
    },
    /// The pending key `signs`; the one of its algorithm that signed (if any) retires.
    Exchange {
        /// The key that signs from now on.
        signs: Kid,
    },
    /// Nobody wants the algorithm any more.
    Retire(Kid),
    /// The last token that this key signed has ended.
    Remove(Kid),
}

impl RotationSchedule {
    /// What is due at `now` for one server's `keys`. Doing it and asking again ends with nothing to do.
    ///
    /// A server's own algorithm can change: the key of the new one is published, and only when it has been for
    /// `published_ahead` does it sign; until then the old one does. An algorithm that an application asks for anew has an
    /// active key at once: nobody holds a JWK set for tokens that there were not.
    pub fn due(
        &self,
        keys: &[SigningKeyRecord],
        wanted: &WantedAlgorithms<'_>,
        now: Timestamp,
    ) -> Vec<KeyStep> {
        let mut steps = Vec::new();
        // The algorithms of which a key signs when the steps are done.
        let mut will_sign: BTreeSet<&str> = BTreeSet::new();
        let any_signs = keys.iter().any(SigningKeyRecord::is_active);
        for algorithm in std::iter::once(&wanted.own).chain(&wanted.others).copied() {
            let of_it = || keys.iter().filter(|key| key.algorithm == algorithm);
            let signing = of_it().find_map(|key| match key.state {
                KeyState::Active { since } => Some(since),
                _ => None,
            });
            let next = of_it().find_map(|key| match key.state {
                KeyState::Pending { since } => Some((&key.kid, since)),
                _ => None,
            });
            // Nobody can hold a set without the key whose tokens there would be none without it.
            let may_wait = signing.is_some() || (any_signs && algorithm == wanted.own);
            let old_enough =
                |since: Timestamp| now.duration_since(since) >= self.signs_for - self.published_ahead;
            match next {
                Some((kid, published))
                    if !may_wait
                        || (now.duration_since(published) >= self.published_ahead
                            && signing.is_none_or(|since| now.duration_since(since) >= self.signs_for)) =>
                {
                    steps.push(KeyStep::Exchange { signs: kid.clone() });
                    will_sign.insert(algorithm);
                }
                None if !may_wait => {
                    steps.push(KeyStep::MakeActive { algorithm: algorithm.to_owned() });
                    will_sign.insert(algorithm);
                }
                None if signing.is_none_or(old_enough) => {
                    steps.push(KeyStep::PublishNext { algorithm: algorithm.to_owned() });
                }
                _ => {}
            }
            if signing.is_some() {
                will_sign.insert(algorithm);
            }
        }
        for key in keys {
            let is_wanted = key.algorithm == wanted.own || wanted.others.contains(&*key.algorithm);
            match key.state {
                KeyState::Active { .. } if !is_wanted && will_sign.contains(wanted.own) => {
                    steps.push(KeyStep::Retire(key.kid.clone()));
                }
                KeyState::Retiring { until } if until <= now => steps.push(KeyStep::Remove(key.kid.clone())),
                _ => {}
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests;
