//! Kamaji: control planes as pods of a management cluster. Files come from a ConfigMap; folders of the host would break
//! the isolation of the tenants.

use super::list;
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

const FOLDER: &str = "/etc/kubernetes/authn";
const CONFIG_MAP: &str = "api-server-authn";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Kamaji;
    let material = request.material(target, FOLDER)?;
    let namespace = request.scope.unwrap_or("default");
    let mut deployment = vec![("extraArgs".to_owned(), map([("apiServer", list(material.words()))]))];
    let mut files = Vec::new();
    if let Some((name, text)) = &material.file {
        let volume = map([("name", "authn".into()), ("configMap", map([("name", CONFIG_MAP.into())]))]);
        let mount = map([("name", "authn".into()), ("mountPath", FOLDER.into()), ("readOnly", true.into())]);
        deployment.push(("additionalVolumes".to_owned(), Yaml::List(vec![volume])));
        deployment.push(("additionalVolumeMounts".to_owned(), map([("apiServer", Yaml::List(vec![mount]))])));
        files.push(ConfigFile::whole(
            "config-map.yaml",
            "the management cluster, in the tenant's namespace",
            config_map(CONFIG_MAP, namespace, name, text),
        ));
    }
    let part = map([
        ("apiVersion", "kamaji.clastix.io/v1alpha1".into()),
        ("kind", "TenantControlPlane".into()),
        (
            "metadata",
            map([("name", request.cluster.unwrap_or("CLUSTER").into()), ("namespace", namespace.into())]),
        ),
        ("spec", map([("controlPlane", map([("deployment", Yaml::Map(deployment))]))])),
    ]);
    let place = "the TenantControlPlane in the management cluster";
    files.push(ConfigFile::part("tenant-control-plane-part.yaml", place, yaml::to_string(&part)));
    let (cluster, scope) = (request.cluster(), request.scope("default"));
    let mut apply = vec![keep_a_way_in()];
    if material.file.is_some() {
        apply.push(Step::run("Make the ConfigMap.", "kubectl apply -f config-map.yaml"));
    }
    apply.push(Step::run(
        "Change the control plane; its pods are replaced one after the other.",
        format!(
            "kubectl -n {scope} patch tenantcontrolplane {cluster} --type=merge --patch-file tenant-control-plane-part.yaml"
        ),
    ));
    let rollback = vec![Step::run(
        "Take the fields out again.",
        format!("kubectl -n {scope} edit tenantcontrolplane {cluster}"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "A merge patch replaces lists: if the control plane has arguments, volumes or mounts of its own already, add them to \
         the part first."
            .to_owned(),
    );
    Ok(made)
}

/// A ConfigMap with one file.
pub(super) fn config_map(name: &str, namespace: &str, file: &str, text: &str) -> String {
    yaml::to_string(&map([
        ("apiVersion", "v1".into()),
        ("kind", "ConfigMap".into()),
        ("metadata", map([("name", name.into()), ("namespace", namespace.into())])),
        ("data", Yaml::Map(vec![(file.to_owned(), text.into())])),
    ]))
}
