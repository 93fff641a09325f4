//! `id_token_hint`: an ID token of ours that comes back to say who is meant. It may have ended long ago
//! (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2), as long as its key is still published.

use jiff::Timestamp;
use kubesso_directory::{ClientId, Server, SessionId, UserId};
use kubesso_token::Algorithm;
use serde_json::Value;

use crate::context::{Configuration, Context};

/// What an ID token of ours says.
pub(crate) struct IdTokenHint {
    /// To whom it was issued.
    pub(crate) client: ClientId,
    /// Of whom it speaks.
    pub(crate) user: UserId,
    /// In which session the person signed in.
    pub(crate) session: Option<SessionId>,
    /// The first moment at which it is no longer good.
    pub(crate) expires: Timestamp,
}

impl IdTokenHint {
    /// Reads an ID token that `server` gave; `None` if it is none.
    pub(crate) fn read(
        context: &Context,
        configuration: &Configuration,
        server: &Server,
        token: &str,
    ) -> Option<Self> {
        let verified =
            configuration.keys(server)?.jwk_set(context.now()).verify(token, &Algorithm::ALL).ok()?;
        let text = |name: &str| verified.payload.get(name).and_then(Value::as_str);
        let is_ours = verified.header.typ.as_deref() == Some("JWT")
            && text("iss") == Some(&context.issuer(&server.server.id));
        if !is_ours {
            return None;
        }
        let expires = verified.payload.get("exp").and_then(Value::as_i64)?;
        Some(Self {
            client: ClientId::parse(text("aud")?).ok()?,
            user: UserId::parse(text("sub")?).ok()?,
            session: text("sid").and_then(|session| SessionId::parse(session).ok()),
            expires: Timestamp::from_second(expires).ok()?,
        })
    }
}
