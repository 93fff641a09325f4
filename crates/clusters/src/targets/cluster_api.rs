//! Cluster API with `KubeadmControlPlane`: every change rolls all machines of the control plane.

use super::{argument_list, argument_map, host_folder};
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::kubernetes_version::KubernetesVersion;
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map, nested};

const FOLDER: &str = "/etc/kubernetes/authn";
/// Cluster API with v1beta2, in which arguments are a list.
const V1BETA2: KubernetesVersion = KubernetesVersion::new(1, 11);

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::ClusterApi;
    let material = request.material(target, FOLDER)?;
    let has_list = request.target_version.is_none_or(|version| version >= V1BETA2);
    if !has_list {
        material.no_repeated_flag(target)?;
    }
    let (version, arguments) = if has_list {
        ("v1beta2", argument_list(&material.arguments))
    } else {
        ("v1beta1", argument_map(&material.arguments))
    };
    let mut spec = Vec::new();
    if let Some((name, text)) = &material.file {
        let file = map([
            ("path", format!("{FOLDER}/{name}").into()),
            ("owner", "root:root".into()),
            ("permissions", "0600".into()),
            ("content", text.as_str().into()),
        ]);
        spec.push(("files".to_owned(), Yaml::List(vec![file])));
    }
    let server = map([("extraArgs", arguments), ("extraVolumes", Yaml::List(vec![host_folder(FOLDER)]))]);
    spec.push(("clusterConfiguration".to_owned(), map([("apiServer", server)])));
    let part = map([
        ("apiVersion", format!("controlplane.cluster.x-k8s.io/{version}").into()),
        ("kind", "KubeadmControlPlane".into()),
        (
            "metadata",
            map([
                ("name", request.cluster.unwrap_or("CLUSTER-control-plane").into()),
                ("namespace", request.scope.unwrap_or("default").into()),
            ]),
        ),
        ("spec", nested(&["kubeadmConfigSpec"], Yaml::Map(spec))),
    ]);
    let place = "the KubeadmControlPlane in the management cluster (or the template of its ClusterClass)";
    let files = vec![ConfigFile::part("kubeadm-control-plane-part.yaml", place, yaml::to_string(&part))];
    let name = request.cluster.map_or_else(|| "CLUSTER-control-plane".to_owned(), |_| request.cluster());
    let namespace = request.scope("default");
    let apply = vec![
        keep_a_way_in(),
        Step::run(
            "Keep the present object.",
            format!(
                "kubectl -n {namespace} get kubeadmcontrolplane {name} -o yaml > control-plane.before.yaml"
            ),
        ),
        Step::run(
            "Add the entries to its lists. All control-plane machines are replaced, one after the other.",
            format!("kubectl -n {namespace} edit kubeadmcontrolplane {name}"),
        ),
        Step::run("Wait for it.", format!("kubectl -n {namespace} get kubeadmcontrolplane {name} --watch")),
    ];
    let rollback = vec![Step::run(
        "Take the entries out again; the machines are replaced once more.",
        format!("kubectl -n {namespace} edit kubeadmcontrolplane {name}"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    if request.target_version.is_none() {
        made.warnings.push(
            "This is for Cluster API 1.11 and later (v1beta2); before, arguments are a map: say --target-version 1.10."
                .to_owned(),
        );
    }
    Ok(made)
}
