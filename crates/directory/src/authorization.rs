//! What somebody allowed a client: what tokens say, and what refresh tokens begin with.

use jiff::Timestamp;
use serde_json::Value;

use crate::application::GrantType;
use crate::id::{AuthorizationServerId, ClientId, GrantId, SessionId, UserId};
use crate::name::ScopeName;

/// What a person allowed a client, by one sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Its id, which the tokens name.
    pub grant: GrantId,
    /// By which grant. Refreshing is judged by it too.
    pub grant_type: GrantType,
    /// Who gives the tokens.
    pub server: AuthorizationServerId,
    /// To whom.
    pub client: ClientId,
    /// For whom.
    pub user: UserId,
    /// The session in which the person signed in; of the password grant, which has no browser, an id of its own.
    pub session: SessionId,
    /// What is granted.
    pub scopes: Vec<ScopeName>,
    /// When the person proved who it is.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<String>,
    /// What the protocol adds to what is granted (`claims`, `resource` …); `Null` if nothing.
    pub other: Value,
}
