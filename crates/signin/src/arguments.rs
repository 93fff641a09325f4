//! The command line: what was typed, before anything is looked up.
//!
//! Flags, defaults and value syntaxes are kubelogin's, so that an existing kubeconfig works unchanged.

use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use kubesso_token_cache::{
    AuthenticationArguments, CacheDirectory, GetTokenArguments, IssuerUrl, ProviderArguments, TlsArguments,
};

/// The plugin started by its own name: `kubectl-oidc_login` (kubectl's `oidc-login`) or `kubelogin`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-oidc_login",
    bin_name = "kubectl oidc-login",
    version = concat!("version v", env!("CARGO_PKG_VERSION")),
    disable_version_flag = true,
    about = "Signs people in to Kubernetes with OpenID Connect",
    after_help = ROOT_EXAMPLES
)]
pub struct Plugin {
    /// What to do.
    #[command(flatten)]
    pub oidc_login: OidcLogin,
    /// Print the version on standard output
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// `kubectl oidc-login`, for nesting into another command line (`kubesso oidc-login …`).
#[derive(Args, Clone, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct OidcLogin {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on standard error: 1 what is done and the claims
    #[arg(short = 'v', long = "v", value_name = "LEVEL", default_value_t = 0, global = true)]
    pub verbosity: u8,
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
    /// Delete the tokens that are kept on this machine
    Clean(CacheDirectory),
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

/// `login`: the flags of `get-token`, or none of them.
#[derive(Clone, Debug)]
pub struct LoginArguments {
    /// What kubectl would call.
    pub call: Option<GetTokenArguments>,
}

/// The two flags that a call cannot do without.
const CALL: [&str; 2] = ["oidc_issuer_url", "oidc_client_id"];

impl Args for LoginArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let [issuer, client] = CALL;
        GetTokenArguments::augment_args(command)
            .mut_arg(issuer, |flag| flag.required(false).requires(client))
            .mut_arg(client, |flag| flag.required(false).requires(issuer))
            .after_help(LOGIN_EXAMPLES)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LoginArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given = CALL.iter().any(|flag| matches.contains_id(flag));
        let call = is_given.then(|| GetTokenArguments::from_arg_matches(matches)).transpose()?;
        Ok(Self { call })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

const LOGIN_EXAMPLES: &str = "\
Examples:
  kubectl oidc-login login --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes \\
    --oidc-extra-scope=\"email offline_access profile openid\"";

const ROOT_EXAMPLES: &str = "\
Examples:
  # Try a provider out, and get the command that puts it into the kubeconfig
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes

  # Forget the tokens on this machine
  kubectl oidc-login clean";

const SETUP_EXAMPLES: &str = "\
Examples:
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes

  # A provider with a private certificate authority, and scopes chosen by hand
  kubectl oidc-login setup --oidc-issuer-url=https://localhost:8443/oauth2/k8s-auth --oidc-client-id=kubernetes \\
    --certificate-authority=ca.pem --oidc-extra-scope=email,groups";

#[cfg(test)]
mod tests;
