//! The command line: what can be asked, and how it is explained.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use kubesso_signin::Plugin;

mod audit;
mod backup;
mod chain;
mod cluster;
mod doctor;
mod keys;
mod kubeconfig;
mod registration_token;
mod token;

pub(crate) use audit::{Audit, ExportFormat, Which};
pub(crate) use backup::{Backup, PassphraseFrom, Restore};
pub(crate) use chain::{ChainChange, ChainFile, ChainImport, ChainPlan};
pub(crate) use cluster::{
    ApiServerArgs, Cluster, ClusterApply, ClusterCheck, ClusterConfig, ClusterGrant, ClusterRollback, Spot,
    Told, WhichCluster, Whom,
};
pub(crate) use doctor::{Doctor, DoctorCommand, Explain, Given, target as doctor_target};
pub(crate) use keys::{Keys, NewMasterKey};
pub(crate) use kubeconfig::{
    ClientSecret, Kubeconfig, KubeconfigAdd, KubeconfigCheck, KubeconfigExport, KubeconfigMerge,
    KubeconfigMigrate, KubeconfigSet, KubeconfigTarget, SignInFlags,
};
pub(crate) use registration_token::RegistrationToken;
pub(crate) use token::{Preview, Token};

/// Single sign-on for Kubernetes: provider, kubectl plugin and a cluster to try it on, in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "kubesso",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Start with:  kubesso up",
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How the log on standard error is written.
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Logging")]
    pub log_format: LogFormat,
    /// How much is logged: error, warn, info, debug or trace [default: info for serve, else warn].
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Logging")]
    pub log_level: Option<tracing::Level>,
}

/// All that can be asked, the plugin's commands among it.
pub(crate) fn command() -> clap::Command {
    Cli::command().mut_subcommand("oidc-login", |_| plugin())
}

/// The plugin as a command of ours.
pub(crate) fn plugin() -> clap::Command {
    Plugin::command().name("oidc-login").bin_name("kubesso oidc-login").display_name("kubesso oidc-login")
}

/// The commands of `kubesso`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: provider, sandbox cluster, people, kubeconfig.
    ///
    /// Creates what is missing in the data directory and keeps what is there. The first start prints the
    /// passwords of the four people; they are stored hashed and not shown again.
    #[command(after_help = UP_EXAMPLES)]
    Up(Up),
    /// Run the provider from a configuration file.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// People: list, create, reset passwords, change groups.
    #[command(subcommand, arg_required_else_help = true)]
    User(User),
    /// Tokens of the management API, for Terraform and scripts: create, list, revoke.
    #[command(subcommand, arg_required_else_help = true)]
    ApiToken(ApiToken),
    /// Show what would bring provider, clusters and kubeconfig to what one file says.
    #[command(after_help = chain::PLAN_HELP)]
    Plan(ChainPlan),
    /// Bring provider, clusters and kubeconfig to what one file says.
    #[command(after_help = chain::APPLY_HELP)]
    Apply(ChainChange),
    /// Print the file that wants what is there already, and nothing else.
    #[command(after_help = chain::IMPORT_HELP)]
    Import(ChainImport),
    /// Take back what `apply` made.
    #[command(after_help = chain::DESTROY_HELP)]
    Destroy(ChainChange),
    /// Clusters: what each needs to trust an issuer, and what groups may do there.
    #[command(subcommand, arg_required_else_help = true)]
    Cluster(Cluster),
    /// kubectl's configuration: add, change, merge, take over old sign-ins, hand out, check.
    ///
    /// Comments, order, quotes and the mode of the file stay; it is locked as kubectl locks it, and replaced whole.
    #[command(subcommand, arg_required_else_help = true)]
    Kubeconfig(Kubeconfig),
    /// Tokens that let somebody register clients (RFC 7591): create, list, revoke.
    #[command(subcommand, arg_required_else_help = true)]
    RegistrationToken(RegistrationToken),
    /// What tokens would say: preview.
    #[command(subcommand, arg_required_else_help = true)]
    Token(Token),
    /// The audit trail: list, export.
    #[command(subcommand, arg_required_else_help = true)]
    Audit(Audit),
    /// Write people, groups, settings, keys and the certificate authority into one encrypted file, while kubesso runs;
    /// from a PostgreSQL database too.
    #[command(
        after_help = "Example:\n  kubesso backup --data-dir /var/lib/kubesso --out kubesso-2026-11-22.bak"
    )]
    Backup(Backup),
    /// Make a data directory, and fill a PostgreSQL database if one is named, from a backup. A directory or a database with
    /// anything in it is left alone.
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(Restore),
    /// What is wrong, why, and the line that mends it.
    ///
    /// With a token, settings of an API server, a kubeconfig, bindings, an issuer, in any combination: what does not fit.
    /// With the text of an error or a log: which of 66 known failures it is (`explain`). Alone: settings of this
    /// installation that cannot do what they say, and what weakens it.
    #[command(after_help = doctor::HELP, args_conflicts_with_subcommands = true)]
    Doctor(Box<Doctor>),
    /// The provider's signing keys: list, rotate.
    #[command(subcommand, arg_required_else_help = true)]
    Keys(Keys),
    /// The kubectl plugin: sign in and give kubectl its token.
    ///
    /// The same as `kubectl oidc-login`; started by the name kubectl-oidc_login or kubelogin, this program is
    /// the plugin.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    OidcLogin {
        /// The plugin's own command line.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  kubesso completion bash > /etc/bash_completion.d/kubesso")]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const UP_EXAMPLES: &str = "\
Examples:
  kubesso up                          start, and print what to type next
  kubesso up --tour                   start, sign everybody in, check who may do what, end
  kubesso up -o json                  one line of JSON when ready, for scripts
  kubesso up --data-dir ./trial --provider-port 0 --cluster-port 0";

const SERVE_EXAMPLES: &str = "\
Example:
  kubesso serve --config kubesso.yaml

  # kubesso.yaml
  base_url: https://sso.example.com
  listen: [\"0.0.0.0:443\"]
  tls: {certificate: /etc/kubesso/tls.crt, key: /etc/kubesso/tls.key}
  data_dir: /var/lib/kubesso
  database_url_file: /etc/kubesso/database-url   # PostgreSQL, shared by several replicas
  begin_with: nothing            # or `tutorial`, the default: groups, application and authorization server
  organization:                  # another name for the management API, if Terraform needs one
    url: https://acme.sso.example.com
    listen: [\"10.0.0.2:443\"]
    tls: {certificate: /etc/kubesso/acme.crt, key: /etc/kubesso/acme.key}";

const RESTORE_EXAMPLES: &str = "\
Examples:
  kubesso restore kubesso-2026-11-22.bak --data-dir /var/lib/kubesso
  kubesso restore kubesso-2026-11-22.bak --data-dir /var/lib/kubesso --database-url-file /etc/kubesso/database-url
  kubesso restore kubesso-2026-11-22.bak --config kubesso.yaml";

const API_TOKEN_EXAMPLES: &str = "\
Examples:
  kubesso api-token create --name terraform
  export OKTA_API_TOKEN=$(kubesso api-token create --name ci --expires 1d -o json | jq -r .token)
  kubesso api-token create --name ci --server https://sso.example.com   sign in there first";

/// `kubesso up`.
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where it keeps its data.
    #[command(flatten)]
    pub data: DataDir,
    /// The provider's port; 0 takes a free one. Part of the issuer, so it is kept from then on [default: 8443].
    #[arg(long, value_name = "PORT")]
    pub provider_port: Option<u16>,
    /// The sandbox cluster's port; 0 takes a free one [default: 6443, or a free one if that is taken].
    #[arg(long, value_name = "PORT")]
    pub cluster_port: Option<u16>,
    /// Begin with the people only: Terraform makes the groups, the application `k8s OIDC` and the authorization server
    /// `k8s-auth` (examples/terraform-okta), and the cluster trusts them as soon as they are there.
    #[arg(long, conflicts_with = "tour")]
    pub for_terraform: bool,
    /// Answer the management API without TLS too, at http://127.0.0.1:PORT: whoever can read this machine's loopback
    /// traffic gets the API tokens. For Terraform's `http_proxy` setting, where port 443 cannot be used.
    #[arg(long, value_name = "PORT")]
    pub danger_plain_http_port: Option<u16>,
    /// Sign the four people in, call the cluster as each, check who may do what, and end: exit code 0 if all
    /// is as it should be, 1 if not.
    #[arg(long)]
    pub tour: bool,
    /// How the result is printed.
    #[command(flatten)]
    pub output: Output,
}

/// `kubesso serve`.
#[derive(Args, Debug, Default)]
pub(crate) struct Serve {
    /// The configuration file (YAML) [default: $KUBESSO_CONFIG].
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say what is wrong with the configuration, certificates, data directory and addresses, and end: exit code 0 if
    /// nothing is, 1 if something is. Nothing is served or changed.
    #[arg(long)]
    pub check: bool,
    /// What issuers begin with; before the file's base_url.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<url::Url>,
    /// An address to listen on; may be given several times; before the file's listen.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<std::net::SocketAddr>,
    /// The certificate's file; before the file's tls.certificate.
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The key's file; before the file's tls.key.
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The data directory; before the file's data_dir.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Where the data of `kubesso up` are.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataDir {
    /// The data directory [default: $KUBESSO_DATA_DIR, else $XDG_DATA_HOME/kubesso, else ~/.local/share/kubesso].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// How a result is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Output {
    /// table for people, json or yaml for scripts.
    #[arg(long = "output", short = 'o', value_enum, default_value_t, value_name = "FORMAT")]
    pub format: OutputFormat,
}

/// `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// One JSON object on one line.
    Json,
    /// For people.
    #[default]
    Table,
    /// YAML.
    Yaml,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    #[default]
    Text,
}

/// `kubesso user`.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List the people with their status and groups.
    List {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Create a person with a generated password, which is printed once.
    #[command(
        after_help = "Example:\n  kubesso user create jo@example.com --first-name Jo --last-name Lee --group k8s-admins"
    )]
    Create {
        /// The e-mail address; it is the login too.
        email: String,
        /// First name.
        #[arg(long, default_value = "")]
        first_name: String,
        /// Last name.
        #[arg(long, default_value = "")]
        last_name: String,
        /// A group to put the person into; may be given several times.
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Give a person a new generated password, which is printed once, and end their sessions.
    ResetPassword {
        /// The person's login.
        login: String,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Put a person into a group.
    AddToGroup {
        /// The person's login.
        login: String,
        /// The group's name.
        group: String,
        #[command(flatten)]
        data: DataDir,
    },
    /// Make a person an administrator, who may sign in to `kubesso api-token … --server` and to what else manages kubesso.
    GrantRole {
        /// The person's login.
        login: String,
        /// The role.
        #[arg(value_enum, ignore_case = true)]
        role: Role,
        #[command(flatten)]
        data: DataDir,
    },
    /// Take an administrator's role away. API tokens of that person can do no more than the person, at once.
    RevokeRole {
        /// The person's login.
        login: String,
        /// The role.
        #[arg(value_enum, ignore_case = true)]
        role: Role,
        #[command(flatten)]
        data: DataDir,
    },
    /// Take a person out of a group. Tokens issued before keep their groups until they end.
    RemoveFromGroup {
        /// The person's login.
        login: String,
        /// The group's name.
        group: String,
        #[command(flatten)]
        data: DataDir,
    },
}

/// `kubesso api-token`.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiToken {
    /// Make a token. It is printed once and stored as a hash.
    #[command(after_help = API_TOKEN_EXAMPLES)]
    Create {
        /// What to call it; unique.
        #[arg(long)]
        name: String,
        /// What it may do; may be given several times [default: what Terraform needs to set up access: org-admin,
        /// app-admin, api-access-management-admin].
        #[arg(long = "role", value_name = "ROLE", value_enum, ignore_case = true)]
        roles: Vec<Role>,
        /// How long it is taken: 1h, 30d, 1y … [default: until it is revoked].
        #[arg(long, value_name = "DURATION")]
        expires: Option<jiff::Span>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// List the tokens, without their values.
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Take a token back. It is refused from the next request on.
    Revoke {
        /// Its name or id.
        token: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Which installation is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    #[command(flatten)]
    pub data: DataDir,
    /// Another machine's: its base URL. Signs you in there first; you must be an administrator.
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub server: Option<url::Url>,
    /// With --server: the file with the certificate authority to trust, if the system does not.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub certificate_authority: Option<PathBuf>,
    /// With --server: how to sign in.
    #[arg(long, value_name = "GRANT", requires = "server", value_enum, default_value_t)]
    pub grant_type: SignInBy,
}

/// `--grant-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignInBy {
    /// With a browser on this machine.
    #[default]
    Authcode,
    /// With a browser anywhere: a code is shown.
    DeviceCode,
}

/// `--role`: Okta's administrator roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Everything, administrators included.
    #[value(name = "super-admin", alias = "SUPER_ADMIN")]
    Super,
    /// People, groups, the organization.
    #[value(name = "org-admin", alias = "ORG_ADMIN")]
    Organization,
    /// Applications.
    #[value(name = "app-admin", alias = "APP_ADMIN")]
    Applications,
    /// People and their groups.
    #[value(name = "group-admin", alias = "USER_ADMIN", alias = "user-admin")]
    Groups,
    /// Authorization servers.
    #[value(name = "api-access-management-admin", alias = "API_ACCESS_MANAGEMENT_ADMIN")]
    ApiAccessManagement,
    /// Sees everything, changes nothing.
    #[value(name = "read-only-admin", alias = "READ_ONLY_ADMIN")]
    ReadOnly,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        command().debug_assert();
    }
}
