//! Clients of OpenID Connect that others wrote (`tests/peers/oidc-client-*`), in the place of an application.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::environment;
use crate::form::{FormClient, Outcome};
use crate::process::tied;

/// More than any of them takes.
const LONGEST: Duration = Duration::from_mins(1);

/// One of these programs, set up for an application of an issuer.
#[derive(Clone, Debug)]
pub struct OidcClient {
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// Who signs in.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// What is typed as the name.
    pub login: &'a str,
    /// What is typed as the password.
    pub password: &'a str,
}

impl OidcClient {
    /// The program in that language, for an application without a secret.
    ///
    /// # Errors
    /// The program is not built.
    pub fn new(language: &str, issuer: &str, client_id: &str, scope: &str, ca: &str) -> Result<Self> {
        let program = environment::peer_folder(&format!("oidc-client-{language}"))?.join("run");
        let variables = vec![
            ("ISSUER", issuer.to_owned()),
            ("CLIENT_ID", client_id.to_owned()),
            ("SCOPE", scope.to_owned()),
            ("CA_FILE", ca.to_owned()),
        ];
        Ok(Self { program, variables })
    }

    /// Where the browser comes back to.
    #[must_use]
    pub fn back_at(mut self, redirect_uri: &str) -> Self {
        self.variables.push(("REDIRECT_URI", redirect_uri.to_owned()));
        self
    }

    /// For an application with a secret.
    #[must_use]
    pub fn with_secret(mut self, secret: &str) -> Self {
        self.variables.push(("CLIENT_SECRET", secret.to_owned()));
        self
    }

    /// Somebody signs in by the code flow: what the library made of it, in the program's words.
    ///
    /// # Errors
    /// The library refuses something; with what it said.
    pub async fn sign_in(&self, browser: &mut FormClient, who: Credentials<'_>) -> Result<Value> {
        let mut dialogue = self.begin("code").await?;
        let back = match browser.sign_in(dialogue.asked("authorize")?, who.login, who.password).await? {
            Outcome::Redirected(back) => back,
            Outcome::Refused(why) => anyhow::bail!("refused: {why}"),
        };
        dialogue.answer(back.as_str()).await
    }

    /// Somebody lets a device sign in, in a browser elsewhere.
    ///
    /// # Errors
    /// The library refuses something; with what it said.
    pub async fn sign_in_on_a_device(&self, browser: &mut FormClient, who: Credentials<'_>) -> Result<Value> {
        let mut dialogue = self.begin("device").await?;
        browser.decide_device(dialogue.asked("open")?, who.login, who.password, "allow").await?;
        dialogue.answer("decided").await
    }

    /// The application gets a token for itself.
    ///
    /// # Errors
    /// The library refuses something; with what it said.
    pub async fn client_credentials(&self) -> Result<Value> {
        let child = self.start("client-credentials")?;
        let output = timeout(LONGEST, child.wait_with_output()).await??;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{}: {said}", self.program.display());
        serde_json::from_slice(&output.stdout).context(said)
    }

    /// Starts a step that needs a person, up to what it wants of them.
    async fn begin(&self, step: &str) -> Result<Dialogue> {
        let mut child = self.start(step)?;
        let printed = child.stdout.take().context("its output")?;
        let mut dialogue = Dialogue { child, lines: BufReader::new(printed).lines(), first: Value::Null };
        dialogue.first = dialogue.next().await?;
        Ok(dialogue)
    }

    fn start(&self, step: &str) -> Result<Child> {
        let mut command = Command::from(tied(&self.program));
        command
            .arg(step)
            .env_clear()
            .env("PATH", environment::path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().with_context(|| self.program.display().to_string())
    }
}

/// A program that waits for a person.
struct Dialogue {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    first: Value,
}

impl Dialogue {
    /// The address that the person is to open.
    fn asked(&self, name: &str) -> Result<&str> {
        self.first[name].as_str().with_context(|| format!("no address to open: {}", self.first))
    }

    /// Tells the program what the person did; what it says then.
    async fn answer(&mut self, line: &str) -> Result<Value> {
        let mut input = self.child.stdin.take().context("its input")?;
        input.write_all(format!("{line}\n").as_bytes()).await?;
        drop(input);
        self.next().await
    }

    async fn next(&mut self) -> Result<Value> {
        match timeout(LONGEST, self.lines.next_line()).await?? {
            Some(line) => serde_json::from_str(&line).with_context(|| line.clone()),
            None => Err(ended(&mut self.child).await),
        }
    }
}

async fn ended(child: &mut Child) -> anyhow::Error {
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = timeout(LONGEST, stderr.read_to_string(&mut said)).await;
    }
    anyhow::anyhow!("it ended: {said}")
}
