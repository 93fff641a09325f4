//! Secrets: types that do not print, are wiped when dropped, and of which the store sees only a hash.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kubesso_ambient::{Entropy, draw};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A text that must not be seen: `Debug` prints `[redacted]`, and there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Shows the text, to hand it to its owner or to compute with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The SHA-256 of a random token: what is stored instead of the token.
///
/// A plain hash is enough, because the tokens have 256 random bits (a slow hash is for what people choose).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of `token`.
    pub fn of(token: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token).as_ref());
        Self(hash)
    }

    /// The hash as it was stored, if it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    /// The first four bytes: enough to tell two apart in a test.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Secret);

        impl $name {
            /// A new one: 256 random bits in URL-safe base64 (43 characters).
            pub fn generate(entropy: &dyn Entropy) -> Self {
                let drawn = Zeroizing::new(draw::<32>(entropy));
                Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(*drawn)))
            }

            /// What somebody presented. Anything may be presented; whether it is one, its hash tells.
            pub fn presented(text: &str) -> Self {
                Self(Secret::new(text))
            }

            /// The token itself, to hand it out.
            pub fn expose(&self) -> &str {
                self.0.expose()
            }

            /// What to store and to look up.
            pub fn hash(&self) -> TokenHash {
                TokenHash::of(self.expose().as_bytes())
            }
        }
    )*};
}

tokens! {
    /// The value of the session cookie.
    SessionToken;
    /// The value of the `code` parameter (RFC 6749 §4.1.2).
    CodeValue;
    /// A confidential client's secret (RFC 6749 §2.3.1).
    ClientSecretValue;
    /// The value behind `SSWS` in the header `Authorization`.
    ApiTokenValue;
    /// What lets somebody register clients (RFC 7591 §3).
    InitialAccessTokenValue;
    /// What lets a client change its own registration (RFC 7592 §3).
    RegistrationTokenValue;
    /// The secret part of a link that works once.
    OneTimeTokenValue;
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let code = CodeValue::generate(&SeededEntropy::new(1));
        assert_eq!(format!("{code:?}"), "CodeValue([redacted])");
        assert_eq!(code.expose().len(), 43);
        assert_eq!(code.hash(), CodeValue::presented(code.expose()).hash());
    }
}
