//! The binary as scripts and people meet it. What needs kubectl, a browser or a real cluster is in `tests/e2e`.

#![cfg(test)]

#[cfg(unix)]
mod access_file;
mod audit;
mod backup;
mod check;
mod cluster;
mod command_line;
mod doctor;
mod failover;
mod health;
mod keys;
mod master_key;
mod serve;
mod served;
mod token_preview;
mod tour;
mod traces;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `kubesso` with an environment of its own.
fn kubesso(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
