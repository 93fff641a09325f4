//! Proof key for code exchange (RFC 7636): a code is of use only to the process that asked for it.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_ambient::Entropy;
use kubesso_token_cache::{PkceMethod, Secret};

use super::authorization_code::random_text;
use crate::relying_party::RelyingParty;

/// A verifier and its S256 challenge. The method `plain` protects nothing and is never used.
pub(super) struct ProofKey {
    pub(super) verifier: Secret,
    pub(super) challenge: String,
}

impl ProofKey {
    /// A new key, if the provider offers S256 or the person insists.
    pub(super) fn wanted_by(party: &RelyingParty<'_>) -> Option<Self> {
        let wanted = match party.options.pkce {
            PkceMethod::Auto => party.metadata().offers_s256(),
            PkceMethod::No => false,
            PkceMethod::S256 => true,
        };
        wanted.then(|| Self::draw(&*party.environment.entropy))
    }

    fn draw(entropy: &dyn Entropy) -> Self {
        Self::of(Secret::from(random_text(entropy)))
    }

    fn of(verifier: Secret) -> Self {
        let hash = digest::digest(&digest::SHA256, verifier.expose().as_bytes());
        Self { challenge: URL_SAFE_NO_PAD.encode(hash), verifier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_specifications() {
        // RFC 7636, appendix B.
        let key = ProofKey::of(Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned()));
        assert_eq!(key.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
