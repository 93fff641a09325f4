//! What tests of this room, and of rooms that call it, put in the provider's place.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::{AuthorizationServerId, KeyState, Kid, SealingKey, SigningKeyRecord, UserId};
use kubesso_token::{Algorithm, SigningKey};

use crate::ports::{ProviderPort, ProviderPortError};

/// A provider that makes keys (of an elliptic curve, because RSA takes longer than most tests) and counts what it is told.
pub struct KeyMaker {
    sealing_key: SealingKey,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    changes: AtomicU32,
    ended: AtomicU32,
}

impl KeyMaker {
    /// One whose keys are sealed under this one.
    pub fn new(sealing_key: SealingKey, entropy: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Self {
        Self { sealing_key, entropy, clock, changes: AtomicU32::new(0), ended: AtomicU32::new(0) }
    }

    /// How often sessions were said to have ended, since this was last asked.
    pub fn ended(&self) -> u32 {
        self.ended.swap(0, Ordering::SeqCst)
    }

    /// How often it was told that the configuration changed.
    pub fn changes(&self) -> u32 {
        self.changes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ProviderPort for KeyMaker {
    async fn first_key(
        &self,
        server: &AuthorizationServerId,
        _algorithm: &str,
    ) -> Result<SigningKeyRecord, ProviderPortError> {
        fn failed(error: impl fmt::Display) -> ProviderPortError {
            ProviderPortError(error.to_string())
        }
        let key = SigningKey::generate(Algorithm::Es256).map_err(failed)?;
        let kid = Kid::parse(key.kid().as_str()).map_err(failed)?;
        let purpose = SigningKeyRecord::purpose(server, &kid);
        Ok(SigningKeyRecord {
            server: server.clone(),
            algorithm: "ES256".to_owned(),
            public_jwk: serde_json::to_value(key.public_jwk()).map_err(failed)?,
            sealed_pkcs8: self.sealing_key.seal(&purpose, &key.to_pkcs8().map_err(failed)?, &*self.entropy),
            state: KeyState::Active { since: self.clock.now() },
            created: self.clock.now(),
            kid,
        })
    }

    async fn rotate_key(&self, _: &AuthorizationServerId) -> Result<(), ProviderPortError> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// A test's access token of a person is the person's id.
    async fn person(&self, access_token: &str) -> Result<Option<UserId>, ProviderPortError> {
        Ok(access_token.strip_prefix("person.").and_then(|id| UserId::parse(id).ok()))
    }

    fn sessions_ended(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    async fn configuration_changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Shows no key.
impl fmt::Debug for KeyMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaker")
            .field("changes", &self.changes)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
