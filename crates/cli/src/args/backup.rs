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
    /// The file with the URL of an empty PostgreSQL database, which takes what would otherwise be a file in the data
    /// directory [default: $KUBESSO_DATABASE_URL_FILE].
    #[arg(long, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
    /// The configuration of `kubesso serve`, for the data directory and the database that it names.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["data_dir", "database_url_file"])]
    pub config: Option<PathBuf>,
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
