//! Which flags there are, as the parser itself knows them.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, ArgAction, Command};

/// The long flags of a command.
#[derive(Clone, Debug, Default)]
pub struct Flags(BTreeMap<String, Flag>);

#[derive(Clone, Debug)]
struct Flag {
    kind: Kind,
    /// Its first name, for a flag that has several.
    name: String,
    conflicts: BTreeSet<String>,
}

/// Ways to say one thing: the one that is said nearest to the command line is meant, and those below it are not.
const ALTERNATIVES: &[&[&str]] = &[
    &[
        "oidc-client-secret",
        "oidc-client-secret-file",
        "oidc-client-secret-command",
        "oidc-client-assertion-file",
        "oidc-client-assertion-key",
    ],
    &["oidc-pkce-method", "oidc-use-pkce"],
    &["token-cache-storage", "force-keyring", "no-keyring"],
    &["listen-address", "listen-port"],
];

/// How a flag takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A boolean: only behind `=`.
    Switch,
    /// The last one wins.
    Value,
    /// May be repeated.
    List,
}

impl Flags {
    /// The flags of `command`, hidden ones too.
    pub fn of(command: &Command) -> Self {
        Self::of_those(command, |_| true)
    }

    /// The flags of `command` that every one of its subcommands takes too.
    pub fn of_every_command(command: &Command) -> Self {
        Self::of_those(command, Arg::is_global_set)
    }

    fn of_those(command: &Command, are_meant: impl Fn(&Arg) -> bool) -> Self {
        let mut flags = BTreeMap::new();
        for argument in command.get_arguments().filter(|argument| are_meant(argument)) {
            let Some(name) = argument.get_long() else { continue };
            let kind = match argument.get_action() {
                ArgAction::Append => Kind::List,
                ArgAction::Set if !argument.is_require_equals_set() => Kind::Value,
                _ => Kind::Switch,
            };
            let conflicts = command
                .get_arg_conflicts_with(argument)
                .into_iter()
                .filter_map(|other| other.get_long().map(str::to_owned));
            let flag = Flag { kind, name: name.to_owned(), conflicts: conflicts.collect() };
            let names = argument.get_all_aliases().unwrap_or_default().into_iter().chain([name]);
            flags.extend(names.map(|name| (name.to_owned(), flag.clone())));
        }
        // The parser records a conflict with one of the two.
        let conflicts: Vec<_> = flags
            .iter()
            .flat_map(|(name, flag)| flag.conflicts.iter().map(move |other| (other.clone(), name.clone())))
            .collect();
        for (name, other) in conflicts {
            if let Some(flag) = flags.get_mut(&name) {
                flag.conflicts.insert(other);
            }
        }
        Self(flags)
    }

    /// The flags of `command` and of all its subcommands.
    pub fn of_all(command: &Command) -> Self {
        let mut flags = Self::of(command);
        for subcommand in command.get_subcommands() {
            flags.0.extend(Self::of_all(subcommand).0);
        }
        flags
    }

    /// These and `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether there is such a flag; `name` is without dashes in front.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How a flag takes its value, if there is such a flag.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.0.get(name).map(|flag| flag.kind)
    }

    /// The first name of a flag that has several.
    pub(super) fn first_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, |flag| &flag.name)
    }

    /// The flags that must not be beside this one.
    pub(super) fn conflicts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let alternatives = ALTERNATIVES.iter().filter(move |group| group.contains(&name)).copied().flatten();
        let own = self.0.get(name).into_iter().flat_map(|flag| &flag.conflicts);
        own.map(String::as_str).chain(alternatives.copied().filter(move |other| *other != name))
    }

    /// The flag that was probably meant: one that differs by a letter or two.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        let near = |known: &&String| edits(known, name) <= 2;
        self.0.keys().filter(near).min_by_key(|known| edits(known, name)).map(String::as_str)
    }
}

/// How many letters must be changed, added or left away to make `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, left) in a.bytes().enumerate() {
        let mut corner = line;
        let mut before = line + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = corner + usize::from(left != right);
            corner = *cell;
            before = changed.min(corner + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ac", 1), ("", "ab", 2)]
        {
            assert_eq!((edits(a, b), edits(b, a)), (count, count), "{a} {b}");
        }
    }
}
