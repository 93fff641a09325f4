//! What a live cluster answered: each hop for itself.

use jiff::Timestamp;
use kubesso_https::Shown;
use kubesso_k8s_types::UserInfo;

use super::{ControlPlane, EchoEvidence};

/// What was asked of a cluster, and what came.
#[derive(Clone, Debug, Default)]
pub struct LiveEvidence {
    /// The kubeconfig's server first, then the API servers' own addresses.
    pub hops: Vec<Hop>,
    /// By which way they are reached, if the kubeconfig names a proxy or another name of the server.
    pub route: Option<String>,
    /// The subjects of the authorities that the kubeconfig trusts.
    pub trusted_subjects: Vec<String>,
    /// The API servers' pods, where they may be read.
    pub control_plane: Option<ControlPlane>,
    /// Where the API server's settings were looked for, in order.
    pub looked: Vec<Looked>,
    /// What the person may do, as the API server says it; where bindings could not be read.
    pub rules: Vec<String>,
    /// Who the context's own credential is, where no token was given.
    pub caller: Option<UserInfo>,
    /// What became of an echo, if one was wished for.
    pub echo: Option<EchoEvidence>,
}

/// A place where settings were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The place.
    pub place: String,
    /// What came of it.
    pub outcome: String,
    /// Whether the settings were there.
    pub found: bool,
}

/// One address that answers for the cluster.
#[derive(Clone, Debug)]
pub struct Hop {
    /// `https://host:port`
    pub url: String,
    /// Which.
    pub kind: HopKind,
    /// Whether there is a connection that the kubeconfig's authorities trust; or why not.
    pub reached: Result<(), String>,
    /// The certificate, where it is not trusted.
    pub shown: Option<Shown>,
    /// The version of Kubernetes, as it says it.
    pub version: Option<String>,
    /// Its clock, and ours at the same moment.
    pub clock: Option<(Timestamp, Timestamp)>,
    /// Who the person's token is, asked several times, each on a connection of its own.
    pub person: Vec<Said>,
    /// What it says of its configuration file.
    pub config: Option<LoadedConfig>,
    /// When its process began, by itself.
    pub began: Option<Timestamp>,
    /// What became of a connection that was to be upgraded.
    pub websocket: Option<Upgrade>,
}

/// Which hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopKind {
    /// The server that the kubeconfig names.
    Kubeconfig,
    /// An API server itself.
    Endpoint,
}

/// What a hop says of the person's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// This is who it is.
    User(Box<UserInfo>),
    /// 401.
    Refused,
    /// Something else.
    Other(String),
}

impl Said {
    /// In a few words.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::User(user) if user.groups.is_empty() => user.username.clone(),
            Self::User(user) => format!("{} ({})", user.username, user.groups.join(", ")),
            Self::Refused => "401 Unauthorized".to_owned(),
            Self::Other(what) => what.clone(),
        }
    }
}

/// The metrics `apiserver_authentication_config_controller_…`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadedConfig {
    /// Which API server, hashed.
    pub api_server: Option<String>,
    /// `sha256:…` of the file that is in force.
    pub hash: Option<String>,
    /// How often a changed file was refused.
    pub failures: u64,
    /// When a file was refused last, in seconds.
    pub last_failure: Option<f64>,
    /// When a file was taken last, in seconds.
    pub last_success: Option<f64>,
}

impl LoadedConfig {
    /// Whether the file that was read last was refused.
    pub fn is_refusing(&self) -> bool {
        self.failures > 0
            && self
                .last_failure
                .is_none_or(|failure| self.last_success.is_none_or(|success| failure > success))
    }
}

/// What became of a connection that was to be upgraded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// 101: it was.
    Upgraded,
    /// The API server, or whatever is there, answers as if nobody had asked for it.
    NotUpgraded(u16),
    /// The caller may not ask.
    NotAllowed,
    /// It broke.
    Broken(String),
}
