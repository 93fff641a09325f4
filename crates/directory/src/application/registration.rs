//! That an application registered itself (RFC 7591), and how it may change itself (RFC 7592).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Application;
use crate::id::InitialAccessTokenId;
use crate::secret::TokenHash;

/// What is kept with an application that registered itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The hash of the token with which it changes itself.
    pub token: TokenHash,
    /// By which token it was allowed to; `None`: registration was open to everybody.
    pub by: Option<InitialAccessTokenId>,
}

impl Registration {
    /// Under which name it stands in [`Application::other`]. It must outlive changes by administrators.
    pub const KEPT: &'static str = "registration";

    /// As it is kept.
    pub fn to_value(&self) -> Value {
        json!({ "token": BASE64_URL_SAFE_NO_PAD.encode(self.token.as_bytes()), "by": self.by })
    }
}

impl Application {
    /// How it registered itself; `None`: an administrator made it.
    pub fn registration(&self) -> Option<Registration> {
        let kept = self.other.get(Registration::KEPT)?;
        let token = BASE64_URL_SAFE_NO_PAD.decode(kept.get("token")?.as_str()?).ok()?;
        let by = kept.get("by").and_then(Value::as_str).map(InitialAccessTokenId::parse);
        Some(Registration { token: TokenHash::from_bytes(&token)?, by: by.transpose().ok()? })
    }
}
