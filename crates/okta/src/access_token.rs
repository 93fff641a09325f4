//! Access tokens for this API, as service applications get them from `/oauth2/v1/token`. Nobody else reads them, so they are
//! sealed instead of signed: what stands in one is read by whoever has the sealing key, and by nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kubesso_directory::{ClientId, ScopeName, Sealed};
use serde::{Deserialize, Serialize};

use crate::context::Context;

const PURPOSE: &str = "management access token";
/// Longer ones are not looked at.
const LONGEST: usize = 16 * 1024;

/// What stands in an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    /// To which service application it was given.
    pub(crate) client: ClientId,
    /// What it was asked for, out of what the application was granted then.
    pub(crate) scopes: Vec<ScopeName>,
    /// The first second at which it is not taken any more, since 1970.
    pub(crate) expires: i64,
    /// The thumbprint of the key without which it is worth nothing (RFC 9449 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jkt: Option<String>,
}

impl AccessToken {
    /// The text to hand out.
    pub(crate) fn seal(&self, context: &Context) -> Result<String, serde_json::Error> {
        let plain = serde_json::to_vec(self)?;
        let sealed = context.sealing_key.seal(PURPOSE, &plain, &*context.entropy);
        Ok(URL_SAFE_NO_PAD.encode(sealed.as_bytes()))
    }

    /// What somebody presented, if it is one of ours whose time is not over.
    pub(crate) fn open(context: &Context, text: &str, now: Timestamp) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = Sealed::from_bytes(URL_SAFE_NO_PAD.decode(text).ok()?);
        let plain = context.sealing_key.open(PURPOSE, &sealed).ok()?;
        let token: Self = serde_json::from_slice(&plain).ok()?;
        (now.as_second() < token.expires).then_some(token)
    }
}
