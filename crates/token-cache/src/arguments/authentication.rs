//! Flags about how the person proves who they are.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse_bool;
use crate::secret::Secret;

/// How the person proves who they are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Authentication")]
pub struct AuthenticationArguments {
    /// How to sign in; auto is the browser where one can be opened, otherwise device-code if the provider has it, and a
    /// pasted address as the last resort (password if --username is given)
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    pub grant_type: GrantType,
    /// Address to wait on for the browser, tried in order [default: 127.0.0.1:8000,127.0.0.1:18000]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub listen_address: Vec<String>,
    /// Removed upstream in v1.31.1; taken with a warning.
    #[arg(long, hide = true, value_delimiter = ',')]
    pub listen_port: Vec<u16>,
    /// Print the URL instead of opening a browser
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub skip_open_browser: bool,
    /// Command that opens the browser, with arguments; %s stands for the URL, which otherwise comes last
    #[arg(long, value_name = "COMMAND")]
    pub browser_command: Option<String>,
    /// How long to wait for the sign-in in the browser, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub authentication_timeout_sec: u32,
    /// PEM certificate for the address that waits for the browser (needs --local-server-key)
    #[arg(long, value_name = "FILE")]
    pub local_server_cert: Option<PathBuf>,
    /// PEM private key for --local-server-cert
    #[arg(long, value_name = "FILE")]
    pub local_server_key: Option<PathBuf>,
    /// Page to go to after a successful sign-in
    #[arg(long, value_name = "URL")]
    pub open_url_after_authentication: Option<String>,
    /// Parameter for the authorization request, as key=value; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub oidc_auth_request_extra_params: Vec<String>,
    /// User name, for the password grant
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// Password, for the password grant (asked for when left out, which keeps it out of the process list)
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<Secret>,
    /// File with the token to exchange, read at each use, for token-exchange
    #[arg(long, value_name = "FILE")]
    pub oidc_subject_token_file: Option<PathBuf>,
    /// Command that prints the token to exchange; no shell reads it
    #[arg(long, value_name = "COMMAND")]
    pub oidc_subject_token_command: Option<String>,
    /// What that token is: id_token, access_token, jwt, or a URN
    #[arg(long, value_name = "TYPE", default_value = "id_token")]
    pub oidc_subject_token_type: String,
    /// Application that the exchanged token is to be for, if the provider is to be told
    #[arg(long, value_name = "AUDIENCE")]
    pub oidc_audience: Option<String>,
}

/// The ways to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GrantType {
    /// Password with a user name, otherwise what works here.
    #[default]
    Auto,
    /// The browser comes back to a port on this machine.
    Authcode,
    /// The browser is elsewhere: its answer is typed or pasted in.
    AuthcodeKeyboard,
    /// User name and password go to the provider through this program.
    Password,
    /// A code is typed into a browser anywhere (RFC 8628).
    DeviceCode,
    /// The application signs in as itself (RFC 6749, 4.4).
    ClientCredentials,
    /// A token that somebody else gave is exchanged (RFC 8693).
    TokenExchange,
}
