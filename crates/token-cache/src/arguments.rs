//! The command line of `get-token`: what was typed, before anything is looked up.
//!
//! Flags, defaults and value syntaxes are kubelogin's, so that an existing kubeconfig works unchanged.

mod authentication;
mod cache;
mod provider;
mod tls;

use clap::Args;

pub use authentication::{AuthenticationArguments, GrantType};
pub use cache::{CacheArguments, CacheDirectory, CacheStorage};
pub use provider::{PkceMethod, ProviderArguments};
pub use tls::TlsArguments;

use crate::issuer::IssuerUrl;

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

/// A boolean flag's value as Go's `strconv.ParseBool` takes it: `--flag`, `--flag=true`, `--flag=0`.
pub fn parse_bool(value: &str) -> Result<bool, String> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("use true or false".to_owned()),
    }
}

const GET_TOKEN_EXAMPLES: &str = "\
Examples:
  # What kubectl runs for a user with an exec plugin (see `setup`)
  kubectl oidc-login get-token --oidc-issuer-url=https://login.example.com \\
    --oidc-client-id=kubernetes \\
    --oidc-extra-scope=\"email offline_access profile openid\"

  # On a machine without a browser: type a code into the browser of another
  kubectl oidc-login get-token --oidc-issuer-url=… --oidc-client-id=… \\
    --grant-type=device-code";

#[cfg(test)]
mod tests;
