//! `kubesso cluster …`: what can be asked.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use kubesso_clusters::{Form, KubernetesVersion, Target};
use url::Url;

use super::{DataDir, Output};

const CONFIG_HELP: &str = "\
Examples:
  kubesso cluster config --for k3s --issuer https://sso.example.com/oauth2/aus1 --client-id 0oa1b2c3
  kubesso cluster config --for kubeadm -f access.yaml --kubernetes-version 1.34 --out ./kubeadm
  kubesso cluster config --for kind --application 'k8s OIDC'     # of the kubesso on this machine
  kubesso cluster config --for eks -f access.yaml -o json | jq -r '.files[0].content'

  # access.yaml
  issuers:
  - url: https://sso.example.com/oauth2/aus1
    audiences: [0oa1b2c3]
    certificateAuthorityFile: ca.crt        # if it is not one of the machine's
    username: {claim: email, prefix: \"\"}
    groups: {claim: groups, prefix: \"oidc:\"}

Exit code: 0 if it can be done, 1 if the target cannot do it (all reasons are said), 2 if it was asked wrongly.";

const GRANT_HELP: &str = "\
Examples:
  kubesso cluster grant --group k8s-admins --role cluster-admin | kubectl apply -f -
  kubesso cluster grant --group k8s-restricted-users --role pod-reader --namespace default
  kubesso cluster grant --group oidc:developers --role edit --namespace shop --apply --context prod

Exit code: 0 if it is printed, or the group has it; 1 if it was not done; 2 if it was asked wrongly.";

const CHECK_HELP: &str = "\
Examples:
  kubesso cluster check --for k3s -f access.yaml                  the files of this machine, and its API server
  kubesso cluster check --root /mnt/node -f access.yaml           the files of a machine that is mounted there
  kubesso cluster check --context prod --application 'k8s OIDC'   a live cluster
  kubesso cluster check --for kubeadm --endpoint https://10.0.0.1:6443 --endpoint https://10.0.0.2:6443

Exit code: 0 if all is as described and loaded, 1 if something is not, 2 if it was asked wrongly.";

const APPLY_HELP: &str = "\
Examples:
  kubesso cluster apply --for k3s --application 'k8s OIDC' --dry-run
  kubesso cluster apply --for static-pod -f access.yaml --test-token-file token.jwt
  kubesso cluster apply --for eks --cluster prod -f access.yaml
  kubectl oidc-login get-token … | jq -r .status.token | kubesso cluster apply --for kubeadm -f access.yaml --yes --test-token-file -

Exit code: 0 if it is done, or was done before; 1 if it was not done or taken back; 2 if it was asked wrongly.";

const ROLLBACK_HELP: &str = "\
Examples:
  kubesso cluster rollback --for k3s
  kubesso cluster rollback --for static-pod --manifest /etc/kubernetes/manifests/kube-apiserver.yaml --dry-run

Exit code: 0 if the old settings are back and the API server is ready; 1 if not; 2 if it was asked wrongly.";

/// `kubesso cluster`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// Write the files and commands by which a cluster comes to trust an issuer, for its distribution and version.
    ///
    /// Nothing is changed. A target that cannot do what is described says so, with all reasons, before anything is done.
    #[command(after_help = CONFIG_HELP)]
    Config(Box<ClusterConfig>),
    /// Say what differs from a description, and whether the API servers have really loaded what is there.
    ///
    /// Reads files (--for, --root, --manifest), a live cluster (--kubeconfig, --context, --endpoint), or both.
    #[command(after_help = CHECK_HELP)]
    Check(Box<ClusterCheck>),
    /// Make a cluster trust an issuer: shows what it changes, asks, proves it, and takes it back if the proof fails.
    #[command(after_help = APPLY_HELP)]
    Apply(Box<ClusterApply>),
    /// Take the last change of `kubesso cluster apply` back, also one that was killed half way.
    #[command(after_help = ROLLBACK_HELP)]
    Rollback(Box<ClusterRollback>),
    /// Give a group a role: prints the RBAC objects, or applies them to a cluster.
    #[command(after_help = GRANT_HELP)]
    Grant(ClusterGrant),
    /// List the targets that are known.
    Targets {
        #[command(flatten)]
        output: Output,
    },
}

/// `kubesso cluster config`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("whom").required(true).args(["file", "issuer", "application"])))]
pub(crate) struct ClusterConfig {
    /// The kind of cluster.
    #[arg(long = "for", value_name = "TARGET", value_parser = PossibleValuesParser::new(Target::ALL.iter().map(|target| target.name())))]
    pub target: String,
    #[command(flatten)]
    pub whom: Whom,
    /// The cluster's Kubernetes version.
    #[arg(long, value_name = "VERSION", default_value_t = KubernetesVersion::ASSUMED)]
    pub kubernetes_version: KubernetesVersion,
    /// The distribution's own version, where what it takes depends on it (Talos, Cluster API).
    #[arg(long, value_name = "VERSION")]
    pub target_version: Option<KubernetesVersion>,
    /// By what the API server is told [default: config, where the version has it].
    #[arg(long, value_enum, value_name = "FORM")]
    pub form: Option<ConfigForm>,
    /// The cluster's name, for commands.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The namespace, resource group, project or organization that it is in, for commands.
    #[arg(long, value_name = "NAME")]
    pub scope: Option<String>,
    /// Write the files into this directory, which is made; a file that is there and says something else is left alone.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

/// Who may sign in.
#[derive(Args, Debug)]
pub(crate) struct Whom {
    /// Who may sign in, as a file (- reads standard input).
    #[arg(long, short = 'f', value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Who may sign in: the issuer's address, exactly as its discovery document says it.
    #[arg(long, value_name = "URL", requires = "client_id")]
    pub issuer: Option<String>,
    /// The client id that tokens are for; may be given several times.
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub client_id: Vec<String>,
    /// The issuer's certificate authority, if it is not one of the machine's.
    #[arg(long, value_name = "FILE", requires = "issuer")]
    pub ca: Option<PathBuf>,
    /// The claim that becomes the name.
    #[arg(long, value_name = "CLAIM", default_value = "email")]
    pub username_claim: String,
    /// What is put in front of names.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub username_prefix: String,
    /// The claim that becomes the groups; empty: no groups.
    #[arg(long, value_name = "CLAIM", default_value = "groups")]
    pub groups_claim: String,
    /// What is put in front of groups.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub groups_prefix: String,
    /// A claim that must have that value; may be given several times.
    #[arg(long, value_name = "CLAIM=VALUE")]
    pub required_claim: Vec<String>,
    /// Who may sign in: an application of the kubesso on this machine, by its name or client id.
    #[arg(long, value_name = "NAME")]
    pub application: Option<String>,
    /// Its authorization server's id or name [default: the only one that is active].
    #[arg(long, value_name = "ID", requires = "application")]
    pub server: Option<String>,
    /// What its issuer begins with [default: $KUBESSO_BASE_URL, else where `kubesso up` has its provider].
    #[arg(long, value_name = "URL", requires = "application")]
    pub base_url: Option<Url>,
    #[command(flatten)]
    pub data: DataDir,
}

impl Whom {
    /// Whether anybody is named.
    pub(crate) fn is_given(&self) -> bool {
        self.file.is_some() || self.issuer.is_some() || self.application.is_some()
    }
}

/// For which version of Kubernetes, and by what the API server is told.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The cluster's Kubernetes version [default: the API server's].
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// By what the API server is told [default: config, where the version has it].
    #[arg(long, value_enum, value_name = "FORM")]
    pub form: Option<ConfigForm>,
}

/// WhichCluster of several clusters of one kind, and which node of it.
#[derive(Args, Clone, Debug)]
pub(crate) struct WhichCluster {
    /// The cluster's name (EKS, AKS, kind, k3d, minikube's profile) [default of kind, k3d and minikube: the one that they make
    /// without a name].
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The resource group that it is in (AKS).
    #[arg(long, value_name = "NAME")]
    pub scope: Option<String>,
    /// The node, where several are of the control plane (kind, k3d).
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
}

/// WhichCluster API server, and how it is reached.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ApiServerArgs {
    /// The kubeconfig of an administrator [default: the one that the target keeps on its machine, else kubectl's].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Its context [default: the current one].
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// An API server to ask, with these credentials; may be given several times [default: all that the cluster names].
    #[arg(long, value_name = "URL")]
    pub endpoint: Vec<Url>,
}

/// `kubesso cluster check`.
#[derive(Args, Debug)]
pub(crate) struct ClusterCheck {
    /// Read the files of this kind of cluster on this machine [default with --root: the one that is found].
    #[arg(long = "for", value_name = "TARGET", value_parser = PossibleValuesParser::new(Target::ALL.iter().map(|target| target.name())))]
    pub target: Option<String>,
    /// The folder in which the machine's files are [default: /].
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Read this static pod's manifest; files that it mounts are below --root.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Read what the target's own tool keeps or prints: kOps' cluster, Talos' machine configuration, group variables of Kubespray, a
    /// KubeadmControlPlane, TenantControlPlane or Shoot, vCluster's values, OpenShift's Authentication, what EKS, AKS or GKE answers
    /// … (- reads standard input); given again for what it names: a ConfigMap, the AuthenticationConfiguration, authorities.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "manifest"])]
    pub configuration: Vec<PathBuf>,
    #[command(flatten)]
    pub which: WhichCluster,
    #[command(flatten)]
    pub server: ApiServerArgs,
    #[command(flatten)]
    pub whom: Whom,
    #[command(flatten)]
    pub told: Told,
    #[command(flatten)]
    pub output: Output,
}

/// `kubesso cluster apply`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("whom").required(true).args(["file", "issuer", "application"])))]
pub(crate) struct ClusterApply {
    #[command(flatten)]
    pub spot: Spot,
    #[command(flatten)]
    pub whom: Whom,
    #[command(flatten)]
    pub told: Told,
    /// Somebody's ID token, in a file (- reads standard input): the change stays only if the API server takes it.
    #[arg(long, value_name = "FILE")]
    pub test_token_file: Option<PathBuf>,
}

/// `kubesso cluster rollback`.
#[derive(Args, Debug)]
pub(crate) struct ClusterRollback {
    #[command(flatten)]
    pub spot: Spot,
    /// Put the old files back even if somebody has changed them since: those changes are lost.
    #[arg(long)]
    pub danger_discard_later_changes: bool,
}

/// What is changed, and how.
#[derive(Args, Debug)]
pub(crate) struct Spot {
    /// The kind of cluster.
    #[arg(long = "for", value_name = "TARGET", value_parser = PossibleValuesParser::new(Target::ALL.iter().map(|target| target.name())))]
    pub target: String,
    /// The folder in which the machine's files are.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// The static pod's manifest, on the machine [default: /etc/kubernetes/manifests/kube-apiserver.yaml].
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Where is kept what is needed to go back [default: /var/lib/kubesso/cluster on the machine; for containers and clouds
    /// in kubesso's data directory].
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    #[command(flatten)]
    pub server: ApiServerArgs,
    #[command(flatten)]
    pub which: WhichCluster,
    /// How long the API server may take until it is ready with the new settings; then they are taken back [default: 3m, of
    /// clouds 40m].
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<jiff::Span>,
    /// Change it without asking.
    #[arg(long)]
    pub yes: bool,
    /// Show what would be changed, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not look whether the API server comes back: if it does not, nothing is taken back.
    #[arg(long)]
    pub danger_without_proof: bool,
    #[command(flatten)]
    pub output: Output,
}

/// `--form`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigForm {
    /// The file of --authentication-config.
    Config,
    /// The flags --oidc-*.
    Flags,
}

impl From<ConfigForm> for Form {
    fn from(form: ConfigForm) -> Self {
        match form {
            ConfigForm::Config => Self::Config,
            ConfigForm::Flags => Self::Flags,
        }
    }
}

/// `kubesso cluster grant`.
#[derive(Args, Debug)]
pub(crate) struct ClusterGrant {
    /// The group, as the API server sees it: with its prefix.
    #[arg(long, value_name = "GROUP")]
    pub group: String,
    /// cluster-admin, admin, edit, view, or a ClusterRole of your own; pod-reader is made (reads pods and services).
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Only in this namespace.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Bring the cluster to it: shows what it changes, and asks.
    #[arg(long)]
    pub apply: bool,
    /// The cluster's context [default: the current one].
    #[arg(long, value_name = "NAME", requires = "apply")]
    pub context: Option<String>,
    /// The kubeconfig that has it [default: kubectl's].
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub kubeconfig: Option<PathBuf>,
    /// Change it without asking.
    #[arg(long, requires = "apply")]
    pub yes: bool,
    /// Show what would be changed and whether the API server would take it, and change nothing.
    #[arg(long, requires = "apply")]
    pub dry_run: bool,
}
