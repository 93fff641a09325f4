//! One provider and one application of ours there: exchanging, refreshing and verifying.

mod verification;

use std::collections::BTreeMap;
use std::sync::Mutex;

use kubesso_token::JwkSet;
use kubesso_token_cache::{Entry, Options, Secret, values::printable};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::environment::Environment;
use crate::error::Error;
use crate::http::{Answer, ClientAuthentication, Http, Repeat};
use crate::provider::ProviderMetadata;

/// A client of one provider (OpenID Connect Core 1.0, section 1.2).
pub(crate) struct RelyingParty<'a> {
    pub(crate) options: &'a Options,
    pub(crate) environment: &'a Environment,
    pub(crate) http: Http,
    pub(crate) metadata: ProviderMetadata,
    /// The provider's keys, on their way while the person signs in.
    keys: Mutex<Option<JoinHandle<Result<JwkSet, Error>>>>,
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

const KEYS: &str = "the provider's key set";

impl<'a> RelyingParty<'a> {
    /// Reads the discovery document.
    pub(crate) async fn discover(options: &'a Options, environment: &'a Environment) -> Result<Self, Error> {
        let http = Http::new(options, environment)?;
        let metadata = ProviderMetadata::discover(&http, &options.issuer).await?;
        Self::new(options, environment, http, metadata)
    }

    /// The client of a provider whose discovery document is known.
    pub(crate) fn new(
        options: &'a Options,
        environment: &'a Environment,
        http: Http,
        metadata: ProviderMetadata,
    ) -> Result<Self, Error> {
        let keys = {
            let (http, url) = (http.clone(), metadata.jwks_uri()?.to_owned());
            Mutex::new(Some(tokio::spawn(async move { fetch_keys(&http, &url).await })))
        };
        Ok(Self { options, environment, http, metadata, keys })
    }

    /// Gets new tokens for `refresh_token`, which came with `known` (RFC 6749, section 6; OpenID Connect Core 1.0,
    /// section 12). The scopes that it was given for are asked for again: some providers leave the ID token out
    /// without `openid`.
    pub(crate) async fn refresh(&self, known: &Entry, refresh_token: &Secret) -> Result<SignIn, Error> {
        let granted = known.scope.as_deref();
        let scopes = granted.map_or_else(|| self.options.scopes.to_string(), str::to_owned);
        let mut form = BTreeMap::from([
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("scope", &scopes),
        ]);
        self.add_resource(&mut form);
        let answer = self.request_token("the refresh token", form, Repeat::IfUnavailable).await?;
        let mut renewed = self.accept(answer, None).await?;
        self.check_same_person(known, &renewed)?;
        renewed.entry.refresh_token.get_or_insert_with(|| refresh_token.clone());
        renewed.entry.scope = renewed.entry.scope.or_else(|| granted.map(str::to_owned));
        Ok(renewed)
    }

    /// Asks the token endpoint once; a second time only if the provider does not know the client by the first way of
    /// naming it, in which case it has not looked at the grant (RFC 6749, section 5.2).
    pub(crate) async fn request_token(
        &self,
        what: &'static str,
        form: BTreeMap<&str, &str>,
        repeat: Repeat,
    ) -> Result<TokenAnswer, Error> {
        const WHAT: &str = "the token request";
        let url = self.metadata.token_endpoint()?;
        let methods = self.client_authentications();
        let mut last = None;
        for method in methods {
            let answer = self.post_as_client(WHAT, url, &form, &method, repeat).await?;
            if answer.status.is_success() {
                return TokenAnswer::read(&answer, WHAT, url);
            }
            let error = refusal(&answer, what).unwrap_or_else(|| answer.unexpected(WHAT, url));
            if !matches!(&error, Error::Refused { code, .. } if code == "invalid_client") {
                return Err(error);
            }
            last = Some(error);
        }
        Err(last.unwrap_or_else(|| Error::Unsupported("knows no way of ours to name the client".to_owned())))
    }

    /// Posts `form` as the client that we are.
    pub(crate) async fn post_as_client(
        &self,
        what: &'static str,
        url: &str,
        form: &BTreeMap<&str, &str>,
        method: &ClientAuthentication,
        repeat: Repeat,
    ) -> Result<Answer, Error> {
        let id = self.options.client_id.as_str();
        match method {
            ClientAuthentication::Basic(secret) => {
                self.http.post(what, url, form, Some((id, secret)), repeat).await
            }
            ClientAuthentication::Form(secret) => {
                let mut form = form.clone();
                form.insert("client_id", id);
                if let Some(secret) = secret {
                    form.insert("client_secret", secret.expose());
                }
                self.http.post(what, url, &form, None, repeat).await
            }
        }
    }

    /// How to name the client, the best way first.
    fn client_authentications(&self) -> Vec<ClientAuthentication> {
        let Some(secret) = &self.options.client_secret else { return vec![ClientAuthentication::Form(None)] };
        let basic = ClientAuthentication::Basic(secret.clone());
        let form = ClientAuthentication::Form(Some(secret.clone()));
        match &self.metadata.token_endpoint_auth_methods_supported {
            Some(methods) if !methods.iter().any(|method| method == "client_secret_basic") => {
                vec![form, basic]
            }
            _ => vec![basic, form],
        }
    }

    /// RFC 8707, section 2: the resource is named in the token request too.
    pub(crate) fn add_resource<'f>(&'f self, form: &mut BTreeMap<&'f str, &'f str>) {
        if let Some(resource) = self.options.extra_parameters.get("resource") {
            form.insert("resource", resource);
        }
    }

    /// The keys that were fetched during the sign-in, or fresh ones.
    async fn keys(&self) -> Result<JwkSet, Error> {
        let on_their_way = self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match on_their_way {
            Some(task) => match task.await {
                Ok(keys) => keys,
                Err(_) => fetch_keys(&self.http, self.metadata.jwks_uri()?).await,
            },
            None => fetch_keys(&self.http, self.metadata.jwks_uri()?).await,
        }
    }
}

impl Drop for RelyingParty<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            task.abort();
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
        }

        let body: Body = answer.json(what, url)?;
        let secret = |text: Option<String>| text.map(Secret::from).filter(|secret| !secret.is_empty());
        Ok(Self {
            id_token: secret(body.id_token),
            access_token: secret(body.access_token),
            refresh_token: secret(body.refresh_token),
            // Some providers write the number as text.
            expires_in: body.expires_in.and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok())),
            scope: body.scope.filter(|scope| !scope.is_empty()),
        })
    }
}

async fn fetch_keys(http: &Http, url: &str) -> Result<JwkSet, Error> {
    let answer = http.get(KEYS, url).await?;
    if !answer.status.is_success() {
        return Err(answer.unexpected(KEYS, url));
    }
    JwkSet::parse(&answer.body).map_err(|error| Error::Answer {
        what: KEYS,
        url: url.to_owned(),
        problem: format!("with something else ({error})"),
    })
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
