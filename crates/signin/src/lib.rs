//! `kubectl oidc-login`: signs people in with OpenID Connect and gives kubectl their tokens.
//!
//! It takes kubelogin's commands and flags, so that a kubeconfig written for that works unchanged. The binary parses
//! [`OidcLogin`], describes the world as an [`Environment`] and calls [`run`]; this room itself reads no environment
//! variable, asks no clock and draws no randomness of its own.
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
//! let Command::GetToken(arguments) = plugin.oidc_login.command else { unreachable!() };
//! assert_eq!(arguments.oidc_issuer_url.as_str(), "https://login.example.com");
//! ```

mod arguments;
mod browser;
mod clean;
mod environment;
mod errand;
mod error;
mod flow;
mod get_token;
mod http;
mod launcher;
mod lock;
mod login;
mod provider;
mod relying_party;
mod remedy;
mod runtime;
mod setup;
mod terminal;
#[cfg(test)]
mod testing;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

pub use arguments::{Command, LoginArguments, OidcLogin, Plugin, SetupArguments};
pub use browser::{BrowserChoice, BrowserError, OnFailure, OpenBrowser, SystemBrowser};
pub use environment::{Environment, Interrupt, Output, Pacing, Terminal};
pub use error::Error;
pub use kubesso_token_cache::shell::quote as shell_quote;
pub use kubesso_token_cache::{Secret, Surroundings};
pub use launcher::{Helper, Launch, NoHelper};
pub use terminal::SystemTerminal;

/// Does what `arguments` say and returns the exit code: 0, or 1 after one line `error: …` on standard error.
///
/// An event loop is started only if the cache does not answer; call it outside of any.
pub fn run(arguments: OidcLogin, environment: Environment) -> u8 {
    let environment = &Environment { verbosity: arguments.verbosity, ..environment };
    let (name, result) = match arguments.command {
        Command::Setup(setup) => ("setup", setup::run(&setup, environment)),
        Command::GetToken(call) => ("get-token", get_token::run(&call, environment)),
        Command::Login(login) => ("login", login::run(&login, environment)),
        Command::Clean(directory) => ("clean", clean::run(&directory, environment)),
        Command::Version => {
            environment.say(&version());
            return 0;
        }
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            environment.say(&format!("error: {name}: {error}"));
            1
        }
    }
}

/// Parses the whole command line of the plugin (the program's name first) and runs it. Help and `--version` go to
/// standard output with exit code 0; every mistake in the arguments is exit code 1, as in kubelogin.
pub fn run_plugin(command_line: impl IntoIterator<Item = OsString>, environment: Environment) -> u8 {
    match Plugin::try_parse_from(command_line) {
        Ok(plugin) => run(plugin.oidc_login, environment),
        Err(answer) => {
            let text = answer.render().to_string();
            if answer.use_stderr() {
                let _ = environment.stderr.write(&text);
                1
            } else {
                u8::from(environment.stdout.write(&text).is_err())
            }
        }
    }
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
