//! The binary under test as a child process.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{GrantType, testkit};
use kubesso_store_sqlite::SqliteStore;
use serde::{Deserialize, Deserializer};
use tempfile::TempDir;

use crate::deadline::eventually;
use crate::environment;
use crate::form::FormClient;
use crate::process::{Running, last_lines, tied};

/// `kubesso up -o json`, ready.
#[derive(Debug)]
pub struct Kubesso {
    running: Running,
    home: PathBuf,
    /// What it printed when it was ready.
    pub ready: Ready,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Removed with this value, unless the directory was given by the caller.
    _owned: Option<TempDir>,
}

/// The one line of `kubesso up -o json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// The provider's issuer; empty as long as nobody has made an authorization server.
    #[serde(deserialize_with = "or_empty")]
    pub issuer: String,
    /// The application of the tutorial; empty as long as nobody has made it.
    #[serde(deserialize_with = "or_empty")]
    pub client_id: String,
    /// Where Okta's clients find the management API.
    pub organization: Option<Organization>,
    /// What is not as one might expect.
    pub notices: Vec<String>,
    /// The file with the certificate authority of provider and cluster.
    pub ca: PathBuf,
    /// The kubeconfig for people.
    pub kubeconfig: PathBuf,
    /// The URL of the sandbox cluster.
    pub cluster: String,
    /// The first people.
    pub users: Vec<Person>,
}

/// How Okta's clients make the address of the management API.
#[derive(Clone, Debug, Deserialize)]
pub struct Organization {
    /// The first part.
    pub org_name: String,
    /// The rest.
    pub base_url: String,
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Somebody of the first world.
#[derive(Clone, Debug, Deserialize)]
pub struct Person {
    /// Login and e-mail address.
    pub email: String,
    /// Only at the first start.
    pub password: Option<String>,
}

/// How a command that ended by itself ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, if it was not a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command that runs.
#[derive(Debug)]
pub struct Begun {
    running: Running,
    _folder: TempDir,
}

impl Begun {
    /// Kills it, as the system does it when there is no memory left.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn kill(mut self) -> Result<()> {
        self.running.still_runs()?;
        self.running.kill()?;
        self.running.wait(Duration::from_secs(5)).await.map(drop)
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        self.running.stderr()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn end(mut self) -> Result<Ended> {
        let status = self.running.wait(Duration::from_mins(1)).await?;
        Ok(Ended { code: status.code(), stdout: self.running.stdout(), stderr: self.running.stderr() })
    }
}

impl Kubesso {
    /// Starts on a new data directory and waits until everything is ready.
    ///
    /// # Errors
    /// It ended, or was not ready in time; with what it said.
    pub async fn up() -> Result<Self> {
        let folder = environment::scratch("kubesso")?;
        let path = folder.path().to_owned();
        Self::start(&path, Some(folder), &[]).await
    }

    /// Starts on a new data directory with people only, for somebody to set up access by the management API.
    ///
    /// # Errors
    /// As [`up`](Self::up).
    pub async fn up_for_terraform() -> Result<Self> {
        let folder = environment::scratch("kubesso")?;
        let path = folder.path().to_owned();
        Self::start(&path, Some(folder), &["--for-terraform"]).await
    }

    /// Starts with `<folder>/data`, which may be there from an earlier start.
    ///
    /// # Errors
    /// As [`up`](Self::up).
    pub async fn up_in(folder: &Path) -> Result<Self> {
        Self::start(folder, None, &[]).await
    }

    async fn start(folder: &Path, owned: Option<TempDir>, flags: &[&str]) -> Result<Self> {
        let (data_dir, home) = (folder.join("data"), folder.join("home"));
        fs::create_dir_all(&home)?;
        let mut command = tied(environment::kubesso()?);
        hermetic(&mut command, &home);
        command.args(["up", "-o", "json", "--data-dir"]).arg(&data_dir).args(flags);
        if !data_dir.join("settings.json").exists() {
            command.args(["--provider-port", "0", "--cluster-port", "0"]);
        }
        let mut running = Running::start("kubesso", command, folder)?;
        let ready = eventually("kubesso up is ready", Duration::from_mins(1), async || {
            running.still_runs()?;
            let printed = running.stdout();
            let line = printed.split_inclusive('\n').next().filter(|line| line.ends_with('\n'));
            line.map(|line| {
                serde_json::from_str(line).with_context(|| format!("not the promised JSON: {line}"))
            })
            .transpose()
        });
        let ready: Ready = ready.await?;
        Ok(Self { running, home, ready, data_dir, _owned: owned })
    }

    /// The certificate authority, PEM.
    ///
    /// # Errors
    /// The file is not there.
    pub fn ca_pem(&self) -> Result<String> {
        fs::read_to_string(&self.ready.ca).with_context(|| self.ready.ca.display().to_string())
    }

    /// The password that the first start printed for `who` (the part before the @).
    ///
    /// # Errors
    /// There is no such person, or it was not the first start.
    pub fn password(&self, who: &str) -> Result<String> {
        let email = email(who);
        let person = self.ready.users.iter().find(|person| person.email == email);
        person.and_then(|person| person.password.clone()).with_context(|| format!("no password for {email}"))
    }

    /// The base URL of the provider.
    ///
    /// # Errors
    /// Its settings cannot be read.
    pub fn base_url(&self) -> Result<String> {
        let settings: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(self.data_dir.join("settings.json"))?)?;
        let port = settings["ports"]["provider"].as_u64().context("the provider's port")?;
        Ok(format!("https://localhost:{port}"))
    }

    /// Starts a command of the binary without a data directory: what it is about, its arguments say.
    ///
    /// # Errors
    /// It could not be started.
    pub fn begin(&self, arguments: &[&str]) -> Result<Begun> {
        let folder = environment::scratch("run")?;
        let mut command = tied(environment::kubesso()?);
        hermetic(&mut command, &self.home);
        command.args(arguments);
        let running = Running::start("kubesso", command, folder.path())?;
        Ok(Begun { running, _folder: folder })
    }

    /// Where Okta's clients find the management API.
    ///
    /// # Errors
    /// It is not to be had on this machine; with the reason.
    pub fn organization_url(&self) -> Result<String> {
        let Some(organization) = &self.ready.organization else { bail!("{}", self.ready.notices.join("; ")) };
        Ok(format!("https://{}.{}", organization.org_name, organization.base_url))
    }

    /// Makes an API token with which Terraform could set up access.
    ///
    /// # Errors
    /// The command fails.
    pub async fn api_token(&self, name: &str) -> Result<String> {
        let done = self.command(&["api-token", "create", "--name", name, "-o", "json"]).await?;
        ensure!(done.code == Some(0), "{}", done.stderr);
        let made: serde_json::Value = serde_json::from_str(&done.stdout)?;
        made["token"].as_str().map(str::to_owned).context("no token")
    }

    /// Runs another command of the binary on the same data directory to its end.
    ///
    /// # Errors
    /// It could not be started or does not end.
    pub async fn command(&self, arguments: &[&str]) -> Result<Ended> {
        let data_dir = self.data_dir.to_string_lossy().into_owned();
        run(&[arguments, &["--data-dir", &data_dir]].concat(), &self.home).await
    }

    /// Lets the application of the tutorial use the password grant, which no first world has, and its rule allow it.
    ///
    /// # Errors
    /// The directory cannot be changed, or the provider does not see the change.
    pub async fn allow_password_grant(&self) -> Result<()> {
        let (store, _) = SqliteStore::open(&self.data_dir, &OsEntropy).await?;
        let allowed = testkit::allow_grant(&store, GrantType::Password, SystemClock.now()).await;
        store.close().await;
        allowed.map_err(|error| anyhow::anyhow!(error))?;
        let provider = FormClient::new(&self.ca_pem()?)?;
        eventually("the provider offers the password grant", Duration::from_secs(10), async || {
            let metadata = provider.metadata(&self.ready.issuer).await?;
            let offered = metadata["grant_types_supported"].as_array();
            Ok(offered.is_some_and(|types| types.contains(&"password".into())).then_some(()))
        })
        .await
    }

    /// Ctrl-C.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.running.interrupt().await
    }

    /// What it has logged last, for the explanation of a failure.
    pub fn log(&self) -> String {
        last_lines(&self.running.stderr(), 40)
    }
}

/// The address of somebody of the first world.
pub fn email(who: &str) -> String {
    format!("{who}@example.com")
}

/// Runs `kubesso <arguments>` to its end, with nothing of the surroundings but `home`.
///
/// # Errors
/// It could not be started or does not end.
pub async fn run<S: AsRef<OsStr>>(arguments: &[S], home: &Path) -> Result<Ended> {
    run_within(arguments, home, Duration::from_mins(1)).await
}

/// As [`run`], for what may take that long.
///
/// # Errors
/// As [`run`].
pub async fn run_within<S: AsRef<OsStr>>(arguments: &[S], home: &Path, limit: Duration) -> Result<Ended> {
    fs::create_dir_all(home)?;
    let folder = environment::scratch("run")?;
    let mut command = tied(environment::kubesso()?);
    hermetic(&mut command, home);
    command.args(arguments);
    let mut running = Running::start("kubesso", command, folder.path())?;
    let status = running.wait(limit).await?;
    Ok(Ended { code: status.code(), stdout: running.stdout(), stderr: running.stderr() })
}

fn hermetic(command: &mut Command, home: &Path) {
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
}
