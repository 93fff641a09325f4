//! Nonces for proofs of possession (RFC 9449 §8) that no table remembers: each is a code over a span of time.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::seal::SealingKey;

/// A nonce is good in its window and in the next, in seconds.
const WINDOW: i64 = 300;

/// The nonces of whoever has the sealing key; the same in every replica.
#[derive(Clone, Copy, Debug)]
pub struct DpopNonces<'a> {
    key: &'a SealingKey,
    window: i64,
}

impl<'a> DpopNonces<'a> {
    /// Those of the moment `now`.
    pub fn at(key: &'a SealingKey, now: Timestamp) -> Self {
        Self { key, window: now.as_second().div_euclid(WINDOW) }
    }

    /// The one to give out.
    pub fn current(&self) -> String {
        self.of(self.window)
    }

    /// Those that are good: the current one and the one before.
    pub fn good(&self) -> [String; 2] {
        [self.of(self.window), self.of(self.window - 1)]
    }

    fn of(&self, window: i64) -> String {
        let code = self.key.authenticate("DPoP nonce", &window.to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(code.split_at(16).0)
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    #[test]
    fn a_nonce_is_good_in_its_window_and_the_next() {
        let key = SealingKey::generate(&SeededEntropy::new(1));
        let at = |second| DpopNonces::at(&key, Timestamp::from_second(second).unwrap());
        let nonce = at(0).current();
        for (second, is_good) in [(0, true), (299, true), (300, true), (599, true), (600, false)] {
            assert_eq!(at(second).good().contains(&nonce), is_good, "{second}");
        }
        let other = SealingKey::generate(&SeededEntropy::new(2));
        assert_ne!(DpopNonces::at(&other, Timestamp::UNIX_EPOCH).current(), nonce, "of another key");
    }
}
