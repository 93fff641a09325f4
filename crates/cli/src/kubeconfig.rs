//! `kubesso kubeconfig …`: entries of kubectl's configuration, added, changed, taken over, and handed out.

mod add;
mod check;
mod export;
mod merge;
mod migrate;
mod set;
mod sign_in;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use kubesso_clusters::CertificateAuthority;
use kubesso_kubeconfig::{Editing, Patience, Purpose};
use url::Url;

use crate::args::{Kubeconfig, KubeconfigTarget};
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// Runs `kubesso kubeconfig …`.
pub(crate) async fn run(command: Kubeconfig) -> Result<ExitCode, CommandError> {
    match command {
        Kubeconfig::Add(command) => add::run(&command).await,
        Kubeconfig::Set(command) => set::run(&command),
        Kubeconfig::Merge(command) => merge::run(&command),
        Kubeconfig::Migrate(command) => migrate::run(&command).await,
        Kubeconfig::Export(command) => export::run(&command),
        Kubeconfig::Check(command) => check::run(&command),
    }
}

/// What was done, line by line, and how to go on.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    next: Vec<String>,
}

impl Said {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// A command to type.
    fn next(&mut self, command: impl Into<String>) {
        self.next.push(command.into());
    }
}

fn open(target: &KubeconfigTarget) -> Result<Editing, CommandError> {
    let locations = environment::kubeconfig_locations(target.kubeconfig.as_deref());
    let purpose = if target.dry_run { Purpose::Preview } else { Purpose::Change };
    Editing::open(&locations, purpose, Patience::default()).map_err(edited)
}

/// Any failure of reading or writing the files; they say themselves what happened to which.
fn edited(error: impl std::error::Error) -> CommandError {
    CommandError::new(crate::error::chain(&error))
}

/// Writes, or shows what would be written; then says what was done.
fn finish(editing: Editing, target: &KubeconfigTarget, said: &Said) -> Result<ExitCode, CommandError> {
    if target.dry_run {
        output::write_out(&editing.difference())?;
        for line in &said.lines {
            eprintln!("{line}");
        }
        eprintln!("Nothing was written (--dry-run).");
        return Ok(ExitCode::SUCCESS);
    }
    let has_changed = editing.is_changed();
    let saved = editing.save().map_err(edited)?;
    let mut text = String::new();
    // Writing to a String cannot fail.
    for saved in &saved {
        let _ = writeln!(text, "Changed {}", saved.file.display());
    }
    if !has_changed {
        text.push_str("Nothing to change.\n");
    }
    for line in &said.lines {
        let _ = writeln!(text, "  {line}");
    }
    if !said.next.is_empty() {
        text.push_str("\nTry it:\n");
        for command in &said.next {
            let _ = writeln!(text, "  {command}");
        }
    }
    output::write_out(&text)?;
    for saved in saved.iter().filter(|saved| saved.readable_by_others) {
        let file = saved.file.display();
        eprintln!("warning: others on this machine can read {file}; chmod 600 {file}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The address of an API server. Tokens travel there.
fn server_url(text: &str) -> Result<String, CommandError> {
    let wrong = |what: String| CommandError::usage(format!("--server {text}: {what}"));
    let url = Url::parse(text).map_err(|e| {
        wrong(format!("it is no address ({e}); write it in full, like https://k8s.example.com:6443"))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("an address with a user name or a password is for nobody's file".to_owned()));
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && kubesso_signin::is_loopback(&url)) {
        return Err(wrong("it must begin with https://, or tokens travel readable for all".to_owned()));
    }
    Ok(text.to_owned())
}

/// The certificates in a file, which must hold some.
fn certificates(flag: &str, file: &Path) -> Result<CertificateAuthority, CommandError> {
    let text = fs::read_to_string(file)
        .map_err(|e| CommandError::because(format!("{flag} {} cannot be read", file.display()), &e))?;
    CertificateAuthority::parse(&text)
        .map_err(|what| CommandError::usage(format!("{flag} {}: {what}", file.display())))
}

/// kubectl reads it from wherever the person is.
fn absolute(file: &Path) -> String {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
}
