//! `kubesso plan`, `apply`, `destroy` and `import`: what can be asked.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::{Output, SignInBy};

pub(super) const PLAN_HELP: &str = "\
Examples:
  kubesso plan -f access.yaml
  kubesso plan -f access.yaml --detailed-exitcode      # in a pipeline: 0 nothing to do, 2 changes, 1 error
  kubesso plan -f access.yaml -o json | jq .summary

  # access.yaml
  provider: {url: https://sso.example.com}
  groups:
  - name: k8s-admins
  - name: k8s-restricted-users
  application: {label: k8s OIDC}
  authorizationServer: {name: k8s-auth}
  grants:
  - {group: k8s-admins, role: cluster-admin}
  - {group: k8s-restricted-users, role: pod-reader, namespace: default}
  clusters:
  - {name: prod, for: kubeadm, context: kubernetes-admin@kubernetes}
  kubeconfig: {user: oidc-user}

What else may stand in the file: docs/access-file.md.
The API token is read from $KUBESSO_API_TOKEN, $OKTA_API_TOKEN or the file's provider.apiTokenFile; a service application
from $OKTA_API_CLIENT_ID and $OKTA_API_PRIVATE_KEY or the file. Without any, you sign in with the browser (kubesso only).";

pub(super) const APPLY_HELP: &str = "\
Examples:
  kubesso apply -f access.yaml            shows the plan and asks
  kubesso apply -f access.yaml --yes      for scripts

Whoever is interrupted runs it again: what was done is found, and the rest is done.";

pub(super) const DESTROY_HELP: &str = "\
Example:
  kubesso destroy -f access.yaml

Only what kubesso made for this file is destroyed: what carries its marker. Whatever else the file names stays.";

pub(super) const IMPORT_HELP: &str = "\
Examples:
  kubesso import --provider https://sso.example.com --application 'k8s OIDC' --authorization-server k8s-auth > access.yaml
  kubesso import --provider https://acme.okta.com --application kubectl --authorization-server default \\
    --context admin@prod --binding oidc-cluster-admin --binding default/oidc-cluster-user > access.yaml

`kubesso plan -f access.yaml` has nothing to do then. What is there keeps its owner: `destroy` leaves it.";

/// Which file, and by what the provider is entered.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChainFile {
    /// Who may sign in and what for, as a file (- reads standard input).
    #[arg(long, short = 'f', value_name = "FILE")]
    pub file: PathBuf,
    /// Without a token: how to sign in at the provider.
    #[arg(long, value_name = "GRANT", value_enum, default_value_t)]
    pub grant_type: SignInBy,
}

/// `kubesso plan`.
#[derive(Args, Debug)]
pub(crate) struct ChainPlan {
    #[command(flatten)]
    pub file: ChainFile,
    /// Exit with 2 if there is something to do, with 1 after any error.
    #[arg(long)]
    pub detailed_exitcode: bool,
    #[command(flatten)]
    pub output: Output,
}

/// `kubesso apply` and `kubesso destroy`.
#[derive(Args, Debug)]
pub(crate) struct ChainChange {
    #[command(flatten)]
    pub file: ChainFile,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Show the plan, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `kubesso import`.
#[derive(Args, Debug)]
pub(crate) struct ChainImport {
    /// kubesso's base URL, or the Okta org's.
    #[arg(long, value_name = "URL")]
    pub provider: Url,
    /// Whom to trust there, if the machine does not.
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// The file with an API token [default: the variables that plan reads].
    #[arg(long, value_name = "FILE")]
    pub api_token_file: Option<PathBuf>,
    /// Without a token: how to sign in at the provider.
    #[arg(long, value_name = "GRANT", value_enum, default_value_t)]
    pub grant_type: SignInBy,
    /// The file's name, by which things are marked.
    #[arg(long, value_name = "NAME", default_value = "k8s")]
    pub name: String,
    /// The application, with the groups that may use it.
    #[arg(long, value_name = "LABEL")]
    pub application: Option<String>,
    /// The authorization server, with its scopes, claims, policies and rules.
    #[arg(long, value_name = "NAME")]
    pub authorization_server: Option<String>,
    /// A further group; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,
    /// The context of the cluster that has the bindings.
    #[arg(long, value_name = "NAME", requires = "binding")]
    pub context: Option<String>,
    /// The kubeconfig that has the context [default: kubectl's].
    #[arg(long, value_name = "FILE", requires = "context")]
    pub kubeconfig: Option<PathBuf>,
    /// A ClusterRoleBinding by its name, or a RoleBinding as NAMESPACE/NAME; may be given several times.
    #[arg(long, value_name = "NAME", requires = "context")]
    pub binding: Vec<String>,
}
