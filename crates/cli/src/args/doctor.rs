//! `kubesso doctor …`: what can be asked.

use clap::{Args, Subcommand, ValueEnum};
use kubesso_doctor::Target;

use super::{DataDir, Output};

pub(super) const HELP: &str = "\
Examples:
  kubesso doctor explain 'error: You must be logged in to the server (Unauthorized)'
  kubectl auth whoami 2>&1 | kubesso doctor explain -
  kubectl -n kube-system logs -l component=kube-apiserver --tail=5000 | kubesso doctor explain - --target kubeadm
  kubesso doctor explain KS017
  kubesso doctor --data-dir /var/lib/kubesso

Exit code of doctor alone: 0 if there is nothing to say, 1 if there is.";

const EXPLAIN_HELP: &str = "\
Examples:
  kubesso doctor explain 'oidc: parse username claims \"email\": claim not present' --target k3s
  journalctl -u k3s | kubesso doctor explain -
  kubesso doctor explain KS009

Exit code: 0 if something is recognised, 1 if not.";

/// `kubesso doctor`.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    pub command: Option<DoctorCommand>,
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub output: Output,
}

/// The doctor's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum DoctorCommand {
    /// List the known failures with what is seen of them.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Say what a text means (an error, what somebody sent, a log of the API server of any length), or all about a check.
    ///
    /// Tokens, codes, passwords and keys in the text are redacted before anything looks at them.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
}

/// `kubesso doctor explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// A text, a check (KS001 …), or - for standard input [default: standard input, if it is no terminal].
    pub text: Vec<String>,
    /// The kind of cluster: lines to change are given as it has them.
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub target: ClusterKind,
    #[command(flatten)]
    pub output: Output,
}

/// `--target`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClusterKind {
    /// kube-apiserver's flags as they are.
    #[default]
    Flags,
    /// kubeadm.
    Kubeadm,
    /// kind.
    Kind,
    /// minikube.
    Minikube,
    /// k3s.
    K3s,
    /// k3d.
    K3d,
    /// RKE2.
    Rke2,
    /// k0s.
    K0s,
    /// MicroK8s.
    #[value(name = "microk8s")]
    MicroK8s,
    /// Talos.
    Talos,
    /// kOps.
    Kops,
    /// Kubespray.
    Kubespray,
    /// Amazon EKS.
    Eks,
}

impl From<ClusterKind> for Target {
    fn from(kind: ClusterKind) -> Self {
        match kind {
            ClusterKind::Flags => Self::Flags,
            ClusterKind::Kubeadm => Self::Kubeadm,
            ClusterKind::Kind => Self::Kind,
            ClusterKind::Minikube => Self::Minikube,
            ClusterKind::K3s => Self::K3s,
            ClusterKind::K3d => Self::K3d,
            ClusterKind::Rke2 => Self::Rke2,
            ClusterKind::K0s => Self::K0s,
            ClusterKind::MicroK8s => Self::MicroK8s,
            ClusterKind::Talos => Self::Talos,
            ClusterKind::Kops => Self::Kops,
            ClusterKind::Kubespray => Self::Kubespray,
            ClusterKind::Eks => Self::Eks,
        }
    }
}
