//! Keeps a made-up token for a `get-token` command line, so that a cache hit can be measured without a provider:
//!
//!     keep_token HOME get-token --oidc-issuer-url=https://login.example.com --oidc-client-id=kubernetes
//!
//! The token has the size of a real one with ten groups, and lasts ten hours.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use jiff::SignedDuration;
use kubesso_ambient::{Clock, OsEntropy, SystemClock};
use kubesso_token_cache::{Call, Entry, GetTokenArguments, Secret, Surroundings};

#[derive(Debug, Parser)]
struct KeepToken {
    /// The home directory of the cache.
    home: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Parser)]
enum Command {
    GetToken(Box<GetTokenArguments>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let KeepToken { home, command: Command::GetToken(arguments) } = KeepToken::parse();
    let surroundings = Surroundings::of(BTreeMap::new(), Some(home));
    let now = SystemClock.now();
    let entry = Entry {
        token: Secret::from(format!("{}.{}.{}", "h".repeat(60), "p".repeat(1100), "s".repeat(342))),
        issued_at: Some(now),
        expires_at: now + SignedDuration::from_hours(10),
        refresh_token: Some(Secret::from("r".repeat(64))),
        scope: Some("email groups offline_access openid profile".to_owned()),
    };
    let paths = Call::new(&arguments, &surroundings)?.paths.ok_or("nothing is to be kept")?;
    paths.save(&entry, &OsEntropy)?;
    Ok(())
}
