//! What the API asks of the provider next door, with which it shares the directory.

use async_trait::async_trait;
use kubesso_directory::{AuthorizationServerId, ClientId, SigningKeyRecord, UserId};
use kubesso_token::JwkSet;

/// The provider did not do it; the text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProviderPortError(pub String);

/// The provider, as the API needs it.
#[async_trait]
pub trait ProviderPort: std::fmt::Debug + Send + Sync {
    /// The first signing key of a new authorization server, to be stored together with it. `algorithm` is the server's.
    async fn first_key(
        &self,
        server: &AuthorizationServerId,
        algorithm: &str,
    ) -> Result<SigningKeyRecord, ProviderPortError>;

    /// Exchanges the signing key of a server at once: the published next key signs from now on (one is made if there is
    /// none), the old one stays published until the last token that it signed has ended, and another next key is
    /// published.
    async fn rotate_key(&self, server: &AuthorizationServerId) -> Result<(), ProviderPortError>;

    /// Whose access token for kubesso's own command line this is, if it is one that counts: neither expired nor revoked,
    /// of a person who may sign in.
    async fn person(&self, access_token: &str) -> Result<Option<UserId>, ProviderPortError>;

    /// The keys at the `jwks_uri` of `client`, among them the one that made `signed`. The text of an error may be shown to
    /// the client. By default they are not fetched.
    async fn client_keys(&self, _client: &ClientId, _signed: &str) -> Result<JwkSet, ProviderPortError> {
        Err(ProviderPortError("the keys at a jwks_uri are not fetched: put them into jwks".to_owned()))
    }

    /// Sessions were ended: it is noted in the directory whom to tell, and now is the time. By default nobody is told.
    fn sessions_ended(&self) {}

    /// The configuration was changed: the very next token must be judged by it.
    async fn configuration_changed(&self);
}
