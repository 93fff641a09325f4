//! What can be asked of `logout`.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches};
use kubesso_token_cache::{CacheDirectory, GetTokenArguments};

use crate::arguments::OptionalCall;

/// `logout`: the flags of `get-token`, a user of the kubeconfig, an entry, or all.
#[derive(Clone, Debug)]
pub struct LogoutArguments {
    /// What kubectl would call.
    pub call: Option<GetTokenArguments>,
    /// Where the tokens are.
    pub directory: CacheDirectory,
    /// What `logout` alone knows.
    pub flags: LogoutFlags,
}

/// The flags that `logout` alone has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Whom to sign out")]
pub struct LogoutFlags {
    /// Entry whose id begins so, from `list`
    #[arg(long, value_name = "ID", conflicts_with_all = ["all", "context", "user"])]
    pub entry: Option<String>,
    /// Every entry on this machine
    #[arg(long, conflicts_with_all = ["context", "user"])]
    pub all: bool,
    /// Kubeconfig with the user to sign out [default: $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context whose user to sign out [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// User to sign out, whatever the context
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Leave the provider alone: only delete what is kept here
    #[arg(long)]
    pub local: bool,
}

impl Args for LogoutArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        // Its own flags first: those of the call are sixty, and rarely what somebody looks for here.
        let own = LogoutFlags::augment_args(command).next_help_heading(clap::builder::Resettable::Reset);
        OptionalCall::augment_args(own).after_help(EXAMPLES)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LogoutArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            call: OptionalCall::from_arg_matches(matches)?.0,
            directory: CacheDirectory::from_arg_matches(matches)?,
            flags: LogoutFlags::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

const EXAMPLES: &str = "\
Examples:
  # Sign the current context's user out, here and at the provider
  kubectl oidc-login logout

  # One of the entries of `kubectl oidc-login list`, on this machine only
  kubectl oidc-login logout --entry=7aeb6c13a1f8 --local

  # Everything
  kubectl oidc-login logout --all";
