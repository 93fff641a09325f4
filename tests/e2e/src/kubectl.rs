//! The real kubectl, hermetic: its own home, kubeconfig and path.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::deadline::eventually;
use crate::environment;

/// More than any call takes; what waits for a person waits longer.
const LONGEST: Duration = Duration::from_secs(45);

/// kubectl with a home of its own.
#[derive(Debug)]
pub struct Kubectl {
    home: TempDir,
    plugins: PathBuf,
    program: PathBuf,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Done {
    /// The standard output of a call that must have succeeded.
    ///
    /// # Errors
    /// The call failed; with all it said.
    pub fn succeeded(self) -> Result<String> {
        ensure!(self.code == 0, "kubectl exited with {}:\n{}{}", self.code, self.stdout, self.stderr);
        Ok(self.stdout)
    }

    /// The standard error of a call that must have failed with exit code 1.
    ///
    /// # Errors
    /// It did not.
    pub fn failed(self) -> Result<String> {
        ensure!(self.code == 1, "kubectl exited with {}:\n{}{}", self.code, self.stdout, self.stderr);
        Ok(self.stderr)
    }
}

impl Kubectl {
    /// With an empty kubeconfig, and the plugin found on the path in a folder that holds nothing else.
    ///
    /// # Errors
    /// kubectl or kubesso is not there.
    pub fn new() -> Result<Self> {
        let home = environment::scratch("kubectl")?;
        let plugins = home.path().join("plugins");
        fs::create_dir(&plugins)?;
        std::os::unix::fs::symlink(environment::kubesso()?, plugins.join("kubectl-oidc_login"))?;
        // `kubectl` itself too, because the credentials that `setup` prints run `kubectl oidc-login`.
        std::os::unix::fs::symlink(environment::kubectl()?, plugins.join("kubectl"))?;
        Ok(Self { program: plugins.join("kubectl"), home, plugins })
    }

    /// Its kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    /// Its home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Takes over somebody's kubeconfig, as a copy.
    ///
    /// # Errors
    /// The file is not there.
    pub fn take_kubeconfig(&self, from: &Path) -> Result<()> {
        fs::copy(from, self.kubeconfig()).with_context(|| from.display().to_string())?;
        Ok(())
    }

    /// Writes a kubeconfig for a cluster, whose only user sends `token`.
    ///
    /// # Errors
    /// The file system's.
    pub fn use_token(&self, server: &str, ca_pem: &str, token: &str) -> Result<()> {
        let ca = self.home.path().join("cluster-ca.crt");
        fs::write(&ca, ca_pem)?;
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority": ca}}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        });
        fs::write(self.kubeconfig(), config.to_string())?;
        fs::set_permissions(self.kubeconfig(), fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// Runs `kubectl <arguments>` to its end.
    ///
    /// # Errors
    /// It could not be started, or did not end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Done> {
        self.run_with(arguments, "", &[]).await
    }

    /// As [`run`](Self::run), with standard input and variables.
    ///
    /// # Errors
    /// It could not be started, or did not end.
    pub async fn run_with(
        &self,
        arguments: &[&str],
        input: &str,
        variables: &[(&str, &str)],
    ) -> Result<Done> {
        let mut command = self.command(&self.program);
        command.args(arguments).envs(variables.iter().copied());
        finish(command, input).await.with_context(|| format!("kubectl {}", arguments.join(" ")))
    }

    /// Runs a line in a shell, as somebody who pastes it.
    ///
    /// # Errors
    /// It could not be started, or did not end.
    pub async fn paste(&self, line: &str) -> Result<Done> {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", line]);
        finish(command, "").await.with_context(|| line.to_owned())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.kubeconfig())
            .env("PATH", format!("{}:/usr/bin:/bin", self.plugins.display()))
            .env("TZ", "UTC")
            .current_dir(self.home.path())
            .kill_on_drop(true);
        command
    }

    /// A command that can be given as `--browser-command`.
    ///
    /// # Errors
    /// The file system's.
    pub fn browser_command(&self) -> Result<Opened> {
        Opened::below(self.home.path())
    }
}

/// What a `--browser-command` was asked to open.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The command.
    pub script: PathBuf,
    folder: PathBuf,
}

impl Opened {
    /// Makes a command that can be given as `--browser-command`: what the plugin wants to open arrives here.
    ///
    /// # Errors
    /// The file system's.
    pub fn below(home: &Path) -> Result<Self> {
        let folder = home.join("opened");
        fs::create_dir_all(&folder)?;
        let script = home.join("open-in-browser");
        // Written under another name first, so that nobody reads half a URL.
        let text = format!(
            "#!/bin/sh\ncd '{}' || exit 1\nprintf %s \"$1\" > .$$ && mv .$$ url-$$\n",
            folder.display()
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
        Ok(Self { script, folder })
    }

    /// The next URL; it is taken, so that it comes once.
    ///
    /// # Errors
    /// None came in time.
    pub async fn next(&self) -> Result<String> {
        eventually("the plugin opens the browser", Duration::from_secs(30), async || self.take()).await
    }

    /// The next URL if one is there.
    ///
    /// # Errors
    /// The file system's.
    pub fn take(&self) -> Result<Option<String>> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')) {
                let url = fs::read_to_string(&path)?;
                fs::remove_file(&path)?;
                return Ok(Some(url));
            }
        }
        Ok(None)
    }
}

pub(crate) async fn finish(mut command: Command, input: &str) -> Result<Done> {
    // A process group of its own, so that a plugin that waits for somebody ends with kubectl.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let group = child.id().map(|id| format!("-{id}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input has closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let Ok(output) = timeout(LONGEST, child.wait_with_output()).await else {
        if let Some(group) = group {
            Command::new("kill").args(["-KILL", "--", &group]).status().await?;
        }
        anyhow::bail!("it did not end within {LONGEST:?}");
    };
    let output = output?;
    Ok(Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
