//! `kubesso serve` as people run it: a configuration, a certificate, one person; started, killed and started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use tempfile::TempDir;

use crate::deadline::eventually;
use crate::environment;
use crate::form::{self, FormClient, Tokens};
use crate::process::{Running, free_port, last_lines, tied};

/// Who signs in.
const LOGIN: &str = "load@example.com";
/// More than a start takes, also after a crash and on a busy machine.
const LONGEST_START: Duration = Duration::from_mins(2);

/// What is there whether it runs or not.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    base_url: String,
    /// Whom its clients trust.
    pub ca_pem: String,
}

/// The running server; killed (SIGKILL) when this value is dropped.
#[derive(Debug)]
pub struct Serving {
    running: Running,
    /// From the start of the process to its first answer.
    pub started: Duration,
}

/// What the first start made.
#[derive(Clone, Debug)]
pub struct FirstWorld {
    /// Of the authorization server.
    pub issuer: String,
    /// The application's.
    pub client_id: String,
}

/// Somebody who may sign in.
#[derive(Clone, Debug)]
pub struct Person {
    /// What is typed as the name.
    pub login: String,
    /// What is typed as the password.
    pub password: String,
}

impl Installation {
    /// A new one, on SQLite or at this URL of a PostgreSQL database. Its audit trail goes to a file too.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(database: Option<&str>) -> Result<Self> {
        let folder = environment::scratch("installation")?;
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("load", now)?;
        let identity = authority.issue_server(&ServerNames::loopback(), now)?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("tls.crt"), identity.chain_pem())?;
        fs::write(path("tls.key"), identity.key_pem())?;
        let port = free_port()?;
        let base_url = format!("https://localhost:{port}");
        let database = database.map(|url| format!("database: {url}\n")).unwrap_or_default();
        let config = format!(
            "base_url: {base_url}\nlisten: ['127.0.0.1:{port}']\ntls: {{certificate: {}, key: {}}}\n\
             data_dir: {}\naudit_log: {}\n{database}",
            path("tls.crt").display(),
            path("tls.key").display(),
            path("data").display(),
            path("audit.jsonl").display(),
        );
        fs::write(path("kubesso.yaml"), config)?;
        Ok(Self { ca_pem: authority.certificate_pem().to_owned(), folder, base_url })
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// It ended, or does not answer; with what it said.
    pub async fn serve(&self) -> Result<Serving> {
        let http = form::client(&self.ca_pem)?;
        let mut command = tied(environment::kubesso()?);
        command.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.args(["serve", "--log-level=warn", "--config"]).arg(self.folder.path().join("kubesso.yaml"));
        let begin = Instant::now();
        let mut running = Running::start("serve", command, self.folder.path())?;
        // Asked often: what a start takes is measured too.
        while http.get(format!("{}/healthz", self.base_url)).send().await.is_err() {
            running.still_runs()?;
            ensure!(begin.elapsed() < LONGEST_START, "the server does not answer:\n{}", running.stderr());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Serving { running, started: begin.elapsed() })
    }

    /// What a server says at its start that the first one had made.
    ///
    /// # Errors
    /// It says nothing of it.
    pub async fn first_world(&self, serving: &Serving) -> Result<FirstWorld> {
        // It may answer a moment before.
        eventually("the server says its issuer", Duration::from_secs(30), async || {
            let said = serving.running.stderr();
            let word = |name: &str| {
                let line = said.lines().find(|line| line.trim_start().starts_with(name))?;
                line.split_whitespace().nth(1).map(str::to_owned)
            };
            let found = word("issuer").zip(word("client"));
            Ok(found.map(|(issuer, client_id)| FirstWorld { issuer, client_id }))
        })
        .await
    }

    /// Makes the person.
    ///
    /// # Errors
    /// There is such a person already.
    pub fn create_person(&self) -> Result<Person> {
        let made = self.command(&["user", "create", LOGIN, "--group=k8s-admins", "-o=json"])?;
        let made: serde_json::Value = serde_json::from_str(&made)?;
        let password = made["password"].as_str().context("a password")?.to_owned();
        Ok(Person { login: LOGIN.to_owned(), password })
    }

    /// Makes an API token that may do everything.
    ///
    /// # Errors
    /// The command's.
    pub fn api_token(&self) -> Result<String> {
        let made = self.command(&["api-token", "create", "--name=load", "-o=json"])?;
        let made: serde_json::Value = serde_json::from_str(&made)?;
        made["token"].as_str().map(str::to_owned).context("a token")
    }

    /// Runs another command of the binary on the data directory to its end; what it printed.
    ///
    /// # Errors
    /// It fails; with what it said.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(environment::kubesso()?);
        command.env_clear().env("HOME", self.folder.path()).env("TZ", "UTC").stdin(Stdio::null());
        let output = command.args(arguments).arg("--data-dir").arg(self.path("data")).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubesso {}: {said}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The file with the audit trail.
    pub fn audit_log(&self) -> PathBuf {
        self.path("audit.jsonl")
    }

    /// Where it answers.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The built-in authorization server, which signs with an elliptic curve.
    pub fn management_issuer(&self) -> String {
        format!("{}/oauth2/kubesso", self.base_url)
    }

    /// The person signs in by the code flow.
    ///
    /// # Errors
    /// As [`FormClient::tokens`].
    pub async fn tokens(
        &self,
        browser: &mut FormClient,
        world: (&str, &str),
        person: &Person,
    ) -> Result<Tokens> {
        let (issuer, client_id) = world;
        browser.tokens(issuer, client_id, &person.login, &person.password).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Serving {
    /// What the kernel says of the process' memory (`VmRSS`, `VmHWM`), in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self, name: &str) -> Result<f64> {
        memory_of(self.running.id(), name)
    }

    /// What it has logged last, for the explanation of a failure.
    pub fn log(&self) -> String {
        last_lines(&self.running.stderr(), 40)
    }
}

/// What the kernel says of a process' memory (`VmRSS`, `VmHWM`), in MiB.
///
/// # Errors
/// It has ended.
pub fn memory_of(process: u32, name: &str) -> Result<f64> {
    let file = Path::new("/proc").join(process.to_string()).join("status");
    let status = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
    let kib: u32 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(f64::from(kib) / 1024.0)
}
