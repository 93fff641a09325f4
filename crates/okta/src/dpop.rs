//! Proofs of possession (DPoP, RFC 9449): which addresses a proof may name, and that it comes once.

use http::{HeaderMap, Method, Uri};
use kubesso_directory::DpopNonces;
use kubesso_token::{DpopError, DpopExpectations, DpopProof, VerifiedDpop};

use crate::context::Context;

/// The header with the proof.
pub(crate) const HEADER: &str = "dpop";
/// The header with the nonce for the next proof (RFC 9449 §8).
pub(crate) const NONCE_HEADER: &str = "dpop-nonce";

/// Why a proof is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProofError {
    /// There is none.
    #[error("the header DPoP is missing")]
    Missing,
    /// More than one header, or none that is a text.
    #[error("send one header DPoP")]
    Unreadable,
    /// The proof itself.
    #[error("{0}")]
    Wrong(#[from] DpopError),
    /// It came before.
    #[error("this DPoP proof was used before: make one for each request")]
    Used,
}

impl ProofError {
    /// The error's code (RFC 9449 §12.2).
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Wrong(error) => error.code(),
            Self::Missing | Self::Unreadable | Self::Used => "invalid_dpop_proof",
        }
    }
}

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
    let mut values = headers.get_all(HEADER).iter();
    let proof = match (values.next(), values.next()) {
        (None, _) => return Err(ProofError::Missing),
        (Some(value), None) => value.to_str().map_err(|_| ProofError::Unreadable)?,
        (Some(_), Some(_)) => return Err(ProofError::Unreadable),
    };
    let now = context.now();
    let nonces = DpopNonces::at(&context.sealing_key, now).good();
    let urls: Vec<String> = context.origins.iter().map(|origin| format!("{origin}{}", uri.path())).collect();
    Ok(DpopProof::verify(
        proof,
        &DpopExpectations {
            method: method.as_str(),
            urls: &urls,
            nonces: bound.with_nonce.then_some(&nonces),
            access_token: bound.access_token,
            thumbprint: bound.thumbprint,
            now,
        },
    )?)
}

/// Notes the use of a proof that is right in all else; a second use is refused.
pub(crate) fn note_use(context: &Context, proof: &VerifiedDpop) -> Result<(), ProofError> {
    let owner = format!("dpop {}", proof.jkt);
    if context.used.first_use(&owner, &proof.jti, proof.expires, context.now()) {
        return Ok(());
    }
    Err(ProofError::Used)
}
