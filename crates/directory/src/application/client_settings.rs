//! Settings of an OAuth client that are kept as they came ([`Application::other`]) and that the provider goes by.

use serde_json::Value;
use url::Url;

use super::Application;

/// Where a client is told of a logout (OpenID Connect Back-Channel Logout 1.0 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackchannelLogout {
    /// The https address.
    pub uri: Url,
    /// Whether the client needs to know which session ended (`sid`).
    pub session_required: bool,
}

impl BackchannelLogout {
    /// An address that can be one: absolute, https, with a host, without user, password and fragment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_uri(text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| "use an absolute address, https://…")?;
        match url.scheme() {
            "https" if !url.username().is_empty() || url.password().is_some() => {
                Err("use an address without a user and a password")
            }
            "https" if url.fragment().is_some() => Err("use an address without a fragment"),
            "https" if url.host().is_some() => Ok(url),
            _ => Err("use an https address"),
        }
    }
}

impl Application {
    /// Where it is told of a logout; `None`: it is not told.
    pub fn backchannel_logout(&self) -> Option<BackchannelLogout> {
        let uri = self.client_setting("backchannel_logout_uri")?.as_str()?;
        let session_required = self.client_setting("backchannel_logout_session_required");
        Some(BackchannelLogout {
            uri: BackchannelLogout::parse_uri(uri).ok()?,
            session_required: session_required.and_then(Value::as_bool) == Some(true),
        })
    }

    /// Whether it gets only tokens that are bound to a key (`dpop_bound_access_tokens`, RFC 9449 §5.2).
    pub fn has_dpop_bound_access_tokens(&self) -> bool {
        self.client_setting("dpop_bound_access_tokens").and_then(Value::as_bool) == Some(true)
    }

    fn client_setting(&self, name: &str) -> Option<&Value> {
        self.other.get("oauthClient")?.get(name)
    }
}
