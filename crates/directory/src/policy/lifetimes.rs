//! Token lifetimes: their limits, and whether they can take effect at all.

use crate::application::{Application, GrantType};
use crate::name::ScopeName;
use crate::policy::{Lifetimes, Minutes, Policy, PolicyClients, Rule, RuleScopes};
use crate::snapshot::{Server, Snapshot};

/// A day: the longest access or ID token.
const DAY: u32 = 1440;
/// Five years: the longest refresh token or window.
const FIVE_YEARS: u32 = 2_628_000;
/// The shortest access or ID token: below, the clocks of two machines matter more than the token.
const SHORTEST: u32 = 5;

/// Lifetimes that contradict each other or Okta's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifetimeError {
    /// Access token out of range.
    #[error("the access token lifetime is {0} minutes: use 5 to 1440")]
    AccessToken(u32),
    /// ID token out of range.
    #[error("the ID token lifetime is {0} minutes: use 5 to 1440, or leave it out to use the access token's")]
    IdToken(u32),
    /// Refresh token out of range.
    #[error(
        "the refresh token lifetime is {0} minutes: use at least the access token's {1} and at most 2628000, or 0 for unlimited"
    )]
    RefreshToken(u32, u32),
    /// Window out of range.
    #[error("the refresh token window is {0} minutes: use at least the access token's {1} and at most {2}")]
    RefreshWindow(u32, u32, u32),
}

impl Lifetimes {
    /// Checks and takes the lifetimes, in minutes; `refresh_token` 0 means unlimited, as Okta writes it.
    pub fn new(
        access_token: u32,
        refresh_token: u32,
        refresh_window: u32,
        id_token: Option<u32>,
    ) -> Result<Self, LifetimeError> {
        let within =
            |minutes, least, most| Minutes::new(minutes).filter(|_| (least..=most).contains(&minutes));
        let access = within(access_token, SHORTEST, DAY).ok_or(LifetimeError::AccessToken(access_token))?;
        let refresh = match refresh_token {
            0 => None,
            minutes => Some(
                within(minutes, access_token, FIVE_YEARS)
                    .ok_or(LifetimeError::RefreshToken(minutes, access_token))?,
            ),
        };
        let longest = refresh.map_or(FIVE_YEARS, Minutes::get);
        let refresh_window = within(refresh_window, access_token, longest)
            .ok_or(LifetimeError::RefreshWindow(refresh_window, access_token, longest))?;
        let id_token = match id_token {
            None => None,
            Some(minutes) => Some(within(minutes, SHORTEST, DAY).ok_or(LifetimeError::IdToken(minutes))?),
        };
        Ok(Self { access_token: access, refresh_token: refresh, refresh_window, id_token })
    }

    /// How long an access token lives.
    pub fn access_token(&self) -> Minutes {
        self.access_token
    }

    /// How long an ID token lives: what the rule sets for it, else as long as the access token.
    pub fn id_token(&self) -> Minutes {
        self.id_token.unwrap_or(self.access_token)
    }

    /// What the rule sets for ID tokens, if it does.
    pub fn own_id_token(&self) -> Option<Minutes> {
        self.id_token
    }

    /// How long after sign-in refreshing ends for good; `None`: never.
    pub fn refresh_token(&self) -> Option<Minutes> {
        self.refresh_token
    }

    /// How long a refresh token may lie unused.
    pub fn refresh_window(&self) -> Minutes {
        self.refresh_window
    }
}

impl Default for Lifetimes {
    /// Okta's defaults: access token an hour, refresh token unlimited, window seven days.
    fn default() -> Self {
        Self {
            access_token: Minutes(nonzero(60)),
            refresh_token: None,
            refresh_window: Minutes(nonzero(10_080)),
            id_token: None,
        }
    }
}

const fn nonzero(minutes: u32) -> std::num::NonZeroU32 {
    match std::num::NonZeroU32::new(minutes) {
        Some(minutes) => minutes,
        None => std::num::NonZeroU32::MIN,
    }
}

/// Why a rule's lifetimes will not do what their author expects of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifetimeWarning {
    /// Refresh settings, but the application may not refresh.
    #[error(
        "the refresh token lifetime and window of rule `{rule}` have no effect for `{application}`: its grant types lack \
         `refresh_token`, so people go through the browser whenever the ID token ends ({id_token} minutes), and the \
         browser session answers until it ends; add `refresh_token` to the application's grant types"
    )]
    ApplicationCannotRefresh {
        /// The rule's name.
        rule: String,
        /// The application's label.
        application: String,
        /// The ID token's lifetime in minutes.
        id_token: u32,
    },
    /// Refresh settings, but the scope that asks for a refresh token is not allowed.
    #[error(
        "the refresh token lifetime and window of rule `{rule}` have no effect: its scopes lack `offline_access`, \
         without which no refresh token is given; add the scope, or `*`"
    )]
    NoOfflineAccess {
        /// The rule's name.
        rule: String,
    },
    /// kubectl uses the ID token, which outlives what the access token's lifetime suggests.
    #[error(
        "kubectl uses the ID token, which rule `{rule}` lets live for {id_token} minutes: the access token's \
         {access_token} minutes do not shorten it"
    )]
    IdTokenOutlivesAccessToken {
        /// The rule's name.
        rule: String,
        /// Minutes.
        id_token: u32,
        /// Minutes.
        access_token: u32,
    },
    /// The refresh window is not longer than the ID token: kubectl refreshes when the ID token has ended,
    /// which is when the window has ended too.
    #[error(
        "the refresh window of rule `{rule}` ({window} minutes) is not longer than the ID token's lifetime ({id_token} \
         minutes): kubectl refreshes when the ID token ends, so nobody can refresh; lengthen the window or shorten the \
         ID token"
    )]
    WindowEndsBeforeIdToken {
        /// The rule's name.
        rule: String,
        /// Minutes.
        window: u32,
        /// Minutes.
        id_token: u32,
    },
    /// The refresh token ends before anybody needs it.
    #[error(
        "the refresh token lifetime of rule `{rule}` ({refresh_token} minutes) is not longer than the ID token's \
         ({id_token} minutes): it ends before it is needed, so people sign in each time"
    )]
    RefreshEndsBeforeIdToken {
        /// The rule's name.
        rule: String,
        /// Minutes.
        refresh_token: u32,
        /// Minutes.
        id_token: u32,
    },
}

/// What in the rules of `server`'s policies cannot take effect, for each application that they are for. Each is said
/// once.
pub fn server_warnings(server: &Server, snapshot: &Snapshot) -> Vec<LifetimeWarning> {
    let mut warnings: Vec<LifetimeWarning> = Vec::new();
    let active = server.policies().filter(|(policy, _)| policy.status.is_active());
    for (policy, rule) in active.flat_map(|(policy, rules)| rules.iter().map(move |rule| (policy, rule))) {
        for warning in rule_warnings(policy, rule, snapshot) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// The same for one rule.
pub fn rule_warnings(policy: &Policy, rule: &Rule, snapshot: &Snapshot) -> Vec<LifetimeWarning> {
    let mut warnings: Vec<LifetimeWarning> = Vec::new();
    if !(policy.status.is_active() && rule.status.is_active()) {
        return warnings;
    }
    let uses_id_tokens = |grant: &GrantType| {
        matches!(grant, GrantType::AuthorizationCode | GrantType::DeviceCode | GrantType::Password)
    };
    let is_for = |application: &&Application| {
        application.status.is_active()
            && match &policy.clients {
                PolicyClients::All => true,
                PolicyClients::Only(clients) => clients.contains(&application.client_id),
            }
            && application
                .grant_types
                .iter()
                .any(|grant| uses_id_tokens(grant) && rule.grant_types.contains(grant))
    };
    for application in snapshot.applications().filter(is_for) {
        for warning in lifetime_warnings(rule, application) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// What in `rule`'s lifetimes cannot take effect for `application` with a client that uses ID tokens, as
/// kubectl does. To be shown when a rule is written.
pub fn lifetime_warnings(rule: &Rule, application: &Application) -> Vec<LifetimeWarning> {
    let lifetimes = &rule.lifetimes;
    let name = || rule.name.to_string();
    let id_token = lifetimes.id_token().get();
    let access_token = lifetimes.access_token().get();
    let mut warnings = Vec::new();
    if id_token > access_token {
        warnings.push(LifetimeWarning::IdTokenOutlivesAccessToken { rule: name(), id_token, access_token });
    }
    // Refresh settings at their defaults say nothing of what their author expects.
    let defaults = Lifetimes::default();
    let expects_refresh =
        lifetimes.refresh_token.is_some() || lifetimes.refresh_window != defaults.refresh_window;
    if !expects_refresh {
        return warnings;
    }
    if !application.grant_types.contains(&GrantType::RefreshToken) {
        let application = application.label.to_string();
        warnings.push(LifetimeWarning::ApplicationCannotRefresh { rule: name(), application, id_token });
        return warnings;
    }
    let offline = |scope: &ScopeName| scope.as_str() == "offline_access";
    if matches!(&rule.scopes, RuleScopes::Only(scopes) if !scopes.iter().any(offline)) {
        warnings.push(LifetimeWarning::NoOfflineAccess { rule: name() });
        return warnings;
    }
    match lifetimes.refresh_token {
        Some(refresh_token) if refresh_token.get() <= id_token => {
            let refresh_token = refresh_token.get();
            warnings.push(LifetimeWarning::RefreshEndsBeforeIdToken {
                rule: name(),
                refresh_token,
                id_token,
            });
        }
        _ if lifetimes.refresh_window.get() <= id_token => {
            let window = lifetimes.refresh_window.get();
            warnings.push(LifetimeWarning::WindowEndsBeforeIdToken { rule: name(), window, id_token });
        }
        _ => {}
    }
    warnings
}
