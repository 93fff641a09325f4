//! The cluster's authenticator, put in when all that can fail has succeeded.
//!
//! Asking the provider for its keys begins with the authenticator. A start that fails after that would leave with an error
//! about a provider that it took away itself, beside the one that matters.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::HeaderMap;
use kubesso_authn::RequestAuthenticator;
use kubesso_k8s_types::UserInfo;
use kubesso_sandbox::{Authenticate, Unauthorized};
use rustls_pki_types::CertificateDer;

/// Refuses everybody until [`set`](Self::set).
#[derive(Clone, Default)]
pub(super) struct LateAuthenticator(Arc<OnceLock<RequestAuthenticator>>);

impl LateAuthenticator {
    /// From now on `authenticator` decides; the first one stays.
    pub(super) fn set(&self, authenticator: RequestAuthenticator) {
        let _ = self.0.set(authenticator);
    }
}

#[async_trait]
impl Authenticate for LateAuthenticator {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        match self.0.get() {
            Some(authenticator) => Authenticate::authenticate(authenticator, headers, certificates).await,
            None => Err(Unauthorized { cause: "the cluster is starting".to_owned() }),
        }
    }
}
