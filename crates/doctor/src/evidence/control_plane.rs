//! The machines of the control plane: what their API servers run with, and what that is written from.

use jiff::Timestamp;
use kubesso_clusters::{Arguments, Found, KubeadmKept, RunningServer, Target};

use super::{Settings, settings::AuthenticationFile};

/// The API servers' pods, as a live cluster shows them.
#[derive(Clone, Debug, Default)]
pub struct ControlPlane {
    /// By node.
    pub servers: Vec<RunningServer>,
    /// What kubeadm keeps for the next upgrade.
    pub kubeadm: Option<KubeadmKept>,
    /// What RKE2 says of itself at its nodes: the node, and the API server's arguments of its configuration.
    pub rke2: Vec<(String, Arguments)>,
}

/// A machine of the control plane whose files are at hand.
#[derive(Clone, Debug, Default)]
pub struct HostEvidence {
    /// What it runs.
    pub target: Option<Target>,
    /// What its distribution's files say.
    pub found: Option<Found>,
    /// What its API server was started with, by its log.
    pub running: Option<Arguments>,
    /// When the file that says them was last written.
    pub written: Option<Timestamp>,
    /// The files that the kubelet takes for the API server's pod.
    pub manifests: Vec<(String, Arguments)>,
}

impl HostEvidence {
    /// The settings that these files come to; what runs counts before what is written.
    pub fn settings(&self) -> Option<Settings> {
        let found = self.found.as_ref()?;
        let arguments = self.running.as_ref().unwrap_or(&found.arguments);
        let flags = arguments.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let text = found.file.as_ref().and_then(|file| file.content.clone().ok());
        let is_configuration = arguments.value("authentication-config").is_some_and(|path| !path.is_empty());
        let (authentication, ca_pem) = if is_configuration { (text, None) } else { (None, text) };
        Some(Settings {
            target: self.target,
            flags,
            has_flags: true,
            authentication: authentication.map(|text| AuthenticationFile { text, is_answer: false }),
            ca_pem,
            ..Settings::default()
        })
    }
}
