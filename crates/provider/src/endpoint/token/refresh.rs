//! Refresh tokens (RFC 6749 §6). Person, groups, assignment and policy are read afresh each time; the policy is asked by
//! the grant that began it.

use kubesso_directory::{
    AccessRequest, AuditEvent, AuditEventId, Batch, Change, GrantType, Outcome, Person, RefreshFamily,
    RefreshRefusal, RefreshTerms, RefreshToken, Rotation, ScopeName, parse_scopes,
};
use serde_json::Map;

use super::{TokenRequest, TokenResponse, internal, not_any_more, response};
use crate::client_certificate::confirmed_certificate;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::requested::Requested;
use crate::tokens::Subject;

impl TokenRequest<'_> {
    pub(super) async fn refresh(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let now = self.context.now();
        let presented = parameters.lenient("refresh_token");
        let presented = presented
            .ok_or_else(|| OAuthError::invalid_request("The parameter refresh_token is missing."))?;
        let refused = |refusal: RefreshRefusal| OAuthError::invalid_grant(sentence(&refusal.to_string()));
        let token = RefreshToken::parse(presented).ok_or_else(|| refused(RefreshRefusal::Unknown))?;
        let family = self.context.store.refresh_family(&token).await.map_err(internal)?;
        let family = family.ok_or_else(|| refused(RefreshRefusal::Unknown))?;
        if family.client != self.application.client_id || family.server != self.server.server.id {
            let description = "The refresh token was issued to another client or by another issuer.";
            return Err(OAuthError::invalid_grant(description));
        }
        self.check_binding(family.dpop_jkt.as_deref())?;
        self.check_certificate(confirmed_certificate(&family.other))?;
        let scopes = narrowed(&family.scopes, parameters.lenient("scope"))?;
        let person = self.person(&family.user).await?;
        self.check_consent(&person, &family.scopes).await?;
        // By all that was granted, so that asking for less does not lead to another rule's lifetimes.
        let grant = self.decide(&person, family.grant_type, &family.scopes).ok_or_else(not_any_more)?;
        let asked = AccessRequest {
            client: &family.client,
            grant_type: family.grant_type,
            person: Some(&person),
            scopes: &family.scopes,
        };
        let requested = Requested::stored(&family.other)?
            .narrowed(&self.requested.resources, self.server)?
            .permitted_to(self.server, self.application, &asked);
        let issued = TokenRequest { requested: &requested, ..*self }
            .sign(&Subject {
                issuer: &self.context.issuer(&self.server.server.id),
                server: self.server,
                application: self.application,
                person: Some(&person),
                scopes: &scopes,
                lifetimes: grant.lifetimes(),
                grant: &family.grant,
                session: Some(&family.session),
                auth_time: family.auth_time,
                amr: &family.amr,
                acr: requested.acr(&family.amr),
                nonce: None,
                dpop_jkt: self.thumbprint(),
                certificate: self.bound_certificate(),
                exchange: None,
            })
            .await?;
        let terms = RefreshTerms {
            rotation: self.application.refresh_rotation,
            window: grant.lifetimes().refresh_window().duration(),
        };
        match self.context.store.rotate_refresh_token(&token, &terms, now).await.map_err(internal)? {
            Rotation::Granted { token, family } => {
                self.log(GrantType::RefreshToken, &person, &family.grant, &issued.token_ids);
                Ok(response(issued, Some(&token.expose()), &scopes))
            }
            Rotation::Refused(refusal) => {
                if refusal == RefreshRefusal::Reused {
                    self.report_reuse(&person, &family).await?;
                }
                Err(refused(refusal))
            }
        }
    }

    async fn report_reuse(&self, person: &Person, family: &RefreshFamily) -> Result<(), OAuthError> {
        let now = self.context.now();
        tracing::warn!(
            user = %person.user.id,
            client = %self.application.client_id,
            grant = %family.grant,
            "a spent refresh token was used again; its family is revoked"
        );
        let event = AuditEvent {
            id: AuditEventId::generate(&*self.context.entropy),
            published: now,
            event_type: "app.oauth2.token.detect_reuse".to_owned(),
            actor: self.application.client_id.to_string(),
            target: Some(person.user.id.to_string()),
            outcome: Outcome::Failure,
            message: "a spent refresh token was used again; all tokens of that sign-in were revoked"
                .to_owned(),
            details: Map::new(),
        };
        self.context.store.commit(Batch::new(now, vec![Change::Audit(event)])).await.map_err(internal)?;
        Ok(())
    }
}

/// The scopes of a refresh: those of the grant, or fewer (RFC 6749 §6).
pub(super) fn narrowed(granted: &[ScopeName], asked: Option<&str>) -> Result<Vec<ScopeName>, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.to_vec()) };
    let invalid = |description: String| OAuthError::new(ErrorCode::InvalidScope, description);
    let asked = parse_scopes(asked).map_err(|_| invalid("The scope is malformed.".to_owned()))?;
    match asked.iter().find(|scope| !granted.contains(scope)) {
        Some(beyond) => Err(invalid(format!("The scope {beyond} was not granted."))),
        None => Ok(asked),
    }
}

/// A lower-case message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(characters).chain(['.']).collect()
}
