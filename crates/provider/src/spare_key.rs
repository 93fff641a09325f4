//! An RSA key made ahead, so that nobody waits for one.
//!
//! Generating an RSA key of 2048 bits takes from some ten milliseconds to half a second; whoever creates an
//! authorization server should not wait for that.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use kubesso_token::{Algorithm, SigningKey, TokenError};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::keys::KeyError;

/// The one key that is ready, or being made.
#[derive(Default)]
pub(crate) struct SpareKey(Mutex<Option<Generation>>);

type Generation = JoinHandle<Result<SigningKey, TokenError>>;

impl SpareKey {
    /// Begins to make the key, on a thread for blocking work, unless that was done.
    pub(crate) fn prepare(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(begin);
    }

    /// A new key for `algorithm`: the spare one if it is RSA, and then another is made for the next caller.
    pub(crate) async fn take(&self, algorithm: Algorithm) -> Result<SigningKey, KeyError> {
        if algorithm.curve().is_some() {
            return Ok(SigningKey::generate(algorithm)?);
        }
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let key = spare.unwrap_or_else(begin).await??;
        self.prepare();
        if key.algorithm() == algorithm {
            return Ok(key);
        }
        // An RSA key becomes one of RS384 or PS256 by its name alone.
        Ok(SigningKey::from_pkcs8(algorithm, &key.to_pkcs8()?)?)
    }
}

fn begin() -> Generation {
    spawn_blocking(|| SigningKey::generate(Algorithm::Rs256))
}

impl fmt::Debug for SpareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpareKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_caller_gets_a_key_of_its_own_and_another_is_made() {
        let spare = SpareKey::default();
        spare.prepare();
        let algorithms =
            [Algorithm::Rs256, Algorithm::Rs256, Algorithm::Ps384, Algorithm::Es256, Algorithm::Es512];
        let taken = futures_util::future::join_all(algorithms.map(|algorithm| spare.take(algorithm))).await;
        let mut kids: Vec<_> = taken
            .into_iter()
            .zip(algorithms)
            .map(|(key, algorithm)| {
                let key = key.unwrap();
                assert_eq!(key.algorithm(), algorithm);
                key.kid().clone()
            })
            .collect();
        kids.sort();
        kids.dedup();
        assert_eq!(kids.len(), algorithms.len());
        assert!(spare.0.lock().unwrap().is_some(), "the next one is on its way");
    }
}
