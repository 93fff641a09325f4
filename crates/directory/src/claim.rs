//! Claims of an authorization server: what its tokens say of a person beyond the protocol's own claims.
//!
//! The same person, scopes and configuration give the same claims, at sign-in and at every refresh; lists are
//! sorted, so that tokens can be compared.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::application::{Application, Status};
use crate::expression::{Expression, ExpressionError};
use crate::id::{AuthorizationServerId, ClaimId};
use crate::name::{ClaimName, ScopeName};
use crate::user::Person;

mod filter;

pub use filter::{FilterError, FilterType, GroupFilter};

/// Which token a claim is for; Okta's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ClaimType {
    /// The ID token (and userinfo).
    Identity,
    /// The access token.
    Resource,
}

impl ClaimType {
    /// Okta's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Resource => "RESOURCE",
        }
    }

    /// The type of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Identity, Self::Resource].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a claim's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimValue {
    /// The value of an expression.
    Expression(Expression),
    /// The names of the person's groups that pass a filter, as a list.
    Groups(GroupFilter),
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The id.
    pub id: ClaimId,
    /// The server.
    pub server: AuthorizationServerId,
    /// The name in the token; unique in its server and type.
    pub name: ClaimName,
    /// Whether it takes part.
    pub status: Status,
    /// Which token it is for.
    pub claim_type: ClaimType,
    /// Where the value comes from.
    pub value: ClaimValue,
    /// Whether an ID token that comes with an access token carries it too (without, only userinfo does).
    pub always_include_in_token: bool,
    /// Only for requests with one of these scopes; empty: for all.
    pub scopes: BTreeSet<ScopeName>,
    /// Whether it came with the server.
    pub system: bool,
}

/// What claims are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsFor {
    /// An access token.
    AccessToken,
    /// An ID token that comes with an access token: from the code flow and from refreshing.
    IdToken,
    /// The userinfo endpoint.
    UserInfo,
}

/// A claim that could not be computed; the token is given without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim `{claim}` is left out: {cause}")]
pub struct ClaimProblem {
    /// Its name.
    pub claim: ClaimName,
    /// Why.
    pub cause: ExpressionError,
}

/// The claims of one token, without the protocol's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Name and value.
    pub values: Map<String, Value>,
    /// What is missing and why; for the log.
    pub problems: Vec<ClaimProblem>,
}

/// Names that the protocol gives a meaning that no configuration may change (RFC 7519 §4.1, OpenID Connect
/// Core §2, and Okta's own `cid`, `uid`, `scp`, `ver`).
const RESERVED: [&str; 21] = [
    "_claim_names",
    "_claim_sources",
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "cid",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "scp",
    "sub",
    "uid",
    "ver",
];

/// The claims of a token for `person`: those of the granted `scopes` (OpenID Connect Core §5.4; not in access
/// tokens), then the server's own in the order of their names.
///
/// `email` comes with `email_verified: true`, a boolean: kube-apiserver refuses `false`, and here only
/// administrators set addresses. In an ID token stand only those that the application wants there
/// ([`Application::id_token_claims`]). A claim without a value (no group passes the filter) is left out. Without a person, as
/// in a client's own access token (RFC 6749 §4.4), nothing of a person is said: attributes of the user are not set, and
/// group filters let nothing through.
pub fn claims(
    configured: &[Claim],
    wanted: ClaimsFor,
    scopes: &[ScopeName],
    person: Option<&Person>,
    application: &Application,
) -> Claims {
    let mut claims = Claims::default();
    if let Some(person) = person
        && wanted != ClaimsFor::AccessToken
    {
        standard_claims(&mut claims.values, scopes, person);
    }
    let named = application.id_token_claims().filter(|_| wanted == ClaimsFor::IdToken);
    let is_wanted = |name: &str| named.as_ref().is_none_or(|named| named.contains(&name));
    claims.values.retain(|name, _| is_wanted(name));
    let claim_type = match wanted {
        ClaimsFor::AccessToken => ClaimType::Resource,
        ClaimsFor::IdToken | ClaimsFor::UserInfo => ClaimType::Identity,
    };
    let mut configured: Vec<&Claim> = configured
        .iter()
        .filter(|claim| claim.status.is_active() && claim.claim_type == claim_type)
        .filter(|claim| wanted != ClaimsFor::IdToken || claim.always_include_in_token)
        .filter(|claim| claim.scopes.is_empty() || scopes.iter().any(|scope| claim.scopes.contains(scope)))
        .filter(|claim| !claim.name.is_reserved() && is_wanted(claim.name.as_str()))
        .collect();
    configured.sort_by(|a, b| a.name.cmp(&b.name));
    for claim in configured {
        match value(&claim.value, person, application) {
            Ok(Some(value)) => {
                claims.values.insert(claim.name.to_string(), value);
            }
            Ok(None) => {}
            Err(cause) => claims.problems.push(ClaimProblem { claim: claim.name.clone(), cause }),
        }
    }
    claims
}

impl ClaimName {
    /// Whether a relying party may take a claim of that name for one of the protocol's, so that a configured one is never
    /// given. Case does not tell them apart: kube-apiserver is written in Go, whose JSON decoder folds it, `ſ` and the
    /// Kelvin sign included, and lets the last member win (`encoding/json`).
    pub fn is_reserved(&self) -> bool {
        let folded = self.as_str().to_uppercase().to_lowercase();
        RESERVED.contains(&folded.as_str())
    }
}

fn value(
    value: &ClaimValue,
    person: Option<&Person>,
    application: &Application,
) -> Result<Option<Value>, ExpressionError> {
    match value {
        ClaimValue::Groups(filter) => {
            let names: BTreeSet<&str> = person
                .into_iter()
                .flat_map(|person| &person.groups)
                .map(|group| group.name.as_str())
                .filter(|name| filter.matches(name))
                .collect();
            Ok((!names.is_empty()).then(|| names.into_iter().collect()))
        }
        ClaimValue::Expression(expression) => {
            let value = expression.evaluate(person, application)?;
            let is_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            Ok((!is_nothing).then_some(value))
        }
    }
}

fn standard_claims(values: &mut Map<String, Value>, scopes: &[ScopeName], person: &Person) {
    let profile = &person.user.profile;
    let asked = |scope: &str| scopes.iter().any(|name| name.as_str() == scope);
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty()).map(Value::String);
    let other = |name: &str| profile.other.get(name).filter(|value| value.as_str() != Some("")).cloned();
    if asked("email") {
        put("email", Some(profile.email.as_str().into()));
        put("email_verified", Some(true.into()));
    }
    if asked("profile") {
        put("name", profile.name().map(Value::String));
        put("given_name", text(&profile.first_name));
        put("family_name", text(&profile.last_name));
        put("preferred_username", Some(profile.login.as_str().into()));
        put("nickname", other("nickName"));
        put("locale", other("locale"));
        put("zoneinfo", other("timezone"));
    }
    if asked("phone") {
        put("phone_number", other("primaryPhone"));
    }
}

#[cfg(test)]
mod tests;
