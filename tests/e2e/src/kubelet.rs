//! A node whose kubelet answers exec: the server code of container runtimes, around commands of this machine.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use serde_json::json;
use tempfile::TempDir;

use crate::apiserver::ApiServer;
use crate::deadline::eventually;
use crate::environment;
use crate::process::{Running, free_port, tied};

/// A running one, with a pod on its node. In the pod's containers are `cat` and `sh`.
#[derive(Debug)]
pub struct Kubelet {
    server: Running,
    folder: TempDir,
    port: u16,
}

impl Kubelet {
    /// The node.
    pub const NODE: &str = "node-1";
    /// The namespace of the pod.
    pub const NAMESPACE: &str = "default";
    /// The pod.
    pub const POD: &str = "web-0";
    /// Its containers. kubectl takes the second: an annotation says so. In the third is no program, the fourth does not run.
    pub const CONTAINERS: [&str; 4] = ["sidecar", "web", "distroless", "stopped"];

    /// Starts it. It has an authority of its own, by which the API server knows it, and it the API server.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub async fn start() -> Result<Self> {
        let folder = environment::scratch("kubelet")?;
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("a kubelet", now)?;
        let server = authority.issue_server(&ServerNames::loopback(), now)?;
        let client = authority.issue_client("kube-apiserver-kubelet-client", "system:masters", now)?;
        for (name, text) in [
            ("ca.crt", authority.certificate_pem()),
            ("kubelet.crt", server.chain_pem()),
            ("kubelet.key", server.key_pem()),
            ("apiserver.crt", client.chain_pem()),
            ("apiserver.key", client.key_pem()),
        ] {
            fs::write(folder.path().join(name), text)?;
        }
        let port = free_port()?;
        let mut command = tied(&environment::peer("kubelet")?);
        command.arg(format!("--listen=127.0.0.1:{port}"));
        for (flag, file) in [
            ("tls-cert-file", "kubelet.crt"),
            ("tls-private-key-file", "kubelet.key"),
            ("client-ca-file", "ca.crt"),
        ] {
            command.arg(format!("--{flag}={}", folder.path().join(file).display()));
        }
        let mut server = Running::start("kubelet", command, folder.path())?;
        eventually("the kubelet listens", Duration::from_secs(30), async || {
            server.still_runs()?;
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()))
        })
        .await?;
        Ok(Self { server, folder, port })
    }

    /// What an API server is told of it.
    pub fn flags(&self) -> Vec<String> {
        let file = |name: &str| self.file(name).display().to_string();
        vec![
            format!("--kubelet-certificate-authority={}", file("ca.crt")),
            format!("--kubelet-client-certificate={}", file("apiserver.crt")),
            format!("--kubelet-client-key={}", file("apiserver.key")),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Registers the node and the pod.
    ///
    /// # Errors
    /// The API server refuses them.
    pub async fn register(&self, real: &ApiServer) -> Result<()> {
        self.register_at(real, self.port).await
    }

    /// As [`register`](Self::register), with another port than it listens at.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn register_at(&self, real: &ApiServer, port: u16) -> Result<()> {
        let administrator = real.administrator()?;
        let url = format!("{}/api/v1/namespaces/{}", real.url, Self::NAMESPACE);
        eventually("the namespace is there", Duration::from_secs(30), async || {
            Ok(administrator.get(&url).send().await?.status().is_success().then_some(()))
        })
        .await?;
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": Self::NODE},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            },
        });
        real.create(&administrator, "/api/v1/nodes", &node).await?;
        let containers = Self::CONTAINERS.map(|name| json!({"name": name, "image": "registry.example/echo"}));
        let running = Self::CONTAINERS.map(|name| {
            json!({
                "name": name, "image": "registry.example/echo", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-11-22T08:00:00Z"}},
            })
        });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": Self::POD, "namespace": Self::NAMESPACE,
                "annotations": {"kubectl.kubernetes.io/default-container": Self::CONTAINERS[1]},
            },
            "spec": {"nodeName": Self::NODE, "containers": containers},
            "status": {"phase": "Running", "containerStatuses": running},
        });
        real.create(&administrator, &format!("/api/v1/namespaces/{}/pods", Self::NAMESPACE), &pod).await
    }

    /// What it has logged: a line an exec.
    pub fn log(&self) -> String {
        self.server.stderr()
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
