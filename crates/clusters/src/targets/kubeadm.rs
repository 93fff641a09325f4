//! kubeadm: `ClusterConfiguration.apiServer`, and the static pod that it writes on each node.
//!
//! A change of the manifest alone is lost at the next upgrade, so the configuration in the cluster changes too. The
//! folder is mounted, not the file: a mounted file keeps its old content when it is replaced.

use super::{argument_list, argument_map, host_folder};
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::kubernetes_version::KubernetesVersion;
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

pub(crate) const FOLDER: &str = "/etc/kubernetes/authn";
/// With the list form of arguments (kubeadm v1beta4, Kubernetes 1.31).
const V1BETA4: KubernetesVersion = KubernetesVersion::new(1, 31);

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Kubeadm;
    let material = request.material(target, FOLDER)?;
    let has_list = request.kubernetes >= V1BETA4;
    if !has_list {
        material.no_repeated_flag(target)?;
    }
    let (version, arguments) = if has_list {
        ("v1beta4", argument_list(&material.arguments))
    } else {
        ("v1beta3", argument_map(&material.arguments))
    };
    let part = map([
        ("apiVersion", format!("kubeadm.k8s.io/{version}").into()),
        ("kind", "ClusterConfiguration".into()),
        (
            "apiServer",
            map([("extraArgs", arguments), ("extraVolumes", Yaml::List(vec![host_folder(FOLDER)]))]),
        ),
    ]);
    let mut files = material.config_file(FOLDER, " (on each control-plane node, owned by root, mode 0600)");
    let place = "kubeadm.yaml, the configuration that the next command reads out of the cluster";
    files.push(ConfigFile::part("kubeadm-part.yaml", place, yaml::to_string(&part)));
    let apply = vec![
        keep_a_way_in(),
        Step::run(
            "Read the present configuration, and merge kubeadm-part.yaml into it.",
            "kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > kubeadm.yaml",
        ),
        Step::run(
            "On each control-plane node, one after the other: keep the manifest outside of the folder that kubelet runs.",
            "cp /etc/kubernetes/manifests/kube-apiserver.yaml /var/backups/kube-apiserver.yaml.before",
        ),
        Step::run(
            "Put the file there, then let kubeadm write the manifest; kubelet restarts the API server.",
            format!(
                "install -d -m 0700 {FOLDER} && kubeadm init phase control-plane apiserver --config kubeadm.yaml"
            ),
        ),
        Step::run(
            "When all nodes have it: keep the configuration in the cluster, for upgrades and new nodes.",
            "kubeadm init phase upload-config kubeadm --config kubeadm.yaml",
        ),
    ];
    let rollback = vec![
        Step::run(
            "On the node: put the manifest back.",
            "cp /var/backups/kube-apiserver.yaml.before /etc/kubernetes/manifests/kube-apiserver.yaml",
        ),
        Step::say(
            "Take the part out of the configuration in the cluster again (kubeadm init phase upload-config).",
        ),
    ];
    Ok(material.instructions(target, files, apply, rollback))
}
