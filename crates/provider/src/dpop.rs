//! Proofs of possession (DPoP, RFC 9449): that whoever asks has the key to which its tokens are, or will be, bound.

use http::{HeaderMap, HeaderValue, Method, Uri};
use kubesso_directory::{DpopNonces, SingleUse, StoreError};
use kubesso_token::{DpopError, DpopExpectations, DpopProof, ProofError, VerifiedDpop};

use crate::context::Context;
use crate::oauth_error::{ErrorCode, OAuthError};

/// The header with the proof.
pub(crate) const HEADER: &str = "dpop";
/// The header with the nonce for the next proof (§8).
pub(crate) const NONCE_HEADER: &str = "dpop-nonce";

impl From<ProofError> for OAuthError {
    fn from(error: ProofError) -> Self {
        let code = match error {
            ProofError::Wrong(DpopError::Nonce) => ErrorCode::UseDpopNonce,
            _ => ErrorCode::InvalidDpopProof,
        };
        Self::new(code, format!("DPoP: {error}."))
    }
}

/// A request, as far as a proof is about it.
#[derive(Clone, Copy)]
pub(crate) struct Proven<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl Proven<'_> {
    /// The proof of a token request (§5), if it brings one; it must carry one of our nonces. Its use is not noted
    /// ([`note_use`]).
    pub(crate) fn for_tokens(&self, context: &Context) -> Result<Option<VerifiedDpop>, ProofError> {
        match self.check(context, None, None) {
            Err(ProofError::Missing) => Ok(None),
            checked => checked.map(Some),
        }
    }

    /// The proof that the request may use `access_token`, which is bound to the key of `thumbprint` (§7.1). Its use is
    /// not noted.
    pub(crate) fn for_resource(
        &self,
        context: &Context,
        access_token: &str,
        thumbprint: &str,
    ) -> Result<VerifiedDpop, ProofError> {
        self.check(context, Some(access_token), Some(thumbprint))
    }

    fn check(
        &self,
        context: &Context,
        access_token: Option<&str>,
        thumbprint: Option<&str>,
    ) -> Result<VerifiedDpop, ProofError> {
        let now = context.now();
        let nonces = DpopNonces::at(&context.sealing_key, now).good();
        let urls: Vec<_> = context.origins().map(|origin| format!("{origin}{}", self.uri.path())).collect();
        let expected = DpopExpectations {
            method: self.method.as_str(),
            urls: &urls,
            nonces: access_token.is_none().then_some(&nonces),
            access_token,
            thumbprint,
            now,
        };
        DpopProof::of_request(self.headers.get_all(HEADER).iter().map(HeaderValue::as_bytes), &expected)
    }
}

/// Notes the use of a proof, when the request is right in all else; a second use is refused (§11.1), at every replica.
///
/// A row is written for each use. That the nonces of token requests are bound to time limits how old a proof may be, not
/// how often it is used; and a resource asks for no nonce, which would double the requests of every client.
pub(crate) async fn note_use(
    context: &Context,
    proof: &VerifiedDpop,
) -> Result<Result<(), ProofError>, StoreError> {
    let used = SingleUse::of_dpop_proof(&proof.jkt, &proof.jti, proof.expires);
    Ok(if context.use_once(&used).await? { Ok(()) } else { Err(ProofError::Used) })
}

/// Gives the client the nonce for its next proof.
pub(crate) fn give_nonce(context: &Context, headers: &mut HeaderMap) {
    let nonce = DpopNonces::at(&context.sealing_key, context.now()).current();
    if let Ok(nonce) = HeaderValue::try_from(nonce) {
        headers.insert(NONCE_HEADER, nonce);
    }
}

/// The thumbprint that an authorization request names (`dpop_jkt`, §10): an RFC 7638 hash in base64url.
pub(crate) fn read_thumbprint(given: &str) -> Result<String, OAuthError> {
    let is_one = given.len() == 43
        && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_one {
        Ok(given.to_owned())
    } else {
        Err(OAuthError::invalid_request(
            "The parameter dpop_jkt must be the base64url SHA-256 thumbprint of a JWK (RFC 7638).",
        ))
    }
}
