//! The binary `kubesso`: arguments, wiring, output. The only room that reads the environment and exits.
//!
//! [`main`] looks at the name the program was started by. As `kubectl-oidc_login` or `kubelogin` it is the kubectl
//! plugin; otherwise it takes `kubesso`'s commands. [`up::start`] is `kubesso up` as a function, with the clock
//! and the randomness passed in:
//!
//! ```no_run
//! # async fn example() -> Result<(), kubesso_cli::CommandError> {
//! use kubesso_cli::up;
//!
//! let running = up::start(up::Options::new("./data")).await?;
//! println!("{}", running.facts().registration()?.issuer);
//! running.stop().await;
//! # Ok(())
//! # }
//! ```

mod api_server;
mod api_token;
mod args;
mod audit;
mod authority;
mod backup;
mod chain;
mod client_certificates;
mod cluster;
mod data_directory;
mod database;
mod doctor;
mod environment;
mod error;
mod interrupts;
mod keys;
mod kubeconfig;
mod logging;
mod management;
mod management_client;
mod master_key;
mod output;
mod over_https;
mod provider_server;
#[cfg(test)]
mod reference;
mod registration_token;
mod serve;
mod token;
mod tour;
pub mod up;
mod user;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tracing::Level;

use crate::args::{Cli, Command};
pub use crate::error::CommandError;
use crate::logging::Logging;

/// Names under which this program is the kubectl plugin: kubectl's `oidc-login`, and the one kubelogin is
/// installed by.
const PLUGIN_NAMES: [&str; 2] = ["kubectl-oidc_login", "kubelogin"];

/// The name under which kubectl looks for somebody who completes `kubectl oidc-login`.
const COMPLETER: &str = "kubectl_complete-oidc_login";

/// The plugin as a command of ours.
pub(crate) const PLUGIN: &str = "oidc-login";

/// Whether a program of this name is the plugin.
pub(crate) fn is_plugin(program: &Path) -> bool {
    program.file_stem().is_some_and(|stem| PLUGIN_NAMES.iter().any(|name| stem == *name))
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut words = arguments.iter().cloned();
    if arguments.first().is_some_and(|name| is_plugin(Path::new(name))) {
        return run_plugin(words.next().unwrap_or_default(), words.collect());
    }
    if arguments.first().is_some_and(|name| Path::new(name).file_stem().is_some_and(|stem| stem == COMPLETER))
    {
        let question = std::iter::once("__complete".into()).chain(words.skip(1));
        return run_plugin(OsString::from(PLUGIN), question.collect());
    }
    // Not by way of our own parser, which has other rules than the plugin's.
    if words.nth(1).is_some_and(|word| word == PLUGIN) {
        return run_plugin(OsString::from(PLUGIN), words.collect());
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // clap's own: help and version on standard output with 0, usage errors on standard error with 2.
        Err(error) => error.exit(),
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit().into()
        }
    }
}

/// The plugin, with the words behind its name.
fn run_plugin(name: OsString, words: Vec<OsString>) -> ExitCode {
    let environment = environment::for_sign_in(&words);
    kubesso_signin::run_plugin(std::iter::once(name).chain(words), environment).into()
}

fn run(cli: Cli) -> Result<ExitCode, CommandError> {
    // The plugin first: a cached token is printed before there is a log or a runtime.
    if let Command::OidcLogin { words } = cli.command {
        return Ok(run_plugin(OsString::from(PLUGIN), words));
    }
    let usual_level = if matches!(cli.command, Command::Serve(_)) { Level::INFO } else { Level::WARN };
    let logging = Logging { format: cli.log_format, level: cli.log_level.unwrap_or(usual_level) };
    // The provider starts it by itself, with traces beside the log.
    if !matches!(cli.command, Command::Serve(_)) {
        logging.start();
    }
    kubesso_https::install_crypto_provider();
    match cli.command {
        Command::Up(command) => runtime()?.block_on(up::run(command)),
        Command::Serve(command) => runtime()?.block_on(serve::run(command, logging)),
        Command::User(command) => runtime()?.block_on(user::run(command)),
        // Outside of any runtime: signing in has one of its own.
        Command::ApiToken(command) => api_token::run(command),
        Command::RegistrationToken(command) => registration_token::run(command),
        Command::Token(command) => runtime()?.block_on(token::run(command)),
        Command::Audit(command) => runtime()?.block_on(audit::run(command)),
        Command::Backup(command) => runtime()?.block_on(backup::backup(command)),
        Command::Restore(command) => runtime()?.block_on(backup::restore(command)),
        // Outside of any runtime, as signing in.
        Command::Plan(command) => chain::plan(&command),
        Command::Apply(command) => chain::apply(&command),
        Command::Import(command) => chain::import(&command),
        Command::Destroy(command) => chain::destroy(&command),
        Command::Cluster(command) => runtime()?.block_on(cluster::run(command)),
        Command::Kubeconfig(command) => runtime()?.block_on(kubeconfig::run(command)),
        Command::Doctor(command) => runtime()?.block_on(doctor::run(*command)),
        Command::Keys(command) => runtime()?.block_on(keys::run(command)),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut args::command(), "kubesso", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::OidcLogin { .. } => Ok(ExitCode::SUCCESS),
    }
}

pub(crate) fn runtime() -> Result<Runtime, CommandError> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CommandError::because("the program's threads cannot be started", &e))
}
