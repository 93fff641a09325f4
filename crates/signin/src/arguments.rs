//! The command line: what was typed, before anything is looked up.
//!
//! Flags, defaults and value syntaxes are kubelogin's, so that an existing kubeconfig works unchanged.

mod log;

use std::path::PathBuf;

use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use kubesso_token_cache::{
    AuthenticationArguments, CacheDirectory, GetTokenArguments, IssuerUrl, ProviderArguments, TlsArguments,
    parse_bool,
};

pub use log::LogArguments;

use crate::completion::Shell;
use crate::list::ListArguments;
use crate::logout::LogoutArguments;

/// The plugin: `kubectl oidc-login`, `kubelogin` or `kubesso oidc-login`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-oidc_login",
    bin_name = "kubectl oidc-login",
    version = concat!("version v", env!("CARGO_PKG_VERSION")),
    disable_version_flag = true,
    args_override_self = true,
    max_term_width = 100,
    about = "Signs people in to Kubernetes with OpenID Connect",
    after_help = ROOT_EXAMPLES
)]
pub struct Plugin {
    /// What to do; nothing is [`StandaloneArguments`]'s.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to sign in for without a command.
    #[command(flatten)]
    pub standalone: StandaloneArguments,
    /// How much to tell.
    #[command(flatten)]
    pub log: LogArguments,
    /// Print the version on standard output
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// Without a command: one sign-in, whose tokens go into the kubeconfig for clients that read its `auth-provider`.
#[derive(Args, Clone, Debug)]
pub struct StandaloneArguments {
    /// Kubeconfig with the user to sign in, when no command is given [default: $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context whose user to sign in [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// User to sign in, whatever the context
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Whom to believe.
    #[command(flatten)]
    pub tls: TlsArguments,
    /// How to sign in.
    #[command(flatten)]
    pub authentication: AuthenticationArguments,
}

/// The plugin's commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Sign in once, show what the cluster will see, and print the kubectl command that uses it
    Setup(Box<SetupArguments>),
    /// Print a token for kubectl, signing in when there is no valid one (the exec credential plugin)
    GetToken(Box<GetTokenArguments>),
    /// Sign in now, so that kubectl finds a token
    Login(Box<LoginArguments>),
    /// Sign out, here and at the provider
    Logout(Box<LogoutArguments>),
    /// Show whose tokens are kept on this machine
    List(ListArguments),
    /// Delete the tokens that are kept on this machine
    Clean(CacheDirectory),
    /// Print a completion script for a shell, or for kubectl
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// What the script is for
        shell: Shell,
    },
    /// Print the version on standard error
    Version,
}

/// `setup`: one sign-in, and the command that makes it permanent.
#[derive(Args, Clone, Debug)]
#[command(after_help = SETUP_EXAMPLES)]
pub struct SetupArguments {
    /// Issuer URL of the provider, as in kube-apiserver's --oidc-issuer-url
    #[arg(long, value_name = "URL")]
    pub oidc_issuer_url: Option<IssuerUrl>,
    /// Client ID of the provider's application
    #[arg(long, value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// Where the result goes.
    #[command(flatten)]
    pub kubeconfig: KubeconfigArguments,
    /// The provider and the application there.
    #[command(flatten)]
    pub provider: ProviderArguments,
    /// Whom to believe.
    #[command(flatten)]
    pub tls: TlsArguments,
    /// How to sign in.
    #[command(flatten)]
    pub authentication: AuthenticationArguments,
}

/// What `setup` does to the kubeconfig.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kubeconfig")]
pub struct KubeconfigArguments {
    /// Put the user into the kubeconfig instead of printing the command that does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub write: bool,
    /// Name of the user in the kubeconfig
    #[arg(long, value_name = "NAME", default_value = "oidc", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub user: String,
    /// With --write: the kubeconfig [default: $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// With --write: a context that shall use the user
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// With --write: replace a user that signs in otherwise, without asking
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub force: bool,
}

/// `login`: the flags of `get-token`, or the user of the kubeconfig who has them.
#[derive(Clone, Debug)]
pub struct LoginArguments {
    /// What kubectl would call.
    pub call: Option<GetTokenArguments>,
    /// Whose call it is, when it is not given.
    pub user: LoginUser,
}

/// A user of the kubeconfig, the current one if nothing is given.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Kubeconfig")]
pub struct LoginUser {
    /// Without an issuer: the kubeconfig with the user's flags [default: $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context whose user to sign in [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// User to sign in, whatever the context
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

impl Args for LoginArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        OptionalCall::augment_args(LoginUser::augment_args(command)).after_help(LOGIN_EXAMPLES)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LoginArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let OptionalCall(call) = OptionalCall::from_arg_matches(matches)?;
        Ok(Self { call, user: LoginUser::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flags of `get-token`, or none of them.
pub(crate) struct OptionalCall(pub(crate) Option<GetTokenArguments>);

/// The two flags that a call cannot do without.
const CALL: [&str; 2] = ["oidc_issuer_url", "oidc_client_id"];

impl Args for OptionalCall {
    fn augment_args(command: clap::Command) -> clap::Command {
        let [issuer, client] = CALL;
        GetTokenArguments::augment_args(command)
            .mut_arg(issuer, |flag| flag.required(false).requires(client))
            .mut_arg(client, |flag| flag.required(false).requires(issuer))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OptionalCall {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given = CALL.iter().any(|flag| matches.contains_id(flag));
        Ok(Self(is_given.then(|| GetTokenArguments::from_arg_matches(matches)).transpose()?))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

const LOGIN_EXAMPLES: &str = "\
Examples:
  # The user of the current context, and another one
  kubectl oidc-login login
  kubectl oidc-login login --user=oidc

  # Without a kubeconfig
  kubectl oidc-login login --oidc-issuer-url=https://login.example.com \\
    --oidc-client-id=kubernetes \\
    --oidc-extra-scope=\"email offline_access profile openid\"";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  # kubectl oidc-login, by kubectl's own completion
  kubectl oidc-login completion kubectl \\
    > ~/.local/bin/kubectl_complete-oidc_login
  chmod +x ~/.local/bin/kubectl_complete-oidc_login

  # kubectl-oidc_login and kubelogin in this shell
  source <(kubectl oidc-login completion bash)";

const ROOT_EXAMPLES: &str = "\
Examples:
  # Try a provider out, and get the command that puts it into the kubeconfig
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com \\
    --oidc-client-id=kubernetes

  # See who is signed in, and sign out, here and at the provider
  kubectl oidc-login list
  kubectl oidc-login logout

  # Forget the tokens on this machine
  kubectl oidc-login clean";

const SETUP_EXAMPLES: &str = "\
Examples:
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com \\
    --oidc-client-id=kubernetes

  # Into the kubeconfig at once, for the context `dev`
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com \\
    --oidc-client-id=kubernetes --write --context=dev

  # A provider with a private certificate authority, and scopes chosen by hand
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com \\
    --oidc-client-id=kubernetes --certificate-authority=ca.pem \\
    --oidc-extra-scope=email,groups";

#[cfg(test)]
mod tests;
