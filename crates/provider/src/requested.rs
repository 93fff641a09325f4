//! What a request asks of its tokens beyond their scopes: for which resources they are (RFC 8707), which single claims
//! they carry (OpenID Connect Core §5.5), and the `acr`. Between the endpoints it is stored with the code.

use std::collections::BTreeSet;

use kubesso_directory::{
    AccessRequest, Application, AuthorizationCode, ClaimsFor, GrantType, Person, ScopeName, Server, claims,
    decide,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::claims_parameter::ClaimsParameter;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;

/// What is asked of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Requested {
    /// The audiences of the access token; empty: all of the server.
    pub(crate) resources: Vec<String>,
    /// Claims that the person's rule allows, for the ID token.
    pub(crate) id_token_claims: BTreeSet<String>,
    /// Claims that the person's rule allows, from userinfo.
    pub(crate) userinfo_claims: BTreeSet<String>,
    /// Where it was asked for.
    pub(crate) acr: Option<String>,
}

/// The values of `resource` (RFC 8707 §2), each of which must be an audience of `server`.
pub(crate) fn read_resources(parameters: &Parameters, server: &Server) -> Result<Vec<String>, OAuthError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in parameters.all("resource") {
        if !server.server.audiences.iter().any(|audience| audience.as_str() == resource) {
            let description = format!(
                "The resource {resource} is no audience of the authorization server {}.",
                server.server.id
            );
            return Err(OAuthError::new(ErrorCode::InvalidTarget, description));
        }
        if !resources.iter().any(|found| found == resource) {
            resources.push(resource.to_owned());
        }
    }
    Ok(resources)
}

impl Requested {
    /// What a token request says itself.
    pub(crate) fn at_token_endpoint(parameters: &Parameters, server: &Server) -> Result<Self, OAuthError> {
        Ok(Self { resources: read_resources(parameters, server)?, ..Self::default() })
    }

    /// As it is stored with a code.
    pub(crate) fn stored(&self) -> Value {
        if *self == Self::default() { Value::Null } else { serde_json::to_value(self).unwrap_or_default() }
    }

    /// What was stored with `code`, for the resources that the token request names of those that were asked for (RFC 8707
    /// §2.2).
    pub(crate) fn of_code(&self, code: &AuthorizationCode) -> Result<Self, OAuthError> {
        let stored: Self = match &code.other {
            Value::Null => Self::default(),
            other => Self::deserialize(other).map_err(|error| {
                tracing::error!(%error, "what was stored with a code cannot be read");
                OAuthError::server_error()
            })?,
        };
        if self.resources.is_empty() {
            return Ok(stored);
        }
        let is_beyond =
            |resource: &&String| !stored.resources.is_empty() && !stored.resources.contains(resource);
        if let Some(beyond) = self.resources.iter().find(is_beyond) {
            let description = format!("The authorization request did not name the resource {beyond}.");
            return Err(OAuthError::new(ErrorCode::InvalidTarget, description));
        }
        Ok(Self { resources: self.resources.clone(), ..stored })
    }
}

/// Of the claims that `asked` names (for the ID token, from userinfo), those which there are and which the rules would
/// give `person` by some scope: asking for single claims leads to nothing that asking for scopes would not.
pub(crate) fn permitted(
    server: &Server,
    application: &Application,
    person: &Person,
    scopes: &[ScopeName],
    asked: &ClaimsParameter,
) -> [BTreeSet<String>; 2] {
    if asked.id_token.is_empty() && asked.userinfo.is_empty() {
        return Default::default();
    }
    let is_allowed = |scope: &ScopeName| {
        let scopes: Vec<_> = scopes.iter().chain([scope]).cloned().collect();
        let request = AccessRequest {
            client: &application.client_id,
            grant_type: GrantType::AuthorizationCode,
            person: Some(person),
            scopes: &scopes,
        };
        decide(server, &request).is_ok()
    };
    let others = server.scopes.values().map(|scope| &scope.name).filter(|scope| !scopes.contains(scope));
    let wide: Vec<_> = scopes.iter().chain(others.filter(|scope| is_allowed(scope))).cloned().collect();
    let there = claims(&server.claims, ClaimsFor::UserInfo, &wide, Some(person), application).values;
    [&asked.id_token, &asked.userinfo]
        .map(|names| names.iter().filter(|name| there.contains_key(*name)).cloned().collect())
}

/// The claims of `names`, which were [`permitted`], as they are now.
pub(crate) fn single_claims(
    server: &Server,
    application: &Application,
    person: &Person,
    names: &BTreeSet<String>,
) -> Map<String, Value> {
    if names.is_empty() {
        return Map::new();
    }
    let scopes: Vec<_> = server.scopes.values().map(|scope| scope.name.clone()).collect();
    let there = claims(&server.claims, ClaimsFor::UserInfo, &scopes, Some(person), application).values;
    there.into_iter().filter(|(name, _)| names.contains(name)).collect()
}
