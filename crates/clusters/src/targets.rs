//! One file a target: where things go, how they come into force, how they are taken back, and its traps.

pub(crate) mod aks;
pub(crate) mod cluster_api;
pub(crate) mod eks;
pub(crate) mod gardener;
pub(crate) mod gke;
pub(crate) mod k0rdent;
pub(crate) mod k0s;
pub(crate) mod k3d;
pub(crate) mod k3s;
pub(crate) mod kamaji;
pub(crate) mod kind;
pub(crate) mod kops;
pub(crate) mod kubeadm;
pub(crate) mod kubeone;
pub(crate) mod kubespray;
pub(crate) mod microk8s;
pub(crate) mod minikube;
pub(crate) mod openshift;
pub(crate) mod rke2;
pub(crate) mod static_pod;
pub(crate) mod talos;
pub(crate) mod vcluster;

use crate::oidc_flags::Argument;
use crate::yaml::{Yaml, map};

/// Arguments as a list of name and value (kubeadm v1beta4).
fn argument_list(arguments: &[Argument]) -> Yaml {
    let entry =
        |(name, value): &Argument| map([("name", name.as_str().into()), ("value", value.as_str().into())]);
    Yaml::List(arguments.iter().map(entry).collect())
}

/// Arguments as a map (kubeadm up to v1beta3, k0s).
fn argument_map(arguments: &[Argument]) -> Yaml {
    Yaml::Map(arguments.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect())
}

/// Words as a list.
fn list(words: Vec<String>) -> Yaml {
    Yaml::List(words.into_iter().map(Yaml::from).collect())
}

/// A folder of the host, at the same place in the API server's container.
fn host_folder(folder: &str) -> Yaml {
    map([
        ("name", "authn".into()),
        ("hostPath", folder.into()),
        ("mountPath", folder.into()),
        ("readOnly", true.into()),
        ("pathType", "DirectoryOrCreate".into()),
    ])
}
