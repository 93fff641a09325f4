//! The real kube-apiserver with etcd, on loopback, with the `--oidc-*` flags on our issuer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use reqwest::{Certificate, Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::deadline::eventually;
use crate::environment;
use crate::process::{Running, free_port, tied};

/// A running kube-apiserver.
#[derive(Debug)]
pub struct ApiServer {
    server: Running,
    _etcd: Option<Running>,
    etcd_url: String,
    folder: TempDir,
    /// `https://127.0.0.1:PORT`
    pub url: String,
    /// Who signed its certificate, PEM.
    pub ca_pem: String,
    administrator_pem: String,
}

/// A minor version of Kubernetes that is built for these tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The oldest that is proven.
    V1_34,
    /// The newest.
    V1_36,
}

impl Release {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V1_34, Self::V1_36];

    fn peer(self) -> &'static str {
        match self {
            Self::V1_34 => "kube-apiserver-1.34",
            Self::V1_36 => "kube-apiserver",
        }
    }
}

/// What it is told about the provider.
#[derive(Clone, Debug)]
pub struct Oidc<'a> {
    /// `--oidc-issuer-url`
    pub issuer: &'a str,
    /// `--oidc-client-id`
    pub client_id: &'a str,
    /// `--oidc-ca-file`
    pub ca: &'a Path,
}

impl ApiServer {
    /// Starts both and waits until it is ready.
    ///
    /// # Errors
    /// A program is missing, or ended, or was not ready in time; with what it said.
    pub async fn start(oidc: &Oidc<'_>) -> Result<Self> {
        let flags = [
            format!("--oidc-issuer-url={}", oidc.issuer),
            format!("--oidc-client-id={}", oidc.client_id),
            "--oidc-username-claim=email".to_owned(),
            "--oidc-groups-claim=groups".to_owned(),
            format!("--oidc-ca-file={}", oidc.ca.display()),
        ];
        Self::start_with(&flags).await
    }

    /// As [`start`](Self::start), told whom to trust by `arguments`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(arguments: &[String]) -> Result<Self> {
        Self::start_release(Release::V1_36, arguments).await
    }

    /// As [`start_with`](Self::start_with), in one of the versions.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_release(release: Release, arguments: &[String]) -> Result<Self> {
        Self::start_behind(None, release, arguments).await
    }

    /// As [`start_release`](Self::start_release), with this proxy in its environment: Go asks it for every host that is not this one.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_behind(proxy: Option<&str>, release: Release, arguments: &[String]) -> Result<Self> {
        let folder = environment::scratch("apiserver")?;
        let (etcd, etcd_url) = start_etcd(folder.path())?;
        let keys = Keys::make(folder.path())?;
        let port = free_port()?;
        let mut command = command(release, &keys, &etcd_url, port, arguments)?;
        command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
        let server = Running::start("kube-apiserver", command, folder.path())?;
        let mut this = Self {
            server,
            _etcd: Some(etcd),
            etcd_url,
            folder,
            url: format!("https://127.0.0.1:{port}"),
            ca_pem: keys.ca_pem,
            administrator_pem: keys.administrator_pem,
        };
        this.wait_until_ready().await?;
        Ok(this)
    }

    /// Another one over the same etcd, with the same keys, told whom to trust by `arguments`. It ends with the first one's etcd.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn beside(&self, arguments: &[String]) -> Result<Self> {
        let folder = environment::scratch("apiserver")?;
        let keys = Keys::of(self.folder.path(), &self.ca_pem, &self.administrator_pem);
        let port = free_port()?;
        let command = command(Release::V1_36, &keys, &self.etcd_url, port, arguments)?;
        let server = Running::start("kube-apiserver", command, folder.path())?;
        let mut this = Self {
            server,
            _etcd: None,
            etcd_url: self.etcd_url.clone(),
            folder,
            url: format!("https://127.0.0.1:{port}"),
            ca_pem: keys.ca_pem,
            administrator_pem: keys.administrator_pem,
        };
        this.wait_until_ready().await?;
        Ok(this)
    }

    /// The administrator's certificate and key, PEM.
    pub fn administrator_identity(&self) -> (String, String) {
        let at =
            self.administrator_pem.find("-----BEGIN PRIVATE KEY").unwrap_or(self.administrator_pem.len());
        let (chain, key) = self.administrator_pem.split_at(at);
        (chain.to_owned(), key.to_owned())
    }

    /// A client that is `system:masters`.
    ///
    /// # Errors
    /// Its certificates do not load.
    pub fn administrator(&self) -> Result<Client> {
        kubesso_https::install_crypto_provider();
        let identity = reqwest::Identity::from_pem(self.administrator_pem.as_bytes())?;
        let authorities = Certificate::from_pem_bundle(self.ca_pem.as_bytes())?;
        Ok(Client::builder().tls_certs_only(authorities).identity(identity).build()?)
    }

    /// The kubeconfig of that administrator, whose context has this name.
    pub fn administrator_kubeconfig(&self, context: &str) -> Value {
        let base64 = |text: &str| BASE64_STANDARD.encode(text);
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": context,
            "clusters": [{"name": "real", "cluster": {
                "server": self.url, "certificate-authority-data": base64(&self.ca_pem),
            }}],
            "users": [{"name": "administrator", "user": {
                "client-certificate-data": base64(&self.administrator_pem),
                "client-key-data": base64(&self.administrator_pem),
            }}],
            "contexts": [{"name": context, "context": {"cluster": "real", "user": "administrator"}}],
        })
    }

    /// Creates `object` (with its status, if it has one) unless there is one of that name.
    ///
    /// # Errors
    /// kube-apiserver refuses it.
    pub async fn create(&self, administrator: &Client, collection: &str, object: &Value) -> Result<()> {
        let url = format!("{}{collection}", self.url);
        let name = object["metadata"]["name"].as_str().context("an object has a name")?;
        if administrator.get(format!("{url}/{name}")).send().await?.status() == StatusCode::OK {
            return Ok(());
        }
        let mut new = object.clone();
        for set_by_server in
            ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink"]
        {
            if let Some(metadata) = new["metadata"].as_object_mut() {
                metadata.remove(set_by_server);
            }
        }
        let answer = administrator.post(&url).json(&new).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status == StatusCode::CREATED, "{url}: {status} {body}\n{new}");
        let mut created: Value = serde_json::from_str(&body)?;
        if object["status"].as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok(());
        }
        created["status"] = object["status"].clone();
        let url = format!("{url}/{name}/status");
        let answer = administrator.put(&url).json(&created).send().await?;
        let status = answer.status();
        ensure!(status == StatusCode::OK, "{url}: {status} {}", answer.text().await?);
        Ok(())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.server.stderr()
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let administrator = self.administrator()?;
        let url = format!("{}/readyz", self.url);
        eventually("kube-apiserver is ready", Duration::from_secs(90), async || {
            self.server.still_runs()?;
            let answer = administrator.get(&url).send().await;
            Ok(answer.is_ok_and(|answer| answer.status() == StatusCode::OK).then_some(()))
        })
        .await
    }
}

/// What kube-apiserver says when it does not start with these flags.
///
/// # Errors
/// It is missing, or it starts.
pub async fn refused_start(release: Release, authentication: &[String]) -> Result<String> {
    let folder = environment::scratch("apiserver")?;
    let keys = Keys::make(folder.path())?;
    // No etcd: it judges its settings before it looks for one.
    let etcd_url = format!("http://127.0.0.1:{}", free_port()?);
    let command = command(release, &keys, &etcd_url, free_port()?, authentication)?;
    let mut server = Running::start("kube-apiserver", command, folder.path())?;
    let status = server.wait(Duration::from_secs(30)).await?;
    ensure!(!status.success(), "kube-apiserver ended well with {authentication:?}");
    Ok(format!("{}{}", server.stdout(), server.stderr()))
}

fn command(
    release: Release,
    keys: &Keys,
    etcd_url: &str,
    port: u16,
    authentication: &[String],
) -> Result<Command> {
    let mut command = tied(&environment::peer(release.peer())?);
    command.args(keys.arguments(etcd_url, port)).args(authentication);
    Ok(command)
}

/// Starts etcd with its data in `folder`; where it listens.
pub(crate) fn start_etcd(folder: &Path) -> Result<(Running, String)> {
    let url = format!("http://127.0.0.1:{}", free_port()?);
    let peer_url = format!("http://127.0.0.1:{}", free_port()?);
    let mut command = tied(&environment::peer("etcd")?);
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
        .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
        .args(["--initial-cluster", &format!("default={peer_url}"), "--unsafe-no-fsync"]);
    Ok((Running::start("etcd", command, folder)?, url))
}

/// The key material of one API server.
pub(crate) struct Keys {
    ca_crt: PathBuf,
    server_crt: PathBuf,
    server_key: PathBuf,
    pub(crate) ca_pem: String,
    pub(crate) administrator_pem: String,
}

impl Keys {
    /// What the API server is told besides whom to trust.
    pub(crate) fn arguments(&self, etcd_url: &str, port: u16) -> Vec<String> {
        let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let fixed = [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=Node,RBAC",
            "--disable-admission-plugins=ServiceAccount",
        ];
        let mut all = vec![
            format!("--etcd-servers={etcd_url}"),
            format!("--secure-port={port}"),
            flag("tls-cert-file", &self.server_crt),
            flag("tls-private-key-file", &self.server_key),
            flag("client-ca-file", &self.ca_crt),
            // The certificate is where the public key of its private key is found.
            flag("service-account-key-file", &self.server_crt),
            flag("service-account-signing-key-file", &self.server_key),
        ];
        all.extend(fixed.map(str::to_owned));
        all
    }

    /// Those that [`Self::make`] put into a folder.
    fn of(folder: &Path, ca_pem: &str, administrator_pem: &str) -> Self {
        Self {
            ca_crt: folder.join("ca.crt"),
            server_crt: folder.join("server.crt"),
            server_key: folder.join("server.key"),
            ca_pem: ca_pem.to_owned(),
            administrator_pem: administrator_pem.to_owned(),
        }
    }

    /// Makes them as files in `folder`.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("a real cluster", now)?;
        let server = authority.issue_server(&ServerNames::loopback(), now)?;
        let administrator = authority.issue_client("administrator", "system:masters", now)?;
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = folder.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            ca_crt: write("ca.crt", authority.certificate_pem())?,
            server_crt: write("server.crt", server.chain_pem())?,
            server_key: write("server.key", server.key_pem())?,
            ca_pem: authority.certificate_pem().to_owned(),
            administrator_pem: format!("{}{}", administrator.chain_pem(), administrator.key_pem()),
        })
    }
}
