//! The management API next to the provider: both over one directory, in one process.

use std::sync::Arc;

use async_trait::async_trait;
use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::{
    AuthorizationServerId, ClientId, SealingKey, SigningKeyRecord, Store, UserId, management_login,
};
use kubesso_okta::{ManagementApi, ManagementConfig, ProviderPort, ProviderPortError};
use kubesso_provider::{MutualTls, Provider, ProviderConfig, RegistrationPolicy, Settings};
use kubesso_token::JwkSet;
use url::Url;

use crate::error::CommandError;
use crate::over_https::{OverHttps, Reach};

/// What both are made of.
pub(crate) struct Parts {
    pub(crate) base_url: Url,
    /// Further origins of the management API, without a slash at the end.
    pub(crate) other_origins: Vec<String>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) sealing_key: SealingKey,
    /// Which addresses of clients may be told of logouts.
    pub(crate) logout_reach: Reach,
    /// What the installation decides.
    pub(crate) settings: Settings,
    /// Which of their addresses may be fetched from.
    pub(crate) fetch_reach: Reach,
    /// How clients' certificates come.
    pub(crate) mutual_tls: Option<MutualTls>,
    /// Who may register clients.
    pub(crate) registration: Option<RegistrationPolicy>,
}

/// Starts the provider and the management API beside it. Administrators can sign in to both.
pub(crate) async fn start(parts: Parts) -> Result<(Provider, ManagementApi), CommandError> {
    let Parts { base_url, other_origins, store, clock, entropy, sealing_key, .. } = parts;
    management_login(&*store, &*clock, &*entropy)
        .await
        .map_err(|e| CommandError::because("administrators' own sign-in cannot be set up", &e))?;
    let provider = Provider::new(ProviderConfig {
        base_url: base_url.clone(),
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        sealing_key: sealing_key.clone(),
        back_channel: Some(Arc::new(OverHttps::to_tell(parts.logout_reach)?)),
        settings: parts.settings.clone(),
        fetch: Some(Arc::new(OverHttps::to_fetch(parts.fetch_reach)?)),
        mutual_tls: parts.mutual_tls,
        registration: parts.registration,
    })
    .await
    .map_err(|e| CommandError::because("the provider cannot start", &e))?;
    let api = ManagementApi::new(ManagementConfig {
        base_url,
        other_origins,
        store,
        clock,
        entropy,
        sealing_key,
        sign_in: parts.settings.sign_in,
        provider: Arc::new(NextDoor(provider.clone())),
    });
    Ok((provider, api))
}

/// The origins under which plain http on loopback is reached: Okta's clients leave the port out of some of them.
pub(crate) fn plain_http_origins(port: u16) -> Vec<String> {
    ["127.0.0.1", "localhost"]
        .into_iter()
        .flat_map(|host| [format!("http://{host}:{port}"), format!("http://{host}")])
        .collect()
}

/// The provider, as the management API asks it.
#[derive(Debug)]
struct NextDoor(Provider);

#[async_trait]
impl ProviderPort for NextDoor {
    async fn first_key(
        &self,
        server: &AuthorizationServerId,
        algorithm: &str,
    ) -> Result<SigningKeyRecord, ProviderPortError> {
        self.0.first_key(server, algorithm).await.map_err(|e| refused(&e))
    }

    async fn rotate_key(&self, server: &AuthorizationServerId) -> Result<(), ProviderPortError> {
        self.0.rotate_key(server).await.map(drop).map_err(|e| refused(&e))
    }

    async fn person(&self, access_token: &str) -> Result<Option<UserId>, ProviderPortError> {
        let token = self.0.person_of_access_token(access_token).await.map_err(|e| refused(&e))?;
        Ok(token.map(|token| token.user))
    }

    async fn client_keys(&self, client: &ClientId, signed: &str) -> Result<JwkSet, ProviderPortError> {
        self.0.client_keys(client, signed).await.map_err(|e| refused(&e))
    }

    fn sessions_ended(&self) {
        self.0.sessions_ended();
    }

    async fn configuration_changed(&self) {
        if let Err(error) = self.0.configuration_changed().await {
            // The change is stored; the provider looks again by itself.
            tracing::warn!(%error, "the provider could not read the changed configuration yet");
        }
    }
}

fn refused(error: &dyn std::error::Error) -> ProviderPortError {
    ProviderPortError(crate::error::chain(error))
}
