//! What an administrator does to signing keys by hand: another algorithm, a key that somebody else may have, a key from
//! elsewhere. Each is one batch that loses if somebody else changed the configuration, and is decided anew then.

use jiff::Timestamp;
use kubesso_ambient::Entropy;
use kubesso_directory::{
    AuditEvent, AuditEventId, AuthorizationServerId, Batch, Change, Expectation, KeyState, Kid, Outcome,
    SealingKey, Server, SigningKeyRecord, Snapshot, Store, StoreError,
};
use kubesso_token::{Algorithm, Jwk, SigningKey};

use crate::keys::{ATTEMPTS, KeyChange, KeyError, is_the_stores, new_key, put, record, wanted};

/// What such a command works with.
#[derive(Clone, Copy, Debug)]
pub struct KeyCommand<'a> {
    /// The directory.
    pub store: &'a dyn Store,
    /// The key that its secrets are sealed under.
    pub sealing_key: &'a SealingKey,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// The moment.
    pub now: Timestamp,
}

/// Why a key from elsewhere is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is here already, perhaps by another name, perhaps revoked.
    #[error("the key is here already: {kid} of {server}, {state}")]
    Known {
        /// Whose.
        server: AuthorizationServerId,
        /// By which name.
        kid: Kid,
        /// Where it stands.
        state: &'static str,
    },
    /// Another key has its name.
    #[error("another key of {server} is called {kid}: name this one with --kid")]
    Named {
        /// Whose.
        server: AuthorizationServerId,
        /// The name.
        kid: Kid,
    },
    /// One of its algorithm waits already.
    #[error(
        "{kid} of {server} is pending already, for the same algorithm: let it sign first (`kubesso keys rotate`), or revoke \
         it (`kubesso keys revoke {kid}`)"
    )]
    Pending {
        /// Whose.
        server: AuthorizationServerId,
        /// Which.
        kid: Kid,
    },
    /// As for keys that are made here.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Key(error.into())
    }
}

impl KeyCommand<'_> {
    /// Sets the algorithm that `server` signs by. Its key of the algorithm before goes on signing until the next rotation
    /// has published one of the new algorithm, and let it sign. Whether anything changed.
    ///
    /// # Errors
    /// [`KeyError`]
    pub async fn set_algorithm(
        &self,
        server: &AuthorizationServerId,
        algorithm: Algorithm,
    ) -> Result<bool, KeyError> {
        self.change(async |snapshot: &Snapshot| {
            let found = snapshot.server(server).ok_or_else(|| KeyError::NoServer(server.clone()))?;
            if found.server.algorithm == algorithm.as_str() {
                return Ok((Vec::new(), false));
            }
            let mut changed = found.server.clone();
            let message = format!("signs by {algorithm} instead of {}", changed.algorithm);
            algorithm.as_str().clone_into(&mut changed.algorithm);
            changed.last_updated = self.now;
            let entry = self.entry("oauth2.as.key.algorithm", server, message);
            Ok::<_, KeyError>((vec![Change::PutAuthorizationServer(changed), entry], true))
        })
        .await
    }

    /// Takes the key `kid` of `server` out of use and out of the JWK set at once. If it signed, the pending key of its
    /// algorithm does, or a new one.
    ///
    /// # Errors
    /// [`KeyError::NoKey`] if there is none of that name; others.
    pub async fn revoke(
        &self,
        server: &AuthorizationServerId,
        kid: &Kid,
    ) -> Result<Vec<KeyChange>, KeyError> {
        self.change(async |snapshot: &Snapshot| {
            let no_key = || KeyError::NoKey { server: server.clone(), kid: kid.clone() };
            let found = snapshot.server(server).ok_or_else(no_key)?;
            let key = found.keys.iter().find(|key| key.kid == *kid).ok_or_else(no_key)?;
            let mut records = vec![key.clone().revoked(self.now, self.sealing_key, self.entropy)];
            let wanted = wanted(found, snapshot);
            let is_wanted = wanted.own == key.algorithm || wanted.others.contains(&*key.algorithm);
            if key.is_active() && (is_wanted || is_only_one(found, kid)) {
                let algorithm = if is_wanted { key.algorithm.as_str() } else { wanted.own };
                let is_next = |key: &&SigningKeyRecord| {
                    matches!(key.state, KeyState::Pending { .. }) && key.algorithm == algorithm
                };
                records.push(if let Some(next) = found.keys.iter().find(is_next) {
                    next.clone().promoted(self.now)
                } else {
                    let state = KeyState::Active { since: self.now };
                    new_key(server, algorithm, state, self.sealing_key, self.entropy, self.now).await?
                });
            }
            let (mut changes, described): (Vec<_>, Vec<_>) = records.into_iter().map(put).unzip();
            changes.push(self.entry(
                "oauth2.as.key.revoke",
                server,
                format!("revoked the signing key {kid}"),
            ));
            Ok::<_, KeyError>((changes, described))
        })
        .await
    }

    /// Publishes a key from elsewhere for `server`: it is pending, as one that was made here.
    ///
    /// # Errors
    /// [`ImportError`]
    pub async fn import(
        &self,
        server: &AuthorizationServerId,
        key: &SigningKey,
    ) -> Result<KeyChange, ImportError> {
        self.change(async |snapshot: &Snapshot| {
            let found = snapshot.server(server).ok_or_else(|| KeyError::NoServer(server.clone()))?;
            let state = KeyState::Pending { since: self.now };
            let new = record(server, key, state, self.sealing_key, self.entropy, self.now)?;
            let thumbprint = key.public_jwk().thumbprint();
            for known in snapshot.servers().flat_map(|server| &server.keys) {
                let (server, kid) = (known.server.clone(), known.kid.clone());
                let public = serde_json::from_value::<Jwk>(known.public_jwk.clone());
                if public.is_ok_and(|public| public.thumbprint() == thumbprint) {
                    return Err(ImportError::Known { server, kid, state: known.state.name() });
                }
            }
            for known in &found.keys {
                let (server, kid) = (known.server.clone(), known.kid.clone());
                if kid == new.kid {
                    return Err(ImportError::Named { server, kid });
                }
                if matches!(known.state, KeyState::Pending { .. }) && known.algorithm == new.algorithm {
                    return Err(ImportError::Pending { server, kid });
                }
            }
            let entry =
                self.entry("oauth2.as.key.import", server, format!("imported the signing key {}", new.kid));
            let (change, described) = put(new);
            Ok((vec![change, entry], described))
        })
        .await
    }

    async fn change<T, E: From<KeyError> + From<StoreError>>(
        &self,
        decide: impl AsyncFn(&Snapshot) -> Result<(Vec<Change>, T), E>,
    ) -> Result<T, E> {
        let mut lost = 0;
        loop {
            let snapshot = self.store.snapshot().await?;
            is_the_stores(self.sealing_key, self.store).await?;
            let (changes, answer) = decide(&snapshot).await?;
            if changes.is_empty() {
                return Ok(answer);
            }
            let batch = Batch::new(self.now, changes).expecting(Expectation::Revision(snapshot.revision()));
            match self.store.commit(batch).await {
                Ok(_) => return Ok(answer),
                Err(StoreError::Stale) if lost < ATTEMPTS => lost += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn entry(&self, event_type: &str, server: &AuthorizationServerId, message: String) -> Change {
        Change::Audit(AuditEvent {
            id: AuditEventId::generate(self.entropy),
            published: self.now,
            event_type: event_type.to_owned(),
            actor: "system".to_owned(),
            target: Some(server.to_string()),
            outcome: Outcome::Success,
            message,
            details: serde_json::Map::new(),
        })
    }
}

/// Whether no other key of the server signs.
fn is_only_one(server: &Server, kid: &Kid) -> bool {
    !server.keys.iter().any(|key| key.is_active() && key.kid != *kid)
}
