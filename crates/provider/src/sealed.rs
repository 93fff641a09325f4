//! What travels with the browser instead of being stored: encrypted, authenticated, dated, and good for one
//! purpose only.
//!
//! A pending authorization request is sealed into the sign-in form, so that anonymous traffic writes nothing
//! anywhere. The cipher is [`SealingKey`]'s; here come the end, the JSON inside and the text form outside.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kubesso_ambient::Entropy;
use kubesso_directory::{Sealed, SealingKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a sealed value is good for; a value sealed for one purpose never opens for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An authorization request that waits for somebody to sign in.
    PendingAuthorization,
    /// An authorization request that waits for the person's consent.
    PendingConsent,
    /// A device's request that waits for somebody's yes or no.
    DeviceCode,
    /// A page at which that somebody signs in, or says yes or no.
    PendingDevice,
    /// A page at which somebody chooses a password.
    PendingPassword,
    /// The same as a step of a sign-in.
    PendingExpiredPassword,
    /// A sign-out that waits for the person's yes.
    PendingSignOut,
    /// An authorization request that was pushed.
    PushedRequest,
    /// A page at which somebody signs in to the own account.
    PendingAccount,
    /// The buttons of the own account's page.
    Account,
    /// A page at which somebody who has signed in changes the password.
    AccountPassword,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::PendingAuthorization => "pending authorization",
            Self::PendingConsent => "pending consent",
            Self::DeviceCode => "device code",
            Self::PendingDevice => "pending device",
            Self::PendingPassword => "pending password",
            Self::PendingExpiredPassword => "pending expired password",
            Self::PendingSignOut => "pending sign-out",
            Self::PushedRequest => "pushed request",
            Self::PendingAccount => "pending account",
            Self::Account => "account",
            Self::AccountPassword => "account password",
        }
    }
}

/// Why a sealed value did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// It was too long ago.
    #[error("the sealed value has expired")]
    Expired,
    /// Not sealed here, for another purpose, or changed on the way.
    #[error("the sealed value is not one of ours")]
    NotOurs,
}

/// `value` as URL-safe text that opens for `purpose` until `ends`.
pub(crate) fn seal(
    key: &SealingKey,
    entropy: &dyn Entropy,
    purpose: Purpose,
    value: &impl Serialize,
    ends: Timestamp,
) -> Result<String, serde_json::Error> {
    let mut plain = ends.as_millisecond().to_be_bytes().to_vec();
    serde_json::to_writer(&mut plain, value)?;
    Ok(URL_SAFE_NO_PAD.encode(key.seal(purpose.label(), &plain, entropy).as_bytes()))
}

/// The value inside `sealed`, if it was sealed under `key` for `purpose` and has not ended at `now`.
pub(crate) fn open<T: DeserializeOwned>(
    key: &SealingKey,
    purpose: Purpose,
    sealed: &str,
    now: Timestamp,
) -> Result<T, SealError> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealError::NotOurs)?;
    let plain = key.open(purpose.label(), &Sealed::from_bytes(bytes)).map_err(|_| SealError::NotOurs)?;
    let (ends, value) = plain.split_first_chunk::<8>().ok_or(SealError::NotOurs)?;
    if i64::from_be_bytes(*ends) <= now.as_millisecond() {
        return Err(SealError::Expired);
    }
    serde_json::from_slice(value).map_err(|_| SealError::NotOurs)
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sealed(value: &str) -> (SealingKey, String) {
        let entropy = SeededEntropy::new(1);
        let key = SealingKey::generate(&entropy);
        let text = seal(&key, &entropy, Purpose::PendingAuthorization, &value, at(100)).unwrap();
        (key, text)
    }

    #[test]
    fn opens_until_its_end_and_not_at_it() {
        let (key, text) = sealed("hello");
        let open = |second| open::<String>(&key, Purpose::PendingAuthorization, &text, at(second));
        assert_eq!(open(99).unwrap(), "hello");
        assert_eq!(open(100).unwrap_err(), SealError::Expired);
    }

    #[test]
    fn opens_for_no_other_purpose_and_with_no_other_key() {
        let (key, text) = sealed("hello");
        assert_eq!(open::<String>(&key, Purpose::PendingSignOut, &text, at(1)), Err(SealError::NotOurs));
        let other = SealingKey::generate(&SeededEntropy::new(2));
        assert_eq!(
            open::<String>(&other, Purpose::PendingAuthorization, &text, at(1)),
            Err(SealError::NotOurs)
        );
    }

    proptest! {
        #[test]
        fn any_value_comes_back(value: String) {
            let (key, text) = sealed(&value);
            prop_assert_eq!(open::<String>(&key, Purpose::PendingAuthorization, &text, at(1)), Ok(value));
        }

        #[test]
        fn junk_never_opens(junk: String) {
            let (key, _) = sealed("");
            let opened = open::<String>(&key, Purpose::PendingAuthorization, &junk, at(1));
            prop_assert_eq!(opened, Err(SealError::NotOurs));
        }
    }
}
