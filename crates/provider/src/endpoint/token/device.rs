//! Device codes (RFC 8628 §3.4, §3.5).

use kubesso_directory::{
    Authorization, DeviceDecision, DeviceRefusal, DeviceState, GrantId, GrantType, TokenHash,
};

use super::{TokenRequest, TokenResponse, check_verifier, internal};
use crate::authorization_response::NO_RULE;
use crate::device_request::DeviceRequest;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::requested::Requested;
use crate::sealed::{Purpose, SealError};

impl TokenRequest<'_> {
    /// What a device gets that asks whether somebody has decided.
    pub(super) async fn poll(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let context = self.context;
        let presented = parameters.lenient("device_code");
        let presented =
            presented.ok_or_else(|| OAuthError::invalid_request("The parameter device_code is missing."))?;
        let opened = context.open(Purpose::DeviceCode, presented);
        let request: DeviceRequest = opened.map_err(|error| match error {
            SealError::Expired => expired(),
            SealError::NotOurs => OAuthError::invalid_grant("The device_code is not one of ours."),
        })?;
        let bound = &request.user_code;
        if bound.client != self.application.client_id || bound.server != self.server.server.id {
            let description = "The device_code was issued to another client or by another issuer.";
            return Err(OAuthError::invalid_grant(description));
        }
        check_verifier(request.code_challenge.as_ref(), parameters.lenient("code_verifier"))?;
        let user_code = bound.hash(&context.sealing_key);
        match context.store.device_decision(&user_code).await.map_err(internal)? {
            None if context.polls.is_too_early(&request.grant, bound.ends(), context.now()) => {
                let description = "The client asks too often: wait for five seconds longer from now on.";
                Err(OAuthError::new(ErrorCode::SlowDown, description))
            }
            None => Err(pending()),
            Some(decision) => match decision.state {
                DeviceState::Allowed { .. } => self.hand_out(request, &user_code, &decision).await,
                DeviceState::Denied { reason, .. } => {
                    Err(self.refused(DeviceRefusal::Denied(reason), &request.grant).await?)
                }
                DeviceState::Redeemed { grant, .. } => {
                    Err(self.refused(DeviceRefusal::Redeemed(grant), &request.grant).await?)
                }
            },
        }
    }

    async fn hand_out(
        &self,
        request: DeviceRequest,
        user_code: &TokenHash,
        decision: &DeviceDecision,
    ) -> Result<TokenResponse, OAuthError> {
        let granted = Requested::plain(request.resources, &decision.amr);
        let authorization = Authorization {
            other: granted.to_store(),
            ..decision.authorization(request.grant, request.scopes)
        };
        let person = self.person(&authorization.user).await?;
        // The page did not know the scopes: only the device code says which they are.
        let grant = self
            .decide(&person, GrantType::DeviceCode, &authorization.scopes)
            .ok_or_else(|| OAuthError::new(ErrorCode::AccessDenied, NO_RULE))?;
        self.check_consent(&person, &authorization.scopes).await?;
        let requested = granted.narrowed(&self.requested.resources, self.server)?;
        let new = TokenRequest { requested: &requested, ..*self }
            .begin(&authorization, &person, grant.lifetimes(), None)
            .await?;
        let redeemed =
            self.context.store.redeem_device_code(user_code, &new.family, self.context.now()).await;
        if let Err(refusal) = redeemed.map_err(internal)? {
            return Err(self.refused(refusal, &authorization.grant).await?);
        }
        self.log(GrantType::DeviceCode, &person, &authorization.grant, &new.token_ids);
        Ok(new.response)
    }

    /// What the device that brings `grant` is told. One that finds its code redeemed by another shows the same user
    /// code as that one: nobody knows which of the two the person meant, so that what the other got is ended.
    async fn refused(&self, refusal: DeviceRefusal, grant: &GrantId) -> Result<OAuthError, OAuthError> {
        Ok(match refusal {
            DeviceRefusal::Denied(reason) => OAuthError::new(ErrorCode::AccessDenied, reason),
            DeviceRefusal::Ended => expired(),
            DeviceRefusal::Redeemed(by) => {
                if by != *grant {
                    let client = &self.application.client_id;
                    tracing::warn!(%client, grant = %by, "two devices had the same user code; its grant is ended");
                    self.context.store.end_family(&by, self.context.now()).await.map_err(internal)?;
                }
                OAuthError::invalid_grant("The device_code is already redeemed.")
            }
            DeviceRefusal::Undecided => pending(),
        })
    }
}

fn pending() -> OAuthError {
    OAuthError::new(ErrorCode::AuthorizationPending, "Nobody has entered and confirmed the user code yet.")
}

fn expired() -> OAuthError {
    OAuthError::new(ErrorCode::ExpiredToken, "The device_code has ended: ask for another one.")
}
