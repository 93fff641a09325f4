//! A manifest in a folder that kubelet runs, whoever wrote it.

use super::kubeadm::FOLDER;
use super::list;
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map, nested};

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::StaticPod;
    let material = request.material(target, FOLDER)?;
    let mount = map([("name", "authn".into()), ("mountPath", FOLDER.into()), ("readOnly", true.into())]);
    let volume = map([
        ("name", "authn".into()),
        ("hostPath", map([("path", FOLDER.into()), ("type", "DirectoryOrCreate".into())])),
    ]);
    let container = map([
        ("name", "kube-apiserver".into()),
        ("command", list(material.words())),
        ("volumeMounts", Yaml::List(vec![mount])),
    ]);
    let part = nested(
        &["spec"],
        map([("containers", Yaml::List(vec![container])), ("volumes", Yaml::List(vec![volume]))]),
    );
    let mut files = material.config_file(FOLDER, " (on each control-plane node, owned by root, mode 0600)");
    let place =
        "/etc/kubernetes/manifests/kube-apiserver.yaml: the lines below are added to those that are there";
    files.push(ConfigFile::part("kube-apiserver-part.yaml", place, yaml::to_string(&part)));
    let apply = vec![
        keep_a_way_in(),
        Step::run(
            "One node after the other: keep the manifest outside of its folder, where kubelet would run the copy too.",
            "cp /etc/kubernetes/manifests/kube-apiserver.yaml /var/backups/kube-apiserver.yaml.before",
        ),
        Step::say(
            "Put the file there, add the lines to the manifest, and replace it in one step (mv within the same file \
             system). kubelet restarts the API server within seconds.",
        ),
    ];
    let rollback = vec![Step::run(
        "Put the manifest back.",
        "cp /var/backups/kube-apiserver.yaml.before /etc/kubernetes/manifests/kube-apiserver.yaml",
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "Where a tool writes the manifest (kubeadm, RKE2, Kubespray …) change that tool's configuration instead, or the \
         next run takes these lines away."
            .to_owned(),
    );
    Ok(made)
}
