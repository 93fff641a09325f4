//! Signing keys, JWK sets and compact JWS, with the algorithms that Kubernetes accepts.
//!
//! This room signs our own tokens and reads tokens *strictly*: compact serialisation only (RFC 7515), canonical
//! base64url, no `none`, no HMAC, no `crit`, never a key that the token itself brings (but for the proofs of RFC 9449,
//! which prove just that). A key verifies only the
//! algorithms that its type and curve are made for, so that no key can be confused with another (RFC 8725).
//! Room `authn`, which must decide exactly as kube-apiserver does, takes only the bare signature check from here
//! ([`VerifyingKey::verify_as_go_jose`]).
//!
//! ```
//! use kubesso_token::{Algorithm, JwkSet, SigningKey};
//! use serde_json::json;
//!
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let token = key.sign("JWT", &json!({"iss": "https://issuer.example", "sub": "alice"}))?;
//!
//! // What the provider publishes, and what a relying party does with it.
//! let published = serde_json::to_string(&JwkSet::new(vec![key.public_jwk()]))?;
//! let keys = JwkSet::parse(published.as_bytes())?;
//! let verified = keys.verify(&token, &[Algorithm::Es256])?;
//! assert_eq!(verified.payload["sub"], "alice");
//! assert!(keys.verify(&token, &[Algorithm::Rs256]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod base64url;
mod claim;
mod client_assertion;
mod client_keys;
mod der;
mod dpop;
mod error;
mod id_token;
mod jti_memory;
mod jwk;
mod jws;
mod private_key;
mod request_object;
mod signing_key;
mod strict_json;
mod verifying_key;

pub use algorithm::{Algorithm, Curve};
pub use client_assertion::{
    AssertionError, AssertionExpectations, Audiences, ClientAssertion, VerifiedAssertion,
};
pub use client_keys::JwkSetError;
pub use dpop::{DPOP_MAX_AGE, DpopError, DpopExpectations, DpopProof, ProofError, VerifiedDpop};
pub use error::TokenError;
pub use id_token::{ClaimsError, IdTokenClaims, IdTokenExpectations};
pub use jti_memory::JtiMemory;
pub use jwk::{Jwk, JwkSet, Kid};
pub use jws::{Header, MAX_TOKEN_LENGTH, VerifiedToken, decode_unverified_payload};
pub use private_key::PrivateKey;
pub use request_object::{RequestObject, RequestObjectError, RequestObjectExpectations};
pub use signing_key::SigningKey;
pub use verifying_key::VerifyingKey;
