//! What an installation asks of everybody who signs in by a password.

use crate::password::PasswordPolicy;
use crate::session::SessionLifetime;
use crate::throttle::ThrottleRule;

/// The rules in force. The default is a good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignInRules {
    /// What a password must be like, and for how long it is good.
    pub passwords: PasswordPolicy,
    /// How wrong passwords slow a login down.
    pub lockout: ThrottleRule,
    /// When a browser's session ends.
    pub sessions: SessionLifetime,
}
