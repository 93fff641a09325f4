//! One provider and one application of ours there: exchanging, refreshing and verifying.

mod client_authentication;
mod revocation;
mod secret_command;
mod verification;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use kubesso_token_cache::{Entry, Options, Secret, values::printable};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

pub(crate) use self::client_authentication::{Preference, read_line};
pub(crate) use self::secret_command::run as run_command;
use crate::environment::Environment;
use crate::error::Error;
use crate::http::{Answer, Http, Repeat};
use crate::provider::{Documents, Provider, ProviderMetadata};

/// A client of one provider (OpenID Connect Core 1.0, section 1.2).
pub(crate) struct RelyingParty<'a> {
    pub(crate) options: &'a Options,
    pub(crate) environment: &'a Environment,
    pub(crate) http: Http,
    metadata: Mutex<Arc<ProviderMetadata>>,
    documents: Documents,
    /// The client's secret, once it was needed.
    secret: OnceCell<Secret>,
}

/// A verified sign-in.
pub(crate) struct SignIn {
    pub(crate) entry: Entry,
    /// The claims of the token for the cluster; empty if it is opaque.
    pub(crate) claims: Map<String, Value>,
}

/// A successful answer of the token endpoint (RFC 6749, section 5.1).
pub(crate) struct TokenAnswer {
    id_token: Option<Secret>,
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    /// Seconds.
    expires_in: Option<i64>,
    scope: Option<String>,
}

impl<'a> RelyingParty<'a> {
    /// Takes what was kept of the provider in `directory`, or asks it.
    pub(crate) async fn discover(
        options: &'a Options,
        environment: &'a Environment,
        directory: Option<&Path>,
    ) -> Result<Self, Error> {
        Self::new(options, environment, Provider::find(options, environment, directory).await?)
    }

    /// The client of a provider that is known. Its keys are fetched while the person signs in.
    pub(crate) fn new(
        options: &'a Options,
        environment: &'a Environment,
        provider: Provider,
    ) -> Result<Self, Error> {
        let Provider { http, documents, metadata } = provider;
        documents.prefetch_keys(metadata.jwks_uri()?);
        Ok(Self {
            options,
            environment,
            http,
            metadata: Mutex::new(Arc::new(metadata)),
            documents,
            secret: OnceCell::new(),
        })
    }

    /// What the provider says about itself, as far as this run knows.
    pub(crate) fn metadata(&self) -> Arc<ProviderMetadata> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the provider what it says about itself now. Says whether that may be news: whoever asked in this run knows
    /// it already.
    pub(crate) async fn rediscover(&self) -> Result<bool, Error> {
        if self.documents.is_discovered() {
            return Ok(false);
        }
        let metadata = self.documents.discover().await?;
        self.documents.prefetch_keys(metadata.jwks_uri()?);
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(metadata);
        Ok(true)
    }

    /// Keeps what was learnt of the provider, for the next run. Not waited for longer than a moment.
    pub(crate) async fn settle(&self) {
        self.documents.settle(self.environment.pacing.farewell).await;
    }

    /// Gets new tokens for `refresh_token`, which came with `known` (RFC 6749, section 6; OpenID Connect Core 1.0,
    /// section 12). The scopes that it was given for are asked for again: some providers leave the ID token out
    /// without `openid`.
    pub(crate) async fn refresh(&self, known: &Entry, refresh_token: &Secret) -> Result<SignIn, Error> {
        const WHAT: &str = "the refresh token";
        let granted = known.scope.as_deref();
        let scopes = granted.map_or_else(|| self.options.scopes.to_string(), str::to_owned);
        let mut form = BTreeMap::from([
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("scope", &scopes),
        ]);
        self.add_resource(&mut form);
        let answer = match self.request_token(WHAT, form.clone(), Repeat::IfUnavailable).await {
            // Less was granted than asked for, and nothing that is kept says so (kubelogin's entries, kubeconfigs). No
            // scope means all that were granted.
            Err(Error::Refused { code, .. }) if code == "invalid_scope" && granted.is_none() => {
                form.remove("scope");
                self.request_token(WHAT, form, Repeat::IfUnavailable).await?
            }
            other => other?,
        };
        let mut renewed = self.accept(answer, None).await?;
        self.check_same_person(known, &renewed)?;
        renewed.entry.refresh_token.get_or_insert_with(|| refresh_token.clone());
        renewed.entry.scope = renewed.entry.scope.or_else(|| granted.map(str::to_owned));
        Ok(renewed)
    }

    /// Asks the token endpoint once; a second time only if the provider does not know the client by the first way of
    /// naming it, in which case it has not looked at the grant (RFC 6749, section 5.2), or if what was kept of the
    /// provider names an endpoint that is not there any more.
    pub(crate) async fn request_token(
        &self,
        what: &'static str,
        form: BTreeMap<&str, &str>,
        repeat: Repeat,
    ) -> Result<TokenAnswer, Error> {
        const WHAT: &str = "the token request";
        let metadata = self.metadata();
        let answer = self.post_to_endpoint(WHAT, &metadata, &form, repeat).await?;
        let (metadata, answer) = if is_gone(&answer) && self.rediscover().await? {
            let newer = self.metadata();
            let answer = self.post_to_endpoint(WHAT, &newer, &form, repeat).await?;
            (newer, answer)
        } else {
            (metadata, answer)
        };
        let url = metadata.token_endpoint()?;
        if answer.status.is_success() {
            return TokenAnswer::read(&answer, WHAT, url);
        }
        Err(refusal(&answer, what).unwrap_or_else(|| answer.unexpected(WHAT, url)))
    }

    async fn post_to_endpoint(
        &self,
        what: &'static str,
        metadata: &ProviderMetadata,
        form: &BTreeMap<&str, &str>,
        repeat: Repeat,
    ) -> Result<Answer, Error> {
        self.post_as_client(what, metadata.token_endpoint()?, form, repeat, Preference::Basic).await
    }

    /// RFC 8707, section 2: the resource is named in the token request too.
    pub(crate) fn add_resource<'f>(&'f self, form: &mut BTreeMap<&'f str, &'f str>) {
        if let Some(resource) = self.options.extra_parameters.get("resource") {
            form.insert("resource", resource);
        }
    }
}

impl TokenAnswer {
    fn read(answer: &Answer, what: &'static str, url: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Body {
            id_token: Option<String>,
            access_token: Option<String>,
            refresh_token: Option<String>,
            expires_in: Option<Value>,
            scope: Option<String>,
            /// Token exchange only (RFC 8693, section 2.2.1).
            issued_token_type: Option<String>,
        }

        let body: Body = answer.json(what, url)?;
        let secret = |text: Option<String>| text.map(Secret::from).filter(|secret| !secret.is_empty());
        let (mut id_token, mut access_token) = (secret(body.id_token), secret(body.access_token));
        // The member of that name holds whatever was exchanged.
        if body.issued_token_type.as_deref() == Some(ISSUED_ID_TOKEN) && id_token.is_none() {
            id_token = access_token.take();
        }
        Ok(Self {
            id_token,
            access_token,
            refresh_token: secret(body.refresh_token),
            // Some providers write the number as text.
            expires_in: body.expires_in.and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok())),
            scope: body.scope.filter(|scope| !scope.is_empty()),
        })
    }
}

/// RFC 8693, section 3.
const ISSUED_ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// There is no such endpoint, so that nobody looked at what was sent.
fn is_gone(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE)
}

/// The OAuth error in an answer (RFC 6749, section 5.2), if it is one.
pub(crate) fn refusal(answer: &Answer, what: &'static str) -> Option<Error> {
    #[derive(Deserialize)]
    struct Body {
        error: String,
        error_description: Option<String>,
    }

    if answer.status.is_server_error() {
        return None;
    }
    let body: Body = serde_json::from_slice(&answer.body).ok()?;
    Some(Error::Refused {
        what,
        code: printable(&body.error),
        description: body.error_description.map(|text| printable(&text)).filter(|text| !text.is_empty()),
    })
}
