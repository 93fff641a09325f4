//! What the management API asks of the provider: keys for the servers that it makes, configuration that holds
//! at once, and who an administrator's token is of.

use jiff::Timestamp;
use kubesso_directory::{
    AuthorizationServerId, Batch, ClientId, Expectation, KeyState, MANAGEMENT_CLIENT, MANAGEMENT_SERVER,
    ScopeName, Server, SigningKeyRecord, StoreError, UserId, assignment,
};
use kubesso_token::{Algorithm, JwkSet, TokenError};

use crate::client_keys::{NotVerified, verified};
use crate::endpoint::userinfo::AccessToken;
use crate::keys::{ATTEMPTS, KeyChange, KeyError, exchanged, parse_algorithm, put, record};
use crate::provider::Provider;

/// Why a client's keys do not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClientKeysError(String);

/// What an access token for the management API says, once it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementToken {
    /// Whose it is. What that person may do, the roles say.
    pub user: UserId,
    /// The client that it was given to.
    pub client: ClientId,
    /// What it was given for.
    pub scopes: Vec<ScopeName>,
    /// The first moment at which it is no longer good.
    pub expires: Timestamp,
}

impl Provider {
    /// A signing key for `server`, which is about to be created, to be stored with it: `algorithm` is the one that
    /// the server is set to (`RS256` …). It is not stored yet. RSA keys are made ahead, one at a time
    /// ([`keep_maintained`](Self::keep_maintained) begins with it), because they take long.
    ///
    /// # Errors
    /// [`KeyError::Algorithm`] if there is no such algorithm; others if no key can be made.
    pub async fn first_key(
        &self,
        server: &AuthorizationServerId,
        algorithm: &str,
    ) -> Result<SigningKeyRecord, KeyError> {
        let now = self.context.now();
        self.generate(server, algorithm, KeyState::Active { since: now }, now).await
    }

    /// Exchanges the signing key of `server` at once, as Okta's `keyRotate` does: the published next key signs from
    /// now on (one is made if there is none), the old one stays in the JWK set until the last token that it signed
    /// has ended, and another next key is published. It holds here when this returns, and in other processes when
    /// they look at the store again (250 ms).
    ///
    /// Of several calls at once, in whichever processes, each makes an exchange of its own.
    ///
    /// # Errors
    /// [`KeyError::NoServer`] if there is no such server; others if no key can be made or stored.
    pub async fn rotate_key(&self, server: &AuthorizationServerId) -> Result<Vec<KeyChange>, KeyError> {
        let store = &self.context.store;
        let mut lost = 0;
        let changes = loop {
            let snapshot = store.snapshot().await?;
            let found = snapshot.server(server).ok_or_else(|| KeyError::NoServer(server.clone()))?;
            let now = self.context.now();
            let (changes, described): (Vec<_>, Vec<_>) =
                self.exchange(found, now).await?.into_iter().map(put).unzip();
            let batch = Batch::new(now, changes).expecting(Expectation::Revision(snapshot.revision()));
            match store.commit(batch).await {
                Ok(_) => break described,
                Err(StoreError::Stale) if lost < ATTEMPTS => lost += 1,
                Err(error) => return Err(error.into()),
            }
        };
        for change in &changes {
            tracing::info!(server = %change.server, kid = %change.kid, state = ?change.state, "signing key");
        }
        self.context.reload().await?;
        Ok(changes)
    }

    /// Takes into use what was just committed to the store: the very next request is judged by it. Other processes
    /// notice by themselves within 250 ms.
    ///
    /// # Errors
    /// [`KeyError`] if the store does not answer. The commit holds all the same, and is noticed later.
    pub async fn configuration_changed(&self) -> Result<(), KeyError> {
        self.context.reload().await
    }

    /// The registered keys of `client`, or those at its `jwks_uri`, among them the one that made `signed`, a JWS.
    ///
    /// # Errors
    /// [`ClientKeysError`], whose text may be shown to the client.
    pub async fn client_keys(&self, client: &ClientId, signed: &str) -> Result<JwkSet, ClientKeysError> {
        let configuration = self.context.configuration().await;
        let no_keys = || ClientKeysError(NotVerified::<TokenError>::NoKeys.to_string());
        let application = configuration.snapshot.application(client).ok_or_else(no_keys)?;
        let keep = |keys: &JwkSet| keys.verify(signed, &Algorithm::ALL).map(|_| keys.clone());
        verified(&self.context, application, keep).await.map_err(|error| ClientKeysError(error.to_string()))
    }

    /// Whose access token `token` is, if it is one (RFC 9068) that this provider signed for kubesso's own command
    /// line ([`MANAGEMENT_SERVER`], [`MANAGEMENT_CLIENT`]) and that counts: neither expired nor revoked, of a person
    /// who may sign in and is assigned to that client. `None`: it is anything else; which, the caller need not be
    /// told.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    pub async fn person_of_access_token(&self, token: &str) -> Result<Option<ManagementToken>, StoreError> {
        let context = &self.context;
        let configuration = context.configuration().await;
        let Some(server) = configuration.server(MANAGEMENT_SERVER) else { return Ok(None) };
        let Some(token) = AccessToken::read(context, &configuration, server, token, context.now()) else {
            return Ok(None);
        };
        let application =
            configuration.snapshot.application(&token.client).filter(|client| client.status.is_active());
        let Some(application) = application.filter(|_| token.client.as_str() == MANAGEMENT_CLIENT) else {
            return Ok(None);
        };
        // Nobody proved here that the key is theirs (RFC 9449 §7.1).
        let Some(user) = token.user.as_ref().filter(|_| !token.is_bound()) else { return Ok(None) };
        if !token.counts(context).await? {
            return Ok(None);
        }
        let person = context.store.person(user).await?;
        let person = person
            .filter(|person| person.user.status.may_sign_in())
            .filter(|person| assignment(&configuration.snapshot, &application.id, person).is_some());
        Ok(person.map(|person| ManagementToken {
            user: person.user.id,
            client: token.client,
            scopes: token.scopes,
            expires: token.expires,
        }))
    }

    /// The keys of `server` that an exchange at `now` changes, the old one first: a server never has two keys of an
    /// algorithm that sign.
    async fn exchange(&self, server: &Server, now: Timestamp) -> Result<Vec<SigningKeyRecord>, KeyError> {
        let (id, algorithm) = (&server.server.id, server.server.algorithm.as_str());
        let is_pending = |key: &&SigningKeyRecord| {
            matches!(key.state, KeyState::Pending { .. }) && key.algorithm == algorithm
        };
        let next = match server.keys.iter().find(is_pending) {
            Some(next) => next.clone(),
            None => self.generate(id, algorithm, KeyState::Pending { since: now }, now).await?,
        };
        let mut changed = exchanged(server, &next, self.context.rotation.longest_token, now);
        changed.push(self.generate(id, algorithm, KeyState::Pending { since: now }, now).await?);
        Ok(changed)
    }

    async fn generate(
        &self,
        server: &AuthorizationServerId,
        algorithm: &str,
        state: KeyState,
        now: Timestamp,
    ) -> Result<SigningKeyRecord, KeyError> {
        let context = &self.context;
        let key = context.spare_key.take(parse_algorithm(server, algorithm)?).await?;
        record(server, &key, state, &context.sealing_key, &*context.entropy, now)
    }
}
