//! Links that work once: choosing a password after an activation or a reset.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::secret::TokenHash;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OneTimePurpose {
    /// Somebody new chooses the first password.
    Activation,
    /// Somebody whose password was reset, or has expired, chooses another.
    PasswordReset,
}

impl OneTimePurpose {
    /// How long a link for it is good.
    pub fn lifetime(self) -> SignedDuration {
        match self {
            Self::Activation => SignedDuration::from_hours(7 * 24),
            Self::PasswordReset => SignedDuration::from_hours(1),
        }
    }
}

/// A link that works once. Only the hash of its secret part is stored; a newer one of the same person takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeToken {
    /// The hash of the token.
    pub hash: TokenHash,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub purpose: OneTimePurpose,
    /// From when it is not taken any more.
    pub ends: Timestamp,
}
