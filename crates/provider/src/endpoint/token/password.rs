//! The resource owner password credentials grant (RFC 6749 §4.3).
//!
//! The client sees the password, and no second factor is possible: RFC 9700 §2.4 says that it must not be used. It is
//! for what has no other way, and off unless the application lists it and a rule allows it; nothing that kubesso creates
//! by itself does. Attempts count with those of the sign-in pages.

use kubesso_directory::{
    AccessRequest, Authorization, GrantId, GrantType, Outcome, Person, SessionId, assignment, decide,
};

use super::{TokenRequest, TokenResponse, internal};
use crate::audit;
use crate::authorization_request::{known_scopes, read_scopes};
use crate::authorization_response::{NO_RULE, NOT_ASSIGNED, granted_scopes};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::password_check::{Denied, check_password};
use crate::requested::Requested;

impl TokenRequest<'_> {
    pub(super) async fn check_password(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let required = |name: &str| {
            let missing = || OAuthError::invalid_request(format!("The parameter {name} is missing."));
            parameters.lenient(name).ok_or_else(missing)
        };
        let (username, password) = (required("username")?, required("password")?);
        let server = self.server;
        let asked = read_scopes(parameters.lenient("scope"), &server.server.id, &known_scopes(server))?;
        let scopes = granted_scopes(self.application, &asked);
        let mut request = AccessRequest {
            client: &self.application.client_id,
            grant_type: GrantType::Password,
            person: None,
            scopes: &scopes,
        };
        // Before a password is looked at: where no rule allows it, nobody is told whether one is right.
        decide(server, &request).map_err(|refusal| self.no_rule(None, &refusal))?;
        let checked =
            check_password(self.context, request.client, self.address, username, Some(password)).await;
        let person = checked.map_err(internal)?.map_err(|denied| refused(&denied))?;
        if assignment(&self.configuration.snapshot, &self.application.id, &person).is_none() {
            tracing::info!(user = %person.user.id, client = %request.client, "not assigned");
            self.audit_sign_in(&person, Outcome::Failure, NOT_ASSIGNED).await?;
            return Err(OAuthError::invalid_grant(NOT_ASSIGNED));
        }
        request.person = Some(&person);
        let grant = match decide(server, &request) {
            Ok(grant) => grant,
            Err(refusal) => {
                self.audit_sign_in(&person, Outcome::Failure, NO_RULE).await?;
                return Err(self.no_rule(Some(&person), &refusal));
            }
        };
        if let Err(error) = self.check_consent(&person, &scopes).await {
            self.audit_sign_in(&person, Outcome::Failure, &error.description).await?;
            return Err(error);
        }
        let entropy = &*self.context.entropy;
        let amr = vec!["pwd".to_owned()];
        let requested = Requested::plain(self.requested.resources.clone(), &amr);
        let authorization = Authorization {
            grant: GrantId::generate(entropy),
            grant_type: GrantType::Password,
            server: server.server.id.clone(),
            client: self.application.client_id.clone(),
            user: person.user.id.clone(),
            session: SessionId::generate(entropy),
            scopes: scopes.clone(),
            auth_time: self.context.now(),
            amr,
            other: requested.to_store(),
        };
        let new = TokenRequest { requested: &requested, ..*self }
            .begin(&authorization, &person, grant.lifetimes(), None)
            .await?;
        self.context.store.begin_family(&new.family).await.map_err(internal)?;
        self.audit_sign_in(&person, Outcome::Success, "signed in with a password at the token endpoint")
            .await?;
        self.log(GrantType::Password, &person, &authorization.grant, &new.token_ids);
        Ok(new.response)
    }

    fn no_rule(&self, person: Option<&Person>, refusal: &kubesso_directory::Refusal) -> OAuthError {
        let user = person.map(|person| person.user.id.to_string());
        let user = user.as_deref().unwrap_or("unknown");
        tracing::info!(user, client = %self.application.client_id, reason = %refusal, "no rule allows it");
        OAuthError::invalid_grant(NO_RULE)
    }

    async fn audit_sign_in(
        &self,
        person: &Person,
        outcome: Outcome,
        message: &str,
    ) -> Result<(), OAuthError> {
        let recorded =
            audit::record(self.context, audit::SIGN_IN, person, self.application, outcome, message).await;
        recorded.map_err(internal)
    }
}

fn refused(denied: &Denied) -> OAuthError {
    let code = match denied {
        Denied::Busy => ErrorCode::TemporarilyUnavailable,
        Denied::NotActive(_) | Denied::TooEarly(_) | Denied::WrongPassword => ErrorCode::InvalidGrant,
    };
    OAuthError::new(code, denied.to_string())
}
