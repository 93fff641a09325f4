//! Which clients took part in sessions (OpenID Connect Back-Channel Logout 1.0 §2.3): they are told of a logout.

use crate::id::{AuthorizationServerId, ClientId, SessionId, UserId};

/// Whose participants are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionsOf {
    /// Those of this session.
    Session(SessionId),
    /// Those of all sessions of this person.
    User(UserId),
}

/// A client that got tokens in a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Participant {
    /// Who gave them.
    pub server: AuthorizationServerId,
    /// To whom.
    pub client: ClientId,
    /// For whom.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
}
