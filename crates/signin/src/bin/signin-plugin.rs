//! The plugin alone, as a program: what this room's tests start and kill. What people install is `kubesso`.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use kubesso_ambient::{OsEntropy, SystemClock};
use kubesso_keyring::MemoryKeyring;
use kubesso_signin::{
    Environment, Interrupt, Output, Pacing, Surroundings, SystemBrowser, SystemLauncher, SystemTerminal,
    run_plugin,
};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let words = arguments.get(1..).unwrap_or_default().to_vec();
    let environment = Environment {
        surroundings: Surroundings {
            variables: Arc::new(variable),
            variable_names: Arc::new(Vec::new),
            home: std::env::home_dir(),
        },
        stdout: Output::new(io::stdout()),
        stderr: Output::new(io::stderr()),
        terminal: Arc::new(SystemTerminal),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        browser: Arc::new(SystemBrowser),
        keyring: Arc::new(MemoryKeyring::default()),
        launcher: Arc::new(SystemLauncher::new(
            std::env::current_exe().unwrap_or_default(),
            Vec::new(),
            words,
        )),
        interrupt: Interrupt::Signals,
        pacing: Pacing::default(),
        verbosity: 0,
        program: std::env::current_exe().ok(),
    };
    run_plugin(arguments, environment).into()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a binary of its own: this is its one place that reads variables"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
