//! The provider as its owner sees it: made, served, kept in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::password::PasswordHasher;
use kubesso_directory::{
    AuthorizationServerId, Purged, RotationSchedule, SealingKey, SignInRules, Store, StoreError,
};
use url::Url;

use crate::back_channel::BackChannel;
use crate::client_certificate::MutualTls;
use crate::context::{Context, Parts};
use crate::endpoint;
use crate::endpoint::registration::RegistrationPolicy;
use crate::fetch::Fetch;
use crate::keys::{KeyChange, KeyError};

/// What a provider needs.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Where people and clusters reach it: `https://`, host and port, no path. Issuers begin with it.
    pub base_url: Url,
    /// The directory.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Opens the signing keys in the store, and seals what travels with the browser. The same in every
    /// replica.
    pub sealing_key: SealingKey,
    /// Who posts logout tokens to clients (OpenID Connect Back-Channel Logout 1.0); `None`: clients are not told of
    /// logouts, and discovery does not offer it.
    pub back_channel: Option<Arc<dyn BackChannel>>,
    /// What the installation decides.
    pub settings: Settings,
    /// Who fetches what clients have registered by its address (`jwks_uri`, `request_uris`); `None`: it is not fetched, and
    /// discovery does not offer `request_uri`.
    pub fetch: Option<Arc<dyn Fetch>>,
    /// How clients' certificates come (RFC 8705); `None`: they do not, and discovery does not offer them.
    pub mutual_tls: Option<MutualTls>,
    /// Who may register clients (RFC 7591); `None`: nobody.
    pub registration: Option<RegistrationPolicy>,
}

/// What an installation decides for everybody. The default is a good one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// When signing keys are exchanged.
    pub rotation: RotationSchedule,
    /// What is asked of those who sign in.
    pub sign_in: SignInRules,
}

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The base URL cannot be one.
    #[error("{0} cannot be the provider's base URL: use https, a host and perhaps a port, without a path")]
    BaseUrl(Url),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often [`Provider::keep_maintained`] looks.
const MAINTENANCE: Duration = Duration::from_mins(1);

/// An OpenID Connect provider.
#[derive(Clone, Debug)]
pub struct Provider {
    pub(crate) context: Context,
}

impl Provider {
    /// A provider over the directory as it is. Authorization servers without a signing key get one.
    pub async fn new(config: ProviderConfig) -> Result<Self, ProviderError> {
        let url = &config.base_url;
        let is_origin = url.scheme() == "https"
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_origin {
            return Err(ProviderError::BaseUrl(config.base_url));
        }
        let context = Context::new(Parts {
            base_url: config.base_url,
            store: config.store,
            clock: config.clock,
            entropy: config.entropy,
            sealing_key: config.sealing_key,
            sign_in: config.settings.sign_in,
            rotation: config.settings.rotation,
            password_hasher: PasswordHasher::default(),
            back_channel: config.back_channel,
            fetch: config.fetch,
            mutual_tls: config.mutual_tls,
            registration: config.registration,
        });
        let provider = Self { context };
        provider.context.rotate_keys(&provider.context.rotation).await?;
        provider.context.reload().await?;
        Ok(provider)
    }

    /// Everything that it serves, for a listener with TLS. Set [`ClientAddress`](crate::ClientAddress) on the
    /// requests, so that attempts are counted by network too.
    pub fn router(&self) -> Router {
        endpoint::routes(self.context.clone())
    }

    /// Those of its endpoints that clients call by themselves, for a listener that asks them for a certificate
    /// ([`MutualTls::base_url`]). Set [`ClientCertificate`](crate::ClientCertificate) on the requests.
    pub fn mutual_tls_router(&self) -> Router {
        endpoint::clients_routes(self.context.clone())
    }

    /// What issuers begin with, without a slash at the end.
    pub fn base_url(&self) -> &str {
        self.context.origin()
    }

    /// The issuer of an authorization server: `<base URL>/oauth2/<id>`.
    pub fn issuer(&self, server: &AuthorizationServerId) -> String {
        self.context.issuer(server)
    }

    /// Does what is due: exchanges signing keys by the schedule, and removes from the store what has ended.
    /// To be called every minute or so, by every replica ([`keep_maintained`](Self::keep_maintained) does).
    pub async fn maintain(&self) -> Result<(Vec<KeyChange>, Purged), ProviderError> {
        let changes = self.context.rotate_keys(&self.context.rotation).await?;
        if !changes.is_empty() {
            self.context.reload().await?;
        }
        let purged = self.context.store.purge(self.context.now()).await?;
        Ok((changes, purged))
    }

    /// Calls [`maintain`](Self::maintain) once a minute for as long as it is polled; what fails is logged and
    /// tried again. Makes a spare RSA key first ([`first_key`](Self::first_key)).
    pub async fn keep_maintained(&self) {
        self.context.spare_key.prepare();
        loop {
            tokio::time::sleep(MAINTENANCE).await;
            if let Err(error) = self.maintain().await {
                tracing::error!(%error, cause = ?error, "maintenance failed");
            }
        }
    }

    /// Rotates the signing keys of all servers by another schedule,
    /// [`rotate_promptly`](crate::rotate_promptly) say, and takes the result into use.
    pub async fn rotate_keys(&self, schedule: &RotationSchedule) -> Result<Vec<KeyChange>, KeyError> {
        let changes = self.context.rotate_keys(schedule).await?;
        self.context.reload().await?;
        Ok(changes)
    }

    /// Sessions were ended in the store: the clients that took part in them are told at once, where
    /// [`keep_delivering`](Self::keep_delivering) runs, and not some seconds later.
    pub fn sessions_ended(&self) {
        self.context.sessions_ended();
    }

    /// Tells clients that sessions were ended (OpenID Connect Back-Channel Logout 1.0), whichever process ended them, for
    /// as long as it is polled. What is under way then, another replica takes over, or this one when it is started again.
    pub async fn keep_delivering(&self) {
        match &self.context.deliveries {
            Some(deliveries) => deliveries.keep_delivering(&self.context).await,
            None => std::future::pending().await,
        }
    }

    /// Tells the clients whose turn it is now, and waits for their answers.
    pub async fn deliver_logouts(&self) -> Result<(), ProviderError> {
        if let Some(deliveries) = &self.context.deliveries {
            deliveries.deliver_due(&self.context).await?;
        }
        Ok(())
    }

    /// Reads the configuration now instead of within 250 ms.
    pub async fn reload(&self) -> Result<(), KeyError> {
        self.context.reload().await
    }
}
