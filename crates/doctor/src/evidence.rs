//! What is known, for the checks to judge. Whatever is missing is `None`; a check that needs it says so.

mod access;
mod control_plane;
mod echo;
mod flags_file;
mod issuer;
mod kubeconfig;
mod live;
mod question;
mod rbac;
mod refresh;
mod resources;
mod settings;
mod token;

use jiff::Timestamp;
use kubesso_clusters::Target;
use kubesso_k8s_types::UserInfo;

pub use access::{AccessEvidence, Person, PersonFrom, ServerAnswer};
pub use control_plane::{ControlPlane, HostEvidence};
pub use echo::{AnswerHead, Answered, Broken, Echo, EchoEvidence, EchoTarget, HopEcho, NoEchoTarget, Step};
pub use flags_file::FlagsError;
pub use issuer::{Answer, Authorization, IssuerEvidence};
pub use kubeconfig::{Credential, KubeconfigEvidence, PluginCall};
pub use live::{Hop, HopKind, LiveEvidence, LoadedConfig, Looked, Said, Upgrade};
pub use question::{NoQuestion, Question};
pub use rbac::{RbacEvidence, RbacFileError};
pub use refresh::RefreshEvidence;
pub use settings::{AuthenticationFile, Mapping, Pod, Settings, Trusted};
pub use token::{Shape, TokenEvidence};

pub(crate) use token::texts;

/// All that somebody gave, and what was asked of the issuer with it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The time.
    pub now: Timestamp,
    /// The token that is sent.
    pub token: Option<TokenEvidence>,
    /// The issuer that somebody named.
    pub named_issuer: Option<String>,
    /// The audience that somebody named.
    pub named_audience: Option<String>,
    /// The authorities that somebody gave for the issuer.
    pub ca_pem: Option<String>,
    /// The authorities that the kubeconfig's plugin believes.
    pub plugin_ca_pem: Option<String>,
    /// The API server's settings.
    pub settings: Option<Settings>,
    /// A context of a kubeconfig.
    pub kubeconfig: Option<KubeconfigEvidence>,
    /// Roles and bindings.
    pub rbac: Option<RbacEvidence>,
    /// What the issuer answered.
    pub issuer: Option<IssuerEvidence>,
    /// What the API server would say of the token, by its own rules: the user, or its sentence. None if the settings, the
    /// token or the issuer's answers are not there.
    pub decision: Option<Result<UserInfo, String>>,
    /// How the provider took an authorization request on trial.
    pub authorization: Option<Authorization>,
    /// What the cluster answered.
    pub live: Option<LiveEvidence>,
    /// What became of a refresh.
    pub refresh: Option<RefreshEvidence>,
    /// The files of a machine of the control plane.
    pub host: Option<HostEvidence>,
    /// Questions about rights.
    pub access: Vec<AccessEvidence>,
    /// Whom they are about, if somebody named them.
    pub named_person: Option<Person>,
    /// The kind of cluster that somebody named.
    pub target: Option<Target>,
}

impl Evidence {
    /// Nothing but the time.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            token: None,
            named_issuer: None,
            named_audience: None,
            ca_pem: None,
            plugin_ca_pem: None,
            settings: None,
            kubeconfig: None,
            rbac: None,
            issuer: None,
            decision: None,
            authorization: None,
            live: None,
            refresh: None,
            host: None,
            access: Vec::new(),
            named_person: None,
            target: None,
        }
    }

    /// The token: the one that was given, or the one that stands in the kubeconfig.
    pub fn token(&self) -> Option<&TokenEvidence> {
        self.token.as_ref().or_else(|| self.kubeconfig.as_ref()?.token.as_ref())
    }

    /// The plugin's call in the kubeconfig.
    pub fn plugin(&self) -> Option<&PluginCall> {
        self.kubeconfig.as_ref()?.plugin.as_ref()
    }

    /// The issuers that the API server trusts: by its settings, or as somebody named them.
    pub fn trusted(&self) -> Vec<Trusted> {
        let by_settings = self.settings.as_ref().map(Settings::trusted).unwrap_or_default();
        if !by_settings.is_empty() {
            return by_settings;
        }
        let named = self.named_issuer.clone().map(|url| Trusted {
            url,
            discovery_url: None,
            audiences: self.named_audience.clone().into_iter().collect(),
            ca_pem: self.ca_pem.clone(),
            algorithms: None,
            username: Mapping::Unknown,
            groups: Mapping::Unknown,
            required: Vec::new(),
            has_rules: false,
        });
        named.into_iter().collect()
    }

    /// The issuer that the token is for, if the API server trusts it; or the only one.
    pub fn trusted_for_token(&self) -> Option<Trusted> {
        let trusted = self.trusted();
        let issuer = self.token().and_then(|token| token.text("iss"));
        match (issuer, trusted.as_slice()) {
            (Some(issuer), all) if all.iter().any(|it| it.url == issuer) => {
                trusted.into_iter().find(|it| it.url == issuer)
            }
            (_, [_]) => trusted.into_iter().next(),
            _ => None,
        }
    }

    /// Whether the API server has a file of authorities whose content nobody gave.
    pub(crate) fn lacks_ca_file(&self) -> bool {
        let lacks =
            |it: &Settings| it.lacks_authorities && it.ca_pem.is_none() || it.flag("oidc-ca-file").is_some();
        self.ca_pem.is_none() && self.settings.as_ref().is_some_and(lacks)
    }

    /// The issuer to ask: the one that was named, the token's if it is trusted, the settings', the plugin's.
    ///
    /// A token alone does not make anybody ask the address in it.
    pub fn issuer_to_ask(&self) -> Option<(String, Option<String>, Option<String>)> {
        let trusted = self.trusted_for_token().or_else(|| self.trusted().into_iter().next());
        // What the plugin believes says nothing of the API server, unless that has authorities of its own that nobody gave.
        let stands_in = self.settings.is_none() || self.lacks_ca_file();
        let plugin = self.plugin_ca_pem.as_ref().filter(|_| stands_in);
        let ca = |own: Option<String>| self.ca_pem.clone().or(own).or_else(|| plugin.cloned());
        if let Some(url) = &self.named_issuer {
            let discovery =
                trusted.as_ref().filter(|it| it.url == *url).and_then(|it| it.discovery_url.clone());
            return Some((url.clone(), discovery, ca(trusted.and_then(|it| it.ca_pem))));
        }
        if let Some(trusted) = trusted {
            return Some((trusted.url, trusted.discovery_url, ca(trusted.ca_pem)));
        }
        self.plugin()?.issuer.clone().map(|url| (url, None, ca(None)))
    }

    /// The name and groups that the API server makes of the token: by its own decision, or, where nobody could ask the
    /// issuer, by the mappings alone.
    pub fn identity(&self) -> Option<UserInfo> {
        match &self.decision {
            Some(Ok(user)) => return Some(user.clone()),
            Some(Err(_)) => return None,
            None => {}
        }
        let (token, trusted) = (self.token()?, self.trusted_for_token()?);
        if token.text("iss") != Some(&trusted.url) {
            return None;
        }
        let Mapping::Claim { claim, prefix } = &trusted.username else { return None };
        let username = format!("{prefix}{}", token.text(claim)?);
        let groups = match &trusted.groups {
            Mapping::Claim { claim, prefix } => {
                let values = token.claim(claim).map(texts).unwrap_or_default();
                values.into_iter().map(|group| format!("{prefix}{group}")).collect()
            }
            _ => Vec::new(),
        };
        Some(UserInfo { username, groups, ..UserInfo::default() })
    }
}
