//! Tokens that let somebody register clients (RFC 7591 §3, "initial access token"): made once, shown once, stored as a hash.

use jiff::Timestamp;

use crate::id::InitialAccessTokenId;
use crate::name::Label;
use crate::secret::TokenHash;

/// A token with which a program registers so many clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialAccessToken {
    /// The id, which may be shown and logged.
    pub id: InitialAccessTokenId,
    /// What administrators call it; unique.
    pub name: Label,
    /// The hash of the token.
    pub hash: TokenHash,
    /// How many clients it registers yet.
    pub uses_left: u32,
    /// When it was made.
    pub created: Timestamp,
    /// From when it is not taken any more.
    pub expires: Timestamp,
}
