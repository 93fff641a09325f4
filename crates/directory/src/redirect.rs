//! Redirect URIs: where an authorization response may go.
//!
//! A presented URI must be equal to a registered one, character by character (RFC 9700 §2.1: exact string
//! matching), with the one exception of RFC 8252 §7.3: a native application that listens on the loopback
//! interface gets its port from the operating system, so there any port matches. The comparison is done on
//! the text, not on parsed URLs, so that it cannot disagree with how a browser reads it.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Why a text cannot be registered as a redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Not an absolute URI (RFC 6749 §3.1.2).
    #[error("`{0}` is no absolute URI: use one like https://app.example.com/callback")]
    NotAbsolute(String),
    /// With a fragment (RFC 6749 §3.1.2).
    #[error("the redirect URI `{0}` has a fragment: leave out `#` and what follows")]
    Fragment(String),
    /// With a user name or a password, which make a URI look like another host's.
    #[error("the redirect URI `{0}` has a user name in it: leave out what stands before `@`")]
    Credentials(String),
    /// `http` to another machine, over which anybody on the way reads the code.
    #[error(
        "the redirect URI `{0}` would send codes over the network in clear: use https (http is for localhost only)"
    )]
    PlainHttp(String),
    /// A scheme that a browser executes or reads from disk.
    #[error(
        "the redirect URI `{0}` has a scheme that a browser does not hand to an application: use https or a private scheme"
    )]
    Scheme(String),
}

/// A registered redirect URI, kept exactly as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Hosts that are the machine itself, as they stand in a URI (RFC 8252 §7.3; `localhost` because kubelogin
/// and many others register it).
const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Schemes that never lead to an application.
const NO_APPLICATION: [&str; 8] =
    ["about", "blob", "data", "file", "filesystem", "ftp", "javascript", "vbscript"];

impl RedirectUri {
    /// Takes a URI in for registration.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        let given = || text.chars().take(200).collect::<String>();
        let plain =
            text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'));
        let url =
            Url::parse(text).ok().filter(|_| plain).ok_or_else(|| RedirectUriError::NotAbsolute(given()))?;
        if text.contains('#') {
            return Err(RedirectUriError::Fragment(given()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::Credentials(given()));
        }
        match url.scheme() {
            "http" if loopback(text).is_none() => Err(RedirectUriError::PlainHttp(given())),
            scheme if NO_APPLICATION.contains(&scheme) => Err(RedirectUriError::Scheme(given())),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The URI as it is registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this URI: equal to it, or, if `ports` says so, to a loopback URI up to the
    /// port.
    pub fn matches(&self, presented: &str, ports: LoopbackPorts) -> bool {
        if self.0 == presented {
            return true;
        }
        match ports {
            LoopbackPorts::AsRegistered => false,
            LoopbackPorts::Any => match (loopback(&self.0), loopback(presented)) {
                (Some(registered), Some(presented)) => registered == presented,
                _ => false,
            },
        }
    }
}

/// Whether the port of a loopback redirect URI counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopbackPorts {
    /// Any port matches: native applications (RFC 8252 §7.3).
    Any,
    /// The registered port only: all others.
    AsRegistered,
}

/// Host and the rest behind the port, if `uri` is `http://<loopback host>[:port][/…]`. No path and `/` are
/// the same (RFC 3986 §6.2.3).
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = LOOPBACK_HOSTS.into_iter().find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            // As many as a port can have: leading zeros would make a URI of any length match.
            port.get(..digits).filter(|port| port.len() <= 5)?.parse::<u16>().ok()?;
            &port[digits..]
        }
        None => rest,
    };
    let clean = rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
    let path = match rest {
        "" => "/",
        _ if rest.starts_with(['/', '?']) => rest,
        _ => return None,
    };
    clean.then_some((host, path))
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;

    fn try_from(text: String) -> Result<Self, RedirectUriError> {
        Self::parse(&text)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

#[cfg(test)]
mod tests;
