//! kind: a cluster's configuration counts when it is made. With the file in a mounted folder it can be changed afterwards.

use super::{argument_list, argument_map, host_folder};
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Step, shell_word};
use crate::request::Request;
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

const FOLDER: &str = "/etc/kubernetes/authn";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Kind;
    let material = request.material(target, FOLDER)?;
    material.no_repeated_flag(target)?;
    // kind writes v1beta3 for Kubernetes before 1.36 and v1beta4 from then on; a patch with a version is for that one
    // only (https://github.com/kubernetes-sigs/kind/pull/4173).
    let patch = |version: &str, arguments: Yaml| {
        let patch = map([
            ("apiVersion", format!("kubeadm.k8s.io/{version}").into()),
            ("kind", "ClusterConfiguration".into()),
            (
                "apiServer",
                map([("extraArgs", arguments), ("extraVolumes", Yaml::List(vec![host_folder(FOLDER)]))]),
            ),
        ]);
        Yaml::from(yaml::to_string(&patch))
    };
    let mount =
        map([("hostPath", "./authn".into()), ("containerPath", FOLDER.into()), ("readOnly", true.into())]);
    let node = map([("role", "control-plane".into()), ("extraMounts", Yaml::List(vec![mount]))]);
    let cluster = map([
        ("kind", "Cluster".into()),
        ("apiVersion", "kind.x-k8s.io/v1alpha4".into()),
        ("nodes", Yaml::List(vec![node])),
        (
            "kubeadmConfigPatches",
            Yaml::List(vec![
                patch("v1beta3", argument_map(&material.arguments)),
                patch("v1beta4", argument_list(&material.arguments)),
            ]),
        ),
    ]);
    let mut files = material.config_file("authn", ", beside the cluster's configuration");
    files.push(ConfigFile::whole("kind.yaml", "kind.yaml", yaml::to_string(&cluster)));
    let name = request.cluster.map(|name| format!(" --name {}", shell_word(name))).unwrap_or_default();
    let apply = vec![Step::run(
        "Make the cluster.",
        format!("mkdir -p authn && kind create cluster --config kind.yaml{name}"),
    )];
    let rollback = vec![Step::run("Remove the cluster.", format!("kind delete cluster{name}"))];
    let later = material.form == Form::Config;
    let mut made = material.instructions(target, files, apply, rollback);
    if later {
        made.warnings.push(
            "Afterwards it is enough to replace authn/authentication-config.yaml: the API server reads it again within a \
             minute. Flags cannot be changed without making the cluster anew."
                .to_owned(),
        );
    }
    made.warnings.push(
        "The node resolves names as Docker does: an issuer at localhost or 127.0.0.1 is the node itself, not this machine."
            .to_owned(),
    );
    Ok(made)
}
