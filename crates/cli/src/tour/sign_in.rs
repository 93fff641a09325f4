//! Signing in as kubectl would: the plugin in this process, with a browser that fills in the form by itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use kubesso_ambient::{OsEntropy, SystemClock};
use kubesso_https::Trust;
use kubesso_keyring::MemoryKeyring;
use kubesso_signin::{
    BrowserChoice, BrowserError, Environment, Interrupt, NoHelper, OnFailure, OpenBrowser, Output, Pacing,
    Surroundings, Terminal, run_plugin,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use url::Url;

use crate::error::CommandError;
use crate::tour::form_browser::{Credentials, FormBrowser, Landing};
use crate::up::Running;

/// What the plugin gave.
pub(super) enum SignIn {
    /// The bearer token for the cluster.
    Token(zeroize::Zeroizing<String>),
    /// Its error, one line.
    Refused(String),
}

/// Runs `kubectl oidc-login get-token` for somebody.
pub(super) async fn through_the_plugin(
    running: &Running,
    credentials: &Credentials,
) -> Result<SignIn, CommandError> {
    let facts = running.facts();
    let registration = facts.registration()?;
    let arguments = [
        "kubectl-oidc_login".to_owned(),
        "get-token".to_owned(),
        format!("--oidc-issuer-url={}", registration.issuer),
        format!("--oidc-client-id={}", registration.client_id),
        "--oidc-extra-scope=email offline_access profile openid".to_owned(),
        format!("--certificate-authority={}", facts.ca.display()),
        "--listen-address=127.0.0.1:0".to_owned(),
        "--token-cache-storage=none".to_owned(),
        "--authentication-timeout-sec=30".to_owned(),
    ];
    let (stdout, stderr) = (Captured::default(), Captured::default());
    let browser = FillingIn {
        trust: Trust::Only(running.authority_pem().to_owned()),
        credentials: credentials.clone(),
        runtime: tokio::runtime::Handle::current(),
    };
    let environment = Environment {
        surroundings: Surroundings::of(BTreeMap::new(), None),
        program: None,
        stdout: Output::new(stdout.clone()),
        stderr: Output::new(stderr.clone()),
        terminal: Arc::new(Nobody),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        browser: Arc::new(browser),
        keyring: Arc::new(MemoryKeyring::default()),
        launcher: Arc::new(NoHelper),
        interrupt: Interrupt::Token(CancellationToken::new()),
        pacing: Pacing::default(),
        verbosity: 0,
    };
    // The plugin makes its own runtime, as it does as a process.
    let command_line = arguments.map(OsString::from);
    let ended = tokio::task::spawn_blocking(move || run_plugin(command_line, environment)).await;
    ended.map_err(|e| CommandError::because("the plugin broke", &e))?;
    let credential = stdout.text();
    debug!(login = credentials.username, said = stderr.text(), "the plugin ended");
    if credential.is_empty() {
        let said = stderr.text();
        let last = said.lines().rev().find(|line| line.starts_with("error: ")).unwrap_or(said.trim());
        return Ok(SignIn::Refused(last.trim_start_matches("error: ").to_owned()));
    }
    let credential: serde_json::Value = serde_json::from_str(&credential)
        .map_err(|e| CommandError::because("the plugin's credential is not JSON", &e))?;
    let token = credential["status"]["token"].as_str().unwrap_or_default();
    Ok(SignIn::Token(zeroize::Zeroizing::new(token.to_owned())))
}

/// The browser of somebody who types a login and a password.
struct FillingIn {
    trust: Trust,
    credentials: Credentials,
    runtime: tokio::runtime::Handle,
}

impl OpenBrowser for FillingIn {
    fn open(&self, url: &Url, _: &BrowserChoice, on_failure: OnFailure) -> Result<(), BrowserError> {
        let (trust, credentials, url) = (self.trust.clone(), self.credentials.clone(), url.clone());
        self.runtime.spawn(async move {
            let signed_in = async { FormBrowser::new(&trust)?.sign_in(&url, &credentials).await };
            match signed_in.await {
                Ok(Landing::Application(_)) => {}
                Ok(Landing::Refused(reason)) => on_failure(reason),
                Err(error) => on_failure(error.to_string()),
            }
        });
        Ok(())
    }
}

/// Nobody is at the keyboard.
struct Nobody;

impl Terminal for Nobody {
    fn read_line(&self) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn is_terminal(&self) -> bool {
        false
    }

    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

/// What a stream was told.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
