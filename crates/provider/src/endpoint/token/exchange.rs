//! Token exchange (RFC 8693): a person's token of this server for another one, an ID token for one cluster's client say.
//!
//! The person, the groups, the assignment to the target and the policy are read afresh. What comes out never outlives
//! what came in, belongs to the same grant, and ends with it.
//!
//! Anybody can be a client without credentials, and ID and access tokens are shown around: each cluster would become its
//! people's at all others. So such a client may bring only what nobody else holds, its refresh token or an access token
//! that is bound to its key. A client with credentials may bring its own ID tokens too, and access tokens that other
//! clients called it with.

use jiff::Timestamp;
use kubesso_directory::{
    Application, Audience, AuditEvent, AuditEventId, Batch, Change, ClientAuthentication, ClientId,
    FamilyQuery, GrantType, Outcome, Person, PolicyClients, RefreshFamily, RefreshToken, ScopeName,
    assignment,
};
use serde_json::{Map, Value, json};

use super::refresh::narrowed;
use super::{TokenRequest, TokenResponse, internal};
use crate::authorization_response::NO_RULE;
use crate::client_certificate::confirmed_certificate;
use crate::endpoint::userinfo::AccessToken;
use crate::id_token_hint::IdTokenHint;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::requested::Requested;
use crate::tokens::{Exchange, Kind, ORIGIN_CLAIM, Subject};

/// The types of tokens (RFC 8693 §3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// What is offered of the parameters of RFC 8693 §2.1.
const NOT_OFFERED: [(&str, &str); 3] = [
    ("actor_token", "Actor tokens are not offered: nobody can be named as acting for the person."),
    ("actor_token_type", "Actor tokens are not offered: nobody can be named as acting for the person."),
    ("resource", "The parameter resource is not offered; name the client id of the target in audience."),
];

/// The sign-in behind a subject token, which still counts.
struct Origin {
    family: RefreshFamily,
    /// To whom the subject token was issued.
    client: ClientId,
    scopes: Vec<ScopeName>,
    /// For which audiences of the server it is; empty: it does not say.
    resources: Vec<String>,
    /// The end of the subject token.
    ends: Timestamp,
    /// The key that the subject token is bound to.
    dpop_jkt: Option<String>,
    /// The certificate that it is bound to.
    certificate: Option<String>,
}

impl TokenRequest<'_> {
    pub(super) async fn exchange(&self, parameters: &Parameters) -> Result<TokenResponse, OAuthError> {
        for (name, description) in NOT_OFFERED {
            if parameters.lenient(name).is_some() {
                return Err(OAuthError::invalid_request(description));
            }
        }
        let kind = match parameters.lenient("requested_token_type") {
            None | Some(ACCESS_TOKEN) => Kind::Access,
            Some(ID_TOKEN) => Kind::Id,
            Some(_) => {
                let description =
                    format!("The parameter requested_token_type must be {ACCESS_TOKEN} or {ID_TOKEN}.");
                return Err(OAuthError::invalid_request(description));
            }
        };
        let origin = self.origin(parameters).await?;
        self.check_binding(origin.dpop_jkt.as_deref())?;
        self.check_certificate(origin.certificate.as_deref())?;
        let person = self.still_signed_in(&origin).await?;
        let audience = parameters.lenient("audience");
        let target = self.target(audience, &person)?;
        let scopes: Vec<_> = narrowed(&origin.scopes, parameters.lenient("scope"))?
            .into_iter()
            .filter(|scope| scope.as_str() != "offline_access")
            .collect();
        if kind == Kind::Id && !scopes.iter().any(|scope| scope.as_str() == "openid") {
            let description = "An ID token needs the scope openid, which the subject_token must have too.";
            return Err(OAuthError::new(ErrorCode::InvalidScope, description));
        }
        let grant = self
            .decide(&person, GrantType::TokenExchange, &scopes)
            .ok_or_else(|| OAuthError::new(ErrorCode::AccessDenied, NO_RULE))?;
        self.check_consent(&person, &scopes).await?;
        let family = &origin.family;
        let granted = Requested::stored(&family.other)?;
        // A token for one resource does not become one for others.
        let requested = if kind == Kind::Access && audience.is_none() {
            let resources = granted.clone().narrowed(&origin.resources, self.server)?.resources;
            Requested { resources, ..Requested::default() }
        } else {
            Requested::default()
        };
        let subject = Subject {
            issuer: &self.context.issuer(&self.server.server.id),
            server: self.server,
            application: if kind == Kind::Id { target } else { self.application },
            person: Some(&person),
            scopes: &scopes,
            lifetimes: grant.lifetimes(),
            grant: &family.grant,
            session: Some(&family.session),
            auth_time: family.auth_time,
            amr: &family.amr,
            acr: granted.acr(&family.amr),
            nonce: None,
            dpop_jkt: self.thumbprint(),
            certificate: self.bound_certificate(),
            exchange: Some(Exchange {
                audience: audience.map(|_| &target.client_id),
                origin: &origin.client,
                ends: origin.ends.min(family.end()),
            }),
        };
        let issued =
            TokenRequest { requested: &requested, ..*self }.sign_one(kind, &subject, &person).await?;
        self.audit_exchange(kind, target, &person, &origin).await?;
        let unused = String::new();
        self.log(GrantType::TokenExchange, &person, &family.grant, &[issued.id, unused]);
        Ok(TokenResponse {
            access_token: issued.token,
            issued_token_type: Some(if kind == Kind::Id { ID_TOKEN } else { ACCESS_TOKEN }),
            token_type: issued.token_type,
            expires_in: issued.expires_in.as_secs(),
            id_token: None,
            refresh_token: None,
            scope: scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" "),
        })
    }

    /// What the subject token came from (§2.1). All that can be wrong with it is `invalid_request` (§2.2.2).
    async fn origin(&self, parameters: &Parameters) -> Result<Origin, OAuthError> {
        let required = |name: &str| {
            let missing = || OAuthError::invalid_request(format!("The parameter {name} is missing."));
            parameters.lenient(name).ok_or_else(missing)
        };
        let (token, kind) = (required("subject_token")?, required("subject_token_type")?);
        let origin = match kind {
            ACCESS_TOKEN => self.of_access_token(token).await?,
            ID_TOKEN => self.of_id_token(token).await?,
            REFRESH_TOKEN => self.of_refresh_token(token).await?,
            _ => {
                let description = format!(
                    "The parameter subject_token_type must be {ACCESS_TOKEN}, {ID_TOKEN} or {REFRESH_TOKEN}."
                );
                return Err(OAuthError::invalid_request(description));
            }
        };
        origin.ok_or_else(|| {
            OAuthError::invalid_request(
                "The subject_token is not a person's token of this issuer that still counts and that this client may \
                 exchange.",
            )
        })
    }

    async fn of_access_token(&self, token: &str) -> Result<Option<Origin>, OAuthError> {
        let (context, own) = (self.context, &self.application.client_id);
        let Some(token) = AccessToken::read(context, self.configuration, self.server, token, context.now())
        else {
            return Ok(None);
        };
        let is_exchangeable = if self.is_public() {
            token.client == *own && (token.dpop_jkt.is_some() || token.certificate.is_some())
        } else {
            // What was exchanged for one audience is that one's, and nobody else's.
            token.client == *own
                || !token.claims.contains_key(ORIGIN_CLAIM)
                || token.claims.get("aud").and_then(Value::as_str) == Some(own.as_str())
        };
        if token.user.is_none() || !is_exchangeable {
            return Ok(None);
        }
        let query = FamilyQuery { grant: Some(&token.grant), ..self.of_this_server() };
        let family = self.family(&query).await?.filter(|family| token.user.as_ref() == Some(&family.user));
        let audiences = match token.claims.get("aud") {
            Some(Value::Array(several)) => several.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let resources = self.server.server.audiences.iter().map(Audience::as_str);
        let resources = resources.filter(|audience| audiences.iter().any(|named| named == audience));
        let resources: Vec<_> = resources.map(str::to_owned).collect();
        if resources.is_empty() && !token.claims.contains_key(ORIGIN_CLAIM) {
            // For what has been taken from the server since.
            return Ok(None);
        }
        Ok(family.map(|family| Origin {
            family,
            client: token.client,
            scopes: token.scopes,
            resources,
            ends: token.expires,
            dpop_jkt: token.dpop_jkt,
            certificate: token.certificate,
        }))
    }

    /// An ID token names no grant: that of the same session and client must live.
    async fn of_id_token(&self, token: &str) -> Result<Option<Origin>, OAuthError> {
        let own = &self.application.client_id;
        let Some(token) = IdTokenHint::read(self.context, self.configuration, self.server, token) else {
            return Ok(None);
        };
        let Some(session) = token.session.as_ref().filter(|_| !self.is_public()) else { return Ok(None) };
        if token.client != *own || token.expires <= self.context.now() {
            return Ok(None);
        }
        let query = FamilyQuery {
            session: Some(session),
            user: Some(&token.user),
            client: Some(own),
            ..self.of_this_server()
        };
        Ok(self.family(&query).await?.map(|family| Origin {
            client: token.client,
            scopes: family.scopes.clone(),
            resources: Vec::new(),
            ends: token.expires,
            // Neither is an ID token bound to a key, nor is its holder known by one.
            dpop_jkt: None,
            certificate: None,
            family,
        }))
    }

    async fn of_refresh_token(&self, token: &str) -> Result<Option<Origin>, OAuthError> {
        let Some(token) = RefreshToken::parse(token) else { return Ok(None) };
        let own = &self.application.client_id;
        let family = self.context.store.refresh_family(&token).await.map_err(internal)?;
        let Some(presented) = family.filter(|family| family.client == *own && token.is_living_of(family))
        else {
            return Ok(None);
        };
        // Once more, as one that lives.
        let query = FamilyQuery { grant: Some(&presented.grant), ..self.of_this_server() };
        Ok(self.family(&query).await?.map(|family| Origin {
            client: family.client.clone(),
            scopes: family.scopes.clone(),
            resources: Vec::new(),
            ends: family.end(),
            dpop_jkt: family.dpop_jkt.clone(),
            certificate: confirmed_certificate(&family.other).map(str::to_owned),
            family,
        }))
    }

    fn is_public(&self) -> bool {
        self.application.authentication == ClientAuthentication::None
    }

    fn of_this_server(&self) -> FamilyQuery<'_> {
        FamilyQuery {
            server: Some(&self.server.server.id),
            limit: 1,
            now: self.context.now(),
            ..FamilyQuery::default()
        }
    }

    async fn family(&self, query: &FamilyQuery<'_>) -> Result<Option<RefreshFamily>, OAuthError> {
        Ok(self.context.store.families(query).await.map_err(internal)?.into_iter().next())
    }

    /// The person, who may still use the application of the subject token.
    async fn still_signed_in(&self, origin: &Origin) -> Result<Person, OAuthError> {
        let gone =
            || OAuthError::invalid_request("The subject_token's person may not use its client any more.");
        let snapshot = &self.configuration.snapshot;
        let client = snapshot.application(&origin.client).filter(|client| client.status.is_active());
        let client = client.ok_or_else(gone)?;
        let person = self.context.store.person(&origin.family.user).await.map_err(internal)?;
        person
            .filter(|person| person.user.status.may_sign_in())
            .filter(|person| assignment(snapshot, &client.id, person).is_some())
            .ok_or_else(gone)
    }

    /// For whom the new token is: the client itself, or another of this server to which the person is assigned
    /// (§2.1, `audience`). Why not is not told, so that nobody can try out who uses what.
    fn target(&self, audience: Option<&str>, person: &Person) -> Result<&Application, OAuthError> {
        let snapshot = &self.configuration.snapshot;
        let named = match audience {
            None => Some(self.application),
            Some(audience) => ClientId::parse(audience).ok().and_then(|id| snapshot.application(&id)),
        };
        let is_served = |client: &ClientId| {
            self.server.policies().any(|(policy, _)| {
                policy.status.is_active()
                    && match &policy.clients {
                        PolicyClients::All => true,
                        PolicyClients::Only(clients) => clients.contains(client),
                    }
            })
        };
        named
            .filter(|target| target.status.is_active() && is_served(&target.client_id))
            .filter(|target| assignment(snapshot, &target.id, person).is_some())
            .ok_or_else(|| {
                tracing::info!(user = %person.user.id, audience, "no target of an exchange");
                let description =
                    "The audience is no client id of this issuer that the person is assigned to.";
                OAuthError::new(ErrorCode::InvalidTarget, description)
            })
    }

    async fn audit_exchange(
        &self,
        kind: Kind,
        target: &Application,
        person: &Person,
        origin: &Origin,
    ) -> Result<(), OAuthError> {
        let now = self.context.now();
        let details = json!({
            "grant_type": GrantType::TokenExchange.as_str(),
            "client": self.application.client_id,
            "audience": target.client_id,
            "subject_token_client": origin.client,
            "grant": origin.family.grant,
            "server": self.server.server.id,
        });
        let event = AuditEvent {
            id: AuditEventId::generate(&*self.context.entropy),
            published: now,
            event_type: match kind {
                Kind::Access => "app.oauth2.as.token.grant.access_token",
                Kind::Id => "app.oauth2.as.token.grant.id_token",
            }
            .to_owned(),
            actor: person.user.id.to_string(),
            target: Some(target.id.to_string()),
            outcome: Outcome::Success,
            message: "a token was exchanged for another".to_owned(),
            details: if let Value::Object(details) = details { details } else { Map::new() },
        };
        self.context.store.commit(Batch::new(now, vec![Change::Audit(event)])).await.map_err(internal)?;
        Ok(())
    }
}
