//! A command line as Go's pflag and cobra read it, brought into the order in which clap does.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use super::flags::{Flags, Kind};

/// A command line without the program's name.
///
/// pflag takes the word behind a flag as its value whatever it begins with, and cobra takes flags before the command
/// too. Here the command comes first and every value stands behind `=`, so that nothing is left to guess.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The first word that is neither a flag nor its value.
    pub command: Option<OsString>,
    /// Flags with their values, in order.
    pub words: Vec<OsString>,
    /// What is no flag, behind the command.
    pub positional: Vec<OsString>,
    /// The names of the flags that were given.
    pub flags: BTreeSet<String>,
}

impl CommandLine {
    /// Reads `words`, where `flags` are those of any command.
    pub fn read(words: impl IntoIterator<Item = OsString>, flags: &Flags) -> Self {
        let mut line = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                line.positional.extend(words);
                break;
            }
            if let Some(short) = short_verbosity(&word) {
                let value = if short.is_empty() { words.next() } else { Some(short) };
                line.flags.insert("v".to_owned());
                line.words.push(joined("--v", value));
                continue;
            }
            let Some(name) = long_name(&word) else {
                if is_flag(&word) {
                    line.words.push(word);
                } else if line.command.is_none() {
                    line.command = Some(word);
                } else {
                    line.positional.push(word);
                }
                continue;
            };
            let has_value = word.as_encoded_bytes().contains(&b'=');
            let wants_value = !has_value && matches!(flags.kind(&name), Some(Kind::Value | Kind::List));
            line.words.push(match wants_value.then(|| words.next()).flatten() {
                Some(value) => joined(&format!("--{name}"), Some(value)),
                None => word,
            });
            line.flags.insert(name);
        }
        line
    }

    /// The command line for clap, with `added` flags in front of its own.
    pub fn with(self, program: OsString, added: Vec<OsString>) -> Vec<OsString> {
        let end_of_flags = self.positional.iter().any(|word| is_flag(word)).then(|| OsString::from("--"));
        std::iter::once(program)
            .chain(self.command)
            .chain(added)
            .chain(self.words)
            .chain(end_of_flags)
            .chain(self.positional)
            .collect()
    }

    /// The value of a flag; the last one wins.
    pub fn value(&self, name: &str) -> Option<String> {
        let is_it = |word: &OsString| {
            let value = word.to_str()?.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.to_owned())
        };
        self.words.iter().rev().find_map(is_it)
    }
}

fn joined(flag: &str, value: Option<OsString>) -> OsString {
    let mut word = OsString::from(flag);
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

/// A lone dash is a value.
fn is_flag(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 1 && bytes.first() == Some(&b'-')
}

fn long_name(word: &OsStr) -> Option<String> {
    let name = word.as_encoded_bytes().strip_prefix(b"--")?;
    let end = name.iter().position(|byte| *byte == b'=').unwrap_or(name.len());
    let name = std::str::from_utf8(name.get(..end)?).ok()?;
    Some(name.to_owned())
}

/// What follows `-v`, which is all of the short flags that have values: `-v1`, `-v=1`, `-v 1` (then nothing).
fn short_verbosity(word: &OsStr) -> Option<OsString> {
    let level = word.to_str()?.strip_prefix("-v")?;
    Some(level.strip_prefix('=').unwrap_or(level).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction, Command};

    fn flags() -> Flags {
        Flags::of(
            &Command::new("test")
                .arg(Arg::new("name").long("name"))
                .arg(Arg::new("list").long("list").action(ArgAction::Append))
                .arg(Arg::new("on").long("on").num_args(0..=1).require_equals(true)),
        )
    }

    #[test]
    fn a_line_is_read_as_cobra_reads_it() {
        for (given, read) in [
            ("get --name=a --on", "get --name=a --on"),
            ("get --name a --on", "get --name=a --on"),
            ("--name a get --on", "get --name=a --on"),
            ("--name get get", "get --name=get"),
            ("--on get --on=false", "get --on --on=false"),
            ("get --name -a --list --b --list c", "get --name=-a --list=--b --list=c"),
            ("-v1 get", "get --v=1"),
            ("-v 1 get", "get --v=1"),
            ("get -v=1", "get --v=1"),
            ("get -h", "get -h"),
            ("get --unknown x", "get --unknown x"),
            ("get --name", "get --name"),
            ("get -v", "get --v"),
            ("get a - b", "get a - b"),
            ("get -- --name a", "get -- --name a"),
            ("", ""),
            ("--name=a", "--name=a"),
        ] {
            let line = CommandLine::read(given.split_whitespace().map(OsString::from), &flags());
            let words = line.with("program".into(), Vec::new()).join(OsStr::new(" "));
            assert_eq!(words.to_str().unwrap(), format!("program {read}").trim_end(), "{given}");
        }
    }

    #[test]
    fn the_last_value_of_a_flag_is_its_value() {
        let line = CommandLine::read(["--name=a", "--name", "b", "--list=c"].map(OsString::from), &flags());
        assert_eq!(line.value("name").as_deref(), Some("b"));
        assert_eq!(line.value("nam"), None);
        assert_eq!(line.flags.iter().map(String::as_str).collect::<Vec<_>>(), ["list", "name"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_need_not_be_unicode() {
        use std::os::unix::ffi::OsStringExt;

        let path = OsString::from_vec(vec![b'/', 0xff]);
        let line = CommandLine::read(["--name".into(), path], &flags());
        assert_eq!(line.words, [OsString::from_vec(b"--name=/\xff".to_vec())]);
    }
}
