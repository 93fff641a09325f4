//! What may stand at the end of a command line.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Arg, Command, CommandFactory, ValueHint};
use kubesso_kubeconfig::{Kubeconfig, Locations};
use kubesso_token_cache::layers::{CommandLine, Flags, Kind};

use crate::arguments::Plugin;
use crate::command_line;
use crate::environment::Environment;

/// Words with their descriptions, or files.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) words: Vec<(String, String)>,
    pub(super) are_files: bool,
}

/// What `current` may become behind `words`.
pub(super) fn find(words: &[String], current: &str, environment: &Environment) -> Candidates {
    let mut plugin = Plugin::command();
    plugin.build();
    let flags = Flags::of_all(&plugin);
    let line = CommandLine::read(words.iter().map(OsString::from), &flags);
    let command = match line.command.as_deref() {
        None => Some(&plugin),
        Some(name) => plugin.find_subcommand(name),
    };
    let Some(command) = command else { return Candidates::default() };

    // The value of a flag, behind `=` or a space.
    let behind_equals = current.strip_prefix("--").and_then(|flag| flag.split_once('='));
    let awaiting = words
        .last()
        .and_then(|word| word.strip_prefix("--"))
        .filter(|name| matches!(flags.kind(name), Some(Kind::Value | Kind::List)) && !line.words.is_empty());
    if let Some((name, begun)) = behind_equals.or(awaiting.map(|name| (name, current))) {
        let flag = command.get_arguments().find(|argument| argument.get_long() == Some(name));
        let mut candidates = flag.map(|flag| values(flag, &line, environment)).unwrap_or_default();
        candidates.words.retain(|(value, _)| value.starts_with(begun));
        return candidates;
    }
    let mut words = if current.starts_with('-') {
        flags_of(command, &line, &flags)
    } else {
        positionals(command, &line, &plugin)
    };
    words.retain(|(word, _)| word.starts_with(current));
    Candidates { words, are_files: false }
}

/// The flags that are not there yet, or may be repeated.
fn flags_of(command: &Command, line: &CommandLine, flags: &Flags) -> Vec<(String, String)> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let named = shown.filter_map(|argument| Some((argument.get_long()?, argument)));
    named
        .filter(|(name, _)| flags.kind(name) == Some(Kind::List) || !line.flags.contains(*name))
        .map(|(name, argument)| (format!("--{name}"), help(argument)))
        .collect()
}

fn help(argument: &Arg) -> String {
    argument
        .get_help()
        .map(|text| text.to_string().lines().next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

/// Commands, or the values of the command's own argument.
fn positionals(command: &Command, line: &CommandLine, plugin: &Command) -> Vec<(String, String)> {
    let is_help = command.get_name() == "help";
    if line.command.is_none() || (is_help && line.positional.is_empty()) {
        let shown = plugin.get_subcommands().filter(|command| !command.is_hide_set());
        let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
        return shown.map(|command| (command.get_name().to_owned(), about(command))).collect();
    }
    match command.get_positionals().nth(line.positional.len()) {
        Some(argument) if !is_help => possible_values(argument),
        _ => Vec::new(),
    }
}

fn possible_values(argument: &Arg) -> Vec<(String, String)> {
    let shown = argument.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    shown
        .map(|value| {
            (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
        })
        .collect()
}

fn values(argument: &Arg, line: &CommandLine, environment: &Environment) -> Candidates {
    let of_kubeconfig = |names: fn(&Kubeconfig) -> Vec<String>| {
        let given = line.value("kubeconfig");
        let variable = environment.variable("KUBECONFIG");
        let home = environment.surroundings.home.as_deref();
        let locations =
            Locations::new(given.as_deref().map(Path::new), variable.as_deref().map(OsStr::new), home);
        Kubeconfig::load(&locations).map(|kubeconfig| names(&kubeconfig)).unwrap_or_default()
    };
    let names: Vec<String> = match argument.get_long() {
        Some("context") => {
            of_kubeconfig(|kubeconfig| kubeconfig.contexts().iter().map(|entry| entry.name.clone()).collect())
        }
        Some("user") => {
            of_kubeconfig(|kubeconfig| kubeconfig.users().iter().map(|entry| entry.name.clone()).collect())
        }
        Some("profile") => command_line::profiles(environment),
        _ if argument.is_require_equals_set() => ["true", "false"].map(str::to_owned).to_vec(),
        _ => {
            let are_files = !matches!(argument.get_value_hint(), ValueHint::Unknown | ValueHint::Other);
            return Candidates { words: possible_values(argument), are_files };
        }
    };
    Candidates { words: names.into_iter().map(|name| (name, String::new())).collect(), are_files: false }
}
