//! ID tokens become users, with kube-apiserver's `--oidc-*` semantics.
//!
//! The order of the checks, the leniencies and the error texts are those of Kubernetes 1.36
//! (`apiserver/plugin/pkg/authenticator/token/oidc`, go-oidc v2.5.0, go-jose v2.6.3); the test
//! `same_decision_as_upstream` compares them with that code. Where this room cannot follow is said at
//! [`kubesso_token::VerifyingKey::verify_as_go_jose`].

mod claims;
mod discovery;
mod distributed;
mod freshness;
mod jose;
mod jwk;
mod keys;
mod options;
mod verify;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use kubesso_ambient::Clock;
use kubesso_https::{ClientError, Timeouts, Trust};
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::go::quote;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::distributed::DistributedClaimsError;
pub use self::keys::KeyError;
pub use self::options::{OidcConfig, OidcOptions, OptionsError, parse_required_claim};
pub use self::verify::VerifyError;

use self::claims::{Claims, to_string_or_strings};
use self::distributed::ClaimResolver;
use self::keys::RemoteKeySet;
use self::verify::{Verifier, untrusted_issuer};
use crate::go::json::{self, Json};
use crate::request::TokenAuthenticator;
use crate::{CREDENTIAL_ID, Fetch, HttpsFetch};

/// How long after a failed discovery the next is tried.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);

/// Why a token of our issuer is not accepted. Texts are upstream's; they go to the log, never to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthnError {
    /// `email_verified` is there and not true.
    #[error("oidc: email not verified")]
    EmailNotVerified,
    /// `email_verified` is not a boolean.
    #[error("oidc: parse 'email_verified' claim: {0}")]
    EmailVerified(String),
    /// The groups claim is neither a list of strings nor a string.
    #[error("oidc: parse groups claim {}: {error}", quote(claim))]
    Groups {
        /// `--oidc-groups-claim`.
        claim: String,
        /// What is wrong with it.
        error: String,
    },
    /// The groups are kept elsewhere and could not be had.
    #[error("oidc: could not expand distributed claims: {0}")]
    DistributedClaims(#[from] DistributedClaimsError),
    /// Discovery has not succeeded yet.
    #[error("oidc: authenticator not initialized")]
    NotInitialized,
    /// A required claim is not a string.
    #[error("oidc: parse claim {claim}: {error}")]
    RequiredClaim {
        /// Its name.
        claim: String,
        /// What is wrong with it.
        error: String,
    },
    /// A required claim is missing.
    #[error("oidc: required claim {0} not present in ID token")]
    RequiredClaimMissing(String),
    /// A required claim has another value.
    #[error("oidc: required claim {claim} value does not match. Got = {got}, want = {want}")]
    RequiredClaimValue {
        /// Its name.
        claim: String,
        /// What the token says.
        got: String,
        /// What it must say.
        want: String,
    },
    /// The username claim is missing or no string.
    #[error("oidc: parse username claims {}: {error}", quote(claim))]
    Username {
        /// `--oidc-username-claim`.
        claim: String,
        /// What is wrong with it.
        error: String,
    },
    /// Signature, issuer, audience or times.
    #[error("oidc: verify token: {0}")]
    VerifyToken(#[from] VerifyError),
}

/// Authenticates the ID tokens of one issuer.
#[derive(Debug)]
pub struct OidcAuthenticator {
    shared: Arc<Shared>,
    health: watch::Receiver<Result<(), String>>,
    _stops_discovery: DropGuard,
}

#[derive(Debug)]
struct Shared {
    config: OidcConfig,
    clock: Arc<dyn Clock>,
    fetch: Arc<dyn Fetch>,
    /// Set once, when discovery succeeds; a later change of the provider's metadata is never seen.
    verifier: OnceLock<Verifier>,
    resolver: Option<ClaimResolver>,
}

impl OidcAuthenticator {
    /// Begins discovery over HTTPS in the background and returns at once. Must be called within a tokio runtime; dropping
    /// the authenticator ends the attempts.
    ///
    /// # Errors
    /// [`ClientError`] if no HTTPS client can be made.
    pub fn start(config: OidcConfig, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let trust = config.ca_pem.clone().map_or(Trust::System, Trust::Only);
        let client = kubesso_https::client(&trust, Timeouts::default())?;
        Ok(Self::start_with(config, clock, Arc::new(HttpsFetch::new(client))))
    }

    /// As [`Self::start`], with another way to the provider.
    pub fn start_with(config: OidcConfig, clock: Arc<dyn Clock>, fetch: Arc<dyn Fetch>) -> Self {
        Self::start_every(DISCOVERY_INTERVAL, config, clock, fetch)
    }

    fn start_every(
        interval: Duration,
        config: OidcConfig,
        clock: Arc<dyn Clock>,
        fetch: Arc<dyn Fetch>,
    ) -> Self {
        let stop = CancellationToken::new();
        let issuer = quote(&config.issuer_url);
        let (report, health) =
            watch::channel(Err(format!("oidc: authenticator for issuer {issuer} is not initialized")));
        let resolver = config.groups_claim.clone().map(|claim| {
            let expectations = config.expectations.clone();
            ClaimResolver::new(claim, expectations, Arc::clone(&fetch), Arc::clone(&clock), stop.clone())
        });
        let shared = Arc::new(Shared { config, clock, fetch, verifier: OnceLock::new(), resolver });
        let guard = stop.clone().drop_guard();
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                stop.run_until_cancelled(shared.initialize(interval, report)).await;
            }
        });
        Self { shared, health, _stops_discovery: guard }
    }

    /// Whether tokens can be checked, or why not.
    ///
    /// # Errors
    /// Upstream's text, with what went wrong at the last attempt at discovery.
    pub fn health(&self) -> Result<(), String> {
        self.health.borrow().clone()
    }

    /// Waits until discovery has succeeded, or has failed for the first time.
    ///
    /// # Errors
    /// As [`Self::health`].
    pub async fn first_attempt(&self) -> Result<(), String> {
        let mut health = self.health.clone();
        if self.shared.verifier.get().is_none()
            && health.borrow().as_ref().is_err_and(|e| e.ends_with("initialized"))
        {
            // An error means that the task has ended, which it does only with success or with this authenticator.
            let _ = health.changed().await;
        }
        self.health()
    }

    /// Waits until discovery has succeeded.
    pub async fn ready(&self) {
        let mut health = self.health.clone();
        // See above: an error comes only after success.
        let _ = health.wait_for(Result::is_ok).await;
    }

    /// Whom `token` belongs to; `None` if it is not a token of our issuer at all (another authenticator may know it).
    ///
    /// The user does not have the group `system:authenticated`: [`crate::RequestAuthenticator`] adds it.
    ///
    /// # Errors
    /// [`AuthnError`] for the log.
    pub async fn authenticate(&self, token: &str) -> Result<Option<UserInfo>, AuthnError> {
        let config = &self.shared.config;
        if untrusted_issuer(token).ok().as_deref() != Some(&config.issuer_url) {
            return Ok(None);
        }
        let verifier = self.shared.verifier.get().ok_or(AuthnError::NotInitialized)?;
        let payload = verifier.verify(&config.expectations, token, self.shared.clock.now()).await?;
        // Only objects pass verification.
        let mut claims = Json::parse(&payload).map(Claims::read).unwrap_or_default();
        let resolved;
        if let Some(resolver) = &self.shared.resolver
            && let Some(groups) = resolver.expand(&claims).await?
        {
            resolved = groups;
            if let Ok(groups) = Json::parse(&resolved) {
                claims.insert(resolver.claim(), groups);
            }
        }
        config.map(&claims).map(Some)
    }
}

#[async_trait]
impl TokenAuthenticator for OidcAuthenticator {
    async fn authenticate_token(&self, token: &str) -> Result<Option<UserInfo>, String> {
        self.authenticate(token).await.map_err(|error| error.to_string())
    }
}

impl Shared {
    /// Tries until discovery succeeds.
    async fn initialize(&self, interval: Duration, health: watch::Sender<Result<(), String>>) {
        let issuer = quote(&self.config.issuer_url);
        loop {
            let outcome = discovery::discover_key_set(&*self.fetch, &self.config.issuer_url).await;
            let error = match outcome {
                Ok(url) if url.is_empty() => "provider did not return JWKS URL".to_owned(),
                Ok(url) => {
                    let keys = RemoteKeySet::new(url, Arc::clone(&self.fetch), Arc::clone(&self.clock));
                    let verifier = Verifier { issuer: self.config.issuer_url.clone(), keys };
                    // Only this task sets it, once.
                    let _ = self.verifier.set(verifier);
                    drop(health.send_replace(Ok(())));
                    return;
                }
                Err(error) => error,
            };
            tracing::error!(
                issuer = self.config.issuer_url,
                "oidc authenticator: initializing plugin: {error}"
            );
            let error = format!("oidc: authenticator for issuer {issuer} is not healthy: {error}");
            drop(health.send_replace(Err(error)));
            tokio::time::sleep(interval).await;
        }
    }
}

impl OidcConfig {
    /// User name, groups, credential id, then the required claims.
    fn map(&self, claims: &Claims<'_>) -> Result<UserInfo, AuthnError> {
        let username = self.username(claims)?;
        let groups = self.groups(claims)?;
        let mut extra = std::collections::BTreeMap::new();
        if let Some(jti) = claims.get("jti").and_then(Json::string).filter(|jti| !jti.is_empty()) {
            extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={jti}")]);
        }
        for (claim, want) in &self.required_claims {
            let value = claims.get(claim).ok_or_else(|| AuthnError::RequiredClaimMissing(claim.clone()))?;
            let got = json::to_string(value)
                .map_err(|error| AuthnError::RequiredClaim { claim: claim.clone(), error })?;
            if got != *want {
                return Err(AuthnError::RequiredClaimValue { claim: claim.clone(), got, want: want.clone() });
            }
        }
        Ok(UserInfo { username, uid: String::new(), groups, extra })
    }

    fn username(&self, claims: &Claims<'_>) -> Result<String, AuthnError> {
        let claim = &self.username_claim;
        let username =
            claims.string(claim).map_err(|error| AuthnError::Username { claim: claim.clone(), error })?;
        if claim == "email"
            && let Some(verified) = claims.get("email_verified")
            && !json::to_bool(verified).map_err(AuthnError::EmailVerified)?
        {
            return Err(AuthnError::EmailNotVerified);
        }
        Ok(format!("{}{username}", self.username_prefix))
    }

    fn groups(&self, claims: &Claims<'_>) -> Result<Vec<String>, AuthnError> {
        let Some(claim) = &self.groups_claim else { return Ok(Vec::new()) };
        let Some(value) = claims.get(claim) else { return Ok(Vec::new()) };
        let groups = to_string_or_strings(value)
            .map_err(|error| AuthnError::Groups { claim: claim.clone(), error })?;
        Ok(groups.into_iter().map(|group| format!("{}{group}", self.groups_prefix)).collect())
    }
}

#[cfg(test)]
mod tests;
