//! Flags about where tokens are kept.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse_bool;

/// Where tokens are kept, and whether.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Token cache")]
pub struct CacheArguments {
    /// Where.
    #[command(flatten)]
    pub directory: CacheDirectory,
    /// Where to keep tokens: disk, keyring (files sealed under a key in the system's keyring), auto (keyring where one
    /// answers, else disk), or none to keep nothing
    #[arg(long, value_name = "STORAGE", default_value = "disk")]
    pub token_cache_storage: CacheStorage,
    /// Never in a release of kubelogin; taken with a warning.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = parse_bool)]
    pub force_keyring: bool,
    /// Never in a release of kubelogin; taken with a warning.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = parse_bool)]
    pub no_keyring: bool,
}

impl CacheArguments {
    /// Where to keep tokens, by the present flag or an old one.
    pub fn storage(&self) -> CacheStorage {
        match self.token_cache_storage {
            CacheStorage::Disk | CacheStorage::Auto if self.force_keyring => CacheStorage::Keyring,
            CacheStorage::Keyring | CacheStorage::Auto if self.no_keyring => CacheStorage::Disk,
            storage => storage,
        }
    }

    /// One line for each flag that is taken for the sake of old kubeconfigs.
    pub fn old_flags(&self) -> Vec<&'static str> {
        let old = [
            (self.force_keyring, "--force-keyring is deprecated; write --token-cache-storage=keyring"),
            (self.no_keyring, "--no-keyring is deprecated; write --token-cache-storage=disk"),
        ];
        old.into_iter().filter_map(|(used, line)| used.then_some(line)).collect()
    }
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
    /// The keyring where there is one that answers, else the disk.
    Auto,
    /// Files that only their owner can read.
    #[default]
    Disk,
    /// Files that are sealed under a key in the operating system's keyring.
    Keyring,
    /// Nothing is kept: each call signs in.
    None,
}
