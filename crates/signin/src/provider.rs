//! What a provider says about itself (OpenID Connect Discovery 1.0, RFC 8414).

mod documents;

use std::path::Path;

use serde::Deserialize;
use url::Url;

use kubesso_token::Algorithm;
use kubesso_token_cache::{IssuerUrl, Options, is_loopback};

pub(crate) use self::documents::Documents;
use crate::environment::Environment;
use crate::error::Error;
use crate::http::Http;

/// The discovery document, as far as a sign-in needs it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ProviderMetadata {
    pub(crate) issuer: String,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint: Option<String>,
    #[serde(default)]
    jwks_uri: Option<String>,
    #[serde(default)]
    device_authorization_endpoint: Option<String>,
    /// RFC 7009.
    #[serde(default)]
    revocation_endpoint: Option<String>,
    /// OpenID Connect RP-Initiated Logout 1.0.
    #[serde(default)]
    end_session_endpoint: Option<String>,
    /// None when the provider does not say.
    #[serde(default)]
    pub(crate) scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    pub(crate) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// RFC 9207, section 3.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// A provider that is known: what it says about itself, and how it is reached.
pub(crate) struct Provider {
    pub(crate) http: Http,
    pub(crate) documents: Documents,
    pub(crate) metadata: ProviderMetadata,
}

impl Provider {
    /// Takes what was kept of the provider in `directory`, or asks it.
    pub(crate) async fn find(
        options: &Options,
        environment: &Environment,
        directory: Option<&Path>,
    ) -> Result<Self, Error> {
        let http = Http::new(options, environment)?;
        let documents = Documents::open(options, environment, http.clone(), directory);
        let metadata = match documents.kept_metadata() {
            Some(metadata) => metadata,
            None => documents.discover().await?,
        };
        Ok(Self { http, documents, metadata })
    }
}

impl ProviderMetadata {
    /// Reads the document and checks that it is the issuer's own.
    fn parse(document: &str, issuer: &IssuerUrl) -> Result<Self, Error> {
        let metadata: Self = serde_json::from_str(document).map_err(|error| Error::Answer {
            what: "discovery of the provider",
            url: issuer.discovery_url(),
            problem: format!(
                "with a document that is not as the protocol asks (line {}, column {})",
                error.line(),
                error.column()
            ),
        })?;
        if metadata.issuer != issuer.as_str() {
            return Err(Error::IssuerMismatch {
                expected: issuer.to_string(),
                found: kubesso_token_cache::values::printable(&metadata.issuer),
            });
        }
        metadata.refuse_downgrade(issuer)?;
        Ok(metadata)
    }

    pub(crate) fn authorization_endpoint(&self) -> Result<Url, Error> {
        let text = named(self.authorization_endpoint.as_deref(), "authorization_endpoint")?;
        Url::parse(text).map_err(|e| {
            Error::Unsupported(format!("gives an authorization_endpoint that is not a URL ({e})"))
        })
    }

    pub(crate) fn token_endpoint(&self) -> Result<&str, Error> {
        named(self.token_endpoint.as_deref(), "token_endpoint")
    }

    pub(crate) fn jwks_uri(&self) -> Result<&str, Error> {
        named(self.jwks_uri.as_deref(), "jwks_uri")
    }

    pub(crate) fn device_authorization_endpoint(&self) -> Result<&str, Error> {
        self.device_authorization_endpoint.as_deref().ok_or_else(|| {
            Error::Unsupported(
                "has no device flow (no device_authorization_endpoint); use --grant-type=authcode-keyboard"
                    .to_owned(),
            )
        })
    }

    /// Where tokens are given back, if the provider takes them.
    pub(crate) fn revocation_endpoint(&self) -> Option<&str> {
        self.revocation_endpoint.as_deref()
    }

    /// Where the browser ends the provider's session, if that is possible.
    pub(crate) fn end_session_endpoint(&self) -> Option<Url> {
        Url::parse(self.end_session_endpoint.as_deref()?).ok()
    }

    pub(crate) fn offers_s256(&self) -> bool {
        self.code_challenge_methods_supported.iter().any(|method| method == "S256")
    }

    /// The signature algorithms to accept: what the provider lists and we can check; RS256 when it lists nothing.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let listed = &self.id_token_signing_alg_values_supported;
        if listed.is_empty() {
            return vec![Algorithm::Rs256];
        }
        listed.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// An `https` issuer that sends codes and tokens over plain `http` has lost them.
    fn refuse_downgrade(&self, issuer: &IssuerUrl) -> Result<(), Error> {
        if !issuer.as_str().starts_with("https:") {
            return Ok(());
        }
        let endpoints = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("jwks_uri", &self.jwks_uri),
            ("device_authorization_endpoint", &self.device_authorization_endpoint),
            ("revocation_endpoint", &self.revocation_endpoint),
            ("end_session_endpoint", &self.end_session_endpoint),
        ];
        for (name, endpoint) in endpoints {
            let exposed = |url: &Url| url.scheme() != "https" && !is_loopback(url);
            if endpoint.as_deref().and_then(|text| Url::parse(text).ok()).is_some_and(|url| exposed(&url)) {
                return Err(Error::Unsupported(format!(
                    "is https, but its {name} is not; have its public URL configured as https"
                )));
            }
        }
        Ok(())
    }
}

fn named<'a>(endpoint: Option<&'a str>, name: &str) -> Result<&'a str, Error> {
    endpoint.ok_or_else(|| {
        Error::Unsupported(format!("names no {name} in its discovery document; check the issuer URL"))
    })
}
