//! `kubesso backup` and `kubesso restore`: what can be asked.

use std::path::PathBuf;

use clap::Args;

use super::DataDir;

/// `kubesso backup`.
#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file to write. One that is there is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseFrom,
    #[command(flatten)]
    pub data: DataDir,
}

/// `kubesso restore`.
#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The backup.
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseFrom,
    #[command(flatten)]
    pub data: DataDir,
}

/// Where the passphrase comes from.
#[derive(Args, Debug)]
pub(crate) struct PassphraseFrom {
    /// The file with the passphrase, one line [default: $KUBESSO_BACKUP_PASSPHRASE_FILE, else it is asked for].
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}
