//! A token that is there already.

use std::ffi::OsString;

use clap::{CommandFactory, Parser};
use jiff::Timestamp;
use kubesso_token_cache::layers::configuration::ConfigurationText;
use kubesso_token_cache::layers::{CommandLine, Flags, Layers};
use kubesso_token_cache::{GetTokenArguments, Hit, Surroundings, cached_token};

/// The one command that can be answered from the cache.
#[derive(Debug, Parser)]
struct GetToken {
    #[command(flatten)]
    arguments: GetTokenArguments,
}

/// The credential line for kubectl, if the command line (program first) asks for a token that is there. What cannot be
/// read here, or is wrong, is for `kubesso` to understand or to complain about.
pub(crate) fn answer(command_line: &[OsString], surroundings: &Surroundings, now: Timestamp) -> Option<Hit> {
    let call = command_line.get(1..).filter(|call| call.first().is_some_and(|name| name == "get-token"))?;
    let call = GetToken::try_parse_from(complete(call, surroundings)?).ok()?;
    cached_token(&call.arguments, surroundings, now)
}

/// The call with the flags that environment variables set. A configuration file is for `kubesso`, which can read YAML.
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
