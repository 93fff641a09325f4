//! Flags about the OpenID Connect provider and the application there.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse_bool;
use crate::secret::Secret;

/// What to ask of the provider, and as whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Provider")]
pub struct ProviderArguments {
    /// Profile of the configuration file: its flags are taken, and its tokens are kept apart
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Client secret, if the application has one
    #[arg(long, value_name = "SECRET", hide_default_value = true)]
    pub oidc_client_secret: Option<Secret>,
    /// File with the client secret, on one line
    #[arg(long, value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// Command that prints the client secret, with its arguments; no shell reads it
    #[arg(long, value_name = "COMMAND")]
    pub oidc_client_secret_command: Option<String>,
    /// File with the private key (PEM or JWK) that the application signs its proof with (private_key_jwt)
    #[arg(long, value_name = "FILE")]
    pub oidc_client_assertion_key: Option<PathBuf>,
    /// Name of that key at the provider [default: the kid of a JWK]
    #[arg(long, value_name = "KID")]
    pub oidc_client_assertion_key_id: Option<String>,
    /// File with a JWT that proves who the application is, read at each use: a projected token, say
    #[arg(long, value_name = "FILE")]
    pub oidc_client_assertion_file: Option<PathBuf>,
    /// Redirect URL to send instead of http://localhost:PORT; its path becomes the callback path. With port 0, as in
    /// http://127.0.0.1:0/callback, the port is any that is free
    #[arg(long, value_name = "URL")]
    pub oidc_redirect_url: Option<String>,
    /// Scope to ask for besides openid; repeat it, or give several with commas or spaces
    #[arg(long, value_name = "SCOPE")]
    pub oidc_extra_scope: Vec<String>,
    /// Neither ask for a refresh token nor keep one: each time the token ends, somebody signs in
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub no_refresh_token: bool,
    /// Give kubectl the access token instead of the ID token
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub oidc_use_access_token: bool,
    /// Header for every request to the provider, as name=value; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub oidc_request_header: Vec<String>,
    /// Proof key for code exchange (RFC 7636): auto uses S256 when the provider offers it
    #[arg(long, value_name = "METHOD", default_value = "auto")]
    pub oidc_pkce_method: PkceMethod,
    /// The older spelling of --oidc-pkce-method=S256.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = parse_bool)]
    pub oidc_use_pkce: bool,
    /// Removed upstream in v1.35.0; taken with a warning.
    #[arg(long, hide = true)]
    pub oidc_redirect_url_hostname: Option<String>,
    /// Removed upstream in v1.35.0; taken with a warning.
    #[arg(long, hide = true)]
    pub oidc_redirect_url_authcode_keyboard: Option<String>,
}

/// Whether the authorization code is bound to this process (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PkceMethod {
    /// When the provider's discovery document lists S256.
    #[default]
    Auto,
    /// Never.
    No,
    /// Always, with SHA-256.
    #[value(name = "S256")]
    S256,
}
