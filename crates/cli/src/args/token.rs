//! `kubesso token …`: what can be asked.

use clap::{Args, Subcommand, ValueEnum};
use kubesso_directory::GrantType;
use url::Url;

use super::{DataDir, Output};

const PREVIEW_HELP: &str = "\
Examples:
  kubesso token preview --user jo@example.com --client 0oa1b2c3
  kubesso token preview --user jo@example.com --client 'k8s OIDC' --scopes 'openid profile' -o json | jq .id_token

Exit code: 0 if tokens would be issued, 1 if not.";

/// `kubesso token`.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Show which tokens somebody would get, and which policy and rule decide it; or why there would be none.
    ///
    /// Nothing is issued, and nothing is written into the audit trail.
    #[command(after_help = PREVIEW_HELP)]
    Preview(Preview),
}

/// `kubesso token preview`.
#[derive(Args, Debug)]
pub(crate) struct Preview {
    /// The person's login.
    #[arg(long, value_name = "LOGIN")]
    pub user: String,
    /// The application's client id, or its name.
    #[arg(long, value_name = "ID")]
    pub client: String,
    /// The authorization server's id, or its name [default: the only one that is active].
    #[arg(long, value_name = "ID")]
    pub server: Option<String>,
    /// What the client asks for, between blanks [default: those of openid, email and groups that the server has].
    #[arg(long, value_name = "SCOPES")]
    pub scopes: Option<String>,
    /// How it asks.
    #[arg(long, value_name = "GRANT", value_enum, default_value_t)]
    pub grant: PreviewGrant,
    /// What issuers begin with [default: $KUBESSO_BASE_URL, else where `kubesso up` has its provider].
    #[arg(long, value_name = "URL")]
    pub base_url: Option<Url>,
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub output: Output,
}

/// `--grant`: those by which people get tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum PreviewGrant {
    /// With a browser.
    #[default]
    AuthorizationCode,
    /// With a browser anywhere.
    #[value(alias = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// With the password, given to the client.
    Password,
}

impl PreviewGrant {
    pub(crate) fn grant_type(self) -> GrantType {
        match self {
            Self::AuthorizationCode => GrantType::AuthorizationCode,
            Self::DeviceCode => GrantType::DeviceCode,
            Self::Password => GrantType::Password,
        }
    }
}
