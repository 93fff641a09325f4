//! The token endpoint (RFC 6749 §3.2); one file a grant.
//!
//! Tokens are signed before the code or the refresh token is spent, so that a failure in between costs the
//! client nothing but a second try. Person, groups, assignment and policy are read afresh each time.

mod client_credentials;
mod code;
mod device;
mod exchange;
mod password;
mod refresh;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Uri};
use kubesso_directory::{
    AccessRequest, Application, Authorization, ClientAuthentication, GrantId, GrantType, Lifetimes, Person,
    RefreshFamily, RefreshToken, Refusal, ScopeName, Secret, Server, UserId, assignment, decide,
    missing_consents,
};
use kubesso_token::VerifiedDpop;
use serde::Serialize;

use crate::authorization_response::bound;
use crate::client_address::ClientAddress;
use crate::client_certificate::{CONFIRMED_CERTIFICATE, ClientCertificate, PresentedCertificate};
use crate::context::{Configuration, Context};
use crate::dpop::{self, Proven};
use crate::endpoint::{client, discovery, form};
use crate::oauth_error::{ErrorCode, OAuthError, never_stored};
use crate::parameters::Parameters;
use crate::pkce::CodeChallenge;
use crate::requested::Requested;
use crate::tokens::{self, IssuedToken, IssuedTokens, Keys, Kind, Subject};

const SUPPORTED: [GrantType; 6] = [
    GrantType::AuthorizationCode,
    GrantType::ClientCredentials,
    GrantType::DeviceCode,
    GrantType::Password,
    GrantType::RefreshToken,
    GrantType::TokenExchange,
];

/// Exchanges a grant for tokens.
pub(crate) async fn token(
    State(context): State<Context>,
    Path(server_id): Path<String>,
    (address, PresentedCertificate(certificate)): (ClientAddress, PresentedCertificate),
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let proven = Proven { method: &method, uri: &uri, headers: &headers };
    let mut response = respond(&context, &server_id, address, certificate.as_ref(), proven, &body).await;
    if headers.contains_key(dpop::HEADER) {
        dpop::give_nonce(&context, response.headers_mut());
    }
    response
}

async fn respond(
    context: &Context,
    server_id: &str,
    address: ClientAddress,
    certificate: Option<&ClientCertificate>,
    proven: Proven<'_>,
    body: &[u8],
) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(server_id) else { return discovery::no_server(server_id) };
    let parameters = form(proven.headers, body);
    // Before the client proves itself: an assertion that led to a challenge may come again.
    let proof = match proven.for_tokens(context) {
        Ok(proof) => proof,
        Err(error) => {
            tracing::info!(server = %server.server.id, reason = %error, "DPoP proof refused");
            return OAuthError::from(error).into_response();
        }
    };
    let application =
        match client(context, &configuration, server, proven.headers, certificate, &parameters).await {
            Ok(application) => application,
            Err(refused) => return *refused,
        };
    let thumbprint = certificate.map(ClientCertificate::thumbprint);
    let answered = match Requested::at_token_endpoint(&parameters, server) {
        Ok(requested) => {
            let request = TokenRequest {
                context,
                configuration: &configuration,
                server,
                application,
                address,
                requested: &requested,
                proof: proof.as_ref(),
                certificate: thumbprint.as_deref(),
            };
            request.answer(&parameters).await
        }
        Err(error) => Err(error),
    };
    match answered {
        Ok(response) => {
            context.counters.issued(parameters.lenient("grant_type"));
            let mut response = Json(response).into_response();
            never_stored(&mut response);
            response
        }
        // A device asks every five seconds; that is nothing to warn of.
        Err(error) if matches!(error.code, ErrorCode::AuthorizationPending | ErrorCode::SlowDown) => {
            tracing::debug!(client = %application.client_id, error = error.code.as_str(), "a device waits");
            error.into_response()
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
    /// Of an exchange (RFC 8693 §2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    /// In seconds.
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

/// Tokens of a new grant, to be handed out once its family is stored.
struct Beginning {
    family: RefreshFamily,
    response: TokenResponse,
    token_ids: [String; 2],
}

/// A request whose client is known.
#[derive(Clone, Copy)]
struct TokenRequest<'a> {
    context: &'a Context,
    configuration: &'a Configuration,
    server: &'a Server,
    application: &'a Application,
    address: ClientAddress,
    /// For which resources the tokens are, and what else was asked of them.
    requested: &'a Requested,
    /// The proof of the key to which the tokens will be bound.
    proof: Option<&'a VerifiedDpop>,
    /// The thumbprint of the certificate that the request came with.
    certificate: Option<&'a str>,
}

impl TokenRequest<'_> {
    async fn answer(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        let given = parameters.lenient("grant_type");
        let given =
            given.ok_or_else(|| OAuthError::invalid_request("The parameter grant_type is missing."))?;
        let grant_type = GrantType::parse(given).filter(|grant_type| SUPPORTED.contains(grant_type));
        let Some(grant_type) = grant_type else {
            let description = format!("The grant type {given} is not supported.");
            return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, description));
        };
        if !self.application.grant_types.contains(&grant_type) {
            let description = format!("The client is not allowed to use the grant type {given}.");
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
        }
        if self.proof.is_none() && self.application.has_dpop_bound_access_tokens() {
            let description = "The client gets only tokens that are bound to a key; send a proof of it in the header DPoP \
                               (RFC 9449).";
            return Err(OAuthError::new(ErrorCode::InvalidDpopProof, description));
        }
        if self.certificate.is_none() && self.application.has_certificate_bound_access_tokens() {
            let description = "The client gets only tokens that are bound to its certificate (RFC 8705), and the request came \
                               without one.";
            return Err(OAuthError::invalid_request(description));
        }
        match grant_type {
            GrantType::ClientCredentials => self.act_for_itself(parameters).await,
            GrantType::DeviceCode => self.poll(parameters).await,
            GrantType::Password => self.check_password(parameters).await,
            GrantType::RefreshToken => self.refresh(parameters).await,
            GrantType::TokenExchange => self.exchange(parameters).await,
            _ => self.redeem(parameters).await,
        }
    }

    /// What somebody allowed, as a response, and as a family to be stored with it.
    async fn begin(
        &self,
        authorization: &Authorization,
        person: &Person,
        lifetimes: &Lifetimes,
        nonce: Option<&str>,
    ) -> Result<Beginning, OAuthError> {
        let now = self.context.now();
        let scopes = &authorization.scopes;
        let offline = scopes.iter().any(|scope| scope.as_str() == "offline_access")
            && self.application.grant_types.contains(&GrantType::RefreshToken);
        let (mut family, refresh_token) =
            RefreshFamily::begin(authorization, lifetimes, &*self.context.entropy, now);
        let refresh_token = offline.then_some(refresh_token);
        if !offline {
            // Nobody gets its token. It is kept for as long as the access token lives, which ends with it: when a
            // code comes a second time, when the client revokes, when the password is reset.
            let end = now.saturating_add(lifetimes.access_token().duration()).map_err(internal)?;
            family.absolute_end = Some(end);
        }
        if self.application.authentication == ClientAuthentication::None {
            family.dpop_jkt = self.thumbprint().map(str::to_owned);
            if let Some(thumbprint) = self.bound_certificate() {
                family.other = bound(family.other, CONFIRMED_CERTIFICATE, thumbprint);
            }
        }
        let issued = self
            .sign(&Subject {
                issuer: &self.context.issuer(&self.server.server.id),
                server: self.server,
                application: self.application,
                person: Some(person),
                scopes,
                lifetimes,
                grant: &authorization.grant,
                session: Some(&authorization.session),
                auth_time: authorization.auth_time,
                amr: &authorization.amr,
                acr: self.requested.acr(&authorization.amr),
                nonce,
                dpop_jkt: self.thumbprint(),
                certificate: self.bound_certificate(),
                exchange: None,
            })
            .await?;
        let token_ids = issued.token_ids.clone();
        let response = response(issued, refresh_token.as_ref().map(RefreshToken::expose).as_ref(), scopes);
        Ok(Beginning { family, response, token_ids })
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

    /// Whether the person has allowed the client all of `scopes` that want consent, where nobody can be asked.
    async fn check_consent(&self, person: &Person, scopes: &[ScopeName]) -> Result<(), OAuthError> {
        let (server, application) = (self.server, self.application);
        if missing_consents(server, application, scopes, &[]).is_empty() {
            return Ok(());
        }
        let given = self.context.store.consents(&person.user.id, Some(&application.id)).await;
        let missing = missing_consents(server, application, scopes, &given.map_err(internal)?);
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|scope| scope.name.as_str()).collect();
        let names = names.join(" ");
        tracing::info!(user = %person.user.id, client = %application.client_id, scopes = names, "no consent");
        Err(OAuthError::invalid_grant(format!(
            "The person has not allowed the client the scope {names}, or has taken it back; people are asked in the \
             browser, by the authorization endpoint."
        )))
    }

    /// Whether the request proves the key to which what it brings is bound, if it is bound (RFC 9449 §5, §10).
    fn check_binding(&self, bound_to: Option<&str>) -> Result<(), OAuthError> {
        match (bound_to, self.thumbprint()) {
            (None, _) => Ok(()),
            (Some(expected), Some(proven)) if expected == proven => Ok(()),
            (Some(_), Some(_)) => {
                Err(OAuthError::invalid_grant("It is bound to another key than the DPoP proof's."))
            }
            (Some(_), None) => {
                let description = "It is bound to a key; send a proof of it in the header DPoP (RFC 9449).";
                Err(OAuthError::new(ErrorCode::InvalidDpopProof, description))
            }
        }
    }

    /// Whether the request came with the certificate to which what it brings is bound, if it is bound (RFC 8705 §3, §4).
    fn check_certificate(&self, bound_to: Option<&str>) -> Result<(), OAuthError> {
        match bound_to {
            Some(expected) if self.certificate != Some(expected) => {
                let description = "It is bound to another certificate than the request came with.";
                Err(OAuthError::invalid_grant(description))
            }
            _ => Ok(()),
        }
    }

    /// The rule that allows it; `None`: none does, and the log says why.
    fn decide(
        &self,
        person: &Person,
        grant_type: GrantType,
        scopes: &[ScopeName],
    ) -> Option<kubesso_directory::Grant<'_>> {
        let client = &self.application.client_id;
        let asked = AccessRequest { client, grant_type, person: Some(person), scopes };
        let log = |refusal: &Refusal| {
            tracing::info!(user = %person.user.id, %client, reason = %refusal, "no rule allows it");
        };
        decide(self.server, &asked).inspect_err(log).ok()
    }

    /// The key that the request proved.
    fn thumbprint(&self) -> Option<&str> {
        self.proof.map(|proof| proof.jkt.as_str())
    }

    /// The certificate to which the tokens will be bound.
    fn bound_certificate(&self) -> Option<&str> {
        self.certificate.filter(|_| self.application.has_certificate_bound_access_tokens())
    }

    /// Signs what nothing speaks against any more. Only here the use of the proof is noted, so that whoever fails
    /// before leaves nothing behind.
    async fn sign(&self, subject: &Subject<'_>) -> Result<IssuedTokens, OAuthError> {
        let keys = self.ready_to_sign().await?;
        tokens::issue(subject, self.requested, keys, &*self.context.entropy, self.context.now())
            .map_err(internal)
    }

    async fn sign_one(
        &self,
        kind: Kind,
        subject: &Subject<'_>,
        person: &Person,
    ) -> Result<IssuedToken, OAuthError> {
        let (keys, entropy, now) = (self.ready_to_sign().await?, &*self.context.entropy, self.context.now());
        tokens::issue_one(kind, subject, self.requested, person, keys, entropy, now).map_err(internal)
    }

    async fn ready_to_sign(&self) -> Result<Keys<'_>, OAuthError> {
        if let Some(proof) = self.proof {
            dpop::note_use(self.context, proof).await.map_err(internal)??;
        }
        let keys = self.configuration.keys(self.server).and_then(|keys| {
            Some(Keys { access_token: keys.signing()?, id_token: keys.signing_for(self.application)? })
        });
        keys.ok_or_else(|| {
            tracing::error!(server = %self.server.server.id, "there is no signing key");
            OAuthError::server_error()
        })
    }

    fn log(&self, grant_type: GrantType, person: &Person, grant: &GrantId, token_ids: &[String; 2]) {
        let [access_token, id_token] = token_ids;
        tracing::info!(
            user = %person.user.id,
            client = %self.application.client_id,
            server = %self.server.server.id,
            grant_type = grant_type.as_str(),
            %grant,
            access_token,
            id_token,
            "tokens issued"
        );
    }
}

/// Whether the client has the secret behind the challenge of its request (RFC 7636 §4.6).
fn check_verifier(challenge: Option<&CodeChallenge>, verifier: Option<&str>) -> Result<(), OAuthError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if challenge.is_met_by(verifier) => Ok(()),
        (Some(_), Some(_)) => {
            Err(OAuthError::invalid_grant("The code_verifier does not fit the code_challenge."))
        }
        (Some(_), None) => Err(OAuthError::invalid_request("The parameter code_verifier is missing.")),
        // RFC 9700 §4.8.2: somebody may have stripped the challenge from the request.
        (None, Some(_)) => {
            Err(OAuthError::invalid_grant("There is a code_verifier, but the request had no code_challenge."))
        }
    }
}

/// A grant that no rule allows any more.
fn not_any_more() -> OAuthError {
    OAuthError::invalid_grant("No access policy of the authorization server allows this any more.")
}

fn response(issued: IssuedTokens, refresh_token: Option<&Secret>, scopes: &[ScopeName]) -> TokenResponse {
    TokenResponse {
        access_token: issued.access_token,
        issued_token_type: None,
        token_type: issued.token_type,
        expires_in: issued.expires_in.as_secs(),
        id_token: issued.id_token,
        refresh_token: refresh_token.map(|token| token.expose().to_owned()),
        scope: scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" "),
    }
}

fn internal(error: impl std::error::Error) -> OAuthError {
    tracing::error!(%error, cause = ?error, "a token request failed");
    OAuthError::server_error()
}
