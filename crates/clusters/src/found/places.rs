//! Where each distribution keeps what its API server is told.

use serde_json::Value;

use super::manifest::{Manifest, OnHost};
use super::{Found, FoundFile, LookError, Unread};
use crate::arguments::Arguments;
use crate::host::Host;
use crate::target::Target;
use crate::targets::{k0s, k3s, microk8s, rke2};

/// Where kubelet finds the API server's manifest.
pub const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
/// RKE2 writes its manifest at each start; it is read where it is there, and never changed.
const RKE2_MANIFEST: &str = "/var/lib/rancher/rke2/agent/pod-manifests/kube-apiserver.yaml";

/// Which distribution a machine runs, by its files.
pub fn detect(host: &dyn Host) -> Option<Target> {
    let there = |path: &str| matches!(host.read(path), Ok(Some(_)));
    let any = |folder: &str| host.list(folder).is_ok_and(|names| !names.is_empty());
    [
        (there(MANIFEST) && any("/var/lib/minikube/certs"), Target::Minikube),
        (there(MANIFEST), Target::Kubeadm),
        (any("/etc/rancher/rke2"), Target::Rke2),
        (any("/etc/rancher/k3s"), Target::K3s),
        (there(k0s::CONFIGURATION), Target::K0s),
        (there(microk8s::ARGUMENTS), Target::MicroK8s),
    ]
    .into_iter()
    .find_map(|(is_there, target)| is_there.then_some(target))
}

/// What is there for a target. `manifest` is where a static pod's manifest is.
///
/// # Errors
/// It is not there or cannot be read, or the target keeps it in no file of a machine.
pub fn look(target: Target, host: &dyn Host, manifest: &str) -> Result<Found, LookError> {
    match target {
        Target::Kubeadm | Target::StaticPod | Target::Kind | Target::Minikube | Target::Kubespray => {
            static_pod(host, manifest)
        }
        Target::K3s | Target::K3d => rancher(host, k3s::CONFIGURATION),
        Target::Rke2 => rancher(host, rke2::CONFIGURATION),
        Target::K0s => of_k0s(host),
        Target::MicroK8s => of_microk8s(host),
        _ => Err(LookError::NoFiles { target }),
    }
}

fn read(host: &dyn Host, path: &str) -> Result<String, LookError> {
    match host.read(path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(LookError::Missing { path: path.to_owned() }),
        Err(what) => Err(unusable(path, what)),
    }
}

fn unusable(path: &str, what: impl Into<String>) -> LookError {
    LookError::Unusable { path: path.to_owned(), what: what.into() }
}

fn static_pod(host: &dyn Host, path: &str) -> Result<Found, LookError> {
    let text = read(host, path)?;
    let manifest = Manifest::parse(&text).map_err(|what| unusable(path, what))?;
    Ok(of_pod(&manifest, path, host))
}

/// A file that the API server needs.
fn needed(host: &dyn Host, path: &str) -> Result<String, Unread> {
    match host.read(path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Unread::Because(format!("{path} is not there: the API server does not start"))),
        Err(what) => Err(Unread::Because(what)),
    }
}

/// What a pod says, with the file of the host that it names.
fn of_pod(manifest: &Manifest, source: &str, host: &dyn Host) -> Found {
    let arguments = manifest.arguments();
    let mut notes = Vec::new();
    let file = named_file(&arguments).map(|path| {
        let content = match manifest.on_host(&path) {
            OnHost::File(file) => needed(host, &file),
            OnHost::FileAlone(file) => {
                notes.push(format!(
                    "{path} is mounted as a single file: when it is replaced, the API server keeps reading the old one until \
                     its pod is made anew; mount its folder instead"
                ));
                needed(host, &file)
            }
            OnHost::Elsewhere(what) => {
                Err(Unread::Because(format!("it is in {what}, which is no file of the host")))
            }
            OnHost::Nowhere => {
                let what = "it is in nothing that is mounted: the API server does not start";
                Err(Unread::Because(what.to_owned()))
            }
        };
        FoundFile { path, content }
    });
    Found { source: source.to_owned(), arguments, file, notes }
}

/// The file that the arguments name.
pub(super) fn named_file(arguments: &Arguments) -> Option<String> {
    let path = arguments.filled("authentication-config").or_else(|| arguments.filled("oidc-ca-file"));
    path.map(str::to_owned)
}

/// An API server that sees the host's files as they are.
fn on_host(host: &dyn Host, source: String, arguments: Arguments) -> Found {
    let file = named_file(&arguments).map(|path| {
        let content = needed(host, &path);
        FoundFile { path, content }
    });
    Found { source, arguments, file, notes: Vec::new() }
}

/// The files of a configuration of k3s or RKE2, in the order in which they count.
pub(crate) fn rancher_files(host: &dyn Host, folder: &str) -> Result<Vec<(String, Value)>, LookError> {
    let parts = format!("{folder}/config.yaml.d");
    let mut names = host.list(&parts).map_err(|what| unusable(&parts, what))?;
    names.retain(|name| [".yaml", ".yml"].iter().any(|end| name.ends_with(end)));
    names.sort();
    let paths = std::iter::once(format!("{folder}/config.yaml"))
        .chain(names.iter().map(|name| format!("{parts}/{name}")));
    let mut files = Vec::new();
    for path in paths {
        let Some(text) = host.read(&path).map_err(|what| unusable(&path, what))? else { continue };
        if text.trim().is_empty() {
            continue;
        }
        let value = serde_saphyr::from_str(&text).map_err(|error| {
            unusable(&path, error.to_string().lines().next().unwrap_or_default().to_owned())
        })?;
        files.push((path, value));
    }
    Ok(files)
}

/// The API server's arguments of one such file, and whether they are added to those of earlier files.
pub(crate) fn rancher_arguments(file: &Value) -> Option<(Arguments, bool)> {
    let of = |key: &str| {
        let words = match file.get(key)? {
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(word) => vec![word.clone()],
            _ => Vec::new(),
        };
        Some(Arguments::of_assignments(words))
    };
    of("kube-apiserver-arg+")
        .map(|all| (all, true))
        .or_else(|| of("kube-apiserver-arg").map(|all| (all, false)))
}

fn rancher(host: &dyn Host, folder: &str) -> Result<Found, LookError> {
    let mut arguments = Arguments::default();
    let mut source = folder.to_owned();
    for (path, file) in rancher_files(host, folder)? {
        let Some((more, is_added)) = rancher_arguments(&file) else { continue };
        if !is_added {
            arguments = Arguments::default();
        }
        if more.about_issuers().next().is_some() {
            source = path;
        }
        arguments.extend(more);
    }
    let mut found = on_host(host, source, arguments);
    if folder == rke2::CONFIGURATION {
        let generated = host.read(RKE2_MANIFEST).ok().flatten();
        let running = generated.and_then(|text| Manifest::parse(&text).ok()).map(|pod| pod.arguments());
        let differs =
            running.is_some_and(|running| found.arguments.about_issuers().ne(running.about_issuers()));
        if differs {
            found.notes.push(format!(
                "{RKE2_MANIFEST}, by which the API server runs, has other arguments: restart rke2-server"
            ));
        }
    }
    Ok(found)
}

fn of_k0s(host: &dyn Host) -> Result<Found, LookError> {
    let path = k0s::CONFIGURATION;
    let text = read(host, path)?;
    let read: Value = serde_saphyr::from_str(&text)
        .map_err(|error| unusable(path, error.to_string().lines().next().unwrap_or_default().to_owned()))?;
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let extra = read.pointer("/spec/api/extraArgs").and_then(Value::as_object);
    let mut arguments = Arguments::of_pairs(
        extra
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.trim_start_matches('-').to_owned(), plain(value))),
    );
    let raw = read.pointer("/spec/api/rawArgs").and_then(Value::as_array);
    arguments.extend(Arguments::of_words(raw.into_iter().flatten().filter_map(Value::as_str)));
    Ok(on_host(host, path.to_owned(), arguments))
}

fn of_microk8s(host: &dyn Host) -> Result<Found, LookError> {
    let path = microk8s::ARGUMENTS;
    let text = read(host, path)?;
    let words = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words =
        words.flat_map(str::split_whitespace).map(|word| word.replace("${SNAP_DATA}", microk8s::SNAP_DATA));
    Ok(on_host(host, path.to_owned(), Arguments::of_words(words)))
}
