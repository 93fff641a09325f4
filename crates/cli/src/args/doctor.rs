//! `kubesso doctor …`: what can be asked.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand};
use kubesso_doctor::Target;
use kubesso_doctor::evidence::EchoTarget;

use super::{DataDir, Output};

pub(super) const HELP: &str = "\
Examples:
  kubesso doctor explain 'error: You must be logged in to the server (Unauthorized)'
  kubectl auth whoami 2>&1 | kubesso doctor explain -
  kubectl -n kube-system logs -l component=kube-apiserver --tail=5000 | kubesso doctor explain - --target kubeadm
  kubesso doctor explain KS017
  kubectl oidc-login get-token --oidc-issuer-url=… --oidc-client-id=… | kubesso doctor --token - --flags kube-apiserver.yaml
  kubesso doctor --issuer https://sso.example.com --ca ca.crt --kubeconfig ~/.kube/config
  kubectl oidc-login get-token … | kubesso doctor --token - --context prod --admin-context prod-admin
  kubesso doctor --context prod --refresh
  kubectl oidc-login get-token … | kubesso doctor --token - --context prod --admin-context prod-admin --can-i 'delete pods/web -n shop'
  kubectl get pods -n shop 2>&1 | kubesso doctor --context prod-admin --as jo@example.com --as-group k8s-devs --can-i -
  kubesso doctor --context prod --echo kube-system/coredns-0 --echo-idle 90
  kubesso doctor --data-dir /var/lib/kubesso

Exit code: 0 if nothing is wrong, 1 if something is, 2 if it was asked wrongly.";

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
    pub given: Given,
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub output: Output,
}

/// What is looked at.
#[derive(Args, Debug)]
#[command(next_help_heading = "What to look at")]
pub(crate) struct Given {
    /// A token: - for standard input, or a file. Bare, as a plugin prints it, or a token endpoint's answer.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub token: Option<String>,
    /// The issuer, as in kube-apiserver's --oidc-issuer-url: it is asked for its documents.
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub issuer: Option<String>,
    /// The certificate authorities (PEM) of the issuer: exactly these are trusted, as by --oidc-ca-file.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub ca: Option<PathBuf>,
    /// The audience that the API server accepts (--oidc-client-id), where its settings are not given.
    #[arg(long, value_name = "TEXT", conflicts_with = "data_dir")]
    pub audience: Option<String>,
    /// kube-apiserver's flags: a static pod's manifest, kubeadm's ClusterConfiguration, config.yaml of k3s or RKE2,
    /// MicroK8s' args, or a list; or what EKS, AKS, GKE or OpenShift answers (docs/doctor.md).
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub flags: Option<PathBuf>,
    /// The AuthenticationConfiguration.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub authentication_config: Option<PathBuf>,
    /// A kubeconfig [default with --context: kubectl's].
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it [default: the current one].
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub context: Option<String>,
    /// A context of the same kubeconfig whose user reads settings, metrics and bindings [default: the context's own user].
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub admin_context: Option<String>,
    /// The address of an API server itself, behind the kubeconfig's one; may be given several times [default: those of the
    /// service `kubernetes`, if they may be read].
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub endpoint: Vec<String>,
    /// Have the context's plugin refresh its token once, and compare the claims before and after. It spends a refresh token; the
    /// plugin keeps the next one.
    #[arg(long, conflicts_with_all = ["data_dir", "offline"])]
    pub refresh: bool,
    /// Run `cat` in this running container by exec, through each hop (the kubeconfig's server, each API server), once over WebSocket
    /// and once over SPDY/3.1, and see whether it echoes [default container: kubectl's choice]. The person, or without a token the
    /// context's user, needs get and create of pods/exec there.
    #[arg(long, value_name = "NAMESPACE/POD[/CONTAINER]", conflicts_with_all = ["data_dir", "offline"])]
    pub echo: Option<EchoTarget>,
    /// With --echo: be silent for so long in between, to find what closes quiet connections.
    #[arg(long, value_name = "SECONDS", requires = "echo", value_parser = clap::value_parser!(u64).range(1..=7200))]
    pub echo_idle: Option<u64>,
    /// The root of a machine of the control plane, whose files are looked at: / for this one [default: /, where the API server that
    /// is asked is this machine's].
    #[arg(long, value_name = "DIR", conflicts_with = "data_dir")]
    pub root: Option<PathBuf>,
    /// Roles and bindings (YAML); may be given several times.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub rbac: Vec<PathBuf>,
    /// Whether the person may do that, and if not, what nearly allows it. As for kubectl auth can-i ('delete pods/web -n shop',
    /// 'get /metrics'), or the text of a refusal; - reads it from standard input. May be given several times.
    #[arg(long, value_name = "QUESTION", conflicts_with = "data_dir")]
    pub can_i: Vec<String>,
    /// Whom --can-i is about, as the API server calls them [default: whose token or context it is].
    #[arg(long = "as", value_name = "USER", requires = "can_i")]
    pub as_user: Option<String>,
    /// A group of theirs; may be given several times.
    #[arg(long, value_name = "GROUP", requires = "as_user")]
    pub as_group: Vec<String>,
    /// Ask nobody: look at what is given only.
    #[arg(long)]
    pub offline: bool,
    /// The kind of cluster: lines to change are given as it has them [default: what the flags' file is of].
    #[arg(long, value_name = "KIND", value_parser = target_names())]
    pub target: Option<String>,
    /// Show what passed and what was not looked at too.
    #[arg(long)]
    pub all: bool,
    /// Write the report and what it was made of into a new file for a support ticket, redacted.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub bundle: Option<PathBuf>,
}

impl Given {
    /// Whether there is anything to look at but this installation.
    pub(crate) fn is_something(&self) -> bool {
        let files =
            [&self.ca, &self.flags, &self.authentication_config, &self.kubeconfig, &self.bundle, &self.root];
        let texts = [&self.token, &self.issuer, &self.audience, &self.context, &self.admin_context];
        files.iter().any(|it| it.is_some())
            || texts.iter().any(|it| it.is_some())
            || !self.rbac.is_empty()
            || !self.endpoint.is_empty()
            || !self.can_i.is_empty()
            || self.refresh
            || self.echo.is_some()
    }
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
    /// The kind of cluster: lines to change are given as it has them [default: kube-apiserver's flags as they are].
    #[arg(long, value_name = "KIND", value_parser = target_names())]
    pub target: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// The names for `--target`: those of `kubesso cluster`, and `flags` for kube-apiserver's flags as they are.
fn target_names() -> PossibleValuesParser {
    let names = Target::ALL.iter().map(|target| match target {
        Target::StaticPod => PossibleValue::new(target.name()).alias("flags"),
        _ => PossibleValue::new(target.name()),
    });
    PossibleValuesParser::new(names)
}

/// The target of a name that clap has let through.
pub(crate) fn target(name: Option<&str>) -> Option<Target> {
    name.map(|name| name.parse().unwrap_or(Target::StaticPod))
}
