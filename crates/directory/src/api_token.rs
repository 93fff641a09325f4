//! Tokens of the management API (`Authorization: SSWS <token>`): made once, shown once, stored as a hash.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::admin::AdminRole;
use crate::id::{ApiTokenId, UserId};
use crate::name::Label;
use crate::secret::TokenHash;

/// A token with which a program calls the management API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// The id, which may be shown and logged.
    pub id: ApiTokenId,
    /// What administrators call it.
    pub name: Label,
    /// The hash of the token.
    pub hash: TokenHash,
    /// What it may do: all that one of these roles allows.
    pub roles: BTreeSet<AdminRole>,
    /// For whom it acts: then it may do no more than that person may now, and ends with that person. `None` where it
    /// was made on the machine itself, with the data directory at hand.
    pub user: Option<UserId>,
    /// When it was made.
    pub created: Timestamp,
    /// From when it is not taken any more; `None`: it is taken until it is removed.
    pub expires: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it is still taken at `now`.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}
