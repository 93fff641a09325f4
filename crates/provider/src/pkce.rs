//! Proof Key for Code Exchange (RFC 7636), S256 only: the `plain` method proves nothing to somebody who can
//! read the authorization request, so it is refused (RFC 9700 §2.1.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// An S256 code challenge: 43 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CodeChallenge(String);

/// Why the PKCE parameters of a request were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PkceError {
    #[error("code_challenge must be the base64url-encoded SHA-256 of the code verifier, 43 characters long.")]
    MalformedChallenge,
    #[error("code_challenge_method is given without code_challenge.")]
    MethodWithoutChallenge,
    #[error("PKCE is required for this client: send code_challenge and code_challenge_method=S256.")]
    Missing,
    #[error("code_challenge_method must be S256; the plain method is not supported.")]
    UnsupportedMethod,
}

impl CodeChallenge {
    /// The challenge of an authorization request. A missing method means `plain` (RFC 7636 §4.3), which is
    /// refused like the word itself.
    pub(crate) fn from_request(
        challenge: Option<&str>,
        method: Option<&str>,
    ) -> Result<Option<Self>, PkceError> {
        let Some(challenge) = challenge else {
            return if method.is_some() { Err(PkceError::MethodWithoutChallenge) } else { Ok(None) };
        };
        if method != Some("S256") {
            return Err(PkceError::UnsupportedMethod);
        }
        Self::parse(challenge).map(Some).ok_or(PkceError::MalformedChallenge)
    }

    /// A challenge as it was stored with its code.
    pub(crate) fn parse(challenge: &str) -> Option<Self> {
        let decoded = URL_SAFE_NO_PAD.decode(challenge).ok()?;
        (decoded.len() == 32).then(|| Self(challenge.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `verifier` is the secret behind this challenge, compared in constant time.
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        let length = 43..=128;
        if !length.contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
            return false;
        }
        let computed = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        computed.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_is_met_by_its_verifier_only() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        assert!(challenge.is_met_by(VERIFIER));
        let padded = format!("{VERIFIER}=");
        let long = "a".repeat(129);
        for other in [CHALLENGE, &VERIFIER[1..], &padded, "", &long] {
            assert!(!challenge.is_met_by(other), "{other}");
        }
    }

    #[test]
    fn only_s256_is_taken() {
        let cases = [
            (None, None, Ok(false)),
            (Some(CHALLENGE), Some("S256"), Ok(true)),
            (Some(CHALLENGE), Some("plain"), Err(PkceError::UnsupportedMethod)),
            (Some(CHALLENGE), None, Err(PkceError::UnsupportedMethod)),
            (Some(CHALLENGE), Some("s256"), Err(PkceError::UnsupportedMethod)),
            (None, Some("S256"), Err(PkceError::MethodWithoutChallenge)),
            (Some("short"), Some("S256"), Err(PkceError::MalformedChallenge)),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="),
                Some("S256"),
                Err(PkceError::MalformedChallenge),
            ),
        ];
        for (challenge, method, expected) in cases {
            let read = CodeChallenge::from_request(challenge, method);
            assert_eq!(read.map(|found| found.is_some()), expected, "{challenge:?} {method:?}");
        }
    }
}
