//! Another sealing key: everything that a store holds sealed, sealed again.

use kubesso_ambient::Entropy;

use crate::application::ClientSecret;
use crate::id::{AuthorizationServerId, ClientSecretId, Kid};
use crate::seal::{Sealed, SealingKey};
use crate::signing_key::SigningKeyRecord;
use crate::snapshot::Snapshot;

/// What stands in the place of what was sealed, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealing {
    /// By which the store knows its key.
    pub check: Sealed,
    /// Client secrets.
    pub secrets: Vec<(ClientSecretId, Sealed)>,
    /// Private signing keys.
    pub keys: Vec<(AuthorizationServerId, Kid, Sealed)>,
}

/// Something that does not open, so that nothing is sealed again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not open under the present key: it was changed, or sealed under another one")]
pub struct ResealError {
    what: String,
}

/// The store has another key by now: somebody sealed everything again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secrets in the store are sealed under another master key by now: start this process again with that one"
)]
pub struct OtherMasterKey;

impl Resealing {
    /// Opens all that is sealed in `snapshot` with `old` and seals it with `new`.
    ///
    /// # Errors
    /// The first thing that `old` does not open.
    pub fn of(
        snapshot: &Snapshot,
        old: &SealingKey,
        new: &SealingKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, ResealError> {
        let again = |purpose: &str, sealed: &Sealed, what: &dyn Fn() -> String| {
            let plain = old.open(purpose, sealed).map_err(|_| ResealError { what: what() })?;
            Ok(new.seal(purpose, &plain, entropy))
        };
        let mut resealing = Self { check: new.check(entropy), secrets: Vec::new(), keys: Vec::new() };
        for application in snapshot.applications() {
            for secret in application.authentication.secrets() {
                let what = || format!("the secret {} of the client {}", secret.id, application.client_id);
                let sealed = again(ClientSecret::PURPOSE, &secret.sealed, &what)?;
                resealing.secrets.push((secret.id.clone(), sealed));
            }
        }
        for key in snapshot.servers().flat_map(|server| &server.keys) {
            let what = || format!("the signing key {} of {}", key.kid, key.server);
            let purpose = SigningKeyRecord::purpose(&key.server, &key.kid);
            let sealed = again(&purpose, &key.sealed_pkcs8, &what)?;
            resealing.keys.push((key.server.clone(), key.kid.clone(), sealed));
        }
        Ok(resealing)
    }
}
