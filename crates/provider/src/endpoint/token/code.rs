//! Authorization codes (RFC 6749 §4.1.3, RFC 7636).

use kubesso_directory::{Authorization, AuthorizationCode, CodeValue, Redemption};
use serde_json::Value;

use super::{TokenRequest, TokenResponse, check_verifier, internal, not_any_more};
use crate::authorization_response::DPOP_JKT;
use crate::oauth_error::OAuthError;
use crate::parameters::Parameters;
use crate::pkce::CodeChallenge;
use crate::requested::Requested;

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
        let granted = Requested::stored(&code.other)?;
        // What the code was bound to is proved now; the grant has a key of its own.
        let authorization = Authorization { other: granted.to_store(), ..code.authorization() };
        let grant = self.decide(&person, authorization.grant_type, &code.scopes).ok_or_else(not_any_more)?;
        let requested = granted.narrowed(&self.requested.resources, self.server)?;
        let new = TokenRequest { requested: &requested, ..*self }
            .begin(&authorization, &person, grant.lifetimes(), code.nonce.as_deref())
            .await?;
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
        self.check_binding(code.other.get(DPOP_JKT).and_then(Value::as_str))?;
        check_verifier(challenge.transpose()?.as_ref(), parameters.lenient("code_verifier"))
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
