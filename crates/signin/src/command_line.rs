//! From the words of a command line to a command: what cobra and pflag take, and what lies under it.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};
use kubesso_token_cache::layers::configuration::ConfigurationText;
use kubesso_token_cache::layers::{CommandLine, Configuration, Flags, Layers};

use crate::arguments::{Command, Plugin};
use crate::completion::{self, Question};
use crate::detached::Detached;
use crate::environment::Environment;
use crate::get_token;

/// Runs the plugin with a whole command line, the program's name first. Help and `--version` go to standard output with
/// exit code 0; every mistake in the arguments is one line and exit code 1, as in kubelogin.
pub fn run_plugin(command_line: impl IntoIterator<Item = OsString>, environment: Environment) -> u8 {
    let mut words = command_line.into_iter();
    let program = words.next().unwrap_or_default();
    let words: Vec<_> = words.collect();
    // The way of nearly every call, before more is built than it needs.
    let now = environment.clock.now();
    if let Some(hit) = kubesso_token_cache::answer(&words, &environment.surroundings, now) {
        return crate::exit_code("get-token", get_token::hand_out(&hit, &environment), &environment);
    }
    let mut words = words.into_iter().peekable();
    if let Some(question) = words.peek().and_then(Question::from_word) {
        return completion::answer(question, words.skip(1).collect(), &environment);
    }
    // Not a flag like others: no variable sets it and no help shows it.
    let detached = words.peek().and_then(|word| Detached::from_word(word));
    if detached.is_some() {
        words.next();
    }
    match (parse(program, words, &environment), detached) {
        (Ok((plugin, _)), Some(errand)) => crate::run_detached(errand, &plugin, environment),
        (Ok((plugin, notices)), None) => crate::run(&plugin, &notices, environment),
        (Err(Answer::Help(text)), _) => u8::from(environment.stdout.write(&text).is_err()),
        (Err(Answer::Mistake(line, notices)), _) => {
            environment.warn_all(&notices);
            environment.say(&format!("error: {line}"));
            1
        }
    }
}

/// Reads the words of a command, as a kubeconfig has them. What is wrong is one line.
pub(crate) fn read(words: Vec<OsString>, environment: &Environment) -> Result<Option<Command>, String> {
    match parse(OsString::new(), words.into_iter(), environment) {
        Ok((plugin, _)) => Ok(plugin.command),
        Err(Answer::Help(_)) => Ok(None),
        Err(Answer::Mistake(line, _)) => Err(line),
    }
}

/// Why there is nothing to run.
enum Answer {
    /// Help or version was asked for.
    Help(String),
    /// One line, and what else is to be said of the words and of what lies under them.
    Mistake(String, Vec<String>),
}

impl Answer {
    fn of(error: &kubesso_token_cache::Error) -> Self {
        Self::Mistake(error.to_string(), Vec::new())
    }
}

fn parse(
    program: OsString,
    words: impl Iterator<Item = OsString>,
    environment: &Environment,
) -> Result<(Plugin, Vec<String>), Answer> {
    let mut command = Plugin::command();
    let of_any = Flags::of_all(&command);
    let line = CommandLine::read(words, &of_any);
    let layers = layers(environment).map_err(|error| Answer::of(&error))?;
    let mut added = kubesso_token_cache::layers::Added::default();
    if !layers.is_empty() {
        let subcommand = line.command.as_deref().and_then(|name| command.find_subcommand(name));
        let of_command = match subcommand {
            Some(subcommand) => Flags::of(subcommand).and(Flags::of_every_command(&command)),
            None => Flags::of(&command),
        };
        added = layers.under(&line, &of_command, &of_any).map_err(|error| Answer::of(&error))?;
    }
    let words = line.with(program, added.words);
    let parsed =
        command.try_get_matches_from_mut(words).and_then(|matches| Plugin::from_arg_matches(&matches));
    match parsed {
        Ok(plugin) => {
            let mut notices = added.warnings;
            let ineffective = plugin.log.without_effect();
            if !ineffective.is_empty() {
                let flags = ineffective.join(", ");
                notices.push(format!("{flags}: what is told goes to standard error, as much as -v says"));
            }
            Ok((plugin, notices))
        }
        Err(error) if error.use_stderr() => {
            Err(Answer::Mistake(one_line(&error, &added.origins), added.warnings))
        }
        Err(help) => Err(Answer::Help(help.render().to_string())),
    }
}

/// The names of the profiles, as far as the configuration file can be read.
pub(crate) fn profiles(environment: &Environment) -> Vec<String> {
    layers(environment).map(|layers| layers.profiles().map(str::to_owned).collect()).unwrap_or_default()
}

fn layers(environment: &Environment) -> Result<Layers, kubesso_token_cache::Error> {
    let surroundings = &environment.surroundings;
    let file = ConfigurationText::read(surroundings)?;
    let read = |text: &str| serde_saphyr::from_str(text).map_err(|error| problem_of(&error));
    let configuration = file.map(|file| Configuration::new(file, read)).transpose()?;
    Ok(Layers::new(surroundings, configuration))
}

/// Where a file is not YAML, and why. The text itself stays out of it: it may hold a secret.
fn problem_of(error: &serde_saphyr::Error) -> String {
    error.without_snippet().to_string().lines().next().unwrap_or_default().to_owned()
}

/// What is wrong and what may mend it, without the usage, and where the flag was set if not on the command line.
fn one_line(error: &clap::Error, origins: &BTreeMap<String, String>) -> String {
    let text = error.render().to_string();
    let told = text.split("\nUsage:").next().unwrap_or_default().split("\nFor more information").next();
    let lines = told.unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
    let mut sentence = String::new();
    for line in lines {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        let line = line.strip_prefix("tip: ").unwrap_or(line);
        sentence += match sentence.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) if line.starts_with('[') => " ",
            Some(_) if line.starts_with("--") => ", ",
            Some(_) => "; ",
        };
        sentence += line;
    }
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.trim_start_matches("--").split([' ', '[', '=']).next(),
        _ => None,
    };
    if let Some(origin) = flag.and_then(|flag| origins.get(flag)) {
        sentence.extend([" (set by ", origin, ")"]);
    }
    sentence
}

#[cfg(test)]
mod tests;
