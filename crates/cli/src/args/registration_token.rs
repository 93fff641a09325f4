//! `kubesso registration-token …`: what can be asked.

use clap::Subcommand;

use super::{DataDir, Output};

const EXAMPLES: &str = "\
Example:
  kubesso registration-token create --name team-a --uses 3 --expires 1d
  curl https://sso.example.com/oauth2/default/v1/register -H \"authorization: Bearer $TOKEN\" \\
    --json '{\"client_name\":\"app\",\"redirect_uris\":[\"https://app.example.com/cb\"]}'";

/// `kubesso registration-token`.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistrationToken {
    /// Make a token. It is printed once and stored as a hash.
    #[command(after_help = EXAMPLES)]
    Create {
        /// What to call it; unique.
        #[arg(long)]
        name: String,
        /// How many clients it registers.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        uses: u32,
        /// How long it is taken: 1h, 7d … at most a year.
        #[arg(long, value_name = "DURATION", default_value = "7d")]
        expires: jiff::Span,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// List the tokens, without their values.
    List {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Take a token back. What it registered stays.
    Revoke {
        /// Its name or id.
        token: String,
        #[command(flatten)]
        data: DataDir,
    },
}
