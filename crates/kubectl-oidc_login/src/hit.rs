//! A token that is there already.

use std::ffi::OsString;

use clap::Parser;
use jiff::Timestamp;
use kubesso_token_cache::{GetTokenArguments, Secret, Surroundings, cached_token};

/// The one command that can be answered from the cache.
#[derive(Debug, Parser)]
struct GetToken {
    #[command(flatten)]
    arguments: GetTokenArguments,
}

/// The credential line for kubectl, if the command line (program first) asks for a token that is there. What cannot be
/// read here, or is wrong, is for `kubesso` to understand or to complain about.
pub(crate) fn answer(
    command_line: &[OsString],
    surroundings: &Surroundings,
    now: Timestamp,
) -> Option<Secret> {
    let call = command_line.get(1..).filter(|call| call.first().is_some_and(|name| name == "get-token"))?;
    let call = GetToken::try_parse_from(call).ok()?;
    cached_token(&call.arguments, surroundings, now).map(|hit| hit.credential)
}
