//! What an API server is told about whose tokens it takes, as far as that can be read.

mod configuration;
mod manifest;
mod places;

use kubesso_k8s_types::authentication_configuration::{
    AuthenticationConfiguration, ClaimMappings, ClaimValidationRule, Issuer, JwtAuthenticator,
    PrefixedClaimOrExpression,
};

use crate::arguments::Arguments;
use crate::kubernetes_version::KubernetesVersion;
use crate::lint::{Lint, Subject};
use crate::target::Target;
pub use configuration::{Configuration, Unfinished, UnknownConfiguration};
pub(crate) use manifest::{Manifest, OnHost};
pub use places::{MANIFEST, detect, look};
pub(crate) use places::{rancher_arguments, rancher_files};

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where the arguments were read.
    pub source: String,
    /// The arguments.
    pub arguments: Arguments,
    /// The file of `--authentication-config`, or of `--oidc-ca-file`; none if neither is given.
    pub file: Option<FoundFile>,
    /// What is worth a word before anything is compared.
    pub notes: Vec<String>,
}

/// A file that an argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path, as the API server sees it.
    pub path: String,
    /// Its text; or why it is not known.
    pub content: Result<String, Unread>,
}

/// Why the text of a file is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is on a machine that is not at hand.
    #[error("it is on the node, and cannot be read from here")]
    OutOfReach,
    /// Something is wrong with it.
    #[error("{0}")]
    Because(String),
}

/// What is there cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// Nothing is there.
    #[error("{path} is not there")]
    Missing {
        /// The file that must be there.
        path: String,
    },
    /// Something is there that says something else.
    #[error("{path}: {what}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// It is kept by something that is no file of a machine.
    #[error("what {target} is told is in no file of a machine")]
    NoFiles {
        /// The target.
        target: Target,
    },
}

/// Whose tokens are taken, in whichever way that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trusting {
    /// As an `AuthenticationConfiguration` says it.
    pub(crate) configuration: AuthenticationConfiguration,
    /// By flags: the signatures that are taken.
    pub(crate) signing_algorithms: Option<String>,
}

impl Found {
    /// The text of the AuthenticationConfiguration, if there is one and it can be read.
    pub fn configuration(&self) -> Option<&str> {
        self.arguments.filled("authentication-config")?;
        self.file.as_ref()?.content.as_deref().ok()
    }

    /// What a running pod was started with. `file` is what the ConfigMap says that
    /// [`config_map_of_pod`] names; without one the file is on the node, and not to be read from here.
    ///
    /// # Errors
    /// The pod runs no kube-apiserver.
    pub fn of_running_pod(
        pod: serde_json::Value,
        source: &str,
        file: Option<String>,
    ) -> Result<Self, String> {
        let manifest = Manifest::of_pod(pod)?;
        let arguments = manifest.arguments();
        let content = file.ok_or(Unread::OutOfReach);
        let file = places::named_file(&arguments).map(|path| FoundFile { path, content });
        Ok(Self { source: source.to_owned(), arguments, file, notes: Vec::new() })
    }

    /// What a process was started with.
    pub fn of_running(arguments: Arguments, source: &str) -> Self {
        let content = Err(Unread::OutOfReach);
        let file = places::named_file(&arguments).map(|path| FoundFile { path, content });
        Self { source: source.to_owned(), arguments, file, notes: Vec::new() }
    }

    /// What an API server of that version would refuse of it, and what would not do what is meant. Arguments that the
    /// distribution adds by itself are known by `target`.
    pub fn lint(&self, target: Option<Target>, version: KubernetesVersion) -> Lint {
        let flags: Vec<_> =
            self.arguments.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let text = self.file.as_ref().and_then(|file| file.content.as_deref().ok());
        let is_configuration = self.arguments.filled("authentication-config").is_some();
        Lint::of(&Subject {
            flags: Some(&flags),
            file: text.filter(|_| is_configuration),
            ca_file: text.filter(|_| !is_configuration),
            target,
            kubernetes: Some(version),
            ..Subject::default()
        })
    }

    /// Whether the file that counts is on a machine that is not at hand.
    pub fn is_out_of_reach(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.content == Err(Unread::OutOfReach))
    }

    /// Whose tokens are taken; or why that is not known.
    pub(crate) fn trusting(&self) -> Result<Trusting, String> {
        let content = self.file.as_ref().map(|file| (&file.path, &file.content));
        if self.arguments.filled("authentication-config").is_some() {
            let (path, content) = content.ok_or("it is not known what the file says")?;
            let text = content.as_ref().map_err(|what| format!("{path}: {what}"))?;
            let read = serde_saphyr::from_str(text).map_err(|error| {
                let error = error.to_string();
                format!("{path}: {}", error.lines().next().unwrap_or_default())
            })?;
            return Ok(Trusting { configuration: read, signing_algorithms: None });
        }
        let authority = match content {
            Some((path, Err(what))) => return Err(format!("{path}: {what}")),
            Some((_, Ok(pem))) => Some(pem.as_str()),
            None => None,
        };
        Ok(by_flags(&self.arguments, authority))
    }
}

/// The ConfigMap and the key in it that a running pod has its file from.
pub fn config_map_of_pod(pod: &serde_json::Value) -> Option<(String, String)> {
    let manifest = Manifest::of_pod(pod.clone()).ok()?;
    manifest.config_map_of(&places::named_file(&manifest.arguments())?)
}

/// What flags come to, with kube-apiserver's defaults
/// (`pkg/kubeapiserver/options/authentication.go`, `ToAuthenticationConfig`).
pub(crate) fn by_flags(arguments: &Arguments, authority: Option<&str>) -> Trusting {
    let Some(url) = arguments.filled("oidc-issuer-url") else { return Trusting::default() };
    let claim = arguments.filled("oidc-username-claim").unwrap_or("sub");
    let prefix = match arguments.value("oidc-username-prefix").unwrap_or_default() {
        "" if claim != "email" => format!("{url}#"),
        "-" => String::new(),
        prefix => prefix.to_owned(),
    };
    let mapping = |claim: &str, prefix: String| PrefixedClaimOrExpression {
        claim: claim.to_owned(),
        prefix: Some(prefix),
        expression: String::new(),
    };
    let groups = arguments
        .filled("oidc-groups-claim")
        .map(|claim| mapping(claim, arguments.value("oidc-groups-prefix").unwrap_or_default().to_owned()));
    let pairs = arguments.values("oidc-required-claim").flat_map(|value| value.split(','));
    let required = pairs.filter_map(|pair| pair.split_once('=')).map(|(claim, value)| ClaimValidationRule {
        claim: claim.to_owned(),
        required_value: value.to_owned(),
        ..ClaimValidationRule::default()
    });
    let authenticator = JwtAuthenticator {
        issuer: Issuer {
            url: url.to_owned(),
            certificate_authority: authority.unwrap_or_default().to_owned(),
            audiences: arguments.filled("oidc-client-id").map(str::to_owned).into_iter().collect(),
            ..Issuer::default()
        },
        claim_validation_rules: required.collect(),
        claim_mappings: ClaimMappings {
            username: mapping(claim, prefix),
            groups: groups.unwrap_or_default(),
            ..ClaimMappings::default()
        },
        user_validation_rules: Vec::new(),
    };
    Trusting {
        configuration: AuthenticationConfiguration {
            jwt: vec![authenticator],
            ..AuthenticationConfiguration::default()
        },
        signing_algorithms: Some(arguments.filled("oidc-signing-algs").unwrap_or("RS256").to_owned()),
    }
}
