//! Sealing: encryption with authentication for what must be readable again (signing keys, client secrets, the
//! pending authorization request that travels with the browser).
//!
//! AES-256-GCM. Every sealed value has a key of its own, derived with HMAC-SHA-256 from the sealing key, the
//! purpose and 16 random bytes, so that neither the number of values nor a repeated nonce is a limit (a
//! single GCM key must not take more than 2³² random nonces, NIST SP 800-38D §8.3), and a value sealed for
//! one purpose opens for no other.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use kubesso_ambient::{Entropy, draw};
use zeroize::Zeroizing;

/// The purpose of the value by which a store knows its key.
const CHECK: &str = "sealing key check";

const VERSION: u8 = 1;
const SALT: usize = 16;
const TAG: usize = 16;

/// The key under which secrets lie in the store. Whoever has it and the store has everything.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(draw(entropy)))
    }

    /// A key as it was kept, if it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes to keep.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a store keeps sealed so that a wrong key is found at the start.
    pub fn check(&self, entropy: &dyn Entropy) -> Sealed {
        self.seal(CHECK, b"", entropy)
    }

    /// Whether it is the key that `check` was made with ([`check`](Self::check)).
    pub fn is_of(&self, check: &Sealed) -> bool {
        self.open(CHECK, check).is_ok()
    }

    /// Encrypts `plain` for `purpose` (`"signing key <kid>"`): it opens only for the same purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8], entropy: &dyn Entropy) -> Sealed {
        let salt: [u8; SALT] = draw(entropy);
        let nonce: [u8; NONCE_LEN] = draw(entropy);
        let mut sealed = Vec::with_capacity(1 + SALT + NONCE_LEN + plain.len() + TAG);
        sealed.push(VERSION);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (head, body) = sealed.split_at_mut(1 + SALT + NONCE_LEN);
        let tag = self.cipher(purpose, &salt).and_then(|key| {
            key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&*head), body).ok()
        });
        if let Some(tag) = tag {
            sealed.extend_from_slice(tag.as_ref());
        } else {
            // Only a plain text beyond GCM's 64 GiB gets here. Nothing readable may stay behind; it never
            // opens.
            zeroize::Zeroize::zeroize(&mut sealed);
        }
        Sealed(sealed)
    }

    /// Decrypts; fails if the key or the purpose is another, or if a bit was changed.
    pub fn open(&self, purpose: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let (head, body) = sealed.0.split_at_checked(1 + SALT + NONCE_LEN).ok_or(UnsealError)?;
        let (version, rest) = head.split_first().ok_or(UnsealError)?;
        let (salt, nonce) = rest.split_at_checked(SALT).ok_or(UnsealError)?;
        if *version != VERSION {
            return Err(UnsealError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnsealError)?;
        let key = self.cipher(purpose, salt).ok_or(UnsealError)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let length = key.open_in_place(nonce, Aad::from(head), &mut plain).map_err(|_| UnsealError)?.len();
        plain.truncate(length);
        Ok(plain)
    }

    /// A code that proves that whoever wrote `message` for `purpose` has this key (HMAC-SHA-256).
    pub fn authenticate(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()));
        context.update(b"kubesso authenticate 1\0");
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(message);
        let mut code = [0; 32];
        code.copy_from_slice(context.sign().as_ref());
        code
    }

    fn cipher(&self, purpose: &str, salt: &[u8]) -> Option<LessSafeKey> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()));
        context.update(b"kubesso seal 1\0");
        context.update(salt);
        context.update(purpose.as_bytes());
        UnboundKey::new(&AES_256_GCM, context.sign().as_ref()).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

/// What [`SealingKey::seal`] made: a version byte, the salt, the nonce, the cipher text and its tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// What was stored. Whether it is any good, [`SealingKey::open`] tells.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A sealed value that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed value does not open: it was sealed with another key or for another purpose, or it was changed"
)]
pub struct UnsealError;

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u64) -> SealingKey {
        SealingKey::generate(&SeededEntropy::new(seed))
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_any_flipped_bit_shows(
            plain in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8_u8
        ) {
            let key = key(1);
            let sealed = key.seal("purpose", &plain, &SeededEntropy::new(2));
            prop_assert_eq!(&*key.open("purpose", &sealed).unwrap(), &plain);

            let mut changed = sealed.as_bytes().to_vec();
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
            prop_assert_eq!(key.open("purpose", &Sealed::from_bytes(changed)), Err(UnsealError));
        }
    }

    #[test]
    fn another_key_or_another_purpose_opens_nothing() {
        let sealed = key(1).seal("signing key a", b"pkcs8", &SeededEntropy::new(2));
        assert_eq!(key(1).open("signing key b", &sealed), Err(UnsealError));
        assert_eq!(key(2).open("signing key a", &sealed), Err(UnsealError));
        assert_eq!(
            key(1).open("signing key a", &Sealed::from_bytes(&sealed.as_bytes()[..20])),
            Err(UnsealError)
        );
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let entropy = SeededEntropy::new(2);
        assert_ne!(key(1).seal("p", b"x", &entropy), key(1).seal("p", b"x", &entropy));
    }
}
