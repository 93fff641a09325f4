//! `kubesso serve` as a process of its own, with one person.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_e2e::environment;
use kubesso_e2e::form::{FormClient, Tokens};
use kubesso_e2e::process::free_port;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use tempfile::TempDir;

/// Who signs in.
const LOGIN: &str = "load@example.com";

/// The running server, ended with the last of those who know it.
#[derive(Clone)]
pub(crate) struct Served {
    process: Arc<Process>,
    pub(crate) ca_pem: String,
    pub(crate) issuer: String,
    pub(crate) client: String,
    /// From the start of the process to its first answer.
    pub(crate) started: Duration,
    base_url: String,
    password: String,
}

struct Process {
    child: Child,
    _folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}

impl Served {
    /// Starts it twice: the first time makes keys and people, the second is what an installation does every day.
    pub(crate) async fn start() -> Result<Self> {
        let folder = environment::scratch("bench")?;
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("bench", now)?;
        let identity = authority.issue_server(&ServerNames::loopback(), now)?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("tls.crt"), identity.chain_pem())?;
        fs::write(path("tls.key"), identity.key_pem())?;
        let port = free_port()?;
        let base_url = format!("https://localhost:{port}");
        let config = format!(
            "base_url: {base_url}\nlisten: ['127.0.0.1:{port}']\ntls: {{certificate: {}, key: {}}}\ndata_dir: {}\n",
            path("tls.crt").display(),
            path("tls.key").display(),
            path("data").display()
        );
        fs::write(path("kubesso.yaml"), config)?;
        let ca_pem = authority.certificate_pem().to_owned();
        let (mut first, _) = serve(folder.path(), &base_url, &ca_pem).await?;
        let password = create_person(&path("data"))?;
        // Rows of the first start are in the log that is read back now; give its background work time to end.
        tokio::time::sleep(Duration::from_secs(2)).await;
        first.kill()?;
        first.wait()?;
        let (child, started) = serve(folder.path(), &base_url, &ca_pem).await?;
        let said = fs::read_to_string(path("serve.err"))?;
        let word = |name: &str| {
            let line = said.lines().find(|line| line.trim_start().starts_with(name));
            let word = line.and_then(|line| line.split_whitespace().nth(1));
            word.map(str::to_owned).with_context(|| format!("no {name} in: {said}"))
        };
        let (issuer, client) = (word("issuer")?, word("client")?);
        let process = Arc::new(Process { child, _folder: folder });
        Ok(Self { process, ca_pem, issuer, client, started, base_url, password })
    }

    /// The built-in authorization server, which signs with an elliptic curve.
    pub(crate) fn management_issuer(&self) -> String {
        format!("{}/oauth2/kubesso", self.base_url)
    }

    pub(crate) async fn tokens(
        &self,
        browser: &mut FormClient,
        issuer: &str,
        client: &str,
    ) -> Result<Tokens> {
        browser.tokens(issuer, client, LOGIN, &self.password).await
    }

    /// What the kernel says of the process' memory (`VmRSS`, `VmHWM`), in MiB.
    pub(crate) fn memory(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
        let kib: u32 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(f64::from(kib) / 1024.0)
    }
}

async fn serve(folder: &Path, base_url: &str, ca_pem: &str) -> Result<(Child, Duration)> {
    let http = kubesso_e2e::form::client(ca_pem)?;
    let errors = fs::File::create(folder.join("serve.err"))?;
    let begin = Instant::now();
    let child = Command::new(environment::kubesso()?)
        .args(["serve", "--log-level=warn", "--config"])
        .arg(folder.join("kubesso.yaml"))
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()?;
    while http.get(format!("{base_url}/healthz")).send().await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(30), "the server does not answer");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok((child, begin.elapsed()))
}

fn create_person(data_dir: &PathBuf) -> Result<String> {
    let output = Command::new(environment::kubesso()?)
        .args(["user", "create", LOGIN, "--group=k8s-admins", "-o=json", "--data-dir"])
        .arg(data_dir)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    made["password"].as_str().map(str::to_owned).context("a password")
}
