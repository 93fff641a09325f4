//! Flags about where tokens are kept.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where tokens are kept, and whether.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Token cache")]
pub struct CacheArguments {
    /// Where.
    #[command(flatten)]
    pub directory: CacheDirectory,
    /// Where to keep tokens: disk, or none to keep nothing
    #[arg(long, value_name = "STORAGE", default_value = "disk")]
    pub token_cache_storage: CacheStorage,
}

/// The directory of the token cache.
#[derive(Args, Clone, Debug)]
pub struct CacheDirectory {
    /// Directory for tokens and locks [default: ~/.kube/cache/oidc-login, or $KUBECACHEDIR/oidc-login]
    #[arg(long, value_name = "DIR")]
    pub token_cache_dir: Option<PathBuf>,
}

/// The kinds of token cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CacheStorage {
    /// Files that only their owner can read.
    #[default]
    Disk,
    /// The operating system's keyring. Known, so that it is refused by name.
    #[value(hide = true)]
    Keyring,
    /// Nothing is kept: each call signs in.
    None,
}
