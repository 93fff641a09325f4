//! Where the master key comes from: the data directory, a file elsewhere, a variable, or a program (a KMS).
//!
//! The commands that work on the machine itself know the data directory and nothing else. So a provider whose key is
//! elsewhere leaves in it where that is (`master-key.json`), as it does with the database's URL.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubesso_directory::SealingKey;
use kubesso_store_sql::master_key::{MasterKey, parse, read_elsewhere};
use kubesso_store_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::data_directory::{DataDirectory, Mode, write_atomically};
use crate::environment;
use crate::error::CommandError;
use crate::serve::master_key_of_the_environment;

mod program;

/// The file in the data directory that says where the key is.
pub(crate) const KEPT: &str = "master-key.json";
/// The variable with the key itself.
pub(crate) const VARIABLE: &str = "KUBESSO_MASTER_KEY";
/// How long a program may take, if nobody says otherwise.
const PATIENCE: u16 = 20;

/// `master_key` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MasterKeySetting {
    /// A file that holds it.
    file: Option<PathBuf>,
    /// A program that prints it, with its arguments; no shell.
    command: Option<Vec<String>>,
    /// What the program gets on its standard input: the key as the KMS wrapped it.
    wrapped: Option<PathBuf>,
    /// How long the program may take.
    timeout_seconds: Option<u16>,
}

impl MasterKeySetting {
    /// In a file.
    pub(crate) fn of_file(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// From a program.
    pub(crate) fn of_command(command: Vec<String>, wrapped: Option<PathBuf>) -> Self {
        Self { command: Some(command), wrapped, ..Self::default() }
    }

    /// What it says; `None`: nothing.
    pub(crate) fn source(&self) -> Result<Option<Source>, String> {
        let Self { file, command, wrapped, timeout_seconds } = self.clone();
        if command.is_none() && (wrapped.is_some() || timeout_seconds.is_some()) {
            return Err(
                "master_key.wrapped and master_key.timeout_seconds belong to master_key.command".into()
            );
        }
        match (file, command) {
            (Some(_), Some(_)) => {
                Err("master_key.file and master_key.command are two places of one key: keep one".into())
            }
            (Some(file), None) => Ok(Some(Source::File(absolute(file)))),
            (None, Some(command)) if command.first().is_none_or(String::is_empty) => {
                Err("master_key.command names no program".into())
            }
            (None, Some(command)) => Ok(Some(Source::Command {
                command,
                wrapped: wrapped.map(absolute),
                timeout_seconds: timeout_seconds.unwrap_or(PATIENCE).max(1),
            })),
            (None, None) => Ok(None),
        }
    }
}

fn absolute(file: PathBuf) -> PathBuf {
    std::path::absolute(&file).unwrap_or(file)
}

/// A place of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Source {
    /// `master.key`, made with the database.
    DataDirectory,
    /// A file elsewhere, which somebody put there.
    File(PathBuf),
    /// The variable [`VARIABLE`].
    Variable,
    /// What a program prints.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// What it gets on its standard input.
        wrapped: Option<PathBuf>,
        /// How long it may take.
        timeout_seconds: u16,
    },
}

impl fmt::Display for Source {
    /// The subject of a sentence. Arguments are left out: there may be a secret in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory => f.write_str("master.key in the data directory"),
            Self::File(file) => write!(f, "the master key in {}", file.display()),
            Self::Variable => write!(f, "the master key in the variable {VARIABLE}"),
            Self::Command { command, .. } => {
                write!(f, "what {} prints (master_key.command)", program::name(command))
            }
        }
    }
}

impl Source {
    /// Goes there for the key. The file of the data directory is left to the store, which makes it with the database.
    pub(crate) async fn master_key(&self, data_dir: &Path) -> Result<MasterKey, CommandError> {
        let key = match self {
            Self::DataDirectory => return Ok(MasterKey::File(data_dir.join(SqliteStore::KEY_FILE))),
            Self::File(file) => read_elsewhere(file).map_err(|e| CommandError::new(e.to_string()))?,
            Self::Variable => of_variable(VARIABLE)?,
            Self::Command { command, wrapped, timeout_seconds } => {
                let patience = Duration::from_secs((*timeout_seconds).into());
                program::run(command, wrapped.as_deref(), patience)
                    .await
                    .map_err(|error| CommandError::new(format!("the master key: {error}")))?
            }
        };
        Ok(MasterKey::Given { key, origin: self.to_string() })
    }
}

/// The key that a variable holds.
pub(crate) fn of_variable(name: &str) -> Result<SealingKey, CommandError> {
    let text = environment::set(name).map(Zeroizing::new);
    let text = text.ok_or_else(|| {
        CommandError::new(format!("the master key: the variable {name} is not set"))
            .mend("set it, or say where the key is (docs/serve.md, \"The master key\")")
    })?;
    parse(text.as_bytes()).ok_or_else(|| {
        CommandError::new(format!("the master key: the variable {name} does not hold a key"))
            .mend("32 random bytes in base64: `head -c 32 /dev/urandom | base64`")
    })
}

/// Where the key may be, in the order of looking: where the configuration or the environment says; else where it was when
/// the data directory was last used. While a change of the key is under way these are two places.
pub(crate) fn places(data_dir: &Path, configured: Option<Source>) -> Result<Vec<Source>, CommandError> {
    let configured = match configured {
        Some(configured) => Some(configured),
        None => master_key_of_the_environment().map_err(CommandError::usage)?,
    };
    match (configured, environment::set(VARIABLE)) {
        (Some(source), Some(_)) => Err(CommandError::usage(format!(
            "the variable {VARIABLE} and {source} are two places of one key: keep one"
        ))),
        (Some(source), None) => Ok(vec![source]),
        (None, Some(_)) => Ok(vec![Source::Variable]),
        (None, None) => kept(data_dir),
    }
}

/// Where the key was when the data directory was last used.
fn kept(data_dir: &Path) -> Result<Vec<Source>, CommandError> {
    let file = data_dir.join(KEPT);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![Source::DataDirectory]),
        Err(e) => return Err(CommandError::because(format!("{} cannot be read", file.display()), &e)),
    };
    let places: Vec<Source> = serde_json::from_str(&text).map_err(|e| {
        CommandError::because(format!("{} cannot be understood", file.display()), &e)
            .mend("remove it, and say where the master key is (docs/serve.md, \"The master key\")")
    })?;
    if places.iter().any(|place| matches!(place, Source::Command { .. })) {
        // Whoever may write there could have this process run what they like.
        DataDirectory::look(data_dir).map_err(|e| CommandError::new(e.to_string()))?;
    }
    if places.is_empty() { Ok(vec![Source::DataDirectory]) } else { Ok(places) }
}

/// Leaves in the data directory where the key is.
pub(crate) fn keep(data_dir: &Path, places: &[Source]) -> Result<(), CommandError> {
    let file = data_dir.join(KEPT);
    let failed = |e: &std::io::Error| {
        CommandError::because(format!("where the master key is cannot be kept in {}", file.display()), e)
    };
    if places == [Source::DataDirectory] {
        return match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_string(places).unwrap_or_default();
    if fs::read_to_string(&file).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    write_atomically(&file, text.as_bytes(), Mode::Private).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests;
