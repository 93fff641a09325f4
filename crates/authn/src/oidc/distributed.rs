//! Distributed claims (OpenID Connect Core 1.0 §5.6.2): the groups are not in the token but at another address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use kubesso_ambient::Clock;
use kubesso_k8s_types::go::quote;
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::keys::RemoteKeySet;
use super::verify::{Expectations, Verifier, VerifyError, untrusted_issuer};
use super::{DISCOVERY_INTERVAL, discovery};
use crate::Fetch;
use crate::go::json::{self, Json, Kind};

/// Why distributed groups could not be had. Texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DistributedClaimsError {
    /// The endpoint did not answer with a token.
    #[error("while getting distributed claim {}: {error}", quote(claim))]
    Endpoint {
        /// The groups claim.
        claim: String,
        /// What went wrong.
        error: String,
    },
    /// What the endpoint answered is no token.
    #[error("getting untrusted issuer from endpoint {endpoint} failed for claim {}: {error}", quote(claim))]
    Issuer {
        /// Its address.
        endpoint: String,
        /// The groups claim.
        claim: String,
        /// What is wrong with it.
        error: String,
    },
    /// The answered token does not hold the claim.
    #[error("jwt returned by distributed claim endpoint {} did not contain claim: {claim}", quote(endpoint))]
    Missing {
        /// Its address.
        endpoint: String,
        /// The groups claim.
        claim: String,
    },
    /// `_claim_names` without `_claim_sources`.
    #[error("oidc: no claim sources")]
    NoSources,
    /// The keys of the answered token's issuer are not known yet; they are fetched in the background.
    #[error(
        "verifying untrusted issuer {issuer} failed: verifier not initialized for issuer: {}",
        quote(issuer)
    )]
    NotInitialized {
        /// That issuer.
        issuer: String,
    },
    /// `_claim_names` is not what it must be.
    #[error("oidc: error parsing distributed claim names: {0}")]
    Names(String),
    /// `_claim_sources` is not what it must be.
    #[error("oidc: could not parse claim sources: {0}")]
    Sources(String),
    /// The source that is named does not exist.
    #[error("id token _claim_names contained a source {0} missing in _claims_sources")]
    UnknownSource(String),
    /// The answered token is not accepted.
    #[error("verify distributed claim token: {0}")]
    Verify(#[from] VerifyError),
}

/// Fetches the groups claim from where the (verified) ID token says that it is. Like upstream it goes to any address that
/// the issuer names, and does not cache.
#[derive(Debug)]
pub(crate) struct ClaimResolver {
    claim: String,
    expectations: Expectations,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    /// By issuer of the answered token; set once its discovery succeeds.
    verifiers: Mutex<HashMap<String, Arc<OnceLock<Verifier>>>>,
}

struct Endpoint {
    url: String,
    access_token: String,
}

impl ClaimResolver {
    pub(crate) fn new(
        claim: String,
        expectations: Expectations,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        Self { claim, expectations, fetch, clock, stop, verifiers: Mutex::default() }
    }

    pub(crate) fn claim(&self) -> &str {
        &self.claim
    }

    /// The claim's value as JSON, if it is elsewhere; `None` if it is in the token or nowhere.
    pub(crate) async fn expand(
        &self,
        claims: &Claims<'_>,
    ) -> Result<Option<Vec<u8>>, DistributedClaimsError> {
        if claims.get(&self.claim).is_some() {
            return Ok(None);
        }
        let Some(endpoint) = self.endpoint(claims)? else { return Ok(None) };
        let token = self
            .get_token(&endpoint)
            .await
            .map_err(|error| DistributedClaimsError::Endpoint { claim: self.claim.clone(), error })?;
        let issuer = untrusted_issuer(&token).map_err(|error| DistributedClaimsError::Issuer {
            endpoint: endpoint.url.clone(),
            claim: self.claim.clone(),
            error,
        })?;
        let verifier = self.verifier(&issuer);
        let verifier = verifier.get().ok_or(DistributedClaimsError::NotInitialized { issuer })?;
        let payload = verifier.verify(&self.expectations, &token, self.clock.now()).await?;
        let value = Json::parse(&payload).ok().and_then(|payload| Claims::read(payload).get(&self.claim));
        match value {
            Some(value) => Ok(Some(value.raw().to_vec())),
            None => {
                Err(DistributedClaimsError::Missing { endpoint: endpoint.url, claim: self.claim.clone() })
            }
        }
    }

    fn endpoint(&self, claims: &Claims<'_>) -> Result<Option<Endpoint>, DistributedClaimsError> {
        let Some(names) = claims.get("_claim_names") else { return Ok(None) };
        if !matches!(names.kind(), Kind::Null | Kind::Object) {
            return Err(DistributedClaimsError::Names(json::wrong_type(names, "map[string]string")));
        }
        let names = Claims::read(names);
        let Some(sources) = claims.get("_claim_sources") else {
            return Err(DistributedClaimsError::NoSources);
        };
        let sources = read_sources(sources).map_err(DistributedClaimsError::Sources)?;
        let Some(source) = names.get(&self.claim) else { return Ok(None) };
        let source = json::to_string(source).map_err(DistributedClaimsError::Names)?;
        match sources.into_iter().rev().find(|(name, _)| *name == source) {
            None => Err(DistributedClaimsError::UnknownSource(source)),
            // An aggregated claim, perhaps; those are not read.
            Some((_, endpoint)) if endpoint.url.is_empty() => Ok(None),
            Some((_, endpoint)) => Ok(Some(endpoint)),
        }
    }

    async fn get_token(&self, endpoint: &Endpoint) -> Result<String, String> {
        let bearer = Some(endpoint.access_token.as_str()).filter(|token| !token.is_empty());
        let answer = self.fetch.get(&endpoint.url, bearer).await?;
        if !(200..=226).contains(&answer.status.as_u16()) {
            return Err(format!("error while getting distributed claim JWT: {}", answer.status_line()));
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// The verifier for an issuer; at first sight its discovery begins, every 10 s until it succeeds.
    fn verifier(&self, issuer: &str) -> Arc<OnceLock<Verifier>> {
        let mut verifiers = self.verifiers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verifier) = verifiers.get(issuer) {
            return Arc::clone(verifier);
        }
        let verifier = Arc::new(OnceLock::new());
        verifiers.insert(issuer.to_owned(), Arc::clone(&verifier));
        let (fetch, clock, stop) = (Arc::clone(&self.fetch), Arc::clone(&self.clock), self.stop.clone());
        let (issuer, slot) = (issuer.to_owned(), Arc::clone(&verifier));
        tokio::spawn(async move {
            let initialize = async {
                loop {
                    match discovery::discover_key_set(&*fetch, &issuer).await {
                        Ok(url) => {
                            let keys = RemoteKeySet::new(url, Arc::clone(&fetch), clock);
                            // Only this task sets it, once.
                            let _ = slot.set(Verifier { issuer: issuer.clone(), keys });
                            return;
                        }
                        Err(error) => tracing::error!(
                            "oidc authenticator: async token verifier for issuer: {}: init verifier failed: {error}",
                            quote(&issuer)
                        ),
                    }
                    tokio::time::sleep(DISCOVERY_INTERVAL).await;
                }
            };
            stop.run_until_cancelled(initialize).await;
        });
        verifier
    }
}

/// `map[string]endpoint`.
fn read_sources(sources: Json<'_>) -> Result<Vec<(String, Endpoint)>, String> {
    match sources.kind() {
        Kind::Null => return Ok(Vec::new()),
        Kind::Object => {}
        _ => return Err(json::wrong_type(sources, "map[string]oidc.endpoint")),
    }
    let mut saved = Ok(());
    let mut read = Vec::new();
    for (name, members) in sources.members() {
        let mut endpoint = Endpoint { url: String::new(), access_token: String::new() };
        let mut jwt = String::new();
        if !matches!(members.kind(), Kind::Null | Kind::Object) {
            saved = saved.and(Err(json::wrong_type(members, "oidc.endpoint")));
        }
        for (name, value) in members.members() {
            let fields = [
                ("endpoint", &mut endpoint.url),
                ("access_token", &mut endpoint.access_token),
                ("JWT", &mut jwt),
            ];
            for (field, target) in fields {
                if !json::names_field(&name, field) {
                    continue;
                }
                match value.string() {
                    Some(text) => *target = text,
                    None if value.kind() == Kind::Null => {}
                    None => {
                        let wrong = json::wrong_field_type(value, &format!("endpoint.{field}"), "string");
                        saved = saved.and(Err(wrong));
                    }
                }
            }
        }
        read.push((name, endpoint));
    }
    saved.map(|()| read)
}
