//! What tokens would say, without issuing them: for administrators who ask why somebody has, or has not, a claim.

use jiff::Timestamp;
use kubesso_directory::{
    Application, ClaimProblem, ClaimsFor, GrantId, GrantType, Lifetimes, Person, ScopeName, Server, claims,
};
use serde_json::{Map, Value};

use crate::authentication_context::level;
use crate::requested::Requested;
use crate::tokens::{GRANT_CLAIM, Subject, has_id_token};

/// The claims that are other ones in every token, and in no preview.
pub const MADE_AT_ISSUE: [&str; 4] = ["at_hash", GRANT_CLAIM, "jti", "sid"];

/// For whom tokens would be, and under which rule.
#[derive(Clone, Copy, Debug)]
pub struct PreviewRequest<'a> {
    /// `<base URL>/oauth2/<server id>`.
    pub issuer: &'a str,
    /// The authorization server.
    pub server: &'a Server,
    /// The client.
    pub application: &'a Application,
    /// Who signs in, at `now`, by a password.
    pub person: &'a Person,
    /// What is allowed.
    pub scopes: &'a [ScopeName],
    /// Of the rule that decided.
    pub lifetimes: &'a Lifetimes,
    /// The present moment.
    pub now: Timestamp,
}

/// What would be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The access token's claims.
    pub access_token: Map<String, Value>,
    /// The ID token's; only with the scope `openid`.
    pub id_token: Option<Map<String, Value>>,
    /// Whether there would be a refresh token.
    pub refresh_token: bool,
    /// Claims that could not be computed, and are left out.
    pub problems: Vec<ClaimProblem>,
}

/// The claims of the tokens that the token endpoint would sign, but for [`MADE_AT_ISSUE`] and a nonce.
pub fn preview(request: &PreviewRequest<'_>) -> Preview {
    let PreviewRequest { issuer, server, application, person, scopes, lifetimes, now } = *request;
    let amr = &["pwd".to_owned()];
    let removed = GrantId::generate(&kubesso_ambient::OsEntropy);
    let subject = Subject {
        issuer,
        server,
        application,
        person: Some(person),
        scopes,
        lifetimes,
        grant: &removed,
        session: None,
        auth_time: now,
        amr,
        acr: level(amr),
        nonce: None,
        dpop_jkt: None,
        certificate: None,
        exchange: None,
    };
    let lasting = |mut claims: Map<String, Value>| {
        for name in MADE_AT_ISSUE {
            claims.remove(name);
        }
        claims
    };
    let mut problems = Vec::new();
    for wanted in [ClaimsFor::AccessToken, ClaimsFor::IdToken] {
        let found = claims(&server.claims, wanted, scopes, Some(person), application).problems;
        problems
            .extend(found.into_iter().filter(|_| wanted == ClaimsFor::AccessToken || has_id_token(scopes)));
    }
    Preview {
        access_token: lasting(subject.access_token(&Requested::default(), "", now)),
        id_token: has_id_token(scopes).then(|| lasting(subject.id_token(person, "", None, now))),
        refresh_token: scopes.iter().any(|scope| scope.as_str() == "offline_access")
            && application.grant_types.contains(&GrantType::RefreshToken),
        problems,
    }
}
