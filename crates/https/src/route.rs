//! The way to a server as a kubeconfig's cluster describes it (client-go's `rest.Config`: `Proxy` and
//! `TLSClientConfig.ServerName`).

use std::fmt;

use reqwest::Url;

use crate::Trust;

/// Whom a client believes, and by which way it goes.
#[derive(Clone, Debug)]
pub struct Link {
    /// Whom it believes.
    pub trust: Trust,
    /// By which way.
    pub route: Route,
}

impl Link {
    /// The way that the environment's proxy variables say, under the server's own name.
    pub fn of(trust: Trust) -> Self {
        Self { trust, route: Route::default() }
    }
}

/// By which way a server is reached, and what it is called there.
#[derive(Clone, Debug, Default)]
pub struct Route {
    proxy: Option<ProxyUrl>,
    server_name: Option<String>,
}

/// A proxy's address; what it may have of a password is not shown.
#[derive(Clone)]
struct ProxyUrl(Url);

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Neither fails for what has a host.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        f.write_str(shown.as_str())
    }
}

/// Why there is no such way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// What kubectl says of it too (client-go `parseProxyURL`).
    #[error("proxy-url: the scheme {0:?} is not supported, it must be http, https or socks5")]
    Scheme(String),
    /// It is no URL, or has no host. A password in it is not shown.
    #[error("proxy-url is no URL: {0}")]
    NoUrl(String),
}

impl Route {
    /// `proxy-url` and `tls-server-name` of a kubeconfig's cluster; empty is not set.
    ///
    /// # Errors
    /// The proxy's address is none that kubectl takes.
    pub fn new(proxy_url: &str, tls_server_name: &str) -> Result<Self, RouteError> {
        let proxy = match proxy_url {
            "" => None,
            text => {
                let url = Url::parse(text).map_err(|error| RouteError::NoUrl(error.to_string()))?;
                if !["http", "https", "socks5"].contains(&url.scheme()) {
                    return Err(RouteError::Scheme(url.scheme().to_owned()));
                }
                if url.host_str().is_none_or(str::is_empty) {
                    return Err(RouteError::NoUrl("it names no host".to_owned()));
                }
                Some(ProxyUrl(url))
            }
        };
        let server_name = Some(tls_server_name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { proxy, server_name })
    }

    /// The name that the server's certificate must have, and that it is asked for (SNI), instead of that in its address.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The proxy.
    pub(crate) fn proxy(&self) -> Option<&Url> {
        self.proxy.as_ref().map(|proxy| &proxy.0)
    }

    /// Whether it is other than that of any client.
    pub fn is_special(&self) -> bool {
        self.proxy.is_some() || self.server_name.is_some()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.proxy.as_ref().map(|proxy| format!("through {proxy:?}")));
        parts.extend(self.server_name.as_ref().map(|name| format!("as {name}")));
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_what_kubectl_takes_for_one_and_its_password_is_not_shown() {
        for url in ["http://proxy:3128", "https://jo:secret@proxy", "socks5://[::1]:1080"] {
            let route = Route::new(url, "").unwrap();
            assert!(route.is_special());
            assert!(!format!("{route:?} {route}").contains("secret"), "{route:?}");
        }
        assert_eq!(Route::new("socks4://proxy", "").unwrap_err(), RouteError::Scheme("socks4".to_owned()));
        assert_eq!(Route::new("proxy:3128", "").unwrap_err(), RouteError::Scheme("proxy".to_owned()));
        assert!(matches!(Route::new("//proxy", ""), Err(RouteError::NoUrl(_))));
        assert!(!Route::new("", "").unwrap().is_special());
    }
}
