//! `access.yaml` as people write it, and the checks that need nothing but the file.

use kubesso_clusters::{AnonymousEntry, IssuerEntry};
use serde::Deserialize;
use url::Url;

use crate::marker::ChainName;

mod cluster_side;
mod provider_side;

pub use cluster_side::{ApplySection, ClusterSection, GrantSection, KubeconfigSection, RuleOfRole};
pub use provider_side::{
    ApplicationSection, ClaimSection, GroupFilterSection, GroupSection, PolicySection, RuleSection,
    ScopeSection, ServerSection, Token,
};

/// The whole file. A section that is left out is left alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessFile {
    /// Marks what is made: two files in one organization need two names.
    #[serde(default)]
    name: Option<String>,
    /// Where the provider's management API is.
    #[serde(default)]
    pub provider: Option<ProviderSection>,
    /// People's groups.
    #[serde(default)]
    pub groups: Vec<GroupSection>,
    /// The OAuth client of kubectl.
    #[serde(default)]
    pub application: Option<ApplicationSection>,
    /// The issuer.
    #[serde(default)]
    pub authorization_server: Option<ServerSection>,
    /// Whom the clusters trust; left out: the authorization server and the application.
    #[serde(default)]
    pub issuers: Option<Vec<IssuerEntry>>,
    /// Requests without credentials.
    #[serde(default)]
    pub anonymous: Option<AnonymousEntry>,
    /// What groups may do.
    #[serde(default)]
    pub grants: Vec<GrantSection>,
    /// Where.
    #[serde(default)]
    pub clusters: Vec<ClusterSection>,
    /// The user that signs in.
    #[serde(default)]
    pub kubeconfig: Option<KubeconfigSection>,
}

/// `provider:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderSection {
    /// The base URL of kubesso, or the URL of the Okta org.
    pub url: Url,
    /// The authorities of its TLS certificate, if they are not the machine's.
    #[serde(default)]
    pub certificate_authority_file: Option<String>,
    /// An API token.
    #[serde(default)]
    pub api_token_file: Option<String>,
    /// A service application, which proves itself by `privateKeyFile`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its key: PEM or JWK.
    #[serde(default)]
    pub private_key_file: Option<String>,
    /// What the key is called there.
    #[serde(default)]
    pub key_id: Option<String>,
}

/// Why a file is no good, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct FileError {
    /// `groups[0].name`
    pub at: String,
    /// What is wrong there, and what to do.
    pub what: String,
}

impl FileError {
    pub(crate) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

impl AccessFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let file: Self = serde_saphyr::from_str(text).map_err(|error| {
            // `error: line 5 column 32: unknown field …`
            let said = error.to_string();
            let line = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let (at, what) = line.split_once(": ").unwrap_or(("the file", line));
            FileError::new(at, what)
        })?;
        file.chain()?;
        file.check_provider()?;
        file.check_provider_side()?;
        file.check_cluster_side()?;
        Ok(file)
    }

    /// The name by which its things are marked.
    ///
    /// # Errors
    /// It cannot be one.
    pub fn chain(&self) -> Result<ChainName, FileError> {
        let name = self.name.as_deref().map(ChainName::parse).transpose();
        Ok(name.map_err(|what| FileError::new("name", what))?.unwrap_or_default())
    }

    /// Whether it says something about the provider.
    pub fn has_provider_side(&self) -> bool {
        !self.groups.is_empty() || self.application.is_some() || self.authorization_server.is_some()
    }

    fn check_provider(&self) -> Result<(), FileError> {
        let Some(provider) = &self.provider else {
            return if self.has_provider_side() {
                Err(FileError::new(
                    "provider",
                    "say where groups and application are: provider: {url: https://…}",
                ))
            } else {
                Ok(())
            };
        };
        let url = &provider.url;
        if url.scheme() != "https" || url.host_str().is_none() {
            return Err(FileError::new("provider.url", format!("`{url}` must begin with https://")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FileError::new("provider.url", "leave user and password out"));
        }
        if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
            return Err(FileError::new(
                "provider.url",
                "give the address alone: https://host, without a path",
            ));
        }
        match (&provider.client_id, &provider.private_key_file, &provider.api_token_file) {
            (Some(_), None, _) => Err(FileError::new(
                "provider.privateKeyFile",
                "`clientId` needs the key by which it proves itself",
            )),
            (None, Some(_), _) => {
                Err(FileError::new("provider.clientId", "say whose key `privateKeyFile` is"))
            }
            (Some(_), Some(_), Some(_)) => Err(FileError::new(
                "provider.apiTokenFile",
                "give either an API token or a service application",
            )),
            _ => Ok(()),
        }
    }
}
