//! Clients of OpenID Connect that others wrote (`tests/peers/oidc-client-*`), in the place of an application.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
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
        let mut child = self.start("code")?;
        let printed = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(printed).lines();
        let Some(first) = timeout(LONGEST, lines.next_line()).await?? else {
            return Err(ended(child).await);
        };
        let first: Value = serde_json::from_str(&first).with_context(|| first.clone())?;
        let address = first["authorize"].as_str().context("the address to open")?;
        let back = match browser.sign_in(address, who.login, who.password).await? {
            Outcome::Redirected(back) => back,
            Outcome::Refused(why) => anyhow::bail!("refused: {why}"),
        };
        let mut input = child.stdin.take().context("its input")?;
        input.write_all(format!("{back}\n").as_bytes()).await?;
        drop(input);
        match timeout(LONGEST, lines.next_line()).await?? {
            Some(line) => Ok(serde_json::from_str(&line).with_context(|| line.clone())?),
            None => Err(ended(child).await),
        }
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

async fn ended(mut child: Child) -> anyhow::Error {
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = timeout(LONGEST, stderr.read_to_string(&mut said)).await;
    }
    anyhow::anyhow!("it ended: {said}")
}
