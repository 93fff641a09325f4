//! Consent: that a person has allowed an application a scope of an authorization server.
//!
//! Who is asked what is decided by three values together, as Okta does (User consent, "Application object"):
//!
//! | the request has `prompt=consent` | the application's `consent_method` | the scope's `consent` | is the person asked? |
//! |---|---|---|---|
//! | yes | either | `REQUIRED`, `FLEXIBLE` | yes, also if the consent was given before |
//! | no | `REQUIRED` | `REQUIRED`, `FLEXIBLE` | unless the consent was given before |
//! | either | either | `IMPLICIT` | no |
//! | no | `TRUSTED` | any | no |

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::application::Application;
use crate::authorization_server::{Consent, Scope};
use crate::id::{ApplicationId, AuthorizationServerId, ConsentId, ScopeId, UserId};
use crate::name::ScopeName;
use crate::snapshot::Server;

/// Whether an application has to ask for what scopes want consent for (`consent_method`); Okta's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsentMethod {
    /// It belongs to the house: administrators decide.
    #[default]
    Trusted,
    /// It is somebody else's: people decide.
    Required,
}

impl ConsentMethod {
    /// The value of `consent_method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "TRUSTED",
            Self::Required => "REQUIRED",
        }
    }

    /// The method that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Trusted, Self::Required].into_iter().find(|method| method.as_str() == text)
    }
}

/// That a person has allowed an application a scope. It goes with any of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentGrant {
    /// The id.
    pub id: ConsentId,
    /// Who allowed it.
    pub user: UserId,
    /// To which application.
    pub application: ApplicationId,
    /// The scope.
    pub scope: ScopeId,
    /// The authorization server of the scope.
    pub server: AuthorizationServerId,
    /// The scope's name.
    pub scope_name: ScopeName,
    /// When it was given, or given again.
    pub created: Timestamp,
}

/// The scopes, among those `asked` for, that `application` may not have before the person allows them, by whatever grant.
/// `given` are the person's consents to this application.
pub fn missing_consents<'a>(
    server: &'a Server,
    application: &Application,
    asked: &[ScopeName],
    given: &[ConsentGrant],
) -> Vec<&'a Scope> {
    if application.consent_method() == ConsentMethod::Trusted {
        return Vec::new();
    }
    let given: BTreeSet<_> =
        given.iter().filter(|grant| grant.application == application.id).map(|grant| &grant.scope).collect();
    wanting_consent(server, asked).filter(|scope| !given.contains(&scope.id)).collect()
}

/// The scopes, among those `asked` for, that a page asks the person about; `anew` is `prompt=consent`.
pub fn consents_to_ask<'a>(
    server: &'a Server,
    application: &Application,
    asked: &[ScopeName],
    given: &[ConsentGrant],
    anew: bool,
) -> Vec<&'a Scope> {
    if anew {
        wanting_consent(server, asked).collect()
    } else {
        missing_consents(server, application, asked, given)
    }
}

/// Whether a client may have the scope for itself, where there is nobody to ask (Okta: not if consent is `REQUIRED`).
pub fn is_for_people_only(scope: &Scope) -> bool {
    scope.consent == Consent::Required
}

fn wanting_consent<'a>(server: &'a Server, asked: &[ScopeName]) -> impl Iterator<Item = &'a Scope> {
    asked.iter().filter_map(|name| server.scope(name)).filter(|scope| scope.consent != Consent::Implicit)
}

#[cfg(test)]
mod tests;
