//! `kubesso keys`: what can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use kubesso_token::Algorithm;

use super::{DataDir, Output, PassphraseFrom};

const REWRAP_EXAMPLES: &str = "\
Examples:
  kubesso keys rewrap                                     another key in the data directory
  kubesso keys rewrap --new-key-file /run/secrets/kubesso/master.key
  NEW=$(head -c 32 /dev/urandom | base64) kubesso keys rewrap --new-key-variable NEW
  kubesso keys rewrap --new-key-wrapped /etc/kubesso/master.key.wrapped \\
    --new-key-command '[\"aws\",\"kms\",\"decrypt\",\"--ciphertext-blob\",\"fileb:///dev/stdin\",\"--query\",\"Plaintext\",\"--output\",\"text\"]'";

const ROTATE_EXAMPLES: &str = "\
Examples:
  kubesso keys rotate                                 takes half a minute
  kubesso keys rotate --algorithm ES256 --publish-only   signs when the schedule says so";

const EXPORT_EXAMPLES: &str = "\
Examples:
  kubesso keys export --public > jwks.json
  kubesso keys export --out signing-keys.sealed --passphrase-file phrase";

const IMPORT_EXAMPLES: &str = "\
Examples:
  kubesso keys import old-provider.pem --kid its-key-id
  kubesso keys import signing-keys.sealed --passphrase-file phrase";

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
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate {
        /// Sign by another algorithm from then on: RS256, ES256, …
        #[arg(long)]
        algorithm: Option<Algorithm>,
        /// With --algorithm: the authorization server's name or id [default: all of them].
        #[arg(long, value_name = "SERVER", requires = "algorithm")]
        authorization_server: Option<String>,
        /// Only publish it, for verifiers that cache the key set for hours: the next `kubesso keys rotate` lets it sign. A key
        /// of another algorithm the running provider lets sign, after `key_rotation.published_ahead_hours`.
        #[arg(long)]
        publish_only: bool,
        /// Sign with the new key at once, without waiting until everybody can know it: whoever still holds an
        /// older copy of the key set refuses the new tokens until they fetch it again.
        #[arg(long, conflicts_with = "publish_only")]
        danger_at_once: bool,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Take a signing key that somebody else may have out of use, at once. Says before what that breaks.
    Revoke {
        /// The key's id.
        kid: String,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Write the keys that sign into a file under a passphrase, or the public key set.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export {
        /// Print the public keys as a JWK set; no private one, no passphrase.
        #[arg(long, conflicts_with = "out")]
        public: bool,
        /// The file to write. One that is there is never overwritten.
        #[arg(long, value_name = "FILE", required_unless_present = "public")]
        out: Option<PathBuf>,
        /// The authorization server's name or id [default: the only one; with --out: all of them].
        #[arg(long, value_name = "SERVER")]
        authorization_server: Option<String>,
        #[command(flatten)]
        passphrase: PassphraseFrom,
        #[command(flatten)]
        data: DataDir,
    },
    /// Publish a private key from elsewhere, so that who verifies tokens need not notice a move. It is pending, and signs
    /// after the next rotation, as a key that was made here.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import {
        /// PEM (PKCS#8, SEC 1, PKCS#1), a private JWK, or what `kubesso keys export` wrote.
        file: PathBuf,
        /// The authorization server's name or id [default: the only one].
        #[arg(long, value_name = "SERVER")]
        authorization_server: Option<String>,
        /// The key's id, as verifiers know it [default: the file's, else its thumbprint].
        #[arg(long)]
        kid: Option<String>,
        /// What it signs by [default: the JWK's own, else RS256 or the algorithm of its curve].
        #[arg(long)]
        algorithm: Option<Algorithm>,
        #[command(flatten)]
        passphrase: PassphraseFrom,
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
