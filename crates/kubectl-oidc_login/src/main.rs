//! The small `kubectl-oidc_login`: it answers a cache hit, and hands whatever is more to `kubesso`.
//!
//! It starts as fast as a program can: static, and without an event loop, TLS or a network. It never resolves a name,
//! neither a host's nor a user's, because a static C library cannot do that safely.

mod hand_over;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use kubesso_ambient::{Clock, SystemClock};
use kubesso_token_cache::Surroundings;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let words = arguments.get(1..).unwrap_or_default();
    let Some(hit) = kubesso_token_cache::answer(words, &surroundings(), SystemClock.now()) else {
        return hand_over::to_kubesso(&arguments).unwrap_or_else(|error| fail(&error.to_string()));
    };
    if let Err(error) = print(hit.credential.expose()) {
        return fail(&format!("get-token: standard output cannot be written: {error}"));
    }
    if hit.is_due {
        // The token at hand is good; if nobody can be sent for the next one now, a later call will.
        let _ = hand_over::refresh(&arguments);
    }
    ExitCode::SUCCESS
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// One line and exit code 1, as kubelogin ends.
fn fail(problem: &str) -> ExitCode {
    // Nobody may be listening; the exit code tells too.
    let _ = writeln!(io::stderr(), "error: {problem}");
    ExitCode::FAILURE
}

/// Variables alone: asking the operating system for a home directory would look the user's name up.
fn surroundings() -> Surroundings {
    Surroundings {
        variables: Arc::new(variable),
        variable_names: Arc::new(variable_names),
        home: variable("HOME").map(PathBuf::from),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a binary of its own: this is its one place that reads variables"
)]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn variable_names() -> Vec<String> {
    env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
}
