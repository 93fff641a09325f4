//! Who is asking: everything that a request may bring, in kube-apiserver's order.
//!
//! Client certificate, bearer token in the header, bearer token among the WebSocket subprotocols; the first that succeeds
//! wins, and the others are not looked at. If one fails and none succeeds, the request is refused; only a request that
//! brings nothing is anonymous (Kubernetes `pkg/kubeapiserver/authenticator/config.go`).

mod bearer;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use kubesso_ambient::{Clock, Entropy};
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::go::aggregate;
use rustls_pki_types::CertificateDer;

use crate::X509Authenticator;
use crate::token_cache::TokenCache;

/// Something that knows bearer tokens.
#[async_trait]
pub trait TokenAuthenticator: fmt::Debug + Send + Sync {
    /// Whom the token belongs to; `None` if it is not one of this authenticator's.
    ///
    /// # Errors
    /// The reason for the log, if it is one of this authenticator's and not accepted.
    async fn authenticate_token(&self, token: &str) -> Result<Option<UserInfo>, String>;
}

/// What happens to a request that brings no credential (`--anonymous-auth`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// It is `system:anonymous` in `system:unauthenticated`; upstream's default.
    #[default]
    Allowed,
    /// It is refused.
    Refused,
}

/// The request is refused: answer 401 with the message `Unauthorized`, and write the cause to the log only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unauthorized")]
pub struct Unauthorized {
    cause: Option<String>,
}

impl Unauthorized {
    /// What was wrong, as upstream logs it: one error bare, several as `[a, b]`. `None` if the request brought nothing.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

/// Authenticates requests.
#[derive(Debug)]
pub struct RequestAuthenticator {
    certificates: Option<X509Authenticator>,
    tokens: Vec<Arc<dyn TokenAuthenticator>>,
    anonymous: Anonymous,
    cache: TokenCache,
    clock: Arc<dyn Clock>,
}

impl RequestAuthenticator {
    /// Knows nobody yet; anonymous requests are allowed. The token cache draws its key from `entropy`.
    pub fn new(clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        Self {
            certificates: None,
            tokens: Vec::new(),
            anonymous: Anonymous::default(),
            cache: TokenCache::new(entropy),
            clock,
        }
    }

    /// Accepts client certificates.
    #[must_use]
    pub fn with_certificates(mut self, certificates: X509Authenticator) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Accepts the tokens that `tokens` knows, after those that were added before.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenAuthenticator>) -> Self {
        self.tokens.push(tokens);
        self
    }

    /// Sets what happens to requests without credentials.
    #[must_use]
    pub fn with_anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Who asks, given the request's headers and the chain of its client certificate (leaf first; verified here, not
    /// before).
    ///
    /// # Errors
    /// [`Unauthorized`] with the cause.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'_>],
    ) -> Result<UserInfo, Unauthorized> {
        let mut errors = Vec::new();
        if let Some(authenticator) = &self.certificates {
            match authenticator.authenticate(certificates) {
                Ok(Some(user)) => return Ok(authenticated(user)),
                Ok(None) => {}
                Err(error) => errors.push(error.to_string()),
            }
        }
        if let Some(token) = bearer::from_authorization(headers) {
            // Upstream's loopback authenticator comes first, and has refused the token by now.
            errors.insert(0, bearer::INVALID.to_owned());
            match self.authenticate_token(&token).await {
                Ok(user) => return Ok(authenticated(user)),
                Err(error) => errors.push(error),
            }
        }
        match bearer::from_websocket_protocols(headers) {
            Ok(None) => {}
            Ok(Some(token)) => match self.authenticate_token(&token).await {
                Ok(user) => return Ok(authenticated(user)),
                Err(error) => errors.push(error),
            },
            Err(error) => errors.push(error.to_owned()),
        }
        match (aggregate(errors), self.anonymous) {
            (None, Anonymous::Allowed) => Ok(UserInfo {
                username: ANONYMOUS.to_owned(),
                groups: vec![UNAUTHENTICATED.to_owned()],
                ..UserInfo::default()
            }),
            (cause, _) => Err(Unauthorized { cause }),
        }
    }

    /// Tries the authenticators in turn, unless the token was accepted a moment ago.
    async fn authenticate_token(&self, token: &str) -> Result<UserInfo, String> {
        let digest = self.cache.digest(token);
        if let Some(user) = self.cache.get(&digest, self.clock.now()) {
            return Ok(UserInfo::clone(&user));
        }
        let mut errors = Vec::new();
        for authenticator in &self.tokens {
            match authenticator.authenticate_token(token).await {
                Ok(Some(user)) => {
                    self.cache.insert(digest, Arc::new(user.clone()), self.clock.now());
                    return Ok(user);
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        Err(aggregate(errors).unwrap_or_else(|| bearer::INVALID.to_owned()))
    }
}

/// The name of a request without credentials.
const ANONYMOUS: &str = "system:anonymous";
/// The group of everybody who was authenticated.
const AUTHENTICATED: &str = "system:authenticated";
/// The group of those who were not.
const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Adds `system:authenticated` (Kubernetes `authentication/group/authenticated_group_adder.go`).
fn authenticated(mut user: UserInfo) -> UserInfo {
    let is_settled = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if user.username != ANONYMOUS && !user.groups.iter().any(is_settled) {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

#[cfg(test)]
mod tests;
