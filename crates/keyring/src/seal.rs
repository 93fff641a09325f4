//! Sealing: a file that says nothing without the key, and that nobody can change or give another name.
//!
//! AES-256-GCM with a random nonce. One key takes 2³² of them safely (NIST SP 800-38D §8.3): a cache that is
//! written once a minute gets there after 8000 years.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use kubesso_ambient::{Entropy, draw};
use zeroize::{Zeroize, Zeroizing};

/// What a sealed file begins with. It cannot be the beginning of JSON, and a person who looks sees what it is.
const MAGIC: &[u8; 17] = b"kubesso sealed 1\n";
const HEAD: usize = MAGIC.len() + NONCE_LEN;
pub(crate) const KEY: usize = 32;

/// A file that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The authentication failed.
    #[error("the file was sealed under another key or another name, or it was changed")]
    Foreign,
    /// It does not begin as a sealed file does.
    #[error("the file is not sealed, or by another version")]
    NotSealed,
}

/// Whether `file` looks sealed. If it really is, only the key tells.
pub fn is_sealed(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

pub(crate) fn seal(key: &[u8; KEY], name: &str, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = draw(entropy);
    let mut sealed = Vec::with_capacity(HEAD + plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(MAGIC);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let (head, body) = sealed.split_at_mut(HEAD);
    let aad = Aad::from(associated(head, name));
    let tag = cipher(key).and_then(|cipher| {
        cipher.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body).ok()
    });
    match tag {
        Some(tag) => sealed.extend_from_slice(tag.as_ref()),
        // Only beyond GCM's 64 GiB. Nothing readable may stay behind; it never opens.
        None => sealed.zeroize(),
    }
    sealed
}

pub(crate) fn open(key: &[u8; KEY], name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if !is_sealed(sealed) {
        return Err(OpenError::NotSealed);
    }
    let (head, body) = sealed.split_at_checked(HEAD).ok_or(OpenError::Foreign)?;
    let nonce = Nonce::try_assume_unique_for_key(&head[MAGIC.len()..]).map_err(|_| OpenError::Foreign)?;
    let cipher = cipher(key).ok_or(OpenError::Foreign)?;
    let mut plain = Zeroizing::new(body.to_vec());
    let aad = Aad::from(associated(head, name));
    let length = cipher.open_in_place(nonce, aad, &mut plain).map_err(|_| OpenError::Foreign)?.len();
    plain.truncate(length);
    Ok(plain)
}

/// The head has one length, so head and name cannot be taken for another head and another name.
fn associated(head: &[u8], name: &str) -> Vec<u8> {
    [head, name.as_bytes()].concat()
}

fn cipher(key: &[u8; KEY]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_any_flipped_bit_shows(
            key: [u8; KEY], plain in prop::collection::vec(any::<u8>(), 0..3000), name in ".{0,80}",
            seed: u64, at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let sealed = seal(&key, &name, &plain, &SeededEntropy::new(seed));
            prop_assert!(is_sealed(&sealed));
            prop_assert_eq!(&*open(&key, &name, &sealed).unwrap(), &plain);

            let mut changed = sealed.clone();
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
            prop_assert!(open(&key, &name, &changed).is_err());
            prop_assert!(open(&key, &name, &sealed[..at]).is_err());
        }

        #[test]
        fn another_key_or_another_name_opens_nothing(
            key: [u8; KEY], other_key: [u8; KEY], name in ".{0,80}", other_name in ".{0,80}", seed: u64,
        ) {
            prop_assume!(key != other_key && name != other_name);
            let sealed = seal(&key, &name, b"token", &SeededEntropy::new(seed));
            prop_assert_eq!(open(&other_key, &name, &sealed), Err(OpenError::Foreign));
            prop_assert_eq!(open(&key, &other_name, &sealed), Err(OpenError::Foreign));
        }
    }

    #[test]
    fn a_plain_file_is_told_from_a_sealed_one() {
        for plain in [&b""[..], b"{\"id_token\":\"x\"}", b"kubesso sealed 2\n"] {
            assert!(!is_sealed(plain));
            assert_eq!(open(&[7; KEY], "name", plain), Err(OpenError::NotSealed));
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let entropy = SeededEntropy::new(2);
        assert_ne!(seal(&[7; KEY], "n", b"x", &entropy), seal(&[7; KEY], "n", b"x", &entropy));
    }
}
