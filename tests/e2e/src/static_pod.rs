//! A control-plane node in a folder: a manifest that is run as kubelet runs a static pod, with the real kube-apiserver.
//!
//! What of kubelet matters is as it is there: a changed manifest ends the process and begins it anew, a process that ends is
//! begun again, every file of the folder is taken for a manifest unless its name begins with a dot, and a path that nothing
//! mounts is not there for the process. A single file that is mounted stays what it was when the process began.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Certificate, Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::apiserver::{Keys, start_etcd};
use crate::deadline::eventually;
use crate::environment;
use crate::process::{Running, free_port, tied};

/// Where kubelet looks, below the root.
const MANIFESTS: &str = "etc/kubernetes/manifests";
/// In the pod and on the host.
const KEYS: &str = "/etc/kubernetes/pki";

/// The node, with its API server.
#[derive(Debug)]
pub struct StaticPod {
    /// `https://127.0.0.1:PORT`
    pub url: String,
    /// Who signed its certificate, PEM.
    pub ca_pem: String,
    administrator_pem: String,
    shared: Arc<Shared>,
    kubelet: Option<JoinHandle<()>>,
    _etcd: Running,
    folder: TempDir,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// How often the process was begun.
    begun: AtomicUsize,
    /// Manifests that were seen in the folder.
    seen: Mutex<BTreeSet<String>>,
    log: Mutex<String>,
}

impl StaticPod {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// A program is missing, or the API server is not ready in time.
    pub async fn start() -> Result<Self> {
        let folder = environment::scratch("static-pod")?;
        let root = folder.path().join("root");
        let on_host = root.join(KEYS.trim_start_matches('/'));
        fs::create_dir_all(&on_host)?;
        fs::create_dir_all(root.join(MANIFESTS))?;
        let (etcd, etcd_url) = start_etcd(folder.path())?;
        let keys = Keys::make(&on_host)?;
        let port = free_port()?;
        let in_pod = |word: String| word.replace(&on_host.display().to_string(), KEYS);
        let words: Vec<_> = keys.arguments(&etcd_url, port).into_iter().map(in_pod).collect();
        fs::write(root.join(MANIFESTS).join("kube-apiserver.yaml"), manifest(&words))?;
        let url = format!("https://127.0.0.1:{port}");
        let (certificate, key) = keys.administrator_pem.split_at(
            keys.administrator_pem.find("-----BEGIN PRIVATE KEY").context("an administrator's key")?,
        );
        let data = |pem: &str| BASE64_STANDARD.encode(pem);
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "admin",
            "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority-data": data(&keys.ca_pem)}}],
            "users": [{"name": "u", "user": {"client-certificate-data": data(certificate), "client-key-data": data(key)}}],
            "contexts": [{"name": "admin", "context": {"cluster": "c", "user": "u"}}],
        });
        fs::write(root.join("etc/kubernetes/admin.conf"), kubeconfig.to_string())?;
        let shared = Arc::new(Shared::default());
        let kubelet = Kubelet { shared: Arc::clone(&shared), root, logs: folder.path().to_owned() };
        let this = Self {
            url,
            ca_pem: keys.ca_pem,
            administrator_pem: keys.administrator_pem,
            shared,
            kubelet: Some(std::thread::spawn(move || kubelet.run())),
            _etcd: etcd,
            folder,
        };
        this.wait_until_ready().await?;
        Ok(this)
    }

    /// The folder that stands for the node's root.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.root().join(MANIFESTS).join("kube-apiserver.yaml")
    }

    /// A file of the node.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// How often the API server was begun.
    pub fn begun(&self) -> usize {
        self.shared.begun.load(Ordering::SeqCst)
    }

    /// Every file that was ever there for kubelet to run.
    pub fn manifests_seen(&self) -> BTreeSet<String> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the API server has logged since it was begun.
    pub fn log(&self) -> String {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the API server is ready now.
    pub async fn is_ready(&self) -> bool {
        let Ok(client) = self.administrator() else { return false };
        let answer = client.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
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

    /// Waits until the API server is ready.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn wait_until_ready(&self) -> Result<()> {
        eventually("the static pod's kube-apiserver is ready", Duration::from_secs(90), async || {
            Ok(self.is_ready().await.then_some(()))
        })
        .await
        .with_context(|| crate::process::last_lines(&self.log(), 20))
    }
}

impl Drop for StaticPod {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(kubelet) = self.kubelet.take() {
            // It has nothing left to say.
            let _ = kubelet.join();
        }
    }
}

fn manifest(words: &[String]) -> String {
    let lines = words.join("\n    - ");
    format!(
        "# written by the suite, as kubeadm would
apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - {lines}
    image: kube-apiserver   # the peer
    name: kube-apiserver
    volumeMounts:
    - mountPath: {KEYS}
      name: k8s-certs
      readOnly: true
  hostNetwork: true
  volumes:
  - hostPath:
      path: {KEYS}
      type: DirectoryOrCreate
    name: k8s-certs
status: {{}}
"
    )
}

struct Kubelet {
    shared: Arc<Shared>,
    root: PathBuf,
    logs: PathBuf,
}

impl Kubelet {
    fn run(&self) {
        let mut running: Option<Running> = None;
        let mut text = String::new();
        let mut again = Instant::now();
        while !self.shared.stop.load(Ordering::SeqCst) {
            self.look_around();
            let now =
                fs::read_to_string(self.root.join(MANIFESTS).join("kube-apiserver.yaml")).unwrap_or_default();
            if now != text {
                // Ends what runs.
                running = None;
                text = now;
                again = Instant::now();
            }
            if let Some(process) = &mut running {
                *self.shared.log.lock().unwrap_or_else(PoisonError::into_inner) = process.stderr();
                if !matches!(process.ended(), Ok(None)) {
                    running = None;
                    again = Instant::now() + Duration::from_secs(1);
                }
            }
            if running.is_none() && Instant::now() >= again {
                running = self.begin(&text).ok();
                again = Instant::now() + Duration::from_secs(1);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn look_around(&self) {
        let names = fs::read_dir(self.root.join(MANIFESTS)).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(names.filter(|name| !name.starts_with('.')));
    }

    fn begin(&self, text: &str) -> Result<Running> {
        let pod: Value = serde_saphyr::from_str(text)?;
        let container = &pod["spec"]["containers"][0];
        let words = container["command"].as_array().context("a command")?;
        let number = self.shared.begun.fetch_add(1, Ordering::SeqCst);
        let inside = self.logs.join(format!("container-{number}"));
        let mut command = tied(&environment::peer("kube-apiserver")?);
        for word in words.iter().skip(1).filter_map(Value::as_str) {
            command.arg(self.seen_from_inside(word, &pod, &inside)?);
        }
        Running::start(&format!("kube-apiserver-{number}"), command, &self.logs)
    }

    /// A word with its path, if it is one, where the process finds what the container would.
    fn seen_from_inside(&self, word: &str, pod: &Value, inside: &Path) -> Result<String> {
        let Some((name, path)) = word.split_once("=/") else { return Ok(word.to_owned()) };
        let path = format!("/{path}");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mounts = list(&pod["spec"]["containers"][0]["volumeMounts"]);
        let found = mounts.iter().find_map(|mount| {
            let rest = path.strip_prefix(mount["mountPath"].as_str()?)?;
            let volumes = list(&pod["spec"]["volumes"]);
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"])?;
            let host = volume["hostPath"]["path"].as_str()?.trim_start_matches('/').to_owned();
            Some((self.root.join(host), rest.to_owned()))
        });
        let place = match found {
            // The inode that it was: what replaces it later is not seen.
            Some((host, rest)) if rest.is_empty() => {
                fs::create_dir_all(inside)?;
                let copy = inside.join("file");
                fs::copy(&host, &copy)?;
                copy
            }
            Some((host, rest)) => host.join(rest.trim_start_matches('/')),
            None => inside.join("nothing-is-mounted-here"),
        };
        Ok(format!("{name}={}", place.display()))
    }
}
