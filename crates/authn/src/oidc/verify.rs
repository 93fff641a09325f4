//! The checks of go-oidc v2.5.0 (`IDTokenVerifier.Verify`), in its order.

use jiff::Timestamp;
use kubesso_k8s_types::go::{quote, quote_list};

use super::claims::TypedClaims;
use super::jose::Jws;
use super::keys::{KeyError, RemoteKeySet};
use crate::go::base64::{Encoding, decode};
use crate::go::json::{self, Json, Kind};
use crate::go::time::GoTime;

/// What is asked of a token, whoever issued it.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    /// The one audience.
    pub(crate) client_id: String,
    /// Names as configured.
    pub(crate) algorithms: Vec<String>,
}

/// Verifies the tokens of one issuer.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) issuer: String,
    pub(crate) keys: RemoteKeySet,
}

/// Why a token is not accepted. Texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// `aud` does not contain the client id.
    #[error("oidc: expected audience {} got {}", quote(expected), quote_list(got))]
    Audience {
        /// The configured client id.
        expected: String,
        /// `aud`.
        got: Vec<String>,
    },
    /// A claim that is read from every token has the wrong type.
    #[error("oidc: failed to unmarshal claims: {0}")]
    Claims(String),
    /// `_claim_names` names no source.
    #[error("oidc: failed to obtain source from claim name")]
    ClaimSourceUnnamed,
    /// `_claim_names` names a source that `_claim_sources` does not have.
    #[error("oidc: source does not exist")]
    ClaimSourceUnknown,
    /// `exp` is past (or missing, which is the year 1).
    #[error("oidc: token is expired (Token Expiry: {0})")]
    Expired(String),
    /// `iss` is another issuer.
    #[error("oidc: id token issued by a different provider, expected {} got {}", quote(expected), quote(got))]
    Issuer {
        /// The configured issuer.
        expected: String,
        /// `iss`.
        got: String,
    },
    /// Not a compact JWS that go-jose reads.
    #[error("oidc: malformed jwt: {0}")]
    Malformed(String),
    /// `nbf` is more than a minute ahead.
    #[error("oidc: current time {now} before the nbf (not before) time: {not_before}")]
    NotYetValid {
        /// The present.
        now: String,
        /// `nbf`.
        not_before: String,
    },
    /// No key verifies it.
    #[error("failed to verify signature: {0}")]
    Signature(#[from] KeyError),
    /// More than two dots.
    #[error("oidc: malformed jwt")]
    TooManyParts,
    /// `alg` is none of the configured ones.
    #[error(
        "oidc: id token signed with unsupported algorithm, expected {} got {}",
        quote_list(expected),
        quote(got)
    )]
    UnsupportedAlgorithm {
        /// The configured ones.
        expected: Vec<String>,
        /// `alg`.
        got: String,
    },
}

impl Verifier {
    /// Returns the payload, which is a JSON object.
    pub(crate) async fn verify(
        &self,
        expectations: &Expectations,
        token: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, VerifyError> {
        if token.matches('.').count() > 2 {
            return Err(VerifyError::TooManyParts);
        }
        let jws = Jws::parse(token).map_err(VerifyError::Malformed)?;
        if !expectations.algorithms.contains(&jws.algorithm) {
            let expected = expectations.algorithms.clone();
            return Err(VerifyError::UnsupportedAlgorithm { expected, got: jws.algorithm });
        }
        self.keys.verify(&jws).await?;
        let claims = Json::parse(&jws.payload).and_then(TypedClaims::read).map_err(VerifyError::Claims)?;
        self.check(expectations, claims, now)?;
        Ok(jws.payload)
    }

    fn check(
        &self,
        expectations: &Expectations,
        claims: TypedClaims,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        for source in claims.claim_names.values() {
            if source.is_empty() {
                return Err(VerifyError::ClaimSourceUnnamed);
            }
            if !claims.source_names.contains(source) {
                return Err(VerifyError::ClaimSourceUnknown);
            }
        }
        if claims.issuer != self.issuer && !(self.issuer == GOOGLE && claims.issuer == GOOGLE_WITHOUT_SCHEME)
        {
            return Err(VerifyError::Issuer { expected: self.issuer.clone(), got: claims.issuer });
        }
        if !claims.audience.contains(&expectations.client_id) {
            return Err(VerifyError::Audience {
                expected: expectations.client_id.clone(),
                got: claims.audience,
            });
        }
        let now = GoTime::from(now);
        if claims.expiry.is_before(now) {
            return Err(VerifyError::Expired(claims.expiry.to_string()));
        }
        if let Some(not_before) = claims.not_before
            && now.plus_seconds(60).is_before(not_before)
        {
            return Err(VerifyError::NotYetValid {
                now: now.to_string(),
                not_before: not_before.to_string(),
            });
        }
        Ok(())
    }
}

/// Google's older tokens name their issuer without a scheme.
const GOOGLE: &str = "https://accounts.google.com";
const GOOGLE_WITHOUT_SCHEME: &str = "accounts.google.com";

/// The issuer that a token claims, before anything is verified (Kubernetes `untrustedIssuer`).
pub(crate) fn untrusted_issuer(token: &str) -> Result<String, String> {
    if token.trim().starts_with('{') {
        return Err("token is not compact JWT".to_owned());
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts.as_slice() else {
        return Err("malformed token".to_owned());
    };
    let payload =
        decode(Encoding::RawUrl, payload).map_err(|error| format!("error decoding token: {error}"))?;
    let issuer = read_issuer(&payload).map_err(|error| format!("while unmarshaling token: {error}"))?;
    Ok(if issuer == GOOGLE_WITHOUT_SCHEME { GOOGLE.to_owned() } else { issuer })
}

fn read_issuer(payload: &[u8]) -> Result<String, String> {
    const STRUCT: &str = "struct { Issuer string \"json:\\\"iss\\\"\" }";
    let payload = Json::parse(payload)?;
    if !matches!(payload.kind(), Kind::Object | Kind::Null) {
        return Err(json::wrong_type(payload, STRUCT));
    }
    let mut issuer = String::new();
    let mut saved = Ok(());
    for (_, value) in payload.members().filter(|(name, _)| json::names_field(name, "iss")) {
        match value.string() {
            Some(text) => issuer = text,
            None if value.kind() == Kind::Null => {}
            None => saved = saved.and(Err(json::wrong_field_type(value, ".iss", "string"))),
        }
    }
    saved.map(|()| issuer)
}
