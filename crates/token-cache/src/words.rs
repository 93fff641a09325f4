//! From the words of a command line to a token that is there already, by the shortest way.

use std::ffi::OsString;

use clap::{CommandFactory, Parser};
use jiff::Timestamp;

use crate::arguments::GetTokenArguments;
use crate::call::{Hit, cached_token};
use crate::layers::configuration::ConfigurationText;
use crate::layers::{CommandLine, Flags, Layers};
use crate::surroundings::Surroundings;

/// The one command that can be answered from the cache.
#[derive(Debug, Parser)]
struct GetToken {
    #[command(flatten)]
    arguments: GetTokenArguments,
}

/// The credential for kubectl, if `words` (a command line without the program's name) ask for a token that is there. What
/// cannot be read here, or is wrong, is for the whole plugin to understand or to complain about: that knows more commands,
/// more spellings and the configuration file, and takes ten times as long to begin.
pub fn answer(words: &[OsString], surroundings: &Surroundings, now: Timestamp) -> Option<Hit> {
    if words.first().is_none_or(|command| command != "get-token") {
        return None;
    }
    let call = GetToken::try_parse_from(complete(words, surroundings)?).ok()?;
    cached_token(&call.arguments, surroundings, now)
}

/// The call with the flags that environment variables set. A configuration file is for those who can read YAML.
fn complete(call: &[OsString], surroundings: &Surroundings) -> Option<Vec<OsString>> {
    if ConfigurationText::read(surroundings).ok()?.is_some() {
        return None;
    }
    let layers = Layers::new(surroundings, None);
    if layers.is_empty() {
        return Some(call.to_vec());
    }
    let flags = Flags::of(&GetToken::command());
    let (name, words) = call.split_first()?;
    let line = CommandLine::read(words.iter().cloned(), &flags);
    let added = layers.under(&line, &flags, &flags).ok()?;
    Some(line.with(name.clone(), added.words))
}
