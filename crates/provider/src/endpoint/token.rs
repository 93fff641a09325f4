//! The token endpoint (RFC 6749 §3.2): authorization codes (§4.1.3, RFC 7636) and refresh tokens (§6).
//!
//! Tokens are signed before the code or the refresh token is spent, so that a failure in between costs the
//! client nothing but a second try. Person, groups, assignment and policy are read afresh each time.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use kubesso_directory::{
    AccessRequest, Application, AuditEvent, AuditEventId, AuthorizationCode, Batch, Change, CodeValue,
    GrantId, GrantType, Outcome, Person, Redemption, RefreshFamily, RefreshRefusal, RefreshTerms,
    RefreshToken, Rotation, ScopeName, Secret, Server, UserId, assignment, decide, parse_scopes,
};
use serde::Serialize;
use serde_json::Map;

use crate::client_authentication::authenticate;
use crate::context::{Configuration, Context};
use crate::endpoint::{discovery, is_form};
use crate::oauth_error::{ErrorCode, OAuthError, never_stored};
use crate::parameters::Parameters;
use crate::pkce::CodeChallenge;
use crate::tokens::{self, IssuedTokens, Subject};

/// Exchanges a grant for tokens.
pub(crate) async fn token(
    State(context): State<Context>,
    Path(server_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(&server_id) else { return discovery::no_server(&server_id) };
    if !is_form(&headers) {
        let description = "The request must be a form (application/x-www-form-urlencoded).";
        return OAuthError::invalid_request(description).into_response();
    }
    let parameters = Parameters::parse(&body);
    if let Some(repeated) = parameters.first_repeated() {
        return OAuthError::from(repeated).into_response();
    }
    let application = match authenticate(&headers, &parameters, |id| configuration.snapshot.application(id)) {
        Ok(application) => application,
        Err(refused) => {
            tracing::warn!(server = %server.server.id, reason = %refused, "client refused");
            return refused.into_response();
        }
    };
    let request = TokenRequest { context: &context, configuration: &configuration, server, application };
    match request.answer(&parameters).await {
        Ok(response) => {
            let mut response = Json(response).into_response();
            never_stored(&mut response);
            response
        }
        Err(error) => {
            tracing::warn!(
                client = %application.client_id,
                server = %server.server.id,
                error = error.code.as_str(),
                reason = error.description,
                "tokens refused"
            );
            error.into_response()
        }
    }
}

/// A successful response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    /// In seconds.
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

/// A request whose client is known.
#[derive(Clone, Copy)]
struct TokenRequest<'a> {
    context: &'a Context,
    configuration: &'a Configuration,
    server: &'a Server,
    application: &'a Application,
}

impl TokenRequest<'_> {
    async fn answer(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let given = parameters.lenient("grant_type");
        let given =
            given.ok_or_else(|| OAuthError::invalid_request("The parameter grant_type is missing."))?;
        let grant_type = GrantType::parse(given)
            .filter(|grant| matches!(grant, GrantType::AuthorizationCode | GrantType::RefreshToken));
        let Some(grant_type) = grant_type else {
            let description = format!("The grant type {given} is not supported.");
            return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, description));
        };
        if !self.application.grant_types.contains(&grant_type) {
            let description = format!("The client is not allowed to use the grant type {given}.");
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
        }
        if grant_type == GrantType::RefreshToken {
            self.refresh(parameters).await
        } else {
            self.redeem(parameters).await
        }
    }

    async fn redeem(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
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
        let grant = self.decide(&person, &code.scopes)?;

        let offline = code.scopes.iter().any(|scope| scope.as_str() == "offline_access")
            && self.application.grant_types.contains(&GrantType::RefreshToken);
        let (mut family, refresh_token) =
            RefreshFamily::begin(&code, grant.lifetimes(), &*self.context.entropy, now);
        let refresh_token = offline.then_some(refresh_token);
        if !offline {
            // Nobody gets its token. It is kept for as long as the access token lives, which ends with it: when the
            // code comes a second time, when the client revokes, when the password is reset.
            let end = now.saturating_add(grant.lifetimes().access_token().duration()).map_err(internal)?;
            family.absolute_end = Some(end);
        }
        let issued = self.sign(&Subject {
            issuer: &self.context.issuer(&self.server.server.id),
            server: self.server,
            application: self.application,
            person: &person,
            scopes: &code.scopes,
            lifetimes: grant.lifetimes(),
            grant: &code.grant,
            auth_time: code.auth_time,
            amr: &code.amr,
            nonce: code.nonce.as_deref(),
        })?;
        match self.context.store.redeem_code(&hash, Some(&family), now).await.map_err(internal)? {
            Redemption::Redeemed => {}
            lost => return Err(self.not_redeemed(&lost)),
        }
        self.log("authorization_code", &person, &code.grant, &issued);
        Ok(response(issued, refresh_token.as_ref().map(RefreshToken::expose).as_ref(), &code.scopes))
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

    async fn refresh(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
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
        let scopes = narrowed(&family.scopes, parameters.lenient("scope"))?;
        let person = self.person(&family.user).await?;
        // By all that was granted, so that asking for less does not lead to another rule's lifetimes.
        let grant = self.decide(&person, &family.scopes)?;
        let issued = self.sign(&Subject {
            issuer: &self.context.issuer(&self.server.server.id),
            server: self.server,
            application: self.application,
            person: &person,
            scopes: &scopes,
            lifetimes: grant.lifetimes(),
            grant: &family.grant,
            auth_time: family.auth_time,
            amr: &family.amr,
            nonce: None,
        })?;
        let terms = RefreshTerms {
            rotation: self.application.refresh_rotation,
            window: grant.lifetimes().refresh_window().duration(),
        };
        match self.context.store.rotate_refresh_token(&token, &terms, now).await.map_err(internal)? {
            Rotation::Granted { token, family } => {
                self.log("refresh_token", &person, &family.grant, &issued);
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

    /// The person as it is now: who may not sign in any more, or may not use the application any more, gets
    /// no tokens any more.
    async fn person(&self, user: &UserId) -> Result<Person, OAuthError> {
        let person = self.context.store.person(user).await.map_err(internal)?;
        let Some(person) = person.filter(|person| person.user.status.may_sign_in()) else {
            tracing::info!(%user, "the person may not sign in any more");
            return Err(OAuthError::invalid_grant("The person may not sign in any more."));
        };
        if assignment(&self.configuration.snapshot, &self.application.id, &person).is_none() {
            tracing::info!(%user, client = %self.application.client_id, "not assigned");
            return Err(OAuthError::invalid_grant(
                "The person is not assigned to the client application any more.",
            ));
        }
        Ok(person)
    }

    fn decide(
        &self,
        person: &Person,
        scopes: &[ScopeName],
    ) -> Result<kubesso_directory::Grant<'_>, OAuthError> {
        let asked = AccessRequest {
            client: &self.application.client_id,
            grant_type: GrantType::AuthorizationCode,
            person: Some(person),
            scopes,
        };
        decide(self.server, &asked).map_err(|refusal| {
            let (user, client) = (&person.user.id, &self.application.client_id);
            tracing::info!(%user, %client, reason = %refusal, "no rule allows it");
            OAuthError::invalid_grant("No access policy of the authorization server allows this any more.")
        })
    }

    fn sign(&self, subject: &Subject<'_>) -> Result<IssuedTokens, OAuthError> {
        let key = self.configuration.signing_key(self.server).ok_or_else(|| {
            tracing::error!(server = %self.server.server.id, "there is no signing key");
            OAuthError::server_error()
        })?;
        tokens::issue(subject, key, &*self.context.entropy, self.context.now()).map_err(internal)
    }

    fn log(&self, grant_type: &str, person: &Person, grant: &GrantId, issued: &IssuedTokens) {
        let [access_token, id_token] = &issued.token_ids;
        tracing::info!(
            user = %person.user.id,
            client = %self.application.client_id,
            server = %self.server.server.id,
            grant_type,
            %grant,
            access_token,
            id_token,
            "tokens issued"
        );
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

fn response(issued: IssuedTokens, refresh_token: Option<&Secret>, scopes: &[ScopeName]) -> TokenResponse {
    TokenResponse {
        access_token: issued.access_token,
        token_type: "Bearer",
        expires_in: issued.expires_in.as_secs(),
        id_token: issued.id_token,
        refresh_token: refresh_token.map(|token| token.expose().to_owned()),
        scope: scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" "),
    }
}

/// The scopes of a refresh: those of the grant, or fewer (RFC 6749 §6).
fn narrowed(granted: &[ScopeName], asked: Option<&str>) -> Result<Vec<ScopeName>, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.to_vec()) };
    let invalid = |description: String| OAuthError::new(ErrorCode::InvalidScope, description);
    let asked = parse_scopes(asked).map_err(|_| invalid("The scope is malformed.".to_owned()))?;
    match asked.iter().find(|scope| !granted.contains(scope)) {
        Some(beyond) => Err(invalid(format!("The scope {beyond} was not granted."))),
        None => Ok(asked),
    }
}

fn internal(error: impl std::error::Error) -> OAuthError {
    tracing::error!(%error, cause = ?error, "a token request failed");
    OAuthError::server_error()
}

/// A lower-case message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(characters).chain(['.']).collect()
}
