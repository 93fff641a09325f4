//! Authorization codes (RFC 6749 §4.1): stored hashed, for a minute, redeemed once.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::application::GrantType;
use crate::authorization::Authorization;
use crate::id::{AuthorizationServerId, ClientId, GrantId, SessionId, UserId};
use crate::name::ScopeName;
use crate::secret::TokenHash;

/// How long a code may be redeemed. RFC 6749 §4.1.2 allows ten minutes at most; a browser needs a second.
pub const CODE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// An authorization code with everything that the token endpoint needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The hash of the code's value.
    pub hash: TokenHash,
    /// What the code gave; a refresh token family made from it has the same id.
    pub grant: GrantId,
    /// Who gave it.
    pub server: AuthorizationServerId,
    /// For whom.
    pub client: ClientId,
    /// Who signed in.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// The `redirect_uri` of the request, exactly as presented: it must come again.
    pub redirect_uri: String,
    /// What is granted.
    pub scopes: Vec<ScopeName>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// The S256 code challenge (RFC 7636 §4.2).
    pub code_challenge: Option<String>,
    /// When the person proved who it is.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<String>,
    /// Room for what the protocol adds (`claims`, `resource` …); `Null` if nothing.
    pub other: Value,
    /// When it was given.
    pub issued: Timestamp,
}

impl AuthorizationCode {
    /// What it stands for.
    pub fn authorization(&self) -> Authorization {
        Authorization {
            grant: self.grant.clone(),
            grant_type: GrantType::AuthorizationCode,
            server: self.server.clone(),
            client: self.client.clone(),
            user: self.user.clone(),
            session: self.session.clone(),
            scopes: self.scopes.clone(),
            auth_time: self.auth_time,
            amr: self.amr.clone(),
            other: self.other.clone(),
        }
    }

    /// The moment from which it is worth nothing.
    pub fn end(&self) -> Timestamp {
        self.issued.saturating_add(CODE_LIFETIME).unwrap_or(Timestamp::MAX)
    }

    /// Whether it may be redeemed at `now`.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now < self.end()
    }
}

/// What became of an attempt to redeem a code ([`Store::redeem_code`](crate::Store::redeem_code)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// It was redeemed, by this call and no other; the refresh token family is stored.
    Redeemed,
    /// Somebody had redeemed it before: one of the two is a thief, so that the refresh token family that came
    /// of it has been ended (RFC 6749 §4.1.2).
    Replayed,
    /// There is no such code, or its minute is over.
    Unknown,
}
