//! Proofs of possession (DPoP, RFC 9449): which addresses a proof may name, and that it comes once.

use http::{HeaderMap, HeaderValue, Method, Uri};
use kubesso_directory::{DpopNonces, SingleUse, StoreError};
use kubesso_token::{DpopExpectations, DpopProof, ProofError, VerifiedDpop};

use crate::context::Context;

/// The header with the proof.
pub(crate) const HEADER: &str = "dpop";
/// The header with the nonce for the next proof (RFC 9449 §8).
pub(crate) const NONCE_HEADER: &str = "dpop-nonce";

/// The nonce that is given out now.
pub(crate) fn nonce(context: &Context) -> String {
    DpopNonces::at(&context.sealing_key, context.now()).current()
}

/// What a request's proof must fit beyond the request itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bound<'a> {
    /// The access token that comes with it.
    pub(crate) access_token: Option<&'a str>,
    /// The key that the access token is bound to.
    pub(crate) thumbprint: Option<&'a str>,
    /// Whether it must carry one of our nonces.
    pub(crate) with_nonce: bool,
}

/// Checks a request's proof, without noting its use.
pub(crate) fn check(
    context: &Context,
    headers: &HeaderMap,
    method: &Method,
    uri: &Uri,
    bound: Bound<'_>,
) -> Result<VerifiedDpop, ProofError> {
    let now = context.now();
    let nonces = DpopNonces::at(&context.sealing_key, now).good();
    let urls: Vec<String> = context.origins.iter().map(|origin| format!("{origin}{}", uri.path())).collect();
    let expected = DpopExpectations {
        method: method.as_str(),
        urls: &urls,
        nonces: bound.with_nonce.then_some(&nonces),
        access_token: bound.access_token,
        thumbprint: bound.thumbprint,
        now,
    };
    DpopProof::of_request(headers.get_all(HEADER).iter().map(HeaderValue::as_bytes), &expected)
}

/// Notes the use of a proof, when the request is right in all else; a second use is refused, at every replica.
pub(crate) async fn note_use(
    context: &Context,
    proof: &VerifiedDpop,
) -> Result<Result<(), ProofError>, StoreError> {
    let used = SingleUse::of_dpop_proof(&proof.jkt, &proof.jti, proof.expires);
    Ok(if context.use_once(&used).await? { Ok(()) } else { Err(ProofError::Used) })
}
