//! k0s: `spec.api.extraArgs`; the API server is a process of the host under a user of its own.

use super::argument_map;
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, map, nested};

/// Its configuration.
pub(crate) const CONFIGURATION: &str = "/etc/k0s/k0s.yaml";
pub(crate) const FOLDER: &str = "/etc/k0s/authn";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::K0s;
    let material = request.material(target, FOLDER)?;
    material.no_repeated_flag(target)?;
    let part = map([
        ("apiVersion", "k0s.k0sproject.io/v1beta1".into()),
        ("kind", "ClusterConfig".into()),
        ("spec", nested(&["api", "extraArgs"], argument_map(&material.arguments))),
    ]);
    let mut files =
        material.config_file(FOLDER, " (on each controller, readable by the user kube-apiserver)");
    let place = "/etc/k0s/k0s.yaml (on each controller)";
    files.push(ConfigFile::part("k0s-part.yaml", place, yaml::to_string(&part)));
    let apply = vec![
        keep_a_way_in(),
        Step::run("Keep the configuration.", "cp /etc/k0s/k0s.yaml /var/backups/k0s.yaml.before"),
        Step::run(
            "Put the file there, for the user of the API server.",
            format!("install -d -o kube-apiserver -m 0700 {FOLDER} && chown -R kube-apiserver {FOLDER}"),
        ),
        Step::run(
            "Merge k0s-part.yaml into the configuration, check it, and restart; one controller after the other.",
            "k0s config validate --config /etc/k0s/k0s.yaml && systemctl restart k0scontroller",
        ),
    ];
    let rollback = vec![Step::run(
        "On each controller.",
        "cp /var/backups/k0s.yaml.before /etc/k0s/k0s.yaml && systemctl restart k0scontroller",
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    if request.access.anonymous.is_some() {
        made.warnings.push(
            "k0s takes `anonymous` in the file since July 2026 only; before, its own --anonymous-auth keeps the API server \
             from starting (https://github.com/k0sproject/k0s/issues/7961)."
                .to_owned(),
        );
    }
    Ok(made)
}
