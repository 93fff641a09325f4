//! Device sign-ins (RFC 8628): what a person decided about a user code.
//!
//! A device that asks leaves nothing behind: its request travels sealed inside its device code. The first thing that
//! is stored is the decision of somebody who has signed in, under a hash of the user code and of all that the code is
//! bound to; the device finds it there when it asks again.

use jiff::Timestamp;
use serde_json::Value;

use crate::application::GrantType;
use crate::authorization::Authorization;
use crate::id::{AuthorizationServerId, ClientId, GrantId, SessionId, UserId};
use crate::name::ScopeName;
use crate::secret::TokenHash;

/// What somebody decided about a user code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDecision {
    /// The hash of the user code and of what it is bound to; unique.
    pub user_code: TokenHash,
    /// Who gives the tokens.
    pub server: AuthorizationServerId,
    /// To whom.
    pub client: ClientId,
    /// Who decided.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// When the person proved who it is.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<String>,
    /// The moment from which it is worth nothing: the end of the user code.
    pub ends: Timestamp,
    /// What was decided, and what came of it.
    pub state: DeviceState,
}

/// What became of a user code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// The device may have tokens.
    Allowed {
        /// Since when.
        at: Timestamp,
    },
    /// The device may not.
    Denied {
        /// Since when.
        at: Timestamp,
        /// What the client is told.
        reason: String,
    },
    /// The device has its tokens.
    Redeemed {
        /// Since when.
        at: Timestamp,
        /// Which grant they are of. It is the device's own: another device would have brought another.
        grant: GrantId,
    },
}

/// Why a device gets no tokens for a user code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceRefusal {
    /// The person, or a rule, said no; with what the client is told.
    Denied(String),
    /// The code's time is over.
    Ended,
    /// It was redeemed before, by the device with this grant.
    Redeemed(GrantId),
    /// Nobody has decided.
    Undecided,
}

impl DeviceDecision {
    /// What was allowed: to the device that brings `grant`, with the scopes that it asked for.
    pub fn authorization(&self, grant: GrantId, scopes: Vec<ScopeName>) -> Authorization {
        Authorization {
            grant,
            grant_type: GrantType::DeviceCode,
            server: self.server.clone(),
            client: self.client.clone(),
            user: self.user.clone(),
            session: self.session.clone(),
            scopes,
            auth_time: self.auth_time,
            amr: self.amr.clone(),
            other: Value::Null,
        }
    }

    /// Redeemed at `now` by the device that brings `grant`, if it may be.
    ///
    /// # Errors
    /// The reason why not.
    pub fn redeem(self, grant: &GrantId, now: Timestamp) -> Result<Self, DeviceRefusal> {
        match self.state {
            DeviceState::Denied { reason, .. } => Err(DeviceRefusal::Denied(reason)),
            DeviceState::Redeemed { grant, .. } => Err(DeviceRefusal::Redeemed(grant)),
            DeviceState::Allowed { .. } if self.ends <= now => Err(DeviceRefusal::Ended),
            DeviceState::Allowed { .. } => {
                Ok(Self { state: DeviceState::Redeemed { at: now, grant: grant.clone() }, ..self })
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

    fn decision(state: DeviceState) -> DeviceDecision {
        DeviceDecision {
            user_code: TokenHash::of(b"code"),
            server: AuthorizationServerId::parse("aus1").unwrap(),
            client: ClientId::parse("kubectl").unwrap(),
            user: UserId::parse("00u1").unwrap(),
            session: SessionId::parse("idx1").unwrap(),
            auth_time: at(0),
            amr: vec!["pwd".to_owned()],
            ends: at(600),
            state,
        }
    }

    #[test]
    fn only_what_is_allowed_is_redeemed_once_and_until_its_end() {
        let (mine, others) = (GrantId::parse("oar1").unwrap(), GrantId::parse("oar2").unwrap());
        let allowed = decision(DeviceState::Allowed { at: at(1) });
        let redeemed = allowed.clone().redeem(&mine, at(599)).unwrap();
        assert_eq!(redeemed.state, DeviceState::Redeemed { at: at(599), grant: mine.clone() });
        let again = redeemed.redeem(&others, at(599)).unwrap_err();
        assert_eq!(again, DeviceRefusal::Redeemed(mine.clone()), "and says who was first");
        assert_eq!(allowed.redeem(&mine, at(600)).unwrap_err(), DeviceRefusal::Ended);
        let denied = decision(DeviceState::Denied { at: at(1), reason: "No.".to_owned() });
        assert_eq!(denied.redeem(&mine, at(2)).unwrap_err(), DeviceRefusal::Denied("No.".to_owned()));
    }
}
