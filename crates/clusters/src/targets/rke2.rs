//! RKE2: arguments in its configuration folder; the static pod is generated and must not be edited.

use super::k3s::anonymous_warning;
use super::list;
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml};

/// The folder of its configuration.
pub(crate) const CONFIGURATION: &str = "/etc/rancher/rke2";
pub(crate) const FOLDER: &str = "/etc/rancher/rke2/authn";
pub(crate) const PART: &str = "/etc/rancher/rke2/config.yaml.d/90-oidc.yaml";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Rke2;
    let material = request.material(target, FOLDER)?;
    let mut entries = vec![("kube-apiserver-arg+".to_owned(), list(material.assignments()))];
    if material.file.is_some() {
        let mount = format!("{FOLDER}:{FOLDER}:ro");
        entries.push(("kube-apiserver-extra-mount+".to_owned(), list(vec![mount])));
    }
    let mut files = material.config_file(FOLDER, " (on each server)");
    let part = yaml::to_string(&Yaml::Map(entries));
    files.push(ConfigFile::whole("90-oidc.yaml", format!("{PART} (on each server)"), part));
    let apply = vec![
        keep_a_way_in(),
        Step::run(
            "On each server, one after the other, after the files are there.",
            format!("install -d -m 0700 {FOLDER} && systemctl restart rke2-server"),
        ),
    ];
    let rollback = vec![Step::run(
        "On each server, one after the other.",
        format!("rm {PART} && systemctl restart rke2-server"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "Do not edit the files in /var/lib/rancher/rke2/agent/pod-manifests: they are written anew at each start \
         (https://github.com/rancher/rke2/issues/5142)."
            .to_owned(),
    );
    if request.access.anonymous.is_some() {
        made.warnings.push(anonymous_warning("RKE2", "https://github.com/rancher/rke2/issues/8137"));
    }
    Ok(made)
}
