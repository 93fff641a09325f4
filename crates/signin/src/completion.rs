//! Completing command lines in shells.
//!
//! The scripts ask the plugin itself, in the way of cobra's programs: `__complete WORD… CURRENT` is answered with one
//! line a candidate (a tab before its description) and a last line `:N`, where 4 means that files are no candidates and
//! 0 that they are. kubectl asks an executable `kubectl_complete-oidc_login` for the same.

mod candidates;

use std::ffi::OsString;

use clap::ValueEnum;

use crate::environment::Environment;

/// What a completion script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Source it, or put it into bash-completion's directory.
    Bash,
    /// Put it into fish's directory of completions.
    Fish,
    /// Put it on PATH as kubectl_complete-oidc_login, executable: then kubectl's own completion asks it.
    Kubectl,
    /// Put it into the profile.
    Powershell,
    /// Put it on fpath as _kubectl-oidc_login.
    Zsh,
}

impl Shell {
    /// The script, to be written to a file or sourced.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("completion/bash.sh"),
            Self::Fish => include_str!("completion/fish.fish"),
            Self::Kubectl => include_str!("completion/kubectl.sh"),
            Self::Powershell => include_str!("completion/powershell.ps1"),
            Self::Zsh => include_str!("completion/zsh.zsh"),
        }
    }
}

/// How the scripts ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Described,
    /// Without descriptions.
    Bare,
    /// The word at hand has a letter in front, because PowerShell loses empty words.
    Marked,
}

impl Question {
    pub(crate) fn from_word(word: &OsString) -> Option<Self> {
        match word.to_str()? {
            "__complete" => Some(Self::Described),
            "__completeNoDesc" => Some(Self::Bare),
            "__completeMarked" => Some(Self::Marked),
            _ => None,
        }
    }
}

/// Prints the candidates for the last of `words`.
pub(crate) fn answer(question: Question, words: Vec<OsString>, environment: &Environment) -> u8 {
    let mut words: Vec<_> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut current = words.pop().unwrap_or_default();
    if question == Question::Marked && !current.is_empty() {
        current.remove(0);
    }
    let candidates = candidates::find(&words, &current, environment);
    let mut text = String::new();
    for (value, description) in candidates.words {
        text += &value;
        if question != Question::Bare && !description.is_empty() {
            text += "\t";
            text += &description;
        }
        text += "\n";
    }
    text += if candidates.are_files { ":0\n" } else { ":4\n" };
    u8::from(environment.stdout.write(&text).is_err())
}

#[cfg(test)]
mod tests;
