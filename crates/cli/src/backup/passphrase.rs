//! The passphrase of a backup: from a file, or from whoever sits there.

use std::fs;
use std::path::{Path, PathBuf};

use kubesso_signin::{SystemTerminal, Terminal as _};
use zeroize::Zeroizing;

use crate::args::PassphraseFrom;
use crate::environment;
use crate::error::CommandError;

/// The variable with the file's name.
const VARIABLE: &str = "KUBESSO_BACKUP_PASSPHRASE_FILE";
/// In characters: whoever has the file may try for years.
const SHORTEST: usize = 12;

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A new one: it must be long enough, and typed twice.
    Seal,
    /// One that was chosen before.
    Open,
}

/// From the file that is named, else from that of the variable, else by asking.
pub(crate) fn get(from: &PassphraseFrom, used: Use) -> Result<Zeroizing<String>, CommandError> {
    let file = from.passphrase_file.clone().or_else(|| environment::set(VARIABLE).map(PathBuf::from));
    let passphrase = match file {
        Some(file) => of_file(&file)?,
        None => asked(used)?,
    };
    if used == Use::Seal && passphrase.chars().count() < SHORTEST {
        return Err(CommandError::usage(format!("the passphrase has fewer than {SHORTEST} characters"))
            .mend("take a longer one: whoever gets the file can try as long as they like"));
    }
    Ok(passphrase)
}

/// Its first line.
fn of_file(file: &Path) -> Result<Zeroizing<String>, CommandError> {
    let text = fs::read_to_string(file).map(Zeroizing::new).map_err(|e| {
        CommandError::because(format!("the passphrase's file {} cannot be read", file.display()), &e)
    })?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(CommandError::usage(format!("there is no passphrase in {}", file.display())));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn asked(used: Use) -> Result<Zeroizing<String>, CommandError> {
    if !SystemTerminal.is_attended() {
        return Err(CommandError::usage("there is no passphrase, and nobody to ask for it")
            .mend(format!("name its file with --passphrase-file, or with {VARIABLE}")));
    }
    let passphrase = line("Passphrase: ")?;
    if used == Use::Seal && line("The same again: ")? != passphrase {
        return Err(CommandError::usage("the two are not the same"));
    }
    Ok(passphrase)
}

fn line(question: &str) -> Result<Zeroizing<String>, CommandError> {
    eprint!("{question}");
    let hidden = SystemTerminal.hide_input();
    let typed = hidden.and_then(|_hidden| SystemTerminal.read_line());
    eprintln!();
    let typed = typed.map_err(|e| CommandError::because("the passphrase cannot be read", &e))?;
    typed.map(Zeroizing::new).ok_or_else(|| CommandError::usage("there was no passphrase"))
}
