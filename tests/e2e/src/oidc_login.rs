//! The plugin as kubectl starts it: a process with a command line, three streams and a home.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, Command};
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

/// For the plugin to end, once it has been told what it asked for.
const LAST_ANSWER: Duration = Duration::from_secs(45);

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
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        finish(command, input).await.with_context(|| arguments.join(" "))
    }

    /// Runs it while somebody reads what it says on standard error, and types an answer into its standard input.
    ///
    /// # Errors
    /// It could not be started, does not end, or the person fails.
    pub async fn run_and_talk<T>(
        &self,
        arguments: &[String],
        person: impl AsyncFnOnce(&mut Talk) -> Result<T>,
    ) -> Result<(Done, T)> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut talk = Talk {
            said: String::new(),
            listening: child.stderr.take().context("stderr is piped")?,
            typing: child.stdin.take().context("stdin is piped")?,
        };
        let met = person(&mut talk).await.with_context(|| format!("it said: {}", talk.said))?;
        let Talk { mut said, mut listening, typing } = talk;
        drop(typing);
        let ending = async {
            listening.read_to_string(&mut said).await?;
            anyhow::Ok(child.wait_with_output().await?)
        };
        let output = timeout(LAST_ANSWER, ending).await.context("it does not end")??;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((Done { code: output.status.code().unwrap_or(-1), stdout, stderr: said }, met))
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("KUBERNETES_EXEC_INFO", EXEC_INFO)
            .current_dir(self.home())
            .kill_on_drop(true);
        command
    }

    /// Runs it, and signs in when the browser is opened.
    ///
    /// # Errors
    /// No browser was opened, or the pages did not let go.
    pub async fn run_and_sign_in(&self, arguments: &[String], visitor: &mut Visitor) -> Result<SignedIn> {
        self.run_and_sign_in_with(arguments, &[], visitor).await
    }

    /// As [`run_and_sign_in`](Self::run_and_sign_in), with variables.
    ///
    /// # Errors
    /// As there.
    pub async fn run_and_sign_in_with(
        &self,
        arguments: &[String],
        variables: &[(&str, &str)],
        visitor: &mut Visitor,
    ) -> Result<SignedIn> {
        let person = async {
            let opened = self.opened.next().await?;
            let page = visitor.sign_in(&opened).await?;
            Ok((opened, page))
        };
        let run = self.run_with(arguments, "", variables);
        let (done, (opened, page)) = beside(run, person).await?;
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
        beside(self.run(arguments), person).await
    }
}

async fn beside<T>(
    run: impl Future<Output = Result<Done>>,
    person: impl Future<Output = Result<T>>,
) -> Result<(Done, T)> {
    let (mut run, mut person) = (pin!(run), pin!(person));
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

/// A talk with a running plugin.
#[derive(Debug)]
pub struct Talk {
    said: String,
    listening: ChildStderr,
    typing: ChildStdin,
}

impl Talk {
    /// All that it has said, once that ends with `prompt`.
    ///
    /// # Errors
    /// It says something else, or nothing.
    pub async fn wait_for(&mut self, prompt: &str) -> Result<&str> {
        self.hear(prompt, |said| said.ends_with(prompt).then_some(())).await?;
        Ok(&self.said)
    }

    /// The first address on the web that it names, on a line that is complete.
    ///
    /// # Errors
    /// It names none.
    pub async fn wait_for_address(&mut self) -> Result<String> {
        self.hear("an address", |said| {
            let lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let mut words = lines.flat_map(str::split_whitespace);
            words.find(|word| word.starts_with("http")).map(str::to_owned)
        })
        .await
    }

    async fn hear<T>(&mut self, what: &str, recognize: impl Fn(&str) -> Option<T>) -> Result<T> {
        let heard = async {
            loop {
                if let Some(recognized) = recognize(&self.said) {
                    return Ok(recognized);
                }
                let mut piece = [0; 4096];
                let length = self.listening.read(&mut piece).await?;
                ensure!(length > 0, "it ended before it said {what:?}");
                self.said.push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        };
        timeout(LAST_ANSWER, heard).await.with_context(|| format!("it does not say {what:?}"))?
    }

    /// Types a line.
    ///
    /// # Errors
    /// It no longer reads.
    pub async fn type_line(&mut self, line: &str) -> Result<()> {
        Ok(self.typing.write_all(format!("{line}\n").as_bytes()).await?)
    }
}
