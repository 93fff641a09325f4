//! Settings of an OAuth client that are kept as they came ([`Application::other`]) and that the provider goes by.

use serde_json::Value;
use url::Url;

use super::{Application, ClientAuthentication, ClientKeys};
use crate::consent::ConsentMethod;

/// An address at a client that the provider may call: absolute, https, with a host, without user, password and fragment.
///
/// # Errors
/// What is wrong with it.
pub fn parse_client_address(text: &str) -> Result<Url, &'static str> {
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

/// A `request_uri` (OpenID Connect Core §6.2) without its fragment, which only tells one version of the document from
/// another: an https address of at most 512 ASCII characters.
///
/// # Errors
/// What is wrong with it.
pub fn parse_request_uri(text: &str) -> Result<Url, &'static str> {
    if text.len() > 512 || !text.is_ascii() {
        return Err("use at most 512 ASCII characters");
    }
    parse_client_address(text.split('#').next().unwrap_or_default())
}

/// Where a client is told of a logout (OpenID Connect Back-Channel Logout 1.0 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackchannelLogout {
    /// The https address.
    pub uri: Url,
    /// Whether the client needs to know which session ended (`sid`).
    pub session_required: bool,
}

impl BackchannelLogout {
    /// An address that can be one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_uri(text: &str) -> Result<Url, &'static str> {
        parse_client_address(text)
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

    /// Whether its authorization requests count only if they were pushed (`require_pushed_authorization_requests`, RFC 9126
    /// §6).
    pub fn requires_pushed_requests(&self) -> bool {
        let setting = self.client_setting("require_pushed_authorization_requests");
        setting.and_then(Value::as_bool) == Some(true)
    }

    /// Whether it gets only access tokens that are bound to its certificate (`tls_client_certificate_bound_access_tokens`,
    /// RFC 8705 §3.4).
    pub fn has_certificate_bound_access_tokens(&self) -> bool {
        let setting = self.client_setting("tls_client_certificate_bound_access_tokens");
        setting.and_then(Value::as_bool) == Some(true)
    }

    /// The algorithm that its ID tokens and logout tokens are signed with, if it asks for one (OpenID Connect Dynamic
    /// Registration §2).
    pub fn id_token_signed_response_alg(&self) -> Option<&str> {
        self.client_setting("id_token_signed_response_alg").and_then(Value::as_str)
    }

    /// The claims that stand in its ID tokens beside those of the protocol, by name; `None`: all that its scopes give and its
    /// authorization server always includes (`id_token_claims`, ours). A cluster reads nothing but the ID token, and needs
    /// them there; another application can ask userinfo for them (OpenID Connect Core §5.4), and have small tokens.
    pub fn id_token_claims(&self) -> Option<Vec<&str>> {
        let names = self.client_setting("id_token_claims")?.as_array()?;
        Some(names.iter().filter_map(Value::as_str).collect())
    }

    /// The public keys by which what it signs is checked: those that it proves itself with, or others that it registered
    /// (`jwks`, `jwks_uri`, RFC 7591 §2).
    pub fn keys(&self) -> Option<ClientKeys> {
        if let ClientAuthentication::PrivateKeyJwt(keys) | ClientAuthentication::SelfSignedTls(keys) =
            &self.authentication
        {
            return Some(keys.clone());
        }
        let address = self.client_setting("jwks_uri").and_then(Value::as_str);
        match address.and_then(|address| parse_client_address(address).ok()) {
            Some(address) => Some(ClientKeys::At(address)),
            None => self.client_setting("jwks").cloned().map(ClientKeys::Inline),
        }
    }

    /// The address that `request_uri` names, if requests may be fetched from there: one of the registered `request_uris`,
    /// character by character (OpenID Connect Dynamic Registration §2). The fragment counts for nothing.
    pub fn request_address(&self, request_uri: &str) -> Option<Url> {
        let address = parse_request_uri(request_uri).ok()?;
        let bare = |uri: &str| uri.split('#').next().unwrap_or_default().to_owned();
        let mut registered =
            self.client_setting("request_uris")?.as_array()?.iter().filter_map(Value::as_str);
        registered.any(|uri| bare(uri) == bare(request_uri)).then_some(address)
    }

    /// Whether people are asked before it gets what scopes want consent for (`consent_method`).
    pub fn consent_method(&self) -> ConsentMethod {
        let text = self.client_setting("consent_method").and_then(Value::as_str);
        text.and_then(ConsentMethod::parse).unwrap_or_default()
    }

    /// Where it says what it does with what it gets (`policy_uri`); web addresses only, because people follow it.
    pub fn policy_uri(&self) -> Option<Url> {
        self.web_address("policy_uri")
    }

    /// Its terms of service (`tos_uri`); web addresses only.
    pub fn tos_uri(&self) -> Option<Url> {
        self.web_address("tos_uri")
    }

    fn web_address(&self, name: &str) -> Option<Url> {
        let uri = Url::parse(self.client_setting(name)?.as_str()?).ok()?;
        matches!(uri.scheme(), "https" | "http").then_some(uri)
    }

    /// What is kept of its `settings.oauthClient`.
    pub fn client_setting(&self, name: &str) -> Option<&Value> {
        self.other.get("oauthClient")?.get(name)
    }
}
