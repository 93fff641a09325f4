//! The kubectl on the path, with a home of its own.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use kubesso_k8s_types::kubeconfig::{Config, InteractiveMode, Other};
use tempfile::TempDir;

pub(crate) struct Kubectl {
    home: TempDir,
}

impl Kubectl {
    /// Nothing, and a line for the test's report, where there is no kubectl.
    pub(crate) fn find() -> Option<Self> {
        static THERE: OnceLock<bool> = OnceLock::new();
        let there =
            THERE.get_or_init(|| match Command::new("kubectl").args(["version", "--client"]).output() {
                Ok(output) => output.status.success(),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
                    println!("skipped: kubectl is not on PATH");
                    false
                }
            });
        there.then(|| Self { home: tempfile::tempdir().unwrap() })
    }

    /// A file in its home.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it prints, or what it says against it.
    pub(crate) fn run(&self, kubeconfig: &OsStr, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("kubectl")
            .args(arguments)
            .env("HOME", self.home.path())
            .env("KUBECONFIG", kubeconfig)
            .current_dir(self.home.path())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The files of a list, as it merges them.
    pub(crate) fn view(&self, kubeconfig: &OsStr) -> Result<Config, String> {
        let json = self.run(kubeconfig, &["config", "view", "--raw", "-o", "json"])?;
        Ok(comparable(serde_json::from_str(&json).unwrap()))
    }
}

/// kubectl sorts by name, drops what it does not know, and fills in what the old plugin API left open.
pub(crate) fn comparable(mut config: Config) -> Config {
    config.clusters.sort_by(|one, other| one.name.cmp(&other.name));
    config.contexts.sort_by(|one, other| one.name.cmp(&other.name));
    config.users.sort_by(|one, other| one.name.cmp(&other.name));
    "v1".clone_into(&mut config.api_version);
    "Config".clone_into(&mut config.kind);
    config.other = Other::default();
    for entry in &mut config.clusters {
        (entry.other, entry.cluster.other) = Default::default();
    }
    for entry in &mut config.contexts {
        (entry.other, entry.context.other) = Default::default();
    }
    for entry in &mut config.users {
        (entry.other, entry.user.other) = Default::default();
        if let Some(provider) = &mut entry.user.auth_provider {
            provider.other = Other::default();
        }
        if let Some(exec) = &mut entry.user.exec {
            exec.other = Other::default();
            exec.interactive_mode =
                exec.interactive_mode.take().filter(|mode| *mode != InteractiveMode::IfAvailable);
        }
    }
    config
}
