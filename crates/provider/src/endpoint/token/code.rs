//! Authorization codes (RFC 6749 §4.1.3, RFC 7636).

use kubesso_directory::{AuthorizationCode, CodeValue, Redemption};

use super::{TokenRequest, TokenResponse, internal};
use crate::oauth_error::OAuthError;
use crate::parameters::Parameters;
use crate::pkce::CodeChallenge;

impl TokenRequest<'_> {
    pub(super) async fn redeem(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let now = self.context.now();
        let value = parameters.lenient("code");
        let value = value.ok_or_else(|| OAuthError::invalid_request("The parameter code is missing."))?;
        let hash = CodeValue::presented(value).hash();
        let Some(code) = self.context.store.code(&hash, now).await.map_err(internal)? else {
            // Perhaps it is one that was redeemed; the store ends what came of it then.
            let redemption = self.context.store.redeem_code(&hash, None, now).await.map_err(internal)?;
            return Err(self.not_redeemed(&redemption));
        };
        self.check_code(&code, parameters)?;
        let person = self.person(&code.user).await?;
        let authorization = code.authorization();
        let grant = self.decide(&person, authorization.grant_type, &code.scopes)?;
        let new = self.begin(&authorization, &person, grant.lifetimes(), code.nonce.as_deref())?;
        match self.context.store.redeem_code(&hash, Some(&new.family), now).await.map_err(internal)? {
            Redemption::Redeemed => {}
            lost => return Err(self.not_redeemed(&lost)),
        }
        self.log(authorization.grant_type, &person, &code.grant, &new.token_ids);
        Ok(new.response)
    }

    fn check_code(&self, code: &AuthorizationCode, parameters: &Parameters) -> Result<(), OAuthError> {
        if code.client != self.application.client_id || code.server != self.server.server.id {
            return Err(OAuthError::invalid_grant(
                "The code was issued to another client or by another issuer.",
            ));
        }
        match parameters.lenient("redirect_uri") {
            Some(redirect_uri) if redirect_uri == code.redirect_uri => {}
            Some(_) => {
                let description = "The redirect_uri is not the one of the authorization request.";
                return Err(OAuthError::invalid_grant(description));
            }
            None => return Err(OAuthError::invalid_request("The parameter redirect_uri is missing.")),
        }
        let challenge = code
            .code_challenge
            .as_deref()
            .map(|stored| CodeChallenge::parse(stored).ok_or_else(OAuthError::server_error));
        match (challenge.transpose()?, parameters.lenient("code_verifier")) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if challenge.is_met_by(verifier) => Ok(()),
            (Some(_), Some(_)) => {
                Err(OAuthError::invalid_grant("The code_verifier does not fit the code_challenge."))
            }
            (Some(_), None) => Err(OAuthError::invalid_request("The parameter code_verifier is missing.")),
            // RFC 9700 §4.8.2: somebody may have stripped the challenge from the request.
            (None, Some(_)) => Err(OAuthError::invalid_grant(
                "There is a code_verifier, but the request had no code_challenge.",
            )),
        }
    }

    fn not_redeemed(&self, redemption: &Redemption) -> OAuthError {
        if *redemption == Redemption::Replayed {
            tracing::warn!(
                client = %self.application.client_id,
                "a code was redeemed twice; the refresh tokens that came of it are revoked"
            );
        }
        OAuthError::invalid_grant("The code is unknown, expired or already redeemed.")
    }
}
