//! Which authorization server and application the sandbox cluster trusts: those of the tutorial's names, whoever made them.
//! With `kubesso up --for-terraform` they come later, and with every `terraform destroy` and `apply` they are others; the
//! cluster follows.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use kubesso_ambient::Clock;
use kubesso_authn::{OidcAuthenticator, OidcConfig, OidcOptions, TokenAuthenticator};
use kubesso_directory::{FirstWorld, Revision, Snapshot, Store};
use kubesso_k8s_types::UserInfo;
use kubesso_provider::Provider;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::CommandError;

/// How often the directory is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a cluster and a kubeconfig are told (`--oidc-issuer-url`, `--oidc-client-id`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The provider's issuer.
    pub issuer: String,
    /// The application kubectl signs in to.
    pub client_id: String,
}

impl Registration {
    /// The one that is there now: of the names of `world`.
    pub(super) fn find(provider: &Provider, snapshot: &Snapshot, world: &FirstWorld) -> Option<Self> {
        let application = snapshot.applications().find(|found| found.label == world.application)?;
        let server = snapshot.servers().find(|found| found.server.name == world.server)?;
        Some(Self {
            issuer: provider.issuer(&server.server.id),
            client_id: application.client_id.to_string(),
        })
    }
}

/// The tokens that the cluster takes: those of the present registration.
#[derive(Debug, Default)]
pub(super) struct RegisteredTokens(ArcSwapOption<OidcAuthenticator>);

#[async_trait]
impl TokenAuthenticator for RegisteredTokens {
    async fn authenticate_token(&self, token: &str) -> Result<Option<UserInfo>, String> {
        match &*self.0.load() {
            Some(authenticator) => authenticator.authenticate_token(token).await,
            None => Ok(None),
        }
    }
}

/// What following takes.
pub(super) struct Following {
    pub(super) tokens: Arc<RegisteredTokens>,
    pub(super) provider: Provider,
    pub(super) store: Arc<dyn Store>,
    pub(super) world: FirstWorld,
    pub(super) authority_pem: String,
    pub(super) clock: Arc<dyn Clock>,
}

impl Following {
    /// Makes the cluster trust a registration, as soon as it knows the provider's keys.
    ///
    /// # Errors
    /// Only settings that cannot be; that the provider does not answer yet is in the log, and tried again.
    pub(super) async fn trust(&self, registration: &Registration) -> Result<(), CommandError> {
        let refused =
            |e: &dyn std::error::Error| CommandError::because("the cluster cannot trust the provider", e);
        let config = OidcConfig::new(OidcOptions {
            issuer_url: registration.issuer.clone(),
            client_id: registration.client_id.clone(),
            ca_pem: Some(self.authority_pem.clone()),
            username_claim: "email".to_owned(),
            groups_claim: Some("groups".to_owned()),
            ..OidcOptions::default()
        })
        .map_err(|e| refused(&e))?;
        let authenticator = OidcAuthenticator::start(config, self.clock.clone()).map_err(|e| refused(&e))?;
        if let Err(problem) = authenticator.first_attempt().await {
            warn!(problem, "the cluster does not know the provider yet");
        }
        self.tokens.0.store(Some(Arc::new(authenticator)));
        Ok(())
    }

    /// Follows what happens to the registration, until `shutdown`; `changed` is told of each new one.
    pub(super) async fn follow(
        self,
        mut present: Option<Registration>,
        changed: impl Fn(&Registration, &Snapshot) -> Result<(), CommandError> + Send,
        shutdown: CancellationToken,
    ) {
        let mut seen: Option<Revision> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
            // A directory that does not answer is asked again.
            let Ok(revision) = self.store.revision().await else { continue };
            if seen == Some(revision) {
                continue;
            }
            let Ok(snapshot) = self.store.snapshot().await else { continue };
            seen = Some(snapshot.revision());
            let Some(found) = Registration::find(&self.provider, &snapshot, &self.world) else { continue };
            if present.as_ref() == Some(&found) {
                continue;
            }
            if let Err(error) = self.trust(&found).await {
                warn!(%error, "the cluster keeps what it trusted before");
                continue;
            }
            if let Err(error) = changed(&found, &snapshot) {
                warn!(%error, "the kubeconfig keeps what it said before");
            }
            info!(issuer = %found.issuer, client_id = %found.client_id, "the cluster trusts");
            eprintln!("the cluster trusts {} (client {})", found.issuer, found.client_id);
            present = Some(found);
        }
    }
}
