//! The plugin as kubectl starts it: a process with a command line, three streams and a home.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::environment;
use crate::kubectl::{Done, Opened, finish};
use crate::token_cache::TokenCache;
use crate::visitor::Visitor;

/// What kubectl tells the plugin.
const EXEC_INFO: &str =
    r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}"#;
/// For the browser to read its last page, once the plugin has ended.
const LAST_PAGE: Duration = Duration::from_secs(10);

/// The plugin with a home of its own.
#[derive(Debug)]
pub struct OidcLogin {
    home: TempDir,
    program: PathBuf,
    /// What it wanted to open.
    pub opened: Opened,
}

/// A sign-in by browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// How the plugin ended.
    pub done: Done,
    /// What it asked the browser to open.
    pub opened: String,
    /// The last page: status and text.
    pub page: (StatusCode, String),
}

impl OidcLogin {
    /// With an empty home.
    ///
    /// # Errors
    /// kubesso is not there.
    pub fn new() -> Result<Self> {
        let home = environment::scratch("plugin")?;
        let program = home.path().join("kubectl-oidc_login");
        std::os::unix::fs::symlink(environment::kubesso()?, &program)?;
        Ok(Self { opened: Opened::below(home.path())?, program, home })
    }

    /// Its home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its cache.
    pub fn cache(&self) -> TokenCache {
        TokenCache::below(self.home())
    }

    /// The flags without which it would take fixed ports and a real browser.
    pub fn flags(&self) -> [String; 2] {
        [
            "--listen-address=127.0.0.1:0".to_owned(),
            format!("--browser-command={}", self.opened.script.display()),
        ]
    }

    /// Runs it to its end, with nothing to read.
    ///
    /// # Errors
    /// It could not be started, or did not end.
    pub async fn run(&self, arguments: &[String]) -> Result<Done> {
        self.run_with(arguments, "", &[]).await
    }

    /// As [`run`](Self::run), with standard input and variables.
    ///
    /// # Errors
    /// It could not be started, or did not end.
    pub async fn run_with(
        &self,
        arguments: &[String],
        input: &str,
        variables: &[(&str, &str)],
    ) -> Result<Done> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("KUBERNETES_EXEC_INFO", EXEC_INFO)
            .envs(variables.iter().copied())
            .current_dir(self.home())
            .kill_on_drop(true);
        finish(command, input).await.with_context(|| arguments.join(" "))
    }

    /// Runs it, and signs in when the browser is opened.
    ///
    /// # Errors
    /// No browser was opened, or the pages did not let go.
    pub async fn run_and_sign_in(&self, arguments: &[String], visitor: &mut Visitor) -> Result<SignedIn> {
        let person = async {
            let opened = self.opened.next().await?;
            let page = visitor.sign_in(&opened).await?;
            Ok((opened, page))
        };
        let (done, (opened, page)) = self.run_beside(arguments, person).await?;
        Ok(SignedIn { done, opened, page })
    }

    /// Runs it while a person does something that it waits for. What the person meets is told with what it said.
    ///
    /// # Errors
    /// One of the two failed, or the plugin ended without waiting for the person.
    pub async fn run_beside<T>(
        &self,
        arguments: &[String],
        person: impl Future<Output = Result<T>>,
    ) -> Result<(Done, T)> {
        let (mut run, mut person) = (pin!(self.run(arguments)), pin!(person));
        tokio::select! {
            done = &mut run => {
                let done = done?;
                match timeout(LAST_PAGE, person).await {
                    Ok(met) => Ok((done, met?)),
                    Err(_) => bail!("it did not wait for the person, but ended with {}:\n{}", done.code, done.stderr),
                }
            }
            met = &mut person => {
                let met = met?;
                Ok((run.await?, met))
            }
        }
    }
}
