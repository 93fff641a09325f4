//! `kubesso keys`: what can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataDir, Output};

const REWRAP_EXAMPLES: &str = "\
Examples:
  kubesso keys rewrap                                     another key in the data directory
  kubesso keys rewrap --new-key-file /run/secrets/kubesso/master.key
  NEW=$(head -c 32 /dev/urandom | base64) kubesso keys rewrap --new-key-variable NEW
  kubesso keys rewrap --new-key-wrapped /etc/kubesso/master.key.wrapped \\
    --new-key-command '[\"aws\",\"kms\",\"decrypt\",\"--ciphertext-blob\",\"fileb:///dev/stdin\",\"--query\",\"Plaintext\",\"--output\",\"text\"]'";

/// `kubesso keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// List the signing keys with their states.
    List {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Publish a new signing key. It signs once every relying party can know it; the old one stays published
    /// until the last token that it signed has ended.
    Rotate {
        /// Sign with the new key at once, without waiting until everybody can know it: whoever still holds an
        /// older copy of the key set refuses the new tokens until they fetch it again.
        #[arg(long)]
        danger_at_once: bool,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Seal every secret of the directory again, under another master key; kubesso must not be running.
    ///
    /// All of it is one transaction: cut off, everything is under the old key or everything under the new one, and the
    /// next start finds out which. Without a flag the new key is made, and lies in the data directory.
    #[command(after_help = REWRAP_EXAMPLES)]
    Rewrap {
        #[command(flatten)]
        new_key: NewMasterKey,
        #[command(flatten)]
        data: DataDir,
    },
}

/// Where the new master key is.
#[derive(Args, Debug)]
pub(crate) struct NewMasterKey {
    /// A file that holds it: `master_key.file` from then on.
    #[arg(long = "new-key-file", value_name = "FILE", conflicts_with_all = ["variable", "command"])]
    pub file: Option<PathBuf>,
    /// A variable that holds it: KUBESSO_MASTER_KEY from then on.
    #[arg(long = "new-key-variable", value_name = "NAME", conflicts_with = "command")]
    pub variable: Option<String>,
    /// A program that prints it, with its arguments as a list in JSON: `master_key.command` from then on.
    #[arg(long = "new-key-command", value_name = "LIST")]
    pub command: Option<String>,
    /// With --new-key-command: the wrapped key, which the program gets on its standard input.
    #[arg(long = "new-key-wrapped", value_name = "FILE", requires = "command")]
    pub wrapped: Option<PathBuf>,
}
