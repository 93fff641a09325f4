//! `kubesso kubeconfig …`: what can be asked.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use kubesso_signin::entry::PluginProgram;
use url::Url;

use super::{DataDir, Output};

const ADD_HELP: &str = "\
Examples:
  kubesso kubeconfig add prod --server https://k8s.example.com:6443 --certificate-authority ca.crt \\
    --issuer https://sso.example.com/oauth2/aus1 --client-id 0oa1b2c3
  kubesso kubeconfig add prod-sso --cluster kubernetes -f access.yaml     # a cluster that the kubeconfig has
  kubesso kubeconfig add stage --server https://stage:6443 --application 'k8s OIDC'   # of the kubesso on this machine
  kubesso kubeconfig add prod --cluster kubernetes -f access.yaml --out team.yaml     # to hand out";

const SET_HELP: &str = "\
Examples:
  kubesso kubeconfig set --server https://k8s-new.example.com:6443        # of the current context
  kubesso kubeconfig set --context prod --issuer https://sso.example.com/oauth2/aus2 --scope email --scope groups
  kubesso kubeconfig set --user oidc --plugin-arg=--grant-type=device-code
  kubesso kubeconfig set --context prod --issuer-ca ''                    # believe the machine's authorities again";

const MERGE_HELP: &str = "\
Examples:
  kubesso kubeconfig merge team.yaml
  ssh node sudo cat /etc/kubernetes/admin.conf | kubesso kubeconfig merge - --prefix prod-
  kubesso kubeconfig merge admin.conf --rename cluster:kubernetes=prod --rename context:kubernetes-admin@kubernetes=prod

A name that is taken by an entry that says something else is refused, with all others of that kind, and nothing is written.";

const MIGRATE_HELP: &str = "\
Examples:
  kubesso kubeconfig migrate --dry-run
  kubesso kubeconfig migrate
  kubesso kubeconfig migrate --user oidc --plugin on-path

Taken over are kubectl's old auth-provider `oidc` and calls of kubelogin, also as `kubectl oidc-login`. Tokens of an
auth-provider leave the file with it; a refresh token among them is good at the provider until it ends or is revoked there.";

const EXPORT_HELP: &str = "\
Examples:
  kubesso kubeconfig export --context prod --out team.yaml
  kubesso kubeconfig export --context prod --context stage > team.yaml

The file holds certificate authorities and how to sign in, and nothing secret. A context whose user has a certificate, a
token or a password is refused.";

/// `kubesso kubeconfig`.
#[derive(Debug, Subcommand)]
pub(crate) enum Kubeconfig {
    /// Add a context with its cluster and a user who signs in, or write them into a file for others.
    #[command(after_help = ADD_HELP)]
    Add(Box<KubeconfigAdd>),
    /// Change what is there: server, certificate authority, issuer, scopes, plugin.
    #[command(after_help = SET_HELP)]
    Set(Box<KubeconfigSet>),
    /// Take the entries of another kubeconfig into this one. Nothing is replaced.
    #[command(after_help = MERGE_HELP)]
    Merge(KubeconfigMerge),
    /// Let users of kubectl's old auth-provider and of kubelogin sign in by this plugin.
    #[command(after_help = MIGRATE_HELP)]
    Migrate(KubeconfigMigrate),
    /// Write contexts into a file that works anywhere and that anybody may see.
    #[command(after_help = EXPORT_HELP)]
    Export(KubeconfigExport),
    /// Say what is wrong with the kubeconfig, for every context. Nobody is asked and nothing is changed.
    ///
    /// Exit code: 0 if nothing is wrong (notes and warnings aside), 1 if something is.
    Check(KubeconfigCheck),
}

/// Which kubeconfig, and whether it is written.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kubeconfig")]
pub(crate) struct KubeconfigTarget {
    /// The kubeconfig. Of several in $KUBECONFIG each entry is changed in its own, and new ones go where kubectl puts
    /// them [default: $KUBECONFIG, else ~/.kube/config].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Write nothing, and show what would be changed; secrets are masked.
    #[arg(long)]
    pub dry_run: bool,
}

/// Where a file for others goes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kubeconfig")]
pub(crate) struct OutFile {
    /// The file; - is standard output. A file that is there and says something else is left alone.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Replace the file.
    #[arg(long)]
    pub replace: bool,
}

/// `kubesso kubeconfig add`.
#[derive(Args, Debug)]
pub(crate) struct KubeconfigAdd {
    /// The context's name, and the cluster's and the user's unless they are named.
    #[arg(value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub name: String,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// The cluster's name; without --server one that the kubeconfig has [default: NAME].
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub cluster_name: Option<String>,
    /// The context's namespace.
    #[arg(long, value_name = "NAMESPACE", help_heading = "Cluster")]
    pub namespace: Option<String>,
    #[command(flatten)]
    pub sign_in: SignInFlags,
    /// Who may sign in, as for `kubesso cluster config` (- reads standard input): issuer, client id, certificate authority.
    #[arg(long, short = 'f', value_name = "FILE", help_heading = "Sign-in")]
    pub file: Option<PathBuf>,
    /// An application of the kubesso on this machine, by its name or client id.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["file", "issuer", "client_id"], help_heading = "Sign-in")]
    pub application: Option<String>,
    /// Its authorization server's id or name [default: the only one that is active].
    #[arg(long, value_name = "ID", requires = "application", help_heading = "Sign-in")]
    pub authorization_server: Option<String>,
    /// What its issuer begins with [default: $KUBESSO_BASE_URL, else where `kubesso up` has its provider].
    #[arg(long, value_name = "URL", requires = "application", help_heading = "Sign-in")]
    pub base_url: Option<Url>,
    /// The user's name; with nothing about the sign-in, one that the kubeconfig has [default: NAME].
    #[arg(long, value_name = "NAME", help_heading = "Sign-in")]
    pub user: Option<String>,
    #[command(flatten)]
    pub target: KubeconfigTarget,
    /// Make the context the current one. Without this it is only if there is none.
    #[arg(long = "use", help_heading = "Kubeconfig")]
    pub use_: bool,
    /// Replace entries of these names that say something else.
    #[arg(long, help_heading = "Kubeconfig")]
    pub replace: bool,
    /// Write a file for others instead (- is standard output): self-contained, without secrets.
    #[arg(long, value_name = "FILE", help_heading = "Kubeconfig")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDir,
}

/// What a kubeconfig says of a cluster.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterFlags {
    /// The API server's address.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The file with the API server's certificate authority, if it is not one of the machine's.
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// The name in the API server's certificate, if it is another than the address has.
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// An HTTP or SOCKS5 proxy on the way to the API server.
    #[arg(long, value_name = "URL")]
    pub proxy_url: Option<String>,
    /// Put certificate authorities into the kubeconfig instead of their paths.
    #[arg(long)]
    pub embed_certs: bool,
}

/// How the user signs in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sign-in")]
pub(crate) struct SignInFlags {
    /// The issuer, exactly as its discovery document says it.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// The application's client id.
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The file with the issuer's certificate authority, if it is not one of the machine's.
    #[arg(long, value_name = "FILE")]
    pub issuer_ca: Option<PathBuf>,
    /// A scope to ask for; may be given several times [default: email, profile, offline_access].
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    pub scope: Vec<String>,
    /// The plugin's program: here (the one beside this program, by its path), on-path (kubectl-oidc_login, found on the
    /// PATH, where krew puts it), or another path or name [default: here; in a file for others on-path].
    #[arg(long, value_name = "PROGRAM")]
    pub plugin: Option<Program>,
    /// Another flag of the plugin's get-token, as --grant-type=device-code; may be given several times.
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub plugin_arg: Vec<String>,
}

/// `--plugin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program(pub PluginProgram);

impl FromStr for Program {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(match text {
            "" | "here" => PluginProgram::Here,
            "on-path" => PluginProgram::OnPath,
            command => PluginProgram::Named(command.to_owned()),
        }))
    }
}

/// `kubesso kubeconfig set`.
#[derive(Args, Debug)]
pub(crate) struct KubeconfigSet {
    /// The context whose cluster and user are changed [default: the current one].
    #[arg(long, value_name = "NAME", conflicts_with_all = ["user", "cluster_name"])]
    pub context: Option<String>,
    /// The user, by its own name.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The cluster, by its own name.
    #[arg(long, value_name = "NAME")]
    pub cluster_name: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// The context's namespace.
    #[arg(long, value_name = "NAMESPACE", help_heading = "Cluster")]
    pub namespace: Option<String>,
    #[command(flatten)]
    pub sign_in: SignInFlags,
    #[command(flatten)]
    pub target: KubeconfigTarget,
}

/// `kubesso kubeconfig merge`.
#[derive(Args, Debug)]
pub(crate) struct KubeconfigMerge {
    /// The other kubeconfig (- reads standard input).
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
    /// Another name for an entry that comes in; may be given several times.
    #[arg(long, value_name = "[cluster:|context:|user:]OLD=NEW")]
    pub rename: Vec<String>,
    /// Put in front of all names that come in.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub prefix: String,
    /// Put the certificate authorities of clusters into the kubeconfig instead of their paths.
    #[arg(long)]
    pub embed_certs: bool,
    #[command(flatten)]
    pub target: KubeconfigTarget,
    /// Make the other's current context the current one. Without this it is only if there is none.
    #[arg(long = "use", help_heading = "Kubeconfig")]
    pub use_: bool,
}

/// `kubesso kubeconfig migrate`.
#[derive(Args, Debug)]
pub(crate) struct KubeconfigMigrate {
    /// Only this user; may be given several times [default: all].
    #[arg(long = "user", value_name = "NAME")]
    pub users: Vec<String>,
    /// The plugin's program: here (the one beside this program, by its path), on-path (kubectl-oidc_login, found on the
    /// PATH, where krew puts it), or another path or name.
    #[arg(long, value_name = "PROGRAM", default_value = "here")]
    pub plugin: Program,
    /// What becomes of a client secret that stands in the file.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub client_secret: ClientSecret,
    /// The directory for files with client secrets [default: oidc-client-secrets beside the kubeconfig].
    #[arg(long, value_name = "DIR")]
    pub secret_dir: Option<PathBuf>,
    /// Leave the old tokens behind (those of the file, and of kubelogin's cache): whoever it is signs in again.
    #[arg(long)]
    pub without_tokens: bool,
    #[command(flatten)]
    pub target: KubeconfigTarget,
}

/// `--client-secret`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientSecret {
    /// It goes into a file that only you can read, which the plugin is told of.
    #[default]
    ToFile,
    /// It is left away: the application takes people without one, by PKCE.
    Drop,
}

/// `kubesso kubeconfig export`.
#[derive(Args, Debug)]
pub(crate) struct KubeconfigExport {
    /// A context; may be given several times [default: the current one].
    #[arg(long = "context", value_name = "NAME")]
    pub contexts: Vec<String>,
    /// The plugin's program on their machines: on-path (kubectl-oidc_login, found on the PATH, where krew puts it), or
    /// another path or name.
    #[arg(long, value_name = "PROGRAM", default_value = "on-path")]
    pub plugin: Program,
    #[command(flatten)]
    pub out: OutFile,
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config].
    #[arg(long, value_name = "FILE", help_heading = "Kubeconfig")]
    pub kubeconfig: Option<PathBuf>,
}

/// `kubesso kubeconfig check`.
#[derive(Args, Debug)]
pub(crate) struct KubeconfigCheck {
    /// Only this context.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}
