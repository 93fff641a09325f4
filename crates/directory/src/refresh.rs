//! Refresh tokens (RFC 6749 §6), in families: one family a sign-in, one living token a family.
//!
//! # How a successor can be given twice although only hashes are stored
//!
//! A token is `<grant id>.<generation>.<secret>`. The first secret is random; each next one is computed from
//! the one before, `HMAC-SHA-256(family key, secret)`, with a random key that never leaves the store. So
//! whoever presents the immediate predecessor within the grace gets the very same successor again, computed
//! afresh, with nothing stored but the hash of the living one. Who reads the store has no secret to start
//! from; who steals a token has no key to go on with. And an old token proves itself: going on from its
//! secret leads to the living one. That is how reuse is told from invention, without keeping a row for each
//! spent token.

use jiff::{SignedDuration, Timestamp};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kubesso_ambient::{Entropy, draw};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::application::{GrantType, RefreshRotation};
use crate::authorization::Authorization;
use crate::id::{AuthorizationServerId, ClientId, GrantId, SessionId, UserId};
use crate::name::ScopeName;
use crate::policy::Lifetimes;
use crate::secret::{Secret, TokenHash};

/// Beyond this many generations back a token counts as unknown: two years of hourly refreshes, 20 ms of
/// computing.
const OLDEST_KNOWN: u32 = 20_000;

/// A refresh token as clients hold it: opaque to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    grant: GrantId,
    generation: u32,
    secret: ChainSecret,
}

/// A link of the chain, or its key.
#[derive(Clone, PartialEq, Eq)]
struct ChainSecret(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ChainSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl RefreshToken {
    /// Reads what a client presents; `None` if we never write anything like it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let (grant, generation, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if !generation.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        let written = BASE64_URL_SAFE_NO_PAD.decode_slice(secret, bytes.as_mut_slice()).ok()?;
        (written == bytes.len()).then_some(())?;
        Some(Self {
            grant: GrantId::parse(grant).ok()?,
            generation: generation.parse().ok()?,
            secret: ChainSecret(bytes),
        })
    }

    /// The text to hand out.
    pub fn expose(&self) -> Secret {
        let secret = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.secret.0));
        Secret::new(format!("{}.{}.{}", self.grant, self.generation, *secret))
    }

    /// The family that it says it is of.
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// Whether it is the one that `family` lives by, not one that was spent.
    pub fn is_living_of(&self, family: &RefreshFamily) -> bool {
        self.grant == family.grant && self.hash() == family.current
    }

    fn hash(&self) -> TokenHash {
        TokenHash::of(self.secret.0.as_slice())
    }
}

/// The key with which a family computes successors.
#[derive(Clone, PartialEq, Eq)]
pub struct FamilyKey(ChainSecret);

impl FamilyKey {
    /// A key as it was stored, if it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(ChainSecret(Zeroizing::new(bytes))))
    }

    /// The bytes to store.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0.0
    }

    fn after(&self, secret: &ChainSecret) -> ChainSecret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose());
        let mut next = Zeroizing::new([0; 32]);
        next.copy_from_slice(hmac::sign(&key, secret.0.as_slice()).as_ref());
        ChainSecret(next)
    }
}

impl std::fmt::Debug for FamilyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a family ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The code that began it was redeemed twice (RFC 6749 §4.1.2).
    CodeReplayed,
    /// A spent token was presented after the grace (RFC 9700 §4.14.2).
    Reused,
    /// Somebody revoked it, or its person signed out everywhere.
    Revoked,
}

impl EndReason {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeReplayed => "CODE_REPLAYED",
            Self::Reused => "REUSED",
            Self::Revoked => "REVOKED",
        }
    }

    /// The reason of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::CodeReplayed, Self::Reused, Self::Revoked].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Whether a family gives tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyState {
    /// It does, while its times allow.
    Live,
    /// No more.
    Ended {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
    },
}

/// One sign-in's refresh tokens: what was granted, and the state of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFamily {
    /// The id, which is in every token of it.
    pub grant: GrantId,
    /// The grant that began it, by which refreshing is judged.
    pub grant_type: GrantType,
    /// Who gives the tokens.
    pub server: AuthorizationServerId,
    /// To whom.
    pub client: ClientId,
    /// For whom.
    pub user: UserId,
    /// The session in which the person signed in.
    pub session: SessionId,
    /// What was granted; a refresh may ask for less, never for more.
    pub scopes: Vec<ScopeName>,
    /// When the person proved who it is: the same in every ID token.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<String>,
    /// What the protocol adds to what is granted (`claims`, `resource` …), for each refresh; `Null` if nothing.
    pub other: Value,
    /// When it began.
    pub created: Timestamp,
    /// When it ends for good; `None`: never. Fixed when it began; rotation does not move it.
    pub absolute_end: Option<Timestamp>,
    /// When it ends if nobody refreshes.
    pub idle_end: Timestamp,
    /// How many successors there were.
    pub generation: u32,
    /// The hash of the living token's secret.
    pub current: TokenHash,
    /// When the living token was made.
    pub rotated: Timestamp,
    /// What successors are computed with.
    pub key: FamilyKey,
    /// Whether it gives tokens.
    pub state: FamilyState,
    /// The thumbprint of the key that its refresh tokens are bound to (RFC 9449 §5); only those of public clients are:
    /// others prove themselves.
    pub dpop_jkt: Option<String>,
}

/// What a refresh goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshTerms {
    /// The application's setting.
    pub rotation: RefreshRotation,
    /// How long the successor may lie unused: the window of the rule that holds **now**.
    pub window: SignedDuration,
}

/// Why a refresh token is refused; all of them are `invalid_grant` to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshRefusal {
    /// The family ended before its time.
    #[error("the refresh token was revoked: sign in again")]
    Ended(EndReason),
    /// The absolute lifetime is over.
    #[error("the refresh token's lifetime is over: sign in again")]
    Expired,
    /// The window is over.
    #[error("the refresh token was not used for too long: sign in again")]
    Idle,
    /// It was spent, and its grace is over. The family has been ended.
    #[error("the refresh token was used before; all tokens of this sign-in were revoked: sign in again")]
    Reused,
    /// It is none of ours.
    #[error("the refresh token is not known: sign in again")]
    Unknown,
}

/// What presenting a token leads to: what to answer and what to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// Hand out `token` and store `family`.
    Rotated {
        /// The successor (or the same token, where the application's tokens are static).
        token: RefreshToken,
        /// The family's new state.
        family: Box<RefreshFamily>,
    },
    /// Hand out `token` once more; nothing to store.
    Repeated {
        /// The successor that was handed out before.
        token: RefreshToken,
    },
    /// Refuse as reused, and store `family`, which has ended.
    Ended {
        /// The family's new state.
        family: Box<RefreshFamily>,
    },
    /// Refuse; nothing to store.
    Refused(RefreshRefusal),
}

/// What became of a refresh ([`Store::rotate_refresh_token`](crate::Store::rotate_refresh_token)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Hand this token out.
    Granted {
        /// The successor.
        token: RefreshToken,
        /// The family as it is stored now.
        family: Box<RefreshFamily>,
    },
    /// Refuse.
    Refused(RefreshRefusal),
}

impl RefreshFamily {
    /// A family that begins with `authorization`, and its first token.
    pub fn begin(
        authorization: &Authorization,
        lifetimes: &Lifetimes,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> (Self, RefreshToken) {
        let key = FamilyKey(ChainSecret(Zeroizing::new(draw(entropy))));
        let secret = ChainSecret(Zeroizing::new(draw(entropy)));
        let token = RefreshToken { grant: authorization.grant.clone(), generation: 0, secret };
        let after = |duration| now.saturating_add::<SignedDuration>(duration).unwrap_or(Timestamp::MAX);
        let family = Self {
            grant: authorization.grant.clone(),
            grant_type: authorization.grant_type,
            server: authorization.server.clone(),
            client: authorization.client.clone(),
            user: authorization.user.clone(),
            session: authorization.session.clone(),
            scopes: authorization.scopes.clone(),
            auth_time: authorization.auth_time,
            amr: authorization.amr.clone(),
            other: authorization.other.clone(),
            created: now,
            absolute_end: lifetimes.refresh_token().map(|lifetime| after(lifetime.duration())),
            idle_end: after(lifetimes.refresh_window().duration()),
            generation: 0,
            current: token.hash(),
            rotated: now,
            key,
            state: FamilyState::Live,
            dpop_jkt: None,
        };
        (family, token)
    }

    /// The moment from which it gives no tokens any more, if nobody refreshes before.
    pub fn end(&self) -> Timestamp {
        match self.state {
            FamilyState::Ended { at, .. } => at,
            FamilyState::Live => self.absolute_end.map_or(self.idle_end, |end| end.min(self.idle_end)),
        }
    }

    /// Whether `token` is, or was, one of this family's: the secret proves it.
    pub fn recognises(&self, token: &RefreshToken) -> bool {
        let Some(steps) = self.generation.checked_sub(token.generation) else { return false };
        if token.grant != self.grant || steps > OLDEST_KNOWN {
            return false;
        }
        let mut secret = token.secret.clone();
        for _ in 0..steps {
            secret = self.key.after(&secret);
        }
        TokenHash::of(secret.0.as_slice()) == self.current
    }

    /// Decides on a presented token.
    #[must_use]
    pub fn present(self, token: &RefreshToken, terms: &RefreshTerms, now: Timestamp) -> Presented {
        if !self.recognises(token) {
            return Presented::Refused(RefreshRefusal::Unknown);
        }
        if let FamilyState::Ended { reason, .. } = self.state {
            return Presented::Refused(RefreshRefusal::Ended(reason));
        }
        if self.absolute_end.is_some_and(|end| end <= now) {
            return Presented::Refused(RefreshRefusal::Expired);
        }
        if self.idle_end <= now {
            return Presented::Refused(RefreshRefusal::Idle);
        }
        let idle_end = now.saturating_add(terms.window).unwrap_or(Timestamp::MAX);
        let spent_for = self.generation - token.generation;
        match (spent_for, terms.rotation) {
            (0, RefreshRotation::Static) => {
                Presented::Rotated { token: token.clone(), family: Box::new(Self { idle_end, ..self }) }
            }
            (0, RefreshRotation::Rotate { .. }) => {
                let token = self.successor(token);
                let family = Self {
                    generation: token.generation,
                    current: token.hash(),
                    rotated: now,
                    idle_end,
                    ..self
                };
                Presented::Rotated { token, family: Box::new(family) }
            }
            // On both sides: a clock that was set back must not make the grace longer.
            (1, RefreshRotation::Rotate { leeway }) if now.duration_since(self.rotated).abs() <= leeway => {
                Presented::Repeated { token: self.successor(token) }
            }
            _ => Presented::Ended { family: Box::new(self.ended(EndReason::Reused, now)) },
        }
    }

    /// Ended at `now`; what has ended stays as it is.
    #[must_use]
    pub fn ended(self, reason: EndReason, now: Timestamp) -> Self {
        match self.state {
            FamilyState::Live => Self { state: FamilyState::Ended { at: now, reason }, ..self },
            FamilyState::Ended { .. } => self,
        }
    }

    fn successor(&self, token: &RefreshToken) -> RefreshToken {
        RefreshToken {
            grant: self.grant.clone(),
            generation: token.generation.saturating_add(1),
            secret: self.key.after(&token.secret),
        }
    }
}

#[cfg(test)]
mod tests;
