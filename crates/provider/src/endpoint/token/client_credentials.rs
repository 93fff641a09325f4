//! The client credentials grant (RFC 6749 §4.4): a confidential client gets an access token for itself.
//!
//! There is no person in it, so neither an ID token nor userinfo nor a refresh token (§4.4.3); the client proves who it
//! is each time. Nothing is stored: the token counts until it ends.

use kubesso_directory::{
    AccessRequest, ClientAuthentication, GrantId, GrantType, ScopeName, decide, is_for_people_only,
};

use super::{TokenRequest, TokenResponse, response};
use crate::authorization_request::{known_scopes, read_scopes};
use crate::authorization_response::NO_RULE;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::tokens::Subject;

/// Scopes that are about a person.
const OF_PEOPLE: [&str; 2] = ["offline_access", "openid"];

impl TokenRequest<'_> {
    pub(super) async fn act_for_itself(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let (server, client) = (self.server, &self.application.client_id);
        if self.application.authentication == ClientAuthentication::None {
            let description = "The client has no credentials of its own; register it with a secret or a key.";
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
        }
        let invalid = |description: String| OAuthError::new(ErrorCode::InvalidScope, description);
        let given = parameters.lenient("scope");
        let given = given.ok_or_else(|| invalid("The parameter scope is missing.".to_owned()))?;
        let scopes = read_scopes(Some(given), &server.server.id, &known_scopes(server))?;
        if let Some(scope) = scopes.iter().find(|scope| OF_PEOPLE.contains(&scope.as_str())) {
            return Err(invalid(format!("The scope {scope} is for people, not for clients by themselves.")));
        }
        let of_people = |name: &&ScopeName| server.scope(name).is_some_and(is_for_people_only);
        if let Some(scope) = scopes.iter().find(of_people) {
            return Err(invalid(format!("The scope {scope} needs a person's consent, and here is none.")));
        }
        let grant_type = GrantType::ClientCredentials;
        let request = AccessRequest { client, grant_type, person: None, scopes: &scopes };
        let grant = decide(server, &request).map_err(|refusal| {
            tracing::info!(%client, reason = %refusal, "no rule allows it");
            OAuthError::new(ErrorCode::AccessDenied, NO_RULE)
        })?;
        let id = GrantId::generate(&*self.context.entropy);
        let issued = self
            .sign(&Subject {
                issuer: &self.context.issuer(&server.server.id),
                server,
                application: self.application,
                person: None,
                scopes: &scopes,
                lifetimes: grant.lifetimes(),
                grant: &id,
                session: None,
                auth_time: self.context.now(),
                amr: &[],
                acr: None,
                nonce: None,
                dpop_jkt: self.thumbprint(),
                certificate: self.bound_certificate(),
                exchange: None,
            })
            .await?;
        let [access_token, _] = &issued.token_ids;
        tracing::info!(
            %client,
            server = %server.server.id,
            grant_type = grant_type.as_str(),
            grant = %id,
            access_token,
            "tokens issued"
        );
        Ok(response(issued, None, &scopes))
    }
}
