//! What a request asks of its tokens beyond their scopes: for which resources they are (RFC 8707), which single claims
//! they carry (OpenID Connect Core §5.5), and the `acr`. It is stored with the code, and then with the grant, for refreshes.

use std::collections::BTreeSet;

use kubesso_directory::{
    AccessRequest, Application, ClaimsFor, Person, ScopeName, Server, claims, decide, missing_consents,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::authentication_context::level;
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
    /// How sure the sign-in was: what was asked for and is met, else what it is.
    pub(crate) acr: Option<String>,
}

/// The values of `resource` (RFC 8707 §2), each of which must be an audience of `server`.
pub(crate) fn read_resources(parameters: &Parameters, server: &Server) -> Result<Vec<String>, OAuthError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in parameters.all("resource") {
        if !is_audience(server, resource) {
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

    /// For `resources`, after a sign-in by `amr` of which nothing was asked.
    pub(crate) fn plain(resources: Vec<String>, amr: &[String]) -> Self {
        Self { resources, acr: level(amr).map(str::to_owned), ..Self::default() }
    }

    /// What was stored with a code or a grant.
    pub(crate) fn stored(other: &Value) -> Result<Self, OAuthError> {
        if other.is_null() {
            return Ok(Self::default());
        }
        Self::deserialize(other).map_err(|error| {
            tracing::error!(%error, "what was stored with a grant cannot be read");
            OAuthError::server_error()
        })
    }

    /// As it is stored with a code and with what comes of it.
    pub(crate) fn to_store(&self) -> Value {
        if *self == Self::default() { Value::Null } else { serde_json::to_value(self).unwrap_or_default() }
    }

    /// How sure the sign-in was. What was stored by an older version does not say so where nobody had asked.
    pub(crate) fn acr(&self, amr: &[String]) -> Option<&str> {
        self.acr.as_deref().or_else(|| level(amr))
    }

    /// What was granted, for those of its resources that a token request names (RFC 8707 §2.2), or for all that are
    /// audiences of `server` still.
    pub(crate) fn narrowed(self, named: &[String], server: &Server) -> Result<Self, OAuthError> {
        let invalid = |description: String| OAuthError::new(ErrorCode::InvalidTarget, description);
        if self.resources.is_empty() {
            return Ok(Self { resources: named.to_vec(), ..self });
        }
        if let Some(beyond) = named.iter().find(|resource| !self.resources.contains(resource)) {
            return Err(invalid(format!("The authorization request did not name the resource {beyond}.")));
        }
        let resources: Vec<_> = if named.is_empty() {
            self.resources.iter().filter(|resource| is_audience(server, resource)).cloned().collect()
        } else {
            named.to_vec()
        };
        if resources.is_empty() {
            let description = "The resources of the authorization request are no audiences of the authorization server any \
                               more.";
            return Err(invalid(description.to_owned()));
        }
        Ok(Self { resources, ..self })
    }

    /// Without the single claims that the rules do not allow to the person of `request`.
    pub(crate) fn permitted_to(
        self,
        server: &Server,
        application: &Application,
        request: &AccessRequest<'_>,
    ) -> Self {
        let asked = [&self.id_token_claims, &self.userinfo_claims];
        let [id_token_claims, userinfo_claims] = permitted(server, application, request, asked);
        Self { id_token_claims, userinfo_claims, ..self }
    }
}

fn is_audience(server: &Server, resource: &str) -> bool {
    server.server.audiences.iter().any(|audience| audience.as_str() == resource)
}

/// Of the claims that `asked` names (for the ID token, from userinfo), those which there are and which the rules would
/// give the person of `request` by some scope: asking for single claims leads to nothing that asking for scopes would not,
/// and not past a scope that the person has to be asked about.
fn permitted(
    server: &Server,
    application: &Application,
    request: &AccessRequest<'_>,
    asked: [&BTreeSet<String>; 2],
) -> [BTreeSet<String>; 2] {
    if asked.iter().all(|names| names.is_empty()) {
        return Default::default();
    }
    let is_allowed = |scope: &ScopeName| {
        let scopes: Vec<_> = request.scopes.iter().chain([scope]).cloned().collect();
        missing_consents(server, application, std::slice::from_ref(scope), &[]).is_empty()
            && decide(server, &AccessRequest { scopes: &scopes, ..*request }).is_ok()
    };
    let others = server.scopes.values().map(|scope| &scope.name);
    let others = others.filter(|scope| !request.scopes.contains(scope));
    let wide: Vec<_> =
        request.scopes.iter().chain(others.filter(|scope| is_allowed(scope))).cloned().collect();
    let there = claims(&server.claims, ClaimsFor::UserInfo, &wide, request.person, application).values;
    asked.map(|names| names.iter().filter(|name| there.contains_key(*name)).cloned().collect())
}

/// The claims of `names`, which were [permitted](Requested::permitted_to), as they are now.
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
