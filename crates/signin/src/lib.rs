//! `kubectl oidc-login`: signs people in with OpenID Connect and gives kubectl their tokens.
//!
//! It takes kubelogin's commands and flags, so that a kubeconfig written for that works unchanged. The binary
//! describes the world as an [`Environment`] and calls [`run_plugin`] with its command line; this room itself reads no
//! environment variable, asks no clock and draws no randomness of its own.
//!
//! The way of nearly every call is [`cached_token`](kubesso_token_cache::cached_token), which reads one file. Everything else (the event loop, TLS, the
//! lock that lets one process sign in while others wait for its result) is only started when that finds nothing.
//!
//! ```
//! use clap::Parser;
//! use kubesso_signin::{Command, Plugin};
//!
//! let plugin = Plugin::parse_from([
//!     "kubectl-oidc_login",
//!     "get-token",
//!     "--oidc-issuer-url=https://login.example.com",
//!     "--oidc-client-id=kubernetes",
//!     "--oidc-extra-scope=email offline_access profile openid",
//! ]);
//! let Some(Command::GetToken(arguments)) = plugin.command else { unreachable!() };
//! assert_eq!(arguments.oidc_issuer_url.as_str(), "https://login.example.com");
//! ```

mod arguments;
mod asked_once;
mod browser;
mod clean;
mod command_line;
mod completion;
mod detached;
pub mod entry;
mod environment;
mod errand;
mod error;
mod flow;
mod get_token;
mod http;
mod kept;
mod kubeconfig_user;
mod launcher;
mod list;
mod lock;
mod login;
mod logout;
mod provider;
mod relying_party;
mod remedy;
mod runtime;
mod setup;
mod standalone;
mod store;
mod terminal;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use clap::CommandFactory;

use crate::asked_once::AskedOnce;
use crate::detached::Detached;

pub use arguments::{
    Command, KubeconfigArguments, LogArguments, LoginArguments, LoginUser, Plugin, SetupArguments,
    StandaloneArguments,
};
pub use browser::{BrowserChoice, BrowserError, OnFailure, OpenBrowser, SystemBrowser};
pub use command_line::run_plugin;
pub use completion::Shell;
pub use environment::{Environment, Interrupt, Output, Pacing, Terminal};
pub use error::Error;
pub use kubesso_token_cache::shell::quote as shell_quote;
pub use kubesso_token_cache::{Secret, Surroundings, is_loopback};
pub use launcher::{Helper, Launch, NoHelper, SystemLauncher};
pub use list::{ListArguments, ListFormat};
pub use logout::LogoutArguments;
pub use terminal::SystemTerminal;

/// Does what `plugin` says and returns the exit code: 0, or 1 after one line `error: …` on standard error. `notices`
/// are what the person should know of the command line; a token that is there already is printed without them.
///
/// An event loop is started only if the cache does not answer; call it outside of any.
fn run(plugin: &Plugin, notices: &[String], environment: Environment) -> u8 {
    let environment = &Environment {
        verbosity: plugin.log.verbosity,
        keyring: Arc::new(AskedOnce::around(environment.keyring)),
        ..environment
    };
    if !matches!(plugin.command, Some(Command::GetToken(_))) {
        environment.warn_all(notices);
    }
    let (name, result) = match &plugin.command {
        Some(Command::Setup(setup)) => ("setup", setup::run(setup, environment)),
        Some(Command::GetToken(call)) => ("get-token", get_token::run(call, notices, environment)),
        Some(Command::Login(login)) => ("login", login::run(login, environment)),
        Some(Command::Clean(directory)) => ("clean", clean::run(directory, environment)),
        None => ("login", standalone::run(&plugin.standalone, environment)),
        Some(Command::Completion { shell }) => {
            return u8::from(environment.stdout.write(shell.script()).is_err());
        }
        Some(Command::Logout(logout)) => ("logout", logout::run(logout, environment)),
        Some(Command::List(list)) => ("list", list::run(list, environment)),
        Some(Command::Version) => {
            environment.say(&version());
            return 0;
        }
    };
    exit_code(name, result, environment)
}

/// 0, or 1 after one line that says what went wrong.
fn exit_code(command: &str, result: Result<(), Error>, environment: &Environment) -> u8 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            environment.say(&format!("error: {command}: {error}"));
            1
        }
    }
}

/// Does a part of a call that another process has begun. Only `get-token` has such parts. Whoever started this hears of
/// the result in another way, or not at all.
fn run_detached(errand: Detached, plugin: &Plugin, environment: Environment) -> u8 {
    let environment = &Environment { verbosity: plugin.log.verbosity, ..environment };
    let Some(Command::GetToken(call)) = &plugin.command else { return 1 };
    u8::from(detached::run(errand, call, environment).is_err())
}

/// The help of one of the plugin's commands.
fn help_of(command: &str) -> String {
    let mut plugin = Plugin::command();
    plugin.build();
    plugin.find_subcommand_mut(command).map(|command| command.render_help().to_string()).unwrap_or_default()
}

fn version() -> String {
    format!(
        "kubectl-oidc_login version v{} (kubesso {}_{})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
