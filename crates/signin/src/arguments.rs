//! The command line: what was typed, before anything is looked up.
//!
//! Flags, defaults and value syntaxes are kubelogin's, so that an existing kubeconfig works unchanged.

mod authentication;
mod cache;
mod provider;
mod tls;

use clap::{ArgAction, Args, Parser, Subcommand};

pub use authentication::{AuthenticationArguments, GrantType};
pub use cache::{CacheArguments, CacheDirectory, CacheStorage};
pub use provider::{PkceMethod, ProviderArguments};
pub use tls::TlsArguments;

use crate::issuer::IssuerUrl;

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
    /// Delete the tokens that are kept on this machine
    Clean(CacheDirectory),
    /// Print the version on standard error
    Version,
}

/// `get-token`: the credential plugin that kubectl runs.
#[derive(Args, Clone, Debug)]
#[command(after_help = GET_TOKEN_EXAMPLES)]
pub struct GetTokenArguments {
    /// Issuer URL of the provider, as in kube-apiserver's --oidc-issuer-url
    #[arg(long, value_name = "URL")]
    pub oidc_issuer_url: IssuerUrl,
    /// Client ID of the provider's application
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub oidc_client_id: String,
    /// The provider and the application there.
    #[command(flatten)]
    pub provider: ProviderArguments,
    /// Get a new token even if the kept one is still valid
    #[arg(long, help_heading = "Token cache", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub force_refresh: bool,
    /// Where tokens are kept.
    #[command(flatten)]
    pub cache: CacheArguments,
    /// Whom to believe.
    #[command(flatten)]
    pub tls: TlsArguments,
    /// How to sign in.
    #[command(flatten)]
    pub authentication: AuthenticationArguments,
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

/// A boolean flag's value as Go's `strconv.ParseBool` takes it: `--flag`, `--flag=true`, `--flag=0`.
pub(crate) fn parse_bool(value: &str) -> Result<bool, String> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("use true or false".to_owned()),
    }
}

const ROOT_EXAMPLES: &str = "\
Examples:
  # Try a provider out, and get the command that puts it into the kubeconfig
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes

  # Forget the tokens on this machine
  kubectl oidc-login clean";

const GET_TOKEN_EXAMPLES: &str = "\
Examples:
  # What kubectl runs for a user with an exec plugin (`setup` prints the command that sets it up)
  kubectl oidc-login get-token --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes \\
    --oidc-extra-scope=\"email offline_access profile openid\"

  # On a machine without a browser: type a code into the browser of another
  kubectl oidc-login get-token --oidc-issuer-url=… --oidc-client-id=… --grant-type=device-code";

const SETUP_EXAMPLES: &str = "\
Examples:
  kubectl oidc-login setup --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes

  # A provider with a private certificate authority, and scopes chosen by hand
  kubectl oidc-login setup --oidc-issuer-url=https://localhost:8443/oauth2/k8s-auth --oidc-client-id=kubernetes \\
    --certificate-authority=ca.pem --oidc-extra-scope=email,groups";

#[cfg(test)]
mod tests;
