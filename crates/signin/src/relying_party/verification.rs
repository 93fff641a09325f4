//! Believing a token: signature, issuer, audience, end, nonce and the hash of the access token
//! (OpenID Connect Core 1.0, section 3.1.3.7).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use kubesso_token::{
    Algorithm, IdTokenClaims, IdTokenExpectations, MAX_TOKEN_LENGTH, TokenError, VerifiedToken,
    decode_unverified_payload,
};
use kubesso_token_cache::{Entry, Secret};
use serde_json::{Map, Value};

use super::{RelyingParty, SignIn, TokenAnswer};
use crate::error::Error;

impl RelyingParty<'_> {
    /// Verifies what the token endpoint gave. `nonce` is the one of the authorization request, if there was one.
    pub(crate) async fn accept(&self, answer: TokenAnswer, nonce: Option<&str>) -> Result<SignIn, Error> {
        let id = match &answer.id_token {
            Some(id_token) => {
                Some(self.verify_id_token(id_token, answer.access_token.as_ref(), nonce).await?)
            }
            None => None,
        };
        let (token, issued_at, expires_at, claims) = if self.options.use_access_token {
            self.access_token(&answer).await?
        } else {
            let (Some(token), Some((claims, payload))) = (answer.id_token, id) else {
                return Err(Error::NoIdToken);
            };
            (token, claims.issued_at, claims.expires_at, payload)
        };
        let refresh_token = answer.refresh_token.filter(|_| !self.options.no_refresh_token);
        let entry = Entry { token, issued_at, expires_at, refresh_token, scope: answer.scope };
        Ok(SignIn { entry, claims })
    }

    /// A refreshed ID token speaks of whom the first one spoke of (OpenID Connect Core 1.0, section 12.2). Of an access
    /// token that is not known.
    pub(super) fn check_same_person(&self, known: &Entry, renewed: &SignIn) -> Result<(), Error> {
        if self.options.use_access_token {
            return Ok(());
        }
        let before = decode_unverified_payload(known.token.expose()).map_err(untrusted)?;
        if before.get("sub") == renewed.claims.get("sub") {
            return Ok(());
        }
        Err(Error::Untrusted(
            "the refreshed ID token is another person's (sub differs); run `kubectl oidc-login clean` and sign in again"
                .to_owned(),
        ))
    }

    async fn verify_id_token(
        &self,
        id_token: &Secret,
        access_token: Option<&Secret>,
        nonce: Option<&str>,
    ) -> Result<(IdTokenClaims, Map<String, Value>), Error> {
        let VerifiedToken { header, payload } = self.verify_signature(id_token).await?;
        let expectations = IdTokenExpectations {
            issuer: self.expected_issuer(&payload),
            audience: &self.options.client_id,
            nonce,
            now: self.environment.clock.now(),
        };
        let claims = expectations.verify_claims(&payload).map_err(untrusted)?;
        if let (Some(hash), Some(access_token)) = (payload.get("at_hash"), access_token)
            && hash.as_str() != Some(&access_token_hash(header.algorithm, access_token))
        {
            return Err(Error::Untrusted(
                "the ID token belongs to another access token (at_hash differs); sign in again".to_owned(),
            ));
        }
        Ok((claims, payload))
    }

    /// Access-token mode: a JWT is verified like an ID token, but for the audience, which is the cluster's affair. What
    /// is no JWT is taken as it is and ends when the provider says so.
    async fn access_token(
        &self,
        answer: &TokenAnswer,
    ) -> Result<(Secret, Option<Timestamp>, Timestamp, Map<String, Value>), Error> {
        let token = answer.access_token.clone().ok_or(Error::NoAccessToken)?;
        if token.expose().len() > MAX_TOKEN_LENGTH {
            return Err(Error::Untrusted(format!(
                "the access token has more than {MAX_TOKEN_LENGTH} bytes, which no cluster takes; have claims removed from it"
            )));
        }
        let now = self.environment.clock.now();
        let announced_end =
            answer.expires_in.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
        if decode_unverified_payload(token.expose()).is_err() {
            let end = announced_end.ok_or_else(|| {
                Error::Untrusted("the access token is opaque and the answer has no expires_in".to_owned())
            })?;
            return Ok((token, Some(now), end, Map::new()));
        }
        let payload = self.verify_signature(&token).await?.payload;
        if payload.get("iss").and_then(Value::as_str) != Some(self.expected_issuer(&payload)) {
            return Err(Error::Untrusted("the access token is from another issuer".to_owned()));
        }
        let seconds = |name| payload.get(name).and_then(Value::as_i64);
        let end = seconds("exp").and_then(|second| Timestamp::from_second(second).ok()).or(announced_end);
        let end = end.filter(|end| *end > now).ok_or_else(|| {
            Error::Untrusted(
                "the access token has ended already, or does not say when; check the clock".to_owned(),
            )
        })?;
        let issued_at = seconds("iat").and_then(|second| Timestamp::from_second(second).ok());
        Ok((token, issued_at, end, payload))
    }

    /// What is known of the provider may be older than the token: keys are rotated, algorithms added. So a token that
    /// does not verify is looked at once more with what the provider says now.
    async fn verify_signature(&self, token: &Secret) -> Result<VerifiedToken, Error> {
        let metadata = self.metadata();
        let keys = self.documents.keys(metadata.jwks_uri()?).await?;
        let error = match keys.verify(token.expose(), &metadata.algorithms()) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        let may_be_old = match error {
            TokenError::UnknownKey(_) | TokenError::BadSignature => {
                self.rediscover().await?;
                true
            }
            TokenError::AlgorithmNotAllowed(_) => self.rediscover().await?,
            _ => false,
        };
        if !may_be_old {
            return Err(untrusted(error));
        }
        let metadata = self.metadata();
        let keys = self.documents.newest_keys(metadata.jwks_uri()?).await?;
        keys.verify(token.expose(), &metadata.algorithms()).map_err(untrusted)
    }

    /// The issuer that must stand in a token: the provider's own, except that Google writes it without its scheme
    /// (https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken).
    fn expected_issuer(&self, payload: &Map<String, Value>) -> &str {
        let issuer = self.options.issuer.as_str();
        match issuer.strip_prefix("https://") {
            Some("accounts.google.com")
                if payload.get("iss").is_some_and(|iss| iss == "accounts.google.com") =>
            {
                "accounts.google.com"
            }
            _ => issuer,
        }
    }
}

fn untrusted(error: impl std::error::Error) -> Error {
    Error::Untrusted(error.to_string())
}

/// The left half of the access token's hash (OpenID Connect Core 1.0, section 3.1.3.6).
fn access_token_hash(algorithm: Algorithm, access_token: &Secret) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &digest::SHA256,
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &digest::SHA384,
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 => &digest::SHA512,
    };
    let digest = digest::digest(hash, access_token.expose().as_bytes());
    let half = digest.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..half).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_an_access_token_is_the_specifications() {
        // OpenID Connect Core 1.0, appendix A.3 and A.4.
        let token = Secret::from("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y".to_owned());
        assert_eq!(access_token_hash(Algorithm::Rs256, &token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(access_token_hash(Algorithm::Es512, &token).len(), 43);
    }
}
