//! The way in: who sends a request.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use kubesso_k8s_types::UserInfo;
use rustls_pki_types::CertificateDer;

/// A request whose credentials are not good. The cause is for the log and for TokenReview, never for the sender
/// of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unauthorized: {cause}")]
pub struct Unauthorized {
    /// What is wrong, without the credential itself.
    pub cause: String,
}

/// Tells who sends a request, from its headers and the certificates of its connection.
///
/// Implemented by [`kubesso_authn::RequestAuthenticator`]; a trait so that the server is tested without tokens.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The sender with all groups, `system:anonymous` included where that is allowed.
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized>;
}

#[async_trait]
impl<T: Authenticate + ?Sized> Authenticate for Arc<T> {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        (**self).authenticate(headers, certificates).await
    }
}

#[async_trait]
impl Authenticate for kubesso_authn::RequestAuthenticator {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        let user = Self::authenticate(self, headers, certificates).await;
        user.map_err(|refused| Unauthorized { cause: refused.cause().unwrap_or("no credentials").to_owned() })
    }
}
